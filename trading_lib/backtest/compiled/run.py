"""A run: the compiled loop where possible, the slow path elsewhere."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from trading_lib.backtest.compiled.book import Book, empty_book
from trading_lib.backtest.compiled.convert import Conversion
from trading_lib.backtest.compiled.inputs import assets_of, rules_of, shared_rows
from trading_lib.backtest.compiled.journal import BOOKS, FILLS, ORDERS, Log, empty_log
from trading_lib.backtest.compiled.loop import trade_rows
from trading_lib.backtest.compiled.precompute import MarketInputs, market_inputs
from trading_lib.domain.market.correlation import pair_correlations
from trading_lib.domain.market.market_view import SessionViews
from trading_lib.domain.market.prices import BoolArray, FloatArray
from trading_lib.risk.limits.pair_rules import correlated_pairs, pair_flags
from trading_lib.session.inputs import SessionInput
from trading_lib.session.step import EndOfDay, SessionOutcome, trade_session
from trading_lib.strategies.registry import running_sleeves

# Memory for the market inputs and the log, per segment of sessions.
SEGMENT_BYTES = 64 * 2**20
# Memory for the correlations of a whole run; beyond it they are recomputed for the sessions that are read.
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
        Closely correlated pairs before each session of the inputs and after the last, eight per byte; see
        `correlated_pairs`.
    fills, orders
        Where they begin and end in the log.
    """

    first: int
    stop: int
    log: Log
    inputs: MarketInputs
    kept: Book
    packed_pairs: NDArray[np.uint8]
    fills: slice
    orders: slice

    @property
    def steps(self) -> slice:
        """Positions of its rows in the inputs and the log."""
        return slice(self.first - self.inputs.first, self.stop - self.inputs.first)

    def pairs(self, first: int, stop: int) -> BoolArray:
        """Unpack the closely correlated pairs before sessions [first, stop) of the inputs."""
        assets = self.log.held.shape[1]
        unpacked = np.unpackbits(self.packed_pairs[first:stop], axis=1, count=assets * (assets - 1) // 2)
        flags: BoolArray = unpacked.view(np.bool_)
        return flags

    def correlations(self, data: SessionInput, step: int) -> FloatArray:
        """Correlations of one session of the inputs, shape (n, n); recomputed where they were not cached."""
        if len(self.inputs.correlations):
            kept: FloatArray = self.inputs.correlations[step]
            return kept
        panel, window = data.panel, data.config.constraints.correlation_window
        rows = self.inputs.first + step + 1
        return pair_correlations(panel.common_return[:rows], panel.common_lag, window)

    def all_correlations(self, data: SessionInput) -> FloatArray:
        """Correlations of the segment's sessions, shape (sessions, n, n)."""
        if len(self.inputs.correlations):
            kept: FloatArray = self.inputs.correlations[self.steps]
            return kept
        steps = range(self.steps.start, self.steps.stop)
        return np.stack([self.correlations(data, step) for step in steps])

    def without_holdings(self) -> Segment:
        """Return a copy without the arrays that `SessionArrays` holds already."""
        taken = np.empty(0, np.int64), np.empty(0)
        return replace(self, log=self.log._replace(quantity=taken[0], owned=taken[1]))


@dataclass(frozen=True, slots=True)
class SlowSession:
    """A row that was traded on the slow path."""

    row: int
    outcome: SessionOutcome


Part = Segment | SlowSession


@dataclass(frozen=True, slots=True)
class Run:
    """All parts of a run in order, and its final state."""

    data: SessionInput
    parts: tuple[Part, ...]
    end_of_day: EndOfDay


def can_loop(data: SessionInput) -> bool:
    """Whether the loop supports all sleeves and rules, one account pays for all, and nothing is retired by hand."""
    sleeves = running_sleeves(data.config.strategy)
    has_loop_form = not data.config.risk.rules and all(sleeve.loop_form for sleeve in sleeves)
    return has_loop_form and len(data.accounts.names) == 1 and not data.universe.any_retired


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
    """How many sessions fit into `SEGMENT_BYTES` at once."""
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
        # Closely correlated pairs at the end of a segment of the loop, as names and as an array.
        self._last: tuple[frozenset[str], BoolArray] | None = None

    def trade(self, first: int, stop: int, end_of_day: EndOfDay) -> tuple[list[Part], EndOfDay]:
        """Trade rows [first, stop)."""
        data, many, assets = self._data, len(self._sleeves), len(self._data.universe)
        inputs = market_inputs(data, self._views, self._sleeves, first, stop, self._room)
        pairs = self._pairs(inputs, end_of_day)
        noted = inputs if self._room is None else inputs._replace(correlations=self._room[:0])
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
                reached = trade_rows(book, saved, kept, log, self._assets, self._rows, inputs, self._rules, row, stop)
                if reached > row:
                    ends = log.counts.tolist()
                    done = slice(fills, ends[FILLS]), slice(orders, ends[ORDERS])
                    parts.append(Segment(row, reached, log, noted, kept, packed, *done))
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

    def _pairs(self, inputs: MarketInputs, end_of_day: EndOfDay) -> BoolArray:
        """Follow the pairs through the sessions of the inputs, cached for runs that share the views."""
        bounds = self._data.config.risk.correlation
        names = end_of_day.risk.correlated
        if self._last is None or self._last[0] is not names:
            self._last = names, pair_flags(names, self._data.universe.symbols)
        before = self._last[1]
        limits = (bounds.pair_warning, bounds.pair_rearm)
        if self._room is not None:
            return correlated_pairs(inputs.correlations, before, *limits)
        key = ("pairs", *limits, self._data.config.constraints.correlation_window, inputs.first, before.tobytes())
        cached: tuple[FloatArray, BoolArray] | None = self._views.remembered.get(key)
        if cached is None or cached[0] is not inputs.correlations:
            cached = (inputs.correlations, correlated_pairs(inputs.correlations, before, *limits))
            self._views.remembered[key] = cached
        return cached[1]
