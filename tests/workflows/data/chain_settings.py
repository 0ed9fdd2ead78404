"""A chain of two real clients against loopback servers: Tiingo first, then Yahoo; waits cost no time."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from tests.market_data.moving_clock import MovingClock
from tests.workflows.workflow_settings import make_settings
from trading_lib.adapters.sources.vendors.tiingo import TiingoSource
from trading_lib.adapters.sources.vendors.yahoo import YFinanceSource
from trading_lib.market_data.config import Route, SourcesConfig
from trading_lib.workflows.data.sources import Members
from trading_lib.workflows.setup.settings import Settings

ORDER = {
    Route.US_ETF: ("tiingo", "yfinance"),
    Route.CRYPTO: ("yfinance",),
    Route.VOLATILITY_INDEX: ("yfinance",),
    Route.MACRO: (),
}


def chain_settings(database_url: str, home: Path, clock: MovingClock) -> Settings:
    """Settings with `ORDER`, the shipped retries and breaker, no rate limits."""
    base = make_settings(database_url, home)
    content = base.configuration.sources.model_dump() | {"order": ORDER, "rate_limits": {}}
    sources = SourcesConfig.model_validate(content)
    return replace(base, configuration=replace(base.configuration, sources=sources), clock=clock)


def members(settings: Settings, tiingo: str, yahoo: str, cache: Path) -> Members:
    """The two sources, pointed at their servers."""
    universe = settings.configuration.universe
    return Members(
        {
            "tiingo": TiingoSource(universe, "hunter2", tiingo, read_seconds=0.25),
            "yfinance": YFinanceSource(universe, yahoo, cache),
        },
        {"polygon": "polygon is left out: polygon needs a key: set TRADING_POLYGON_API_KEY, or leave the source out"},
    )
