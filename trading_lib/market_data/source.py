"""The Protocol every market data source implements. Input: symbols and dates. Output: `SourceAnswer`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Protocol

from trading_lib.domain.prices import Bars, MacroSeries


@dataclass(frozen=True, slots=True)
class SourceAnswer:
    """What a source delivered.

    Attributes
    ----------
    bars
        The bars, `^VIX` among them when it was asked for.
    failures
        Symbol -> one line saying why it is absent. One symbol's failure never costs the others.
    notes
        Lines worth showing, e.g. which files were taken.
    """

    bars: Bars
    failures: Mapping[str, str] = field(default_factory=dict)
    notes: tuple[str, ...] = ()


class MarketDataSource(Protocol):
    """A place daily bars and macro series come from."""

    @property
    def name(self) -> str:
        """Stored with every row, e.g. "simulated", "files:market-data", "yfinance"."""

    def bars(self, symbols: Sequence[str], first: date, last: date, as_of: datetime) -> SourceAnswer:
        """Bars with ``first <= date <= last`` whose ``available_at <= as_of``.

        Every symbol asked for is either in the bars or in ``failures``. ``as_of`` is timezone-aware
        (a naive one raises `NaiveDatetimeError`).
        """

    def macro(self, first: date, last: date, as_of: datetime) -> MacroSeries:
        """Macro observations with ``first <= date <= last`` and ``available_at <= as_of``; empty if none."""
