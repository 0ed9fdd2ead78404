"""One session of a backtest: settle, decide, gate, and trade at the next opening.

It holds no rule of its own: settlement, decision, pre-trade checks and fills are the functions the paper pipeline
calls, so both give the same orders, fills and net asset value.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date
from decimal import Decimal

import numpy as np

from trading_lib.accounting.perpetuals import settle_perpetuals
from trading_lib.accounting.proceeds import closing_fills
from trading_lib.accounting.settle import apply_actions, apply_fills, mark
from trading_lib.decision import Decision, decide
from trading_lib.decision_config import DecisionConfig
from trading_lib.domain.errors import SessionError
from trading_lib.domain.funding import FundingPanel
from trading_lib.domain.instruments import Instrument, Universe
from trading_lib.domain.lots import whole_lots
from trading_lib.domain.market_view import FactorPanel, MarketView, SessionViews, view_at
from trading_lib.domain.orders import Fill, Order
from trading_lib.domain.perpetuals import is_perpetual
from trading_lib.domain.portfolio import Portfolio
from trading_lib.domain.prices import PricePanel
from trading_lib.domain.proceeds import Proceeds
from trading_lib.domain.risk import RiskState
from trading_lib.domain.sessions import SessionCalendar
from trading_lib.domain.sleeves import SleeveRecord
from trading_lib.execution.config import PaperConfig
from trading_lib.execution.openings import next_opening
from trading_lib.execution.simulated import fill_at_open
from trading_lib.orders.config import PreTradeConfig
from trading_lib.orders.pre_trade import deny_reason, pre_trade_context


@dataclass(frozen=True, slots=True)
class BacktestInput:
    """Everything a run depends on.

    Attributes
    ----------
    views
        The panel's views where many runs share them; see `SessionViews`.
    funding
        Rates and settlements at the panel's sessions, for a universe with a perpetual.
    proceeds
        What holdings without a price brought; each closes its holding in its session.
    """

    universe: Universe
    calendar: SessionCalendar
    panel: PricePanel
    factors: FactorPanel
    config: DecisionConfig
    paper: PaperConfig
    initial_cash: Decimal
    book: str = "backtest"
    views: SessionViews | None = None
    funding: FundingPanel | None = None
    proceeds: tuple[Proceeds, ...] = ()


@dataclass(frozen=True, slots=True)
class Evening:
    """All of a session that the next one starts from.

    Attributes
    ----------
    working
        Accepted orders that wait for their opening.
    """

    portfolio: Portfolio
    risk: RiskState
    working: tuple[Order, ...] = ()
    sleeves: Mapping[str, SleeveRecord] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class SessionOutcome:
    """One session: what filled at its opening, what was decided after its close, and what that leaves.

    Attributes
    ----------
    cancelled, denied
        See the fields of the same names in `BacktestResult`.
    """

    session: date
    fills: tuple[Fill, ...]
    cancelled: tuple[str, ...]
    decision: Decision
    denied: tuple[tuple[Order, str], ...]
    evening: Evening


def trade_sessions(data: BacktestInput, rows: range) -> Iterator[SessionOutcome]:
    """Trade consecutive rows of the panel, starting in cash."""
    evening = None
    for row in rows:
        outcome = trade_session(data, row, evening)
        evening = outcome.evening
        yield outcome


def trade_session(data: BacktestInput, row: int, before: Evening | None) -> SessionOutcome:
    """Settle, decide and gate one session.

    Parameters
    ----------
    before
        What the session before left; None where the book is opened.
    """
    day: date = data.panel.sessions[row].item()
    filled: list[Fill] = []
    cancelled: list[str] = []
    if before is None:
        portfolio = Portfolio.opened(day, data.initial_cash)
        before = Evening(portfolio, RiskState.opened(day, float(data.initial_cash)))
    else:
        filled, cancelled = execute(data, before.working, row, day)
        filled += closings(data, before.portfolio, row, day, filled)
        portfolio = settle_row(data, before.portfolio, row, day, filled)
    view = data.views[row] if data.views else view_at(data.universe, data.panel, data.factors, row, day, data.funding)
    decision = decide(view, portfolio, before.risk, data.config, data.book, before.sleeves)
    accepted, refused = gate(view, decision, portfolio, data.config.pre_trade)
    evening = Evening(portfolio, decision.assessment.next_state, accepted, decision.targets.sleeves)
    return SessionOutcome(day, tuple(filled), tuple(cancelled), decision, tuple(refused), evening)


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
    """Corporate actions on the evening's holdings, then the opening's fills and funding, then marking at the close."""
    panel, at = data.panel, data.universe.positions
    held = [(symbol, at[symbol]) for symbol in portfolio.positions]
    paid, ratios, closes = panel.dividend[row].tolist(), panel.split[row].tolist(), panel.close[row].tolist()
    dividends = {s: paid[i] for s, i in held if paid[i] > 0}
    splits = {s: ratios[i] for s, i in held if ratios[i] != 1.0}
    if dividends or splits:
        portfolio = apply_actions(portfolio, dividends, splits, data.universe)
    if data.universe.perpetuals is None:
        portfolio = apply_fills(portfolio, fills)
        return mark(portfolio, {s: closes[at[s]] for s in portfolio.positions}, day)
    portfolio = apply_fills(portfolio, [fill for fill in fills if not is_perpetual(fill.symbol)])
    short_legs = [fill for fill in fills if is_perpetual(fill.symbol)]
    if short_legs or portfolio.perpetuals:
        portfolio = settle_perpetuals(portfolio, short_legs, data.funding.settlements[row] if data.funding else ())
    prices = {s: closes[at[s]] for s in portfolio.positions}
    prices |= {s: closes[data.universe.traded(s)[1]] for s in portfolio.perpetuals}
    return mark(portfolio, prices, day)


def execute(data: BacktestInput, working: Sequence[Order], row: int, day: date) -> tuple[list[Fill], list[str]]:
    """Fill the orders of the previous decision at their opening; without an opening price they are cancelled.

    On the ex-date of a split an order is for as many new shares as its old shares became.
    """
    filled, cancelled = [], []
    for working_order in working:
        instrument, column = data.universe.traded(working_order.symbol)
        price, split = float(data.panel.fill_open[row, column]), float(data.panel.split[row, column])
        order = working_order if split == 1.0 else _after_split(working_order, split, instrument)
        if np.isfinite(price) and price > 0 and order.quantity > 0:
            at = next_opening(instrument, order.session, data.calendar)
            filled.append(fill_at_open(order, price, instrument, at, day, data.paper))
        else:
            cancelled.append(order.client_order_id)
    return filled, cancelled


def closings(data: BacktestInput, portfolio: Portfolio, row: int, day: date, fills: Sequence[Fill]) -> list[Fill]:
    """Return the executions that recorded proceeds of the session lead to; see `closing_fills`."""
    if not any(due.session == day for due in data.proceeds):
        return []
    splits = dict(zip(data.universe.symbols, data.panel.split[row].tolist(), strict=True))
    opening = data.calendar.open(day)
    return closing_fills(portfolio, fills, splits, data.proceeds, data.universe, day, opening)


def _after_split(order: Order, split: float, instrument: Instrument) -> Order:
    return replace(order, quantity=whole_lots(order.quantity * Decimal(repr(split)), instrument.lot_size))


def gate(
    view: MarketView, decision: Decision, portfolio: Portfolio, config: PreTradeConfig
) -> tuple[tuple[Order, ...], list[tuple[Order, str]]]:
    """Split the decision's orders into those that pass the pre-trade checks and those that do not."""
    if not decision.batch.orders:
        return (), []
    context = pre_trade_context(view, portfolio, decision.assessment, config, orders=decision.batch.orders)
    accepted, refused = [], []
    for order in decision.batch.orders:
        reason = deny_reason(order, context)
        if reason is None:
            accepted.append(order)
        else:
            refused.append((order, reason))
    return tuple(accepted), refused
