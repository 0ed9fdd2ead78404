"""Stores of research: points of sweeps and results of gates."""
