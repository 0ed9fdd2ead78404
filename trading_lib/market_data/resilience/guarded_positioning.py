"""Funding and positioning sources behind a `SourceGuard`, like `guard.GuardedSource` for bars."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime
from functools import partial

import pandas as pd

from trading_lib.domain.errors import SourceError
from trading_lib.domain.market.positioning import CotReports, FundingRates
from trading_lib.market_data.resilience.guard import SourceGuard
from trading_lib.market_data.source import FundingAnswer, FundingSource, PositioningSource


class GuardedFunding:
    """A source of funding rates behind a guard; asks for one symbol at a time."""

    def __init__(self, source: FundingSource, guard: SourceGuard) -> None:
        self._source = source
        self._guard = guard

    @property
    def name(self) -> str:
        """Name of the source."""
        return self._source.name

    def funding(self, symbols: Sequence[str], first: date, last: date, as_of: datetime) -> FundingAnswer:
        """Rates of ``symbols``; see `FundingSource.funding`. A symbol that may not be asked for now is a failure."""
        frames: list[pd.DataFrame] = []
        failures: dict[str, str] = {}
        errors: dict[str, SourceError] = {}
        for symbol in dict.fromkeys(symbols):
            try:
                response = self._guard.call(partial(self._one, symbol, first, last, as_of))
            except SourceError as error:
                failures[symbol], errors[symbol] = " ".join(str(error).split()), error
                continue
            failures |= response.failures
            frames += [response.rates.frame] if len(response.rates.frame) else []
        rates = FundingRates.from_frame(pd.concat(frames, ignore_index=True)) if frames else FundingRates.empty()
        return FundingAnswer(rates, failures, errors)

    def _one(self, symbol: str, first: date, last: date, as_of: datetime) -> FundingAnswer:
        response = self._source.funding([symbol], first, last, as_of)
        if symbol in response.errors:
            raise response.errors[symbol]
        return response


class GuardedPositioning:
    """A source of Commitments of Traders behind a guard."""

    def __init__(self, source: PositioningSource, guard: SourceGuard) -> None:
        self._source = source
        self._guard = guard

    @property
    def name(self) -> str:
        """Name of the source."""
        return self._source.name

    def cot(self, first: date, last: date, as_of: datetime) -> CotReports:
        """All reports of the range; raises the `SourceError` that stands in the way."""
        return self._guard.call(partial(self._source.cot, first, last, as_of))
