"""The backtest: settle, decide, gate, and trade at the next opening, session by session.

It holds no rule of its own: settlement, decision, pre-trade checks and fills are the functions the paper pipeline
calls, so both give the same orders, fills and net asset value.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import date
from decimal import Decimal

import numpy as np

from trading_lib.accounting.settle import apply_actions, apply_fills, mark
from trading_lib.decision import Decision, decide
from trading_lib.decision_config import DecisionConfig
from trading_lib.domain.errors import SessionError
from trading_lib.domain.instruments import Instrument, Universe
from trading_lib.domain.lots import whole_lots
from trading_lib.domain.market_view import FactorPanel, MarketView, view_at
from trading_lib.domain.orders import Fill, Order
from trading_lib.domain.portfolio import Portfolio
from trading_lib.domain.prices import DateArray, FloatArray, PricePanel
from trading_lib.domain.risk import RiskEvent, RiskState
from trading_lib.domain.sessions import SessionCalendar
from trading_lib.execution.config import PaperConfig
from trading_lib.execution.openings import next_opening
from trading_lib.execution.simulated import fill_at_open
from trading_lib.orders.config import PreTradeConfig
from trading_lib.orders.pre_trade import deny_reason, pre_trade_context

DecisionObserver = Callable[[date, Decision, Portfolio], None]


@dataclass(frozen=True, slots=True)
class BacktestInput:
    """Everything a run depends on."""

    universe: Universe
    calendar: SessionCalendar
    panel: PricePanel
    factors: FactorPanel
    config: DecisionConfig
    paper: PaperConfig
    initial_cash: Decimal
    book: str = "backtest"


@dataclass(frozen=True, slots=True)
class BacktestResult:
    """What a run did.

    Attributes
    ----------
    sessions
        datetime64[D], shape (S,).
    nav, invested
        Shape (S,): net asset value in dollars and the share of it in assets, at each decision.
    levels
        int8, shape (S,): effective risk level.
    denied
        Orders the pre-trade checks refused, with the reason.
    cancelled
        Ids of day orders that found no opening price.
    """

    sessions: DateArray
    nav: FloatArray
    invested: FloatArray
    levels: np.ndarray[tuple[int], np.dtype[np.int8]]
    orders: tuple[Order, ...]
    fills: tuple[Fill, ...]
    events: tuple[RiskEvent, ...]
    denied: tuple[tuple[Order, str], ...]
    cancelled: tuple[str, ...]
    portfolio: Portfolio
    risk: RiskState


def run_backtest(
    data: BacktestInput, first: date, last: date, observe: DecisionObserver | None = None
) -> BacktestResult:
    """Run from the decision of the first session in [first, last] to that of the last.

    Parameters
    ----------
    observe
        Called with every decision, e.g. to store it or to report progress.

    Raises
    ------
    SessionError
        When the window holds no session or the data does not cover it.
    """
    rows = window_rows(data.panel, data.calendar, first, last)
    days = data.panel.sessions.astype(object)
    portfolio = Portfolio.opened(days[rows.start], data.initial_cash)
    risk = RiskState.opened(days[rows.start], float(data.initial_cash))
    nav, invested = np.empty(len(rows)), np.empty(len(rows))
    levels = np.empty(len(rows), np.int8)
    orders: list[Order] = []
    fills: list[Fill] = []
    events: list[RiskEvent] = []
    denied: list[tuple[Order, str]] = []
    cancelled: list[str] = []
    working: tuple[Order, ...] = ()
    for step, row in enumerate(rows):
        day: date = days[row]
        if step:
            filled, unfilled = execute(data, working, row, day)
            portfolio = settle_row(data, portfolio, row, day, filled)
            fills += filled
            cancelled += unfilled
        view = view_at(data.universe, data.panel, data.factors, row, day)
        decision = decide(view, portfolio, risk, data.config, data.book)
        accepted, refused = gate(view, decision, portfolio, data.config.pre_trade)
        risk, working = decision.assessment.next_state, accepted
        nav[step] = float(portfolio.nav)
        invested[step] = 1.0 - float(portfolio.cash) / nav[step] if nav[step] > 0 else 0.0
        levels[step] = decision.assessment.effective_level
        orders += accepted
        denied += refused
        events += decision.assessment.events
        if observe:
            observe(day, decision, portfolio)
    return BacktestResult(
        sessions=data.panel.sessions[rows.start : rows.stop],
        nav=nav,
        invested=invested,
        levels=levels,
        orders=tuple(orders),
        fills=tuple(fills),
        events=tuple(events),
        denied=tuple(denied),
        cancelled=tuple(cancelled),
        portfolio=portfolio,
        risk=risk,
    )


def window_rows(panel: PricePanel, calendar: SessionCalendar, first: date, last: date) -> range:
    """Rows of the panel inside [first, last]; clear errors for windows the data does not cover."""
    if first > last:
        raise SessionError(f"the window {first} to {last} is inverted", "swap the two dates")
    wanted = calendar.between(first, last)
    if not len(wanted):
        raise SessionError(f"there is no trading session from {first} to {last}", "choose a longer window")
    known = panel.sessions
    if wanted[0] < known[0] or wanted[-1] > known[-1]:
        raise SessionError(
            f"the window {first} to {last} is not covered by the data ({known[0]} to {known[-1]})",
            "choose a window inside it",
        )
    start = int(np.searchsorted(known, wanted[0]))
    return range(start, start + len(wanted))


def settle_row(data: BacktestInput, portfolio: Portfolio, row: int, day: date, fills: Sequence[Fill]) -> Portfolio:
    """Corporate actions on the evening's holdings, then the opening's fills, then marking at the close."""
    panel, at = data.panel, data.universe.positions
    held = [(symbol, at[symbol]) for symbol in portfolio.positions]
    dividends = {s: float(panel.dividend[row, i]) for s, i in held if panel.dividend[row, i] > 0}
    splits = {s: float(panel.split[row, i]) for s, i in held if panel.split[row, i] != 1.0}
    if dividends or splits:
        portfolio = apply_actions(portfolio, dividends, splits, data.universe)
    portfolio = apply_fills(portfolio, fills)
    return mark(portfolio, {s: float(panel.close[row, at[s]]) for s in portfolio.positions}, day)


def execute(data: BacktestInput, working: Sequence[Order], row: int, day: date) -> tuple[list[Fill], list[str]]:
    """Fill the orders of the previous decision at their opening; without an opening price they are cancelled.

    On the ex-date of a split an order is for as many new shares as its old shares became.
    """
    filled, cancelled = [], []
    for working_order in working:
        instrument, column = data.universe[working_order.symbol], data.universe.positions[working_order.symbol]
        price, split = float(data.panel.fill_open[row, column]), float(data.panel.split[row, column])
        order = working_order if split == 1.0 else _after_split(working_order, split, instrument)
        if np.isfinite(price) and price > 0 and order.quantity > 0:
            at = next_opening(instrument, order.session, data.calendar)
            filled.append(fill_at_open(order, price, instrument, at, day, data.paper))
        else:
            cancelled.append(order.client_order_id)
    return filled, cancelled


def _after_split(order: Order, split: float, instrument: Instrument) -> Order:
    return replace(order, quantity=whole_lots(order.quantity * Decimal(repr(split)), instrument.lot_size))


def gate(
    view: MarketView, decision: Decision, portfolio: Portfolio, config: PreTradeConfig
) -> tuple[tuple[Order, ...], list[tuple[Order, str]]]:
    """Split the decision's orders into those that pass the pre-trade checks and those that do not."""
    if not decision.batch.orders:
        return (), []
    context = pre_trade_context(view, portfolio, decision.assessment, config)
    accepted, refused = [], []
    for order in decision.batch.orders:
        reason = deny_reason(order, context)
        if reason is None:
            accepted.append(order)
        else:
            refused.append((order, reason))
    return tuple(accepted), refused
