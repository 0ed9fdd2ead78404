"""Strategies: market regime, signals, and the target weights of each sleeve (trend, rotation, momentum, carry)."""
