"""Rules about prices: structure, coverage, splits, dividends, price path, and comparison between sources."""
