"""One session of a backtest: settle, decide, gate, and trade at the next opening.

It holds no rule of its own: settlement, decision, pre-trade checks and fills are the functions the paper pipeline
calls, so both give the same orders, fills and net asset value.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal

import numpy as np

from trading_lib.accounting.perpetuals import settle_perpetuals
from trading_lib.accounting.proceeds import closing_fills
from trading_lib.accounting.settle import apply_fills, mark
from trading_lib.backtest.executing import corporate_actions, execute
from trading_lib.decision import Decision, decide
from trading_lib.decision_config import DecisionConfig
from trading_lib.domain.errors import SessionError
from trading_lib.domain.funding import FundingPanel
from trading_lib.domain.instruments import Universe
from trading_lib.domain.market_view import FactorPanel, MarketView, SessionViews, view_at
from trading_lib.domain.orders import Cancellation, Fill, Order
from trading_lib.domain.perpetuals import is_perpetual
from trading_lib.domain.portfolio import Portfolio
from trading_lib.domain.prices import PricePanel
from trading_lib.domain.proceeds import Proceeds
from trading_lib.domain.risk import RiskState
from trading_lib.domain.sessions import SessionCalendar
from trading_lib.domain.sleeves import SleeveRecord
from trading_lib.execution.config import PaperConfig
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
    cancelled: tuple[Cancellation, ...]
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
    cancelled: list[Cancellation] = []
    if before is None:
        portfolio = Portfolio.opened(day, data.initial_cash)
        before = Evening(portfolio, RiskState.opened(day, float(data.initial_cash)))
    else:
        filled, cancelled = execute(data, before.portfolio, before.working, row, day)
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
            f"choose a window inside it; {_beginnings(panel)}",
        )
    start = int(np.searchsorted(known, wanted[0]))
    return range(start, start + len(wanted))


def _beginnings(panel: PricePanel) -> str:
    """Say whose prices begin first and whose last."""
    priced = np.isfinite(panel.close)
    days = sorted(
        (panel.sessions[int(priced[:, i].argmax())], symbol)
        for i, symbol in enumerate(panel.symbols)
        if priced[:, i].any()
    )
    if not days:
        return "no symbol has a price in it"
    (first, symbol), (last, latest) = days[0], days[-1]
    return f"the first price is {symbol}'s of {first}" + (f", {latest}'s begin at {last}" if last > first else "")


def settle_row(data: BacktestInput, portfolio: Portfolio, row: int, day: date, fills: Sequence[Fill]) -> Portfolio:
    """Corporate actions on the evening's holdings, then the opening's fills and funding, then marking at the close."""
    at, closes = data.universe.positions, data.panel.close[row].tolist()
    portfolio = corporate_actions(data, portfolio, row)
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


def closings(data: BacktestInput, portfolio: Portfolio, row: int, day: date, fills: Sequence[Fill]) -> list[Fill]:
    """Return the executions that recorded proceeds of the session lead to; see `closing_fills`."""
    if not any(due.session == day for due in data.proceeds):
        return []
    splits = dict(zip(data.universe.symbols, data.panel.split[row].tolist(), strict=True))
    opening = data.calendar.open(day)
    return closing_fills(portfolio, fills, splits, data.proceeds, data.universe, day, opening)


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
