"""Alpaca's face: its trading REST and its stream of trade updates."""
