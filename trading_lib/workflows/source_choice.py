"""Which source a run reads: by name, from a folder, or the simulated market."""

from __future__ import annotations

from pathlib import Path

from trading_lib.adapters.sources.registry import create_source
from trading_lib.domain.errors import InputError, one_of
from trading_lib.market_data.chain import CHAIN
from trading_lib.market_data.source import MarketDataSource
from trading_lib.workflows.settings import Settings

SIMULATED = "simulated"
FILES = "files"
# What --source and the forms of the DAGs take.
CHOICES = (SIMULATED, FILES, CHAIN, "polygon", "tiingo", "yfinance", "binance", "bybit")


def source_kind(source: str | None, data: str | Path | None) -> str:
    """Return the source's kind: the one named, else files when a folder is given, else the simulated market.

    Raises
    ------
    InputError
        When there is no such source, or it reads no folder and one is given.
    """
    if source is not None and source not in CHOICES:
        raise InputError(f"unknown source {source!r}", one_of(source, CHOICES))
    if source == SIMULATED and data:
        raise InputError(f"the simulated market reads no folder, so {data} would count for nothing", "leave one out")
    return source or (FILES if data else SIMULATED)


def offline_source(kind: str, data: str | Path | None, settings: Settings) -> MarketDataSource:
    """Create a source by itself, without the cache and circuit breakers that need the database."""
    active = settings.configuration
    return create_source(kind, active.universe, Path(data) if data else None, limits=active.sources.files)
