"""Sources by name. Input: name, universe, folder. Output: a `MarketDataSource`."""

from __future__ import annotations

from pathlib import Path

from trading_lib.adapters.sources.files import FileSource
from trading_lib.adapters.sources.simulated_market import SimulatedMarket
from trading_lib.adapters.sources.yfinance_source import YFinanceSource
from trading_lib.domain.errors import ConfigurationError
from trading_lib.domain.instruments import Universe
from trading_lib.market_data.source import MarketDataSource

SOURCE_NAMES = ("simulated", "files", "yfinance")


def create_source(name: str, universe: Universe, data_folder: Path | None = None) -> MarketDataSource:
    """Make the source called ``name``.

    Parameters
    ----------
    data_folder
        Needed by "files" and by no other.

    Raises
    ------
    ConfigurationError
        An unknown name, or "files" without a folder.
    """
    if name == "simulated":
        return SimulatedMarket(universe)
    if name == "yfinance":
        return YFinanceSource(universe)
    if name == "files":
        if data_folder is None:
            raise ConfigurationError("source 'files' has no data folder", "name a folder of CSV or Parquet files")
        return FileSource(data_folder, universe)
    raise ConfigurationError(f"unknown market data source {name!r}", f"use one of {', '.join(SOURCE_NAMES)}")
