"""Market data sources: every module here implements `trading_lib.market_data.source.MarketDataSource`."""
