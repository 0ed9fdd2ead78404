"""Source order: which source's bar counts where several have one. Input: universe, order of sources."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from trading_lib.domain.market.instruments import Universe
from trading_lib.domain.market.prices import VOLATILITY_INDEX
from trading_lib.market_data.chain import CHAIN, route_of
from trading_lib.market_data.config import BAR_ROUTES, Route, SourcesConfig


@dataclass(frozen=True, slots=True)
class SourceOrder:
    """Sources by rank.

    Attributes
    ----------
    name
        Under which the combination is read, and what is derived from it is stored.
    bars
        Symbol -> names of sources, the first choice first.
    macro
        The same for macro series.
    """

    name: str
    bars: Mapping[str, tuple[str, ...]]
    macro: tuple[str, ...]

    @property
    def sources(self) -> tuple[str, ...]:
        """Every source of bars, in alphabetic order."""
        return tuple(sorted({source for order in self.bars.values() for source in order}))


def source_order(universe: Universe, config: SourcesConfig, stored_name: Callable[[str], str] = str) -> SourceOrder:
    """Order of the sources of a chain, by symbol.

    Parameters
    ----------
    stored_name
        Name in sources.yaml -> name its rows are stored under; the same unless it is a class of a user's own.
    """
    named = {name: stored_name(name) for name in config.market_names}
    symbols = (*universe.symbols, VOLATILITY_INDEX)
    order = {route: tuple(named[name] for name in config.order[route]) for route in (*BAR_ROUTES, Route.MACRO)}
    bars = {symbol: order[route_of(symbol, universe)] for symbol in symbols}
    return SourceOrder(CHAIN, bars, order[Route.MACRO])
