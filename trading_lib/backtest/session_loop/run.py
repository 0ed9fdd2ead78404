"""A run: the loop where it can, the long way where it must."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import date

from trading_lib.backtest.session_loop.book import Book, empty_book
from trading_lib.backtest.session_loop.evenings import fits, load, unload
from trading_lib.backtest.session_loop.inputs import assets_of, rows_of, rules_of
from trading_lib.backtest.session_loop.log import FILLS, ORDERS, Log, empty_log
from trading_lib.backtest.session_loop.loop import trade_rows
from trading_lib.backtest.session_loop.outlook import Outlook, outlook_of
from trading_lib.domain.market_view import SessionViews
from trading_lib.domain.prices import BoolArray, FloatArray
from trading_lib.risk.pair_rules import correlated_pairs, pair_flags
from trading_lib.risk.retirement import retired_symbols
from trading_lib.session.inputs import SessionInput
from trading_lib.session.step import Evening, SessionOutcome, trade_session
from trading_lib.strategies.registry import running_sleeves

# Memory for what is known without the book and for what is noted, per stretch of sessions.
STRETCH_BYTES = 256 * 2**20


@dataclass(frozen=True, slots=True)
class Stretch:
    """Consecutive rows [first, stop) that the loop traded.

    Attributes
    ----------
    evenings
        The books before notable sessions, by their place in the outlook.
    pairs
        Closely correlated pairs before each session of the outlook and after its last; see `correlated_pairs`.
    fills, orders
        Where they begin and end in the log.
    """

    first: int
    stop: int
    log: Log
    outlook: Outlook
    evenings: Book
    pairs: BoolArray
    fills: slice
    orders: slice

    @property
    def steps(self) -> slice:
        """Places of its rows in the outlook and the log."""
        return slice(self.first - self.outlook.first, self.stop - self.outlook.first)


@dataclass(frozen=True, slots=True)
class LongWay:
    """A row that was traded with objects and words."""

    row: int
    outcome: SessionOutcome


Part = Stretch | LongWay


@dataclass(frozen=True, slots=True)
class Run:
    """All parts of a run in order, and where it ended."""

    data: SessionInput
    parts: tuple[Part, ...]
    evening: Evening


def can_loop(data: SessionInput) -> bool:
    """Whether the loop knows all sleeves that run, one account pays for all, and the universe has nothing unknown."""
    sleeves = running_sleeves(data.config.strategy)
    one_account = len(data.accounts.names) == 1
    return one_account and not data.universe.any_retired and all(sleeve.loop_form for sleeve in sleeves)


def run_sessions(data: SessionInput, rows: range) -> Run:
    """Trade consecutive rows of the panel, starting in cash."""
    views = data.views or SessionViews(data.universe, data.panel, data.factors, data.funding)
    data = replace(data, views=views)
    outcome = trade_session(data, rows.start, None)
    parts: list[Part] = [LongWay(rows.start, outcome)]
    evening, row = outcome.evening, rows.start + 1
    sleeves = running_sleeves(data.config.strategy)
    loop = _Loop(data, views)
    while row < rows.stop:
        end = min(rows.stop, row + loop.longest)
        parts_of_stretch, evening = loop.trade(row, end, evening, sleeves)
        parts += parts_of_stretch
        row = end
    return Run(data, tuple(parts), evening)


def longest_stretch(assets: int, sleeves: int) -> int:
    """How many sessions are looked at in one piece, so that what they need fits into `STRETCH_BYTES`."""
    return max(STRETCH_BYTES // (8 * assets * (assets + 20 + 10 * sleeves)), 1)


class _Loop:
    """The loop's inputs, prepared once per run."""

    def __init__(self, data: SessionInput, views: SessionViews) -> None:
        self._data, self._views = data, views
        self._sleeves = running_sleeves(data.config.strategy)
        self._assets, self._rows = assets_of(data.universe), rows_of(data)
        self._rules = rules_of(data.config, data.paper, self._sleeves)
        self._days: list[date] = data.panel.sessions.astype(object).tolist()
        self.longest = longest_stretch(len(data.universe), len(self._sleeves))

    def trade(self, first: int, stop: int, evening: Evening, sleeves: object) -> tuple[list[Part], Evening]:
        """Trade rows [first, stop)."""
        data, many, assets = self._data, len(self._sleeves), len(self._data.universe)
        outlook = outlook_of(data, self._views, self._rows, self._sleeves, first, stop)
        pairs = self._pairs(outlook, evening)
        log, evenings = empty_log(stop - first, assets, many), empty_book(assets, many, stop - first)
        book, saved = empty_book(assets, many), empty_book(assets, many)
        parts: list[Part] = []
        row = first
        while row < stop:
            if fits(evening, data.universe, self._sleeves):
                load(evening, book, data.universe, self._sleeves)
                fills, orders = log.counts.tolist()
                reached = trade_rows(
                    book, saved, evenings, log, self._assets, self._rows, outlook, self._rules, row, stop
                )
                if reached > row:
                    ends = log.counts.tolist()
                    done = slice(fills, ends[FILLS]), slice(orders, ends[ORDERS])
                    parts.append(Stretch(row, reached, log, outlook, evenings, pairs, *done))
                    day, correlated = self._days[reached - 1], pairs[reached - first]
                    retired = retired_symbols(data.panel.price_age[reached - 1], data.universe, data.config.risk)
                    evening = unload(
                        book, day, data.book, data.universe, self._sleeves, correlated, retired, evening.portfolio
                    )
                row = reached
            if row < stop:
                outcome = trade_session(data, row, evening)
                parts.append(LongWay(row, outcome))
                evening, row = outcome.evening, row + 1
        return parts, evening

    def _pairs(self, outlook: Outlook, evening: Evening) -> BoolArray:
        """Follow the pairs through the outlook's sessions; runs that share the views share what it costs."""
        bounds, symbols = self._data.config.risk.correlation, self._data.universe.symbols
        before = pair_flags(evening.risk.correlated, symbols)
        limits = (bounds.pair_warning, bounds.pair_rearm)
        key = ("pairs", *limits, self._data.config.constraints.correlation_window, outlook.first, before.tobytes())
        known: tuple[FloatArray, BoolArray] | None = self._views.remembered.get(key)
        if known is None or known[0] is not outlook.correlations:
            known = (outlook.correlations, correlated_pairs(outlook.correlations, before, *limits))
            self._views.remembered[key] = known
        return known[1]
