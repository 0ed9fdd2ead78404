"""The simulated market as a source: seeded, offline, the same history whatever date it is read at."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from functools import lru_cache

import pandas as pd

from trading_lib.adapters.sources.files.macro import macro_window, stamp_macro
from trading_lib.adapters.sources.shared.bar_windows import answer_from_history, stamp_bars
from trading_lib.adapters.sources.simulated.assets import ASSETS, SYMBOLS
from trading_lib.adapters.sources.simulated.axis import market_axis
from trading_lib.adapters.sources.simulated.bars import simulate_bars, simulate_volatility_index
from trading_lib.adapters.sources.simulated.macro import simulate_macro
from trading_lib.adapters.sources.simulated.returns import market_shocks
from trading_lib.domain.market.instruments import Universe
from trading_lib.domain.market.prices import VOLATILITY_INDEX, Bars, MacroSeries
from trading_lib.domain.market.sessions import require_aware
from trading_lib.market_data.source import SourceAnswer

DEFAULT_SEED = 20040102
SOURCE_NAME = "simulated"


@dataclass(frozen=True, slots=True)
class _SimulatedHistory:
    """Everything one seed generates, to the end of the axis."""

    bars: pd.DataFrame
    macro: MacroSeries


class SimulatedMarket:
    """Random prices with real habits for the whole universe, ^VIX and four macro series from 2004-01-02 on.

    Volatility clusters, tails are fat, assets fall together in a crisis, and the crises of 2008, 2020 and 2022 have
    each asset's published turning points (`simulated.facts`). An asset starts when its fund did. Rows say
    ``source="simulated"`` so that no book but a demo book trades on them.

    Parameters
    ----------
    universe
        Decides which calendar a symbol follows; a symbol without a model is reported as failed.
    seed
        The same seed gives the same history bit for bit, whatever is asked for.
    """

    def __init__(self, universe: Universe, seed: int = DEFAULT_SEED) -> None:
        self._universe = universe
        self._seed = seed
        self._bars: Bars | None = None

    @property
    def name(self) -> str:
        """Always "simulated"."""
        return SOURCE_NAME

    def bars(self, symbols: Sequence[str], first: date, last: date, as_of: datetime) -> SourceAnswer:
        """Bars of ``symbols`` in the date range that were known at ``as_of``; see `MarketDataSource.bars`."""
        moment = require_aware(as_of, "as_of")
        if self._bars is None:
            history = _simulated_history(self._seed).bars
            listed = history["symbol"].isin([*self._universe.symbols, VOLATILITY_INDEX])
            self._bars = stamp_bars(history[listed], self._universe, self.name)
        response = answer_from_history(self._bars, self.name, symbols, first, last, moment, (f"seed {self._seed}",))
        unmodelled = {
            symbol: f"the simulated market has no model of {symbol}; it knows {', '.join(SYMBOLS)}"
            for symbol in symbols
            if symbol not in SYMBOLS
        }
        return SourceAnswer(response.bars, {**response.failures, **unmodelled}, response.notes)

    def macro(self, first: date, last: date, as_of: datetime) -> MacroSeries:
        """DFF, DGS2, DGS10 and CPIAUCSL in the date range as published by ``as_of``."""
        return macro_window(_simulated_history(self._seed).macro, first, last, require_aware(as_of, "as_of"))


@lru_cache(maxsize=2)
def _simulated_history(seed: int) -> _SimulatedHistory:
    axis = market_axis()
    shocks = market_shocks(axis, seed)
    bars = {symbol: simulate_bars(symbol, model, axis, shocks, seed) for symbol, model in ASSETS.items()}
    index = simulate_volatility_index(bars["SPY"], axis, shocks, seed)
    macro = stamp_macro(simulate_macro(axis, bars["TLT"], seed), SOURCE_NAME)
    return _SimulatedHistory(pd.concat([*bars.values(), index], ignore_index=True), macro)
