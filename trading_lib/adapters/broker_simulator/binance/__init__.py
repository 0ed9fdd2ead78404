"""Binance's face: its spot REST, with signatures, filters and fees in coins."""
