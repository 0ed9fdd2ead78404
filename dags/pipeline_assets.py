"""What the DAGs share: an asset stands for stored rows, its events carry ids and never data."""

from airflow.sdk import Asset

MARKET_DATA = Asset("market_data")

# What the parameter `source` of a DAG may be.
SOURCES = ("simulated", "files", "chain", "polygon", "tiingo", "yfinance", "binance", "bybit")
