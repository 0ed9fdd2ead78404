"""Trades, costs and what each position and limit contributed."""
