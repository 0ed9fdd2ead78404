"""The sources of funding rates and Commitments of Traders that go with the source of a plan."""

from __future__ import annotations

import time
from pathlib import Path

from trading_lib.adapters.sources.files import FileSource
from trading_lib.adapters.sources.registry import FILES, create_funding_source, create_positioning_source
from trading_lib.domain.errors import ConfigurationError
from trading_lib.market_data.chain import CHAIN
from trading_lib.market_data.config import Route
from trading_lib.market_data.source import FundingSource, PositioningSource
from trading_lib.workflows.settings import Settings
from trading_lib.workflows.sources import Care

FUNDING_GROUP, POSITIONING_GROUP = "funding", "positioning"
FURTHER_ROUTES = {FUNDING_GROUP: Route.FUNDING, POSITIONING_GROUP: Route.POSITIONING}


def open_funding(kind: str, data: str | None, settings: Settings) -> list[FundingSource]:
    """Open the sources of funding rates that belong to a plan's source; most have none."""
    universe = settings.configuration.universe
    if kind == FILES:
        files = file_source(data, settings)
        return [files] if files.has_funding else []
    if kind == CHAIN:
        care, names = Care(settings, time.sleep), settings.configuration.sources.order.get(Route.FUNDING, ())
        return [care.of_funding(name, create_funding_source(name, universe)) for name in names]
    return []


def open_positioning(kind: str, data: str | None, settings: Settings) -> list[PositioningSource]:
    """Open the sources of Commitments of Traders that belong to a plan's source; most have none."""
    universe = settings.configuration.universe
    if kind == FILES:
        files = file_source(data, settings)
        return [files] if files.has_cot else []
    if kind == CHAIN:
        care, names = Care(settings, time.sleep), settings.configuration.sources.order.get(Route.POSITIONING, ())
        return [care.of_positioning(name, create_positioning_source(name, universe)) for name in names]
    return []


def further_groups(kind: str, data: str | None, settings: Settings) -> list[str]:
    """Name the groups beside bars and macro series that a plan's source can deliver; nothing is asked for it."""
    if kind == FILES:
        files = file_source(data, settings)
        present = {FUNDING_GROUP: files.has_funding, POSITIONING_GROUP: files.has_cot}
    else:
        order = settings.configuration.sources.order if kind == CHAIN else {}
        present = {group: bool(order.get(route)) for group, route in FURTHER_ROUTES.items()}
    return [group for group, there in present.items() if there]


def file_source(data: str | None, settings: Settings) -> FileSource:
    """Open the folder of a plan."""
    if data is None:
        raise ConfigurationError("source 'files' has no data folder", "name a folder of CSV or Parquet files")
    active = settings.configuration
    return FileSource(Path(data), active.universe, active.sources.files)
