"""Commands about market data."""
