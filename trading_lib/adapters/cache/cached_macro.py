"""A macro source with a cache, by the rules of `cached_source`.

Nobody can say that every value of a window is there, so an answer stands for a later instant only when its last day was
over as it was given, and not for long: a revision since then is seen after ``settled_for``.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, datetime, timedelta

import pandas as pd

from trading_lib.adapters.cache.answers import CachedAnswer, decode_macro, encode_macro, macro_key
from trading_lib.adapters.cache.tiers import TieredCache
from trading_lib.domain.errors import UnreadableAnswerError
from trading_lib.domain.market.prices import MacroSeries
from trading_lib.domain.market.sessions import require_aware
from trading_lib.market_data.availability.expected_bars import settled_by
from trading_lib.market_data.source import MacroSource


class CachedMacro:
    """Macro series of a source, kept in a cache; an empty answer is not, so it is asked for again.

    Parameters
    ----------
    clock, settled_for
        See `CachedSource`.
    """

    def __init__(
        self, source: MacroSource, cache: TieredCache, clock: Callable[[], datetime], settled_for: timedelta
    ) -> None:
        self._source = source
        self._cache = cache
        self._clock = clock
        self._settled_for = settled_for

    @property
    def name(self) -> str:
        """Name of the source."""
        return self._source.name

    def macro(self, first: date, last: date, as_of: datetime) -> MacroSeries:
        """Macro series in the date range as known at ``as_of``; see `MacroSource.macro`."""
        moment = require_aware(as_of, "as_of")
        key = macro_key(self.name, first, last)
        cached = self._cache.get(key, moment)
        if cached is not None and self._stands(cached, last, moment):
            try:
                frame = decode_macro(cached.body).frame
            except UnreadableAnswerError:
                frame = MacroSeries.empty().frame
            available = frame[(frame["available_at"] <= pd.Timestamp(moment)) & (frame["source"] == self.name)]
            if len(available):
                return MacroSeries(available.reset_index(drop=True))
        fresh = self._source.macro(first, last, moment)
        if len(fresh.frame):
            self._cache.put(key, CachedAnswer(self._clock(), moment, encode_macro(fresh)))
        return fresh

    def _stands(self, cached: CachedAnswer, last: date, as_of: datetime) -> bool:
        if as_of <= cached.as_of:
            return True
        return settled_by(last) <= cached.as_of and self._clock() - cached.retrieved_at <= self._settled_for
