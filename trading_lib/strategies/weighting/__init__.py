"""Weights from covariances: risk parity and its constraints."""
