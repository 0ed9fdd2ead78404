"""Binance spot behind the broker interface, through the real ccxt client."""
