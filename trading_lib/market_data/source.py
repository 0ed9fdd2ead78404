"""The protocols of market data sources: symbols and dates -> values with the instant they became available."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from pathlib import Path
from typing import Protocol, runtime_checkable

from trading_lib.domain.book.proceeds import Proceeds
from trading_lib.domain.errors import SourceError
from trading_lib.domain.market.positioning import CotReports, FundingRates
from trading_lib.domain.market.price_rulings import PriceRuling
from trading_lib.domain.market.prices import Bars, MacroSeries


@dataclass(frozen=True, slots=True)
class SourceAnswer:
    """The answer of a source.

    Attributes
    ----------
    bars
        The bars, `^VIX` among them when it was asked for.
    failures
        Symbol -> one line saying why it is absent. One symbol's failure never costs the others.
    notes
        Lines worth showing, e.g. which files were taken.
    errors
        Symbol -> the typed error behind its failure, for the failures that have one. A chain reads there whether
        trying again makes sense; a failure without one means that the source answered and has no such bars.
    delivered
        Symbol -> name of the source its bars came from, filled by a chain; empty where `name` says it all.
    stale
        Symbol -> date of its newest bar, where a chain found no source with the newest one that is due.
    asked
        Names of the sources a chain asked, filled where it looks for another bar.
    """

    bars: Bars
    failures: Mapping[str, str] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    errors: Mapping[str, SourceError] = field(default_factory=dict)
    delivered: Mapping[str, str] = field(default_factory=dict)
    stale: Mapping[str, date] = field(default_factory=dict)
    asked: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class FundingAnswer:
    """Funding rates a source delivered; every symbol asked for has rates or is in ``failures``, see `SourceAnswer`."""

    rates: FundingRates
    failures: Mapping[str, str] = field(default_factory=dict)
    errors: Mapping[str, SourceError] = field(default_factory=dict)


class MacroSource(Protocol):
    """A place macro series come from."""

    @property
    def name(self) -> str:
        """Stored with every row, e.g. "fred"."""

    def macro(self, first: date, last: date, as_of: datetime) -> MacroSeries:
        """Macro observations with ``first <= date <= last`` and ``available_at <= as_of``; empty if none.

        A source whose series cannot be read raises the `SourceError` that says why. Where a source knows its
        vintages, an observation comes once per revision, each with its own instant.
        """


class MarketDataSource(MacroSource, Protocol):
    """A place daily bars come from, and macro series where it has any."""

    @property
    def name(self) -> str:
        """Stored with every row, e.g. "simulated", "files:market-data", "yfinance"."""

    def bars(self, symbols: Sequence[str], first: date, last: date, as_of: datetime) -> SourceAnswer:
        """Bars with ``first <= date <= last`` whose ``available_at <= as_of``.

        Every symbol asked for is either in the bars or in ``failures``. ``as_of`` is timezone-aware
        (a naive one raises `NaiveDatetimeError`).
        """


@runtime_checkable
class CrossCheckedSource(Protocol):
    """A source with second opinions about its own bars."""

    def cross_check(self, symbols: Sequence[str], first: date, last: date, as_of: datetime) -> tuple[SourceAnswer, ...]:
        """Bars to compare with, never traded on: one answer per opinion."""


@runtime_checkable
class ProceedsSource(Protocol):
    """A source that says what its symbols that ended brought."""

    @property
    def proceeds(self) -> tuple[Proceeds, ...]:
        """All it lists, by session and symbol."""


@runtime_checkable
class FundingSource(Protocol):
    """A place settled funding rates of perpetual futures come from."""

    @property
    def name(self) -> str:
        """Stored with every row, e.g. "binance"."""

    def funding(self, symbols: Sequence[str], first: date, last: date, as_of: datetime) -> FundingAnswer:
        """Rates settled on the UTC days ``first`` to ``last`` and known at ``as_of``.

        ``symbols`` name perpetuals by base and quote, e.g. "BTC-USDT".
        """


@runtime_checkable
class PositioningSource(Protocol):
    """A place Commitments of Traders reports come from."""

    @property
    def name(self) -> str:
        """Stored with every row, e.g. "cftc"."""

    def cot(self, first: date, last: date, as_of: datetime) -> CotReports:
        """All reports with ``first <= report_date <= last`` that were published by ``as_of``; empty if none.

        A source that cannot be read raises the `SourceError` that says why.
        """


@runtime_checkable
class PriceFolder(Protocol):
    """A source whose prices somebody keeps in files, and can put right there."""

    def rulings(self) -> tuple[PriceRuling, ...]:
        """Decisions about suspected splits that lie beside the prices."""

    def price_file(self, symbol: str) -> Path | None:
        """File with the prices of ``symbol``, None where there is none."""

    def states_unadjusted(self, symbol: str) -> bool:
        """Whether somebody has stated that the prices of ``symbol`` are not adjusted for dividends."""
