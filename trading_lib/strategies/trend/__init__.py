"""Trend following: signals sized to a volatility target, and the same with confirmed signals."""
