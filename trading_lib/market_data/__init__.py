"""Market data: the source protocol, a chain of sources with fallback, and the `PricePanel` known at each decision."""
