"""Opening sources and the market store: single sources by name, or the chain of sources.yaml."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from functools import lru_cache
from pathlib import Path
from typing import Any, cast

from sqlalchemy import Engine

from trading_lib.adapters.cache.cached_macro import CachedMacro
from trading_lib.adapters.cache.cached_source import CachedSource
from trading_lib.adapters.cache.database_tier import DatabaseTier
from trading_lib.adapters.cache.remote import open_remote_tier
from trading_lib.adapters.cache.tiers import CacheTier, MemoryTier, TieredCache
from trading_lib.adapters.sources.catalogue import is_own
from trading_lib.adapters.sources.files.source import FileSource
from trading_lib.adapters.sources.registry import (
    FILES,
    create_funding_source,
    create_positioning_source,
    create_source,
    stored_name,
)
from trading_lib.adapters.stores.market.chain_store import ChainStore
from trading_lib.adapters.stores.market.source_status import DatabaseBoard
from trading_lib.domain.errors import ConfigurationError, MissingKeyError
from trading_lib.domain.market.prices import VOLATILITY_INDEX
from trading_lib.market_data.chain import CHAIN, SourceChain
from trading_lib.market_data.config import BAR_ROUTES, Route
from trading_lib.market_data.resilience.guard import GuardedMacro, GuardedSource, GuardPolicy, SourceGuard
from trading_lib.market_data.resilience.guarded_positioning import GuardedFunding, GuardedPositioning
from trading_lib.market_data.resilience.status import SourceStatus
from trading_lib.market_data.source import FundingSource, MacroSource, MarketDataSource, PositioningSource
from trading_lib.market_data.source_order import source_order
from trading_lib.workflows.setup.settings import Settings, load_settings

LOG = logging.getLogger(__name__)
MACRO_GROUP = "macro"


@dataclass(frozen=True, slots=True)
class Members:
    """The sources of a chain that can be used, and one line about each that cannot.

    Attributes
    ----------
    usable
        Name in sources.yaml -> source; a macro source may have no bars.
    skipped
        Name -> why it is left out.
    """

    usable: Mapping[str, MacroSource]
    skipped: Mapping[str, str]


def market_store(settings: Settings, engine: Engine | None = None) -> ChainStore:
    """Return the store of this installation, which reads the chain of sources.yaml as one source."""
    configuration = settings.configuration
    order = source_order(configuration.universe, configuration.sources, stored_name)
    return ChainStore(engine or settings.engine(), order)


def open_source(kind: str, data: str | None, settings: Settings) -> MarketDataSource:
    """Create the source a plan names; one that is asked over the network behind cache, limits and breaker."""
    if kind == CHAIN:
        return open_chain(settings)
    active = settings.configuration
    source = create_source(kind, active.universe, Path(data) if data else None, limits=active.sources.files)
    if is_own(kind) or kind in settings.configuration.sources.market_names:
        return Care(settings, time.sleep).of_bars(kind, source)
    return source


def source_name(kind: str, data: str | None, settings: Settings) -> str:
    """Name under which the source a plan names stores its rows; nothing is connected for it."""
    if kind == CHAIN:
        return CHAIN
    if is_own(kind):
        return stored_name(kind)
    active = settings.configuration
    return create_source(kind, active.universe, Path(data) if data else None, limits=active.sources.files).name


def open_members(settings: Settings) -> Members:
    """Create every source that sources.yaml names; one without its key is skipped, not an error."""
    usable: dict[str, MacroSource] = {}
    skipped: dict[str, str] = {}
    for name in settings.configuration.sources.market_names:
        try:
            usable[name] = create_source(name, settings.configuration.universe)
        except MissingKeyError as error:
            skipped[name] = f"{name} is left out: {' '.join(str(error).split())}"
    return Members(usable, skipped)


class Care:
    """Puts sources behind the cache, rate limits, circuit breakers and retries that sources.yaml describes.

    Parameters
    ----------
    sleep
        How to wait, in seconds.
    """

    def __init__(self, settings: Settings, sleep: Callable[[float], None]) -> None:
        self._universe, self._clock = settings.configuration.universe, settings.clock
        self._sleep = _logged_wait(sleep)
        self._config = config = settings.configuration.sources
        self._settled_for = timedelta(hours=config.cache.settled_hours)
        engine = settings.engine()
        self._board = DatabaseBoard(engine)
        days = config.cache.retention_days
        url = config.cache.remote_url.get_secret_value() if config.cache.remote_url else None
        remote = open_remote_tier(url, days, self._clock)
        memory = _memory(str(engine.url), config.cache.memory_requests)
        tiers: list[CacheTier] = [memory, DatabaseTier(engine, self._clock, days), *([remote] if remote else [])]
        self._cache = TieredCache(tiers)

    def of_bars(self, name: str, source: MarketDataSource) -> MarketDataSource:
        """Return a source of bars; ``name`` is its name in sources.yaml."""
        guarded = GuardedSource(source, self._guard(name, source))
        return CachedSource(guarded, self._cache, self._universe, self._clock, self._settled_for)

    def of_macro(self, name: str, source: MacroSource) -> MacroSource:
        """Return a macro source."""
        return CachedMacro(GuardedMacro(source, self._guard(name, source)), self._cache, self._clock, self._settled_for)

    def of_funding(self, name: str, source: FundingSource) -> FundingSource:
        """Return a source of funding rates."""
        return GuardedFunding(source, self._guard(name, source))

    def of_positioning(self, name: str, source: PositioningSource) -> PositioningSource:
        """Return a source of Commitments of Traders."""
        return GuardedPositioning(source, self._guard(name, source))

    def _guard(self, name: str, source: MacroSource | FundingSource | PositioningSource) -> SourceGuard:
        policy = GuardPolicy(self._config.retry, self._config.breaker, self._config.rate_limits.get(name))
        return SourceGuard(source.name, self._board, policy, self._clock, self._sleep)


def _logged_wait(sleep: Callable[[float], None]) -> Callable[[float], None]:
    def wait(seconds: float) -> None:
        LOG.info("waiting %.1f s before a source is asked again", seconds)
        sleep(seconds)

    return wait


def open_chain(
    settings: Settings, members: Members | None = None, sleep: Callable[[float], None] = time.sleep
) -> SourceChain:
    """Put the configured sources in a row, each behind its cache, rate limit, circuit breaker and retries.

    Parameters
    ----------
    members
        The sources to use; by default those of sources.yaml.
    sleep
        How to wait, in seconds.
    """
    order, care = settings.configuration.sources.order, Care(settings, sleep)
    used = members or open_members(settings)
    routes: dict[Route, list[MarketDataSource]] = {
        route: [
            care.of_bars(name, cast(MarketDataSource, used.usable[name]))
            for name in order[route]
            if name in used.usable
        ]
        for route in BAR_ROUTES
    }
    macro = [care.of_macro(name, used.usable[name]) for name in order[Route.MACRO] if name in used.usable]
    return SourceChain(settings.configuration.universe, routes, macro, tuple(used.skipped.values()))


@lru_cache(maxsize=4)
def _memory(database: str, capacity: int) -> MemoryTier:
    """Give all chains of this process that work with one database the same memory."""
    return MemoryTier(capacity)


def get_source_status(settings: Settings | None = None) -> dict[str, dict[str, Any]]:
    """Source -> its state: circuit breaker, last answer and failure, what it is asked for, why it is skipped."""
    active = settings or load_settings()
    config = active.configuration.sources
    skipped = open_members(active).skipped
    states = DatabaseBoard(active.engine()).get_source_status()
    return {
        name: _described(states.get(stored_name(name), SourceStatus()))
        | {
            "routes": {route.value: names.index(name) + 1 for route, names in config.order.items() if name in names},
            "skipped": skipped.get(name),
        }
        for name in config.names
    }


def _described(status: SourceStatus) -> dict[str, Any]:
    breaker = status.breaker
    return {
        "state": breaker.status.value,
        "failures_in_a_row": breaker.failures,
        "blocked_until": breaker.blocked_until.isoformat() if breaker.blocked_until else None,
        "last_answer_at": status.last_answer_at.isoformat() if status.last_answer_at else None,
        "last_failure_at": status.last_failure_at.isoformat() if status.last_failure_at else None,
        "last_error": status.last_error,
    }


def instrument_groups(settings: Settings) -> dict[str, list[str]]:
    """Return the symbols that are fetched by one task; a large asset class is split into several groups."""
    universe, size = settings.configuration.universe, settings.configuration.sources.ingest.symbols_per_task
    classes = {
        "etf": [i.symbol for i in universe if i.asset_class.value == Route.US_ETF],
        "crypto": [i.symbol for i in universe if i.asset_class.value == Route.CRYPTO],
        "volatility_index": [VOLATILITY_INDEX],
    }
    groups: dict[str, list[str]] = {}
    for name, symbols in classes.items():
        parts = [symbols[start : start + size] for start in range(0, len(symbols), size)]
        for number, part in enumerate(parts, start=1):
            groups[name if len(parts) == 1 else f"{name}-{number}"] = part
    return groups


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
