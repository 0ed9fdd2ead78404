"""One session: settle, decide, clear, and trade at the next opening.

It holds no rule of its own: settlement, decision, pre-trade checks and fills are the functions the paper pipeline
calls, so both give the same orders, fills and net asset value.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date

from trading_lib.decision import Decision, decide
from trading_lib.domain.market_view import MarketView, view_at
from trading_lib.domain.orders import Cancellation, Fill, Order
from trading_lib.domain.portfolio import Portfolio
from trading_lib.domain.risk import RiskState
from trading_lib.domain.sleeves import SleeveRecord
from trading_lib.orders.config import PreTradeConfig
from trading_lib.orders.pre_trade import deny_reason, pre_trade_context
from trading_lib.session.inputs import SessionInput
from trading_lib.session.opening import execute
from trading_lib.session.settle import closings, settle_row


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


def trade_sessions(data: SessionInput, rows: range) -> Iterator[SessionOutcome]:
    """Trade consecutive rows of the panel, starting in cash."""
    evening = None
    for row in rows:
        outcome = trade_session(data, row, evening)
        evening = outcome.evening
        yield outcome


def trade_session(data: SessionInput, row: int, before: Evening | None) -> SessionOutcome:
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
        portfolio = Portfolio.opened(day, data.initial_cash, data.accounts.opening_cash(data.initial_cash))
        before = Evening(portfolio, RiskState.opened(day, float(data.initial_cash)))
    else:
        filled, cancelled = execute(data, before.portfolio, before.working, row, day)
        filled += closings(data, before.portfolio, row, day, filled)
        portfolio = settle_row(data, before.portfolio, row, day, filled)
    risk = before.risk.after_flows(portfolio.capital_factor / before.portfolio.capital_factor)
    view = data.views[row] if data.views else view_at(data.universe, data.panel, data.factors, row, day, data.funding)
    decision = decide(view, portfolio, risk, data.config, data.book, before.sleeves)
    accepted, refused = gate(view, decision, portfolio, data.config.pre_trade)
    evening = Evening(portfolio, decision.assessment.next_state, accepted, decision.targets.sleeves)
    return SessionOutcome(day, tuple(filled), tuple(cancelled), decision, tuple(refused), evening)


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
