"""The backtest: run a window of sessions, and keep what trading them came to.

It has no rules of its own. Without an observer, and with sleeves that have a loop form, `compiled` trades most
sessions; otherwise `session.step` trades them all. Both call the functions that the daily run calls.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import date
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from trading_lib.backtest.audits.sleeve_faults import SleeveFaults, faults_of, without_rule_faults
from trading_lib.backtest.compiled.cuts import cuts_of
from trading_lib.backtest.compiled.results import (
    Executions,
    Results,
    count_orders,
    denied_of,
    executions_of,
    results_of,
    trades_of,
)
from trading_lib.backtest.compiled.run import Part, Run, Segment, SlowSession, can_loop, run_sessions
from trading_lib.backtest.session_arrays import SessionArrays
from trading_lib.decision import Decision
from trading_lib.domain.book.flows import net_by_session
from trading_lib.domain.book.orders import Cancellation, Fill, Order
from trading_lib.domain.book.portfolio import Portfolio
from trading_lib.domain.decision.risk import RiskEvent, RiskState
from trading_lib.domain.errors import DataQualityError
from trading_lib.domain.market.instruments import Universe
from trading_lib.domain.market.prices import DateArray, FloatArray
from trading_lib.performance.time_weighted import flow_adjusted
from trading_lib.performance.trading.trade_arrays import TradeArrays
from trading_lib.performance.trading.weight_cuts import WeightCuts
from trading_lib.session.inputs import SessionInput
from trading_lib.session.step import trade_sessions
from trading_lib.session.window import window_rows
from trading_lib.strategies.registry import running_sleeves

DecisionObserver = Callable[[date, Decision, Portfolio], None]


@dataclass(frozen=True)
class BacktestResult:
    """The result of a run. Orders, fills and events are built as objects when they are first read.

    Attributes
    ----------
    sessions
        datetime64[D], shape (S,).
    nav, invested
        Shape (S,): net asset value in dollars and the share of it in assets, at each decision.
    levels
        int8, shape (S,): effective risk level.
    regimes, quantity, funding, sleeves
        Volatility regime, holdings, funding received and each sleeve's part of the holdings; see `SessionArrays`.
    order_count
        Orders that passed the pre-trade checks.
    """

    sessions: DateArray
    nav: FloatArray
    invested: FloatArray
    levels: NDArray[np.int8]
    regimes: NDArray[np.int8]
    quantity: FloatArray
    funding: FloatArray
    sleeves: Mapping[str, FloatArray]
    order_count: int
    portfolio: Portfolio
    risk: RiskState
    run: Run

    @cached_property
    def _results(self) -> Results:
        return results_of(self.run)

    @cached_property
    def _executions(self) -> Executions:
        return executions_of(self.run)

    @property
    def orders(self) -> tuple[Order, ...]:
        """Orders that passed the pre-trade checks."""
        return self._results.orders

    @property
    def events(self) -> tuple[RiskEvent, ...]:
        """Risk events, with their reasons."""
        return self._results.events

    @cached_property
    def faults(self) -> Mapping[str, SleeveFaults]:
        """Failures of the strategies by sleeve, without building the other events."""
        return faults_of(self.run, self._rows)

    @property
    def sleeve_faults(self) -> int:
        """Number of sessions in which a strategy failed."""
        return sum(fault.sessions for fault in self.faults.values())

    @cached_property
    def flows(self) -> FloatArray | None:
        """Dollars of capital that came at each session's opening less what left, shape (S,); None without any."""
        amounts = net_by_session(self.run.data.flows, self.sessions)
        return amounts if amounts.any() else None

    @cached_property
    def adjusted_nav(self) -> FloatArray:
        """Net asset value as it would be had no capital come or gone, shape (S,)."""
        return flow_adjusted(self.nav, self.flows)

    @property
    def _rows(self) -> range:
        start = int(np.searchsorted(self.run.data.panel.sessions, self.sessions[0]))
        return range(start, start + len(self.sessions))

    @cached_property
    def denied(self) -> tuple[tuple[Order, str], ...]:
        """Orders the pre-trade checks refused, with the reason."""
        return denied_of(self.run)

    @property
    def fills(self) -> tuple[Fill, ...]:
        """Fills."""
        return self._executions.fills

    @cached_property
    def trades(self) -> TradeArrays:
        """Fills as fixed-point integers, without objects."""
        return trades_of(self.run)

    @cached_property
    def cuts(self) -> WeightCuts:
        """What limits took from the weights that the sleeves wanted."""
        return cuts_of(self.run)

    @property
    def cancelled(self) -> tuple[Cancellation, ...]:
        """Orders, and parts of orders, that did not fill at their opening, with the reason."""
        return self._executions.cancelled


def run_backtest(
    data: SessionInput, first: date, last: date, observe: DecisionObserver | None = None
) -> BacktestResult:
    """Run from the decision of the first session in [first, last] to that of the last.

    Parameters
    ----------
    observe
        Called with every decision, e.g. to store it or to report progress; the run then takes the slow path.

    Raises
    ------
    SessionError
        When the window holds no session or the data does not cover it.
    """
    rows = window_rows(data.panel, data.calendar, first, last)
    run = run_sessions(data, rows) if observe is None and can_loop(data) else _slow_path(data, rows, observe)
    arrays = SessionArrays(len(rows), data.universe)
    for part in run.parts:
        if isinstance(part, SlowSession):
            arrays.note(part.row - rows.start, part.outcome.end_of_day.portfolio, part.outcome.decision)
        else:
            _note_segment(arrays, part, rows.start, data)
    run = replace(run, parts=tuple(p if isinstance(p, SlowSession) else p.without_holdings() for p in run.parts))
    return BacktestResult(
        sessions=data.panel.sessions[rows.start : rows.stop],
        nav=arrays.nav,
        invested=arrays.invested,
        levels=arrays.levels,
        regimes=arrays.regimes,
        quantity=arrays.quantity,
        funding=np.diff(arrays.funding, prepend=0.0),
        sleeves=arrays.sleeves,
        order_count=count_orders(run),
        portfolio=run.end_of_day.portfolio,
        risk=run.end_of_day.risk,
        run=run,
    )


def require_value(result: BacktestResult, universe: Universe, remedy: str) -> None:
    """Refuse a run whose net asset value is not positive throughout.

    Raises
    ------
    DataQualityError
        Naming the first such session and what was held at it or the session before.
    """
    if (result.nav > 0).all():
        return
    row = int(np.argmin(result.nav > 0))
    session, value = result.sessions[row], result.nav[row]
    held = np.flatnonzero((result.quantity[max(row - 1, 0) : row + 1] != 0).any(axis=0))
    traded = {fill.symbol for fill in result.fills if fill.session == session.item()}
    symbols = sorted({universe.symbols[i] for i in held} | traded)
    raise DataQualityError(
        f"net asset value fell to zero or below on {session} (${value:,.2f}, with {', '.join(symbols) or 'nothing'})",
        remedy,
    )


def _slow_path(data: SessionInput, rows: range, observe: DecisionObserver | None) -> Run:
    parts: list[Part] = []
    for row, outcome in zip(rows, without_rule_faults(trade_sessions(data, rows)), strict=True):
        parts.append(SlowSession(row, outcome))
        if observe:
            observe(outcome.session, outcome.decision, outcome.end_of_day.portfolio)
    return Run(data, tuple(parts), outcome.end_of_day)


def _note_segment(arrays: SessionArrays, part: Segment, start: int, data: SessionInput) -> None:
    steps = part.steps
    owned = {s.name: s.budget * part.log.owned[steps, k] for k, s in enumerate(running_sleeves(data.config.strategy))}
    arrays.note_many(
        slice(part.first - start, part.stop - start),
        part.log.nav[steps],
        part.log.cash[steps],
        part.log.levels[steps],
        part.inputs.regimes[steps] // 2,
        part.log.quantity[steps],
        owned,
    )
