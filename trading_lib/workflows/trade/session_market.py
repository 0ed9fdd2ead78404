"""The market of one session, cached for all its tasks: the first task assembles it, the others read it.

The cache key covers data, configuration and code: a revised price, another universe or another version rebuilds it. Its
factors are those of table factor_values, and a model's scores beside them where the overlay is on.
"""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Mapping
from datetime import date
from functools import lru_cache
from pathlib import Path

import numpy as np

import trading_lib
from trading_lib.adapters.cache.session_markets import SessionMarkets
from trading_lib.adapters.sources.registry import stored_name
from trading_lib.adapters.stores.market.market_store import MarketStore
from trading_lib.domain.errors import TradingError
from trading_lib.factors.calculator import in_dollars
from trading_lib.market_data.source_order import source_order
from trading_lib.strategies.ml_overlay import MODEL_SCORE
from trading_lib.workflows.data.market import Market, market_from_store
from trading_lib.workflows.learning.scores import with_model_scores
from trading_lib.workflows.setup.settings import Settings

LOG = logging.getLogger(__name__)
FOLDER = "markets"
# What turns stored rows into panel and factors.
PACKAGES = ("domain", "factors", "market_data", "adapters/stores", "adapters/cache")


def session_market(store: MarketStore, source: str, settings: Settings, session: date) -> Market:
    """Return `market_from_store`'s market of the session: the stored one where it is still the same, else a new one.

    A market with funding is not stored: its settlements are objects, and few universes have any. Neither are a model's
    scores, which come after the factors: they are read anew and added (`with_model_scores`).
    """
    return with_model_scores(_assembled(store, source, settings, session), settings, store.engine)


def _assembled(store: MarketStore, source: str, settings: Settings, session: date) -> Market:
    universe = settings.configuration.universe
    contract = universe.perpetuals
    if contract is not None and contract.venues:
        return market_from_store(store, source, universe, settings.calendar, session)
    try:
        stored = SessionMarkets(settings.folders.closed(FOLDER))
    except (OSError, TradingError) as error:
        LOG.debug("no folder for markets: %s", error)
        return market_from_store(store, source, universe, settings.calendar, session)
    # Before the rows are read: what comes in meanwhile makes the digest one of the past.
    digest = _digest(store, source, settings, session)
    cached = stored.load(source, session, digest)
    if cached is not None:
        return Market(*cached)
    market = market_from_store(store, source, universe, settings.calendar, session)
    stored.save(source, session, digest, market.panel, market.factors)
    return market


def _digest(store: MarketStore, source: str, settings: Settings, session: date) -> str:
    configuration = settings.configuration
    order = source_order(configuration.universe, configuration.sources, stored_name)
    data = store.revision_state(source)
    made_of = (data, configuration.config_hash, configuration.universe, order, _code_digest(), source, session)
    return hashlib.sha256(repr(made_of).encode()).hexdigest()


@lru_cache(maxsize=1)
def _code_digest() -> str:
    """Digest of the files that assemble a market; read once a process, as the code of a process does not change."""
    root = Path(trading_lib.__file__).parent
    digest = hashlib.sha256(np.__version__.encode())
    for package in PACKAGES:
        for path in sorted((root / package).rglob("*.py")):
            digest.update(path.read_bytes())
    digest.update((root / "workflows" / "data" / "market.py").read_bytes())
    return digest.hexdigest()


def revised_factors(stored: Mapping[str, Mapping[str, float]], market: Market, session: date) -> tuple[str, ...]:
    """Name the assets whose factors are no longer those that were stored for the session; none where none were.

    Parameters
    ----------
    stored
        Symbol -> factor -> value, as `calculator.in_dollars` gave it to the task factors.
    """
    if not stored:
        return ()
    values = in_dollars(market.factors, market.row(session))
    changed = []
    for column, symbol in enumerate(market.panel.symbols):
        named = zip(market.factors.names, values[:, column].tolist(), strict=True)
        now = {name: value for name, value in named if name != MODEL_SCORE and not np.isnan(value)}
        if now != stored.get(symbol, {}):
            changed.append(symbol)
    return tuple(changed)
