"""Vendors' market data."""
