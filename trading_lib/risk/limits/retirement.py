"""Retirement: assets whose prices have ended, and the events about it.

Input: the view, yesterday's `RiskState`. Output: symbols and events. Beside it, an asset is retired for good by
`retired: true` in universe.yaml; see `trading_lib.risk.limits.position_limits`.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator

import numpy as np

from trading_lib.domain.decision.risk import RiskEvent, RiskState
from trading_lib.domain.market.instruments import Universe
from trading_lib.domain.market.market_view import MarketView
from trading_lib.domain.market.prices import BoolArray, IntegerArray
from trading_lib.risk.config import RiskConfig

RETIRED, PRICE_RETURNED = "retired", "price_returned"
NOTHING: frozenset[str] = frozenset()


def without_price(price_age: IntegerArray, config: RiskConfig) -> BoolArray:
    """Whether each asset had a price once and none for ``retire_after_sessions`` sessions; any shape."""
    ended: BoolArray = price_age >= config.retire_after_sessions
    return ended


def retired_symbols(price_age: IntegerArray, universe: Universe, config: RiskConfig) -> frozenset[str]:
    """Symbols of a session that `without_price` retires."""
    # A list is searched faster than a short array, and nearly always nothing is found.
    ages, after = price_age.tolist(), config.retire_after_sessions
    if max(ages) < after:
        return NOTHING
    return frozenset(symbol for symbol, age in zip(universe.symbols, ages, strict=True) if age >= after)


def among(universe: Universe, symbols: Collection[str]) -> BoolArray:
    """Shape (n,): the assets that ``symbols`` name; one may have left the universe."""
    if not symbols:
        return universe.nothing
    return np.array([symbol in symbols for symbol in universe.symbols])


def retirement_events(state: RiskState, retired: frozenset[str], view: MarketView, level: int) -> tuple[RiskEvent, ...]:
    """Report which assets are retired from this session on, and of which a price has returned."""
    if retired == state.retired:
        return ()
    return tuple(_events(state, retired, view, level))


def _events(state: RiskState, retired: frozenset[str], view: MarketView, level: int) -> Iterator[RiskEvent]:
    # In universe order, whatever order a set has.
    for symbol, i in view.universe.positions.items():
        if symbol in retired and symbol not in state.retired:
            reason = (
                f"{symbol} has had no price since {view.price_day[i]}, for {view.price_age[i]} sessions: it is "
                "retired, neither bought nor sold until a price returns or its proceeds are recorded"
            )
            yield RiskEvent(view.session, RETIRED, symbol, level, level, reason, ("BLOCK_BUYS", "HOLD_ORDERS"))
        if symbol in state.retired and symbol not in retired:
            reason = f"{symbol} has a price again, of {view.price_day[i]}: it is no longer retired"
            yield RiskEvent(view.session, PRICE_RETURNED, symbol, level, level, reason)
