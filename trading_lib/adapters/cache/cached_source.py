"""A market data source with a cache. Input: a source, a cache. Output: the same source with fewer requests.

An answer holds what was known at its own ``as_of``. It stands for a question about the same days when that question
is about the same instant or an earlier one; about a later instant only if nothing could have been added since - every
bar of the days asked for was due and there - and it is not old enough for the vendor to have revised it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import date, datetime, timedelta

import pandas as pd

from trading_lib.adapters.cache.answers import CachedAnswer, decode_bars, encode_bars, request_key
from trading_lib.adapters.cache.cached_macro import CachedMacro
from trading_lib.adapters.cache.tiers import TieredCache
from trading_lib.domain.errors import UnreadableAnswerError
from trading_lib.domain.market.instruments import Universe
from trading_lib.domain.market.prices import VOLATILITY_INDEX, Bars, MacroSeries
from trading_lib.domain.market.sessions import require_aware
from trading_lib.market_data.availability.expected_bars import newest_due, settled_by
from trading_lib.market_data.source import MarketDataSource, SourceAnswer


class CachedSource:
    """A source whose delivered bars are kept; failures are not, so a failed symbol is asked for again.

    Parameters
    ----------
    clock
        The present, for the retrieval time of new answers and the age of old ones.
    settled_for
        How long an answer about completed days is trusted not to have been revised.
    """

    def __init__(
        self,
        source: MarketDataSource,
        cache: TieredCache,
        universe: Universe,
        clock: Callable[[], datetime],
        settled_for: timedelta,
    ) -> None:
        self._source = source
        self._macro = CachedMacro(source, cache, clock, settled_for)
        self._cache = cache
        self._universe = universe
        self._clock = clock
        self._settled_for = settled_for

    @property
    def name(self) -> str:
        """Name of the source."""
        return self._source.name

    def bars(self, symbols: Sequence[str], first: date, last: date, as_of: datetime) -> SourceAnswer:
        """Bars of ``symbols``; see `MarketDataSource.bars`. Notes say which answers are remembered, and from when."""
        moment = require_aware(as_of, "as_of")
        frames: list[pd.DataFrame] = []
        notes: list[str] = []
        unknown: list[str] = []
        for symbol in dict.fromkeys(symbols):
            hit = self._remembered(symbol, first, last, moment)
            if hit is None:
                unknown.append(symbol)
                continue
            frames.append(hit[1].frame)
            notes.append(f"{symbol}: {self.name}'s answer of {hit[0]:%Y-%m-%d %H:%M} UTC")
        fresh = SourceAnswer(Bars.empty())
        if unknown:
            fresh = self._source.bars(unknown, first, last, moment)
            self._remember(fresh.bars, first, last, moment)
            frames += [fresh.bars.frame] if len(fresh.bars) else []
        return SourceAnswer(
            bars=Bars.from_frame(pd.concat(frames, ignore_index=True)) if frames else Bars.empty(),
            failures=fresh.failures,
            notes=(*notes, *fresh.notes, *self._cache.problems.values()),
            errors=fresh.errors,
        )

    def macro(self, first: date, last: date, as_of: datetime) -> MacroSeries:
        """Macro series of the source; see `CachedMacro`."""
        return self._macro.macro(first, last, as_of)

    def _remember(self, bars: Bars, first: date, last: date, as_of: datetime) -> None:
        retrieved_at = self._clock()
        for symbol, frame in bars.frame.groupby("symbol", sort=False):
            cached = CachedAnswer(retrieved_at, as_of, encode_bars(Bars(frame.reset_index(drop=True))))
            self._cache.put(request_key(self.name, str(symbol), first, last), cached)

    def _remembered(self, symbol: str, first: date, last: date, as_of: datetime) -> tuple[datetime, Bars] | None:
        cached = self._cache.get(request_key(self.name, symbol, first, last), as_of)
        if cached is None:
            return None
        try:
            bars = decode_bars(cached.body)
        except UnreadableAnswerError:
            return None
        if as_of > cached.as_of and not self._still_complete(symbol, bars, cached, first, last):
            return None
        frame = bars.frame
        if (frame["symbol"] != symbol).any() or (frame["source"] != self.name).any():
            return None
        available = frame[frame["available_at"] <= pd.Timestamp(as_of)]
        return (cached.retrieved_at, Bars(available.reset_index(drop=True))) if len(available) else None

    def _still_complete(self, symbol: str, bars: Bars, cached: CachedAnswer, first: date, last: date) -> bool:
        """Whether the answer covers a later instant as well."""
        if symbol != VOLATILITY_INDEX and symbol not in self._universe.symbols:
            return False
        if settled_by(last) > cached.as_of or self._clock() - cached.retrieved_at > self._settled_for:
            return False
        due = newest_due(symbol, self._universe, first, last, cached.as_of)
        return due is None or bars.frame["date"].max().date() >= due
