"""Sources by name or by the class of a user. Input: name, universe, folder, environment. Output: the source."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

from trading_lib.adapters.sources.catalogue import Delivers, is_own, of
from trading_lib.adapters.sources.files.source import FileSource
from trading_lib.adapters.sources.own_source import OwnSource, own_source_class
from trading_lib.adapters.sources.simulated.source import SimulatedMarket
from trading_lib.adapters.sources.vendors import ccxt_exchanges as ccxt_source
from trading_lib.adapters.sources.vendors import cftc as cftc_source
from trading_lib.adapters.sources.vendors import fred as fred_source
from trading_lib.adapters.sources.vendors import polygon as polygon_source
from trading_lib.adapters.sources.vendors import tiingo as tiingo_source
from trading_lib.adapters.sources.vendors.ccxt_exchanges import CcxtSource
from trading_lib.adapters.sources.vendors.cftc import CftcSource
from trading_lib.adapters.sources.vendors.fred import FredSource
from trading_lib.adapters.sources.vendors.polygon import PolygonSource
from trading_lib.adapters.sources.vendors.tiingo import TiingoSource
from trading_lib.adapters.sources.vendors.yahoo import YFinanceSource
from trading_lib.domain.errors import ConfigurationError, one_of
from trading_lib.domain.market.instruments import Universe
from trading_lib.market_data.config import FileLimits
from trading_lib.market_data.source import FundingSource, MarketDataSource, PositioningSource

FILES = "files"
EXCHANGES = tuple(ccxt_source.FUNDING_PAGES)
MARKET_SOURCES = of(Delivers.BARS, Delivers.MACRO)
FUNDING_SOURCES = of(Delivers.FUNDING)
POSITIONING_SOURCES = of(Delivers.POSITIONING)
SOURCE_NAMES = of(*Delivers)
KEY_VARIABLES: Mapping[str, str] = {
    polygon_source.NAME: polygon_source.KEY_VARIABLE,
    tiingo_source.NAME: tiingo_source.KEY_VARIABLE,
    fred_source.NAME: fred_source.KEY_VARIABLE,
}


def create_source(
    name: str,
    universe: Universe,
    data_folder: Path | None = None,
    environment: Mapping[str, str] | None = None,
    limits: FileLimits | None = None,
) -> MarketDataSource:
    """Make the source of bars and macro series called ``name``, or of the user's class that ``name`` refers to.

    Parameters
    ----------
    data_folder
        Needed by "files" and by no other.
    environment
        Where keys are looked up (`KEY_VARIABLES`); the process's own by default.
    limits
        How large a file of the folder may be.

    Raises
    ------
    ConfigurationError
        An unknown name, "files" without a folder, or a user's class that is none.
    MissingKeyError
        The source's key is not set.
    """
    if is_own(name):
        return OwnSource(name, universe)
    key = _key(name, environment)
    if name == "simulated":
        return SimulatedMarket(universe)
    if name == "yfinance":
        return YFinanceSource(universe)
    if name == FILES:
        return _files(universe, data_folder, limits)
    if name == polygon_source.NAME:
        return PolygonSource(universe, key)
    if name == tiingo_source.NAME:
        return TiingoSource(universe, key)
    if name == fred_source.NAME:
        return FredSource(key)
    if name in EXCHANGES:
        return CcxtSource(name, universe)
    raise _unknown("market data", name, MARKET_SOURCES)


def stored_name(name: str) -> str:
    """Return the name under which a source of sources.yaml stores its rows: a user's class says it itself."""
    if not is_own(name):
        return name
    name_of_source: str = own_source_class(name).name
    return name_of_source


def create_funding_source(name: str, universe: Universe, data_folder: Path | None = None) -> FundingSource:
    """Make the source of funding rates called ``name``; see `create_source`."""
    if name in EXCHANGES:
        return CcxtSource(name, universe)
    if name == FILES:
        return _files(universe, data_folder)
    raise _unknown("funding", name, FUNDING_SOURCES)


def create_positioning_source(name: str, universe: Universe, data_folder: Path | None = None) -> PositioningSource:
    """Make the source of Commitments of Traders called ``name``; see `create_source`."""
    if name == cftc_source.NAME:
        return CftcSource()
    if name == FILES:
        return _files(universe, data_folder)
    raise _unknown("positioning", name, POSITIONING_SOURCES)


def _key(name: str, environment: Mapping[str, str] | None) -> str | None:
    variables = os.environ if environment is None else environment
    variable = KEY_VARIABLES.get(name)
    return variables.get(variable) if variable else None


def _files(universe: Universe, data_folder: Path | None, limits: FileLimits | None = None) -> FileSource:
    if data_folder is None:
        raise ConfigurationError("source 'files' has no data folder", "name a folder of CSV or Parquet files")
    return FileSource(data_folder, universe, limits)


def _unknown(kind: str, name: str, names: tuple[str, ...]) -> ConfigurationError:
    problem = f"source {name!r} has no {kind}" if name in SOURCE_NAMES else f"unknown {kind} source {name!r}"
    return ConfigurationError(problem, one_of(name, names))
