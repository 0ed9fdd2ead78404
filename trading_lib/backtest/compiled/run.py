"""A run: the loop where it can, the slow path where it must."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from trading_lib.backtest.compiled.book import Book, empty_book
from trading_lib.backtest.compiled.convert import Conversion
from trading_lib.backtest.compiled.inputs import assets_of, rules_of, shared_rows
from trading_lib.backtest.compiled.journal import BOOKS, FILLS, ORDERS, Log, empty_log
from trading_lib.backtest.compiled.loop import trade_rows
from trading_lib.backtest.compiled.precompute import Outlook, outlook_of
from trading_lib.domain.market.correlation import pair_correlations
from trading_lib.domain.market.market_view import SessionViews
from trading_lib.domain.market.prices import BoolArray, FloatArray
from trading_lib.risk.limits.pair_rules import correlated_pairs, pair_flags
from trading_lib.session.inputs import SessionInput
from trading_lib.session.step import EndOfDay, SessionOutcome, trade_session
from trading_lib.strategies.registry import running_sleeves

# Memory for what is known without the book and for what is noted, per segment of sessions.
SEGMENT_BYTES = 64 * 2**20
# Correlations of a whole run that are kept; more are computed again for the sessions that somebody asks for.
KEPT_CORRELATIONS = 64 * 2**20
# Books before sessions with events that are kept in one piece of memory.
KEPT = 512


@dataclass(frozen=True, slots=True)
class Segment:
    """Consecutive rows [first, stop) that the loop traded.

    Attributes
    ----------
    kept
        The books before sessions with events; see `Log.book`.
    packed_pairs
        Closely correlated pairs before each session of the outlook and after its last, eight in a byte; see
        `correlated_pairs`.
    fills, orders
        Where they begin and end in the log.
    """

    first: int
    stop: int
    log: Log
    outlook: Outlook
    kept: Book
    packed_pairs: NDArray[np.uint8]
    fills: slice
    orders: slice

    @property
    def steps(self) -> slice:
        """Places of its rows in the outlook and the log."""
        return slice(self.first - self.outlook.first, self.stop - self.outlook.first)

    def pairs(self, first: int, stop: int) -> BoolArray:
        """Unpack the closely correlated pairs before the outlook's sessions [first, stop)."""
        assets = self.log.held.shape[1]
        unpacked = np.unpackbits(self.packed_pairs[first:stop], axis=1, count=assets * (assets - 1) // 2)
        flags: BoolArray = unpacked.view(np.bool_)
        return flags

    def correlations(self, data: SessionInput, step: int) -> FloatArray:
        """Correlations of one of the outlook's sessions, shape (n, n); computed again where they were not kept."""
        if len(self.outlook.correlations):
            kept: FloatArray = self.outlook.correlations[step]
            return kept
        panel, window = data.panel, data.config.constraints.correlation_window
        rows = self.outlook.first + step + 1
        return pair_correlations(panel.common_return[:rows], panel.common_lag, window)

    def all_correlations(self, data: SessionInput) -> FloatArray:
        """Correlations of its own sessions, shape (sessions, n, n)."""
        if len(self.outlook.correlations):
            kept: FloatArray = self.outlook.correlations[self.steps]
            return kept
        steps = range(self.steps.start, self.steps.stop)
        return np.stack([self.correlations(data, step) for step in steps])

    def without_holdings(self) -> Segment:
        """Return the same without what `SessionArrays` has taken over: it would be in memory twice."""
        taken = np.empty(0, np.int64), np.empty(0)
        return replace(self, log=self.log._replace(quantity=taken[0], owned=taken[1]))


@dataclass(frozen=True, slots=True)
class SlowSession:
    """A row that was traded with objects and words."""

    row: int
    outcome: SessionOutcome


Part = Segment | SlowSession


@dataclass(frozen=True, slots=True)
class Run:
    """All parts of a run in order, and where it ended."""

    data: SessionInput
    parts: tuple[Part, ...]
    end_of_day: EndOfDay


def can_loop(data: SessionInput) -> bool:
    """Whether the loop knows all sleeves and rules, one account pays for all, and the universe has nothing unknown."""
    sleeves = running_sleeves(data.config.strategy)
    known = not data.config.risk.rules and all(sleeve.loop_form for sleeve in sleeves)
    return known and len(data.accounts.names) == 1 and not data.universe.any_retired


def run_sessions(data: SessionInput, rows: range) -> Run:
    """Trade consecutive rows of the panel, starting in cash."""
    views = data.views or SessionViews(data.universe, data.panel, data.factors, data.funding)
    data = replace(data, views=views)
    outcome = trade_session(data, rows.start, None)
    parts: list[Part] = [SlowSession(rows.start, outcome)]
    end_of_day, row = outcome.end_of_day, rows.start + 1
    loop = _Loop(data, views, len(rows))
    while row < rows.stop:
        end = min(rows.stop, row + loop.longest)
        parts_of_segment, end_of_day = loop.trade(row, end, end_of_day)
        parts += parts_of_segment
        row = end
    return Run(data, tuple(parts), end_of_day)


def longest_segment(assets: int, sleeves: int) -> int:
    """How many sessions are looked at in one piece, so that what they need fits into `SEGMENT_BYTES`."""
    return max(SEGMENT_BYTES // (8 * assets * (assets + 20 + 10 * sleeves)), 1)


class _Loop:
    """The loop's inputs, prepared once per run."""

    def __init__(self, data: SessionInput, views: SessionViews, sessions: int) -> None:
        self._data, self._views = data, views
        self._convert = Conversion.of(data)
        self._sleeves = self._convert.sleeves
        self._assets, self._rows = assets_of(data.universe), shared_rows(data, views)
        self._rules = rules_of(data.config, data.paper, self._sleeves)
        assets = len(data.universe)
        self.longest = longest_segment(assets, len(self._sleeves))
        kept = 8 * sessions * assets**2 <= KEPT_CORRELATIONS
        self._room = None if kept else np.empty((self.longest, assets, assets))
        # Closely correlated pairs where a segment of the loop ended, by name and in an array.
        self._last: tuple[frozenset[str], BoolArray] | None = None

    def trade(self, first: int, stop: int, end_of_day: EndOfDay) -> tuple[list[Part], EndOfDay]:
        """Trade rows [first, stop)."""
        data, many, assets = self._data, len(self._sleeves), len(self._data.universe)
        outlook = outlook_of(data, self._views, self._sleeves, first, stop, self._room)
        pairs = self._pairs(outlook, end_of_day)
        told = outlook if self._room is None else outlook._replace(correlations=self._room[:0])
        packed = np.packbits(pairs, axis=1)
        books = min(KEPT, stop - first)
        log, kept = empty_log(stop - first, assets, many), empty_book(assets, many, books)
        book, saved = empty_book(assets, many), empty_book(assets, many)
        parts: list[Part] = []
        row = first
        while row < stop:
            if self._convert.fits(end_of_day):
                self._convert.write(end_of_day, book)
                fills, orders, _ = log.counts.tolist()
                reached = trade_rows(book, saved, kept, log, self._assets, self._rows, outlook, self._rules, row, stop)
                if reached > row:
                    ends = log.counts.tolist()
                    done = slice(fills, ends[FILLS]), slice(orders, ends[ORDERS])
                    parts.append(Segment(row, reached, log, told, kept, packed, *done))
                    flags = pairs[reached - first]
                    end_of_day = self._convert.read(book, reached - 1, flags, end_of_day.portfolio)
                    self._last = end_of_day.risk.correlated, flags
                row = reached
                if log.counts[BOOKS] == books:
                    kept, log.counts[BOOKS] = empty_book(assets, many, books), 0
                    continue
            if row < stop:
                outcome = trade_session(data, row, end_of_day)
                parts.append(SlowSession(row, outcome))
                end_of_day, row = outcome.end_of_day, row + 1
                if self._room is not None:
                    self._views.forget(row - 1)
        return parts, end_of_day

    def _pairs(self, outlook: Outlook, end_of_day: EndOfDay) -> BoolArray:
        """Follow the pairs through the outlook's sessions; runs that share the views share what it costs."""
        bounds = self._data.config.risk.correlation
        names = end_of_day.risk.correlated
        if self._last is None or self._last[0] is not names:
            self._last = names, pair_flags(names, self._data.universe.symbols)
        before = self._last[1]
        limits = (bounds.pair_warning, bounds.pair_rearm)
        if self._room is not None:
            return correlated_pairs(outlook.correlations, before, *limits)
        key = ("pairs", *limits, self._data.config.constraints.correlation_window, outlook.first, before.tobytes())
        cached: tuple[FloatArray, BoolArray] | None = self._views.remembered.get(key)
        if cached is None or cached[0] is not outlook.correlations:
            cached = (outlook.correlations, correlated_pairs(outlook.correlations, before, *limits))
            self._views.remembered[key] = cached
        return cached[1]
