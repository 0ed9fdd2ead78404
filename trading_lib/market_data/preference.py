"""Which source's bar stands where several have one. Input: universe, order of sources. Output: `SourceOrder`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from trading_lib.domain.instruments import Universe
from trading_lib.domain.prices import VOLATILITY_INDEX
from trading_lib.market_data.chain import CHAIN, route_of
from trading_lib.market_data.config import Route, SourcesConfig


@dataclass(frozen=True, slots=True)
class SourceOrder:
    """Sources by preference.

    Attributes
    ----------
    name
        Under which the combination is read, and what is derived from it is stored.
    bars
        Symbol -> names of sources, the preferred one first.
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


def source_order(universe: Universe, config: SourcesConfig) -> SourceOrder:
    """Order of the sources of a chain, by symbol."""
    symbols = (*universe.symbols, VOLATILITY_INDEX)
    bars = {symbol: config.order[route_of(symbol, universe)] for symbol in symbols}
    return SourceOrder(CHAIN, bars, config.order[Route.MACRO])
