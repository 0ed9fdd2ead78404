"""Commands about market data: ingestion, sources, validation, freshness, rulings."""
