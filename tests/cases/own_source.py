"""A source as a user writes one, for the tests of the Python interface."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime
from functools import cache

import pandas as pd

import trading_lib as tl
from trading_lib.adapters.sources.shared.per_symbol import bars_per_symbol
from trading_lib.domain.market.prices import MacroSeries
from trading_lib.market_data.source import SourceAnswer


@cache
def history() -> pd.DataFrame:
    """Bars of the simulated market."""
    return tl.load_prices(end="2018-12-31").bars


class House:
    """Has the simulated market's SPY and GLD under its own name."""

    name = "house"

    def __init__(self, universe: tl.Universe) -> None:
        self._universe = universe

    def bars(self, symbols: Sequence[str], first: date, last: date, as_of: datetime) -> SourceAnswer:
        return bars_per_symbol(self.name, self._universe, symbols, first, last, as_of, self._history)

    def macro(self, first: date, last: date, as_of: datetime) -> MacroSeries:
        return MacroSeries.empty()

    def _history(self, symbol: str) -> pd.DataFrame:
        bars = history()
        wanted = bars[(bars["symbol"] == symbol) & bars["symbol"].isin(["SPY", "GLD", "^VIX"])]
        return wanted.drop(columns=["source", "available_at"])
