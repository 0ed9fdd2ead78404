"""What the DAGs hand to each other: an asset stands for stored rows, its events carry ids and never data."""

from airflow.sdk import Asset

MARKET_DATA = Asset("market_data")
