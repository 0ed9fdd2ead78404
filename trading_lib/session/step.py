"""One session: settle, decide, clear, and trade at the next opening.

It has no rules of its own: settlement, decision, pre-trade checks and fills are the functions that the daily run calls,
so both give the same orders, fills and net asset value.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import date

from trading_lib.decision import Decision, decide
from trading_lib.domain.book.orders import Cancellation, Fill, Order
from trading_lib.domain.book.portfolio import Portfolio
from trading_lib.domain.decision.risk import RiskState
from trading_lib.domain.decision.sleeves import SleeveRecord
from trading_lib.domain.market.market_view import view_at
from trading_lib.session.clear import clear
from trading_lib.session.inputs import SessionInput
from trading_lib.session.opening import execute
from trading_lib.session.risk_only import RiskOnlyDay, risk_only_days
from trading_lib.session.settle import settle


@dataclass(frozen=True, slots=True)
class EndOfDay:
    """The state at the end of a session, from which the next one starts.

    Attributes
    ----------
    working
        Accepted orders that are pending until their opening.
    """

    portfolio: Portfolio
    risk: RiskState
    working: tuple[Order, ...] = ()
    sleeves: Mapping[str, SleeveRecord] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class SessionOutcome:
    """The outcome of one session: fills at its opening, the decision after its close, and the state at the end.

    Attributes
    ----------
    cancelled, denied
        See the fields of the same names in `BacktestResult`.
    risk_only
        Days since the session before on which a stop fired.
    """

    session: date
    fills: tuple[Fill, ...]
    cancelled: tuple[Cancellation, ...]
    decision: Decision
    denied: tuple[tuple[Order, str], ...]
    end_of_day: EndOfDay
    risk_only: tuple[RiskOnlyDay, ...] = ()


def trade_sessions(data: SessionInput, rows: range) -> Iterator[SessionOutcome]:
    """Trade consecutive rows of the panel, starting in cash."""
    end_of_day = None
    for row in rows:
        outcome = trade_session(data, row, end_of_day)
        end_of_day = outcome.end_of_day
        yield outcome


def trade_session(data: SessionInput, row: int, before: EndOfDay | None) -> SessionOutcome:
    """Settle, decide and clear one session.

    Parameters
    ----------
    before
        The state after the previous session; None in a book's first.
    """
    day: date = data.panel.sessions[row].item()
    filled: list[Fill] = []
    cancelled: list[Cancellation] = []
    checked: tuple[RiskOnlyDay, ...] = ()
    if before is None:
        portfolio = Portfolio.opened(day, data.initial_cash, data.accounts.opening_cash(data.initial_cash))
        before = EndOfDay(portfolio, RiskState.opened(day, float(data.initial_cash)))
    else:
        checked = tuple(risk_only_days(data, before.portfolio, before.risk, before.working, day))
        before = _after(before, checked)
        filled, cancelled = execute(data, before.portfolio, before.working, row, day)
        settled = settle(data, before.portfolio, row, day, filled)
        portfolio, filled = settled.portfolio, [*filled, *settled.closings]
    risk = before.risk.after_flows(portfolio.capital_factor / before.portfolio.capital_factor)
    view = data.views[row] if data.views else view_at(data.universe, data.panel, data.factors, row, day, data.funding)
    decision = decide(view, portfolio, risk, data.config, data.book, before.sleeves)
    cleared = clear(view, decision, portfolio, data.config.pre_trade)
    end_of_day = EndOfDay(portfolio, decision.assessment.next_state, cleared.accepted, decision.targets.sleeves)
    return SessionOutcome(day, tuple(filled), tuple(cancelled), decision, cleared.denied, end_of_day, checked)


def _after(before: EndOfDay, checked: tuple[RiskOnlyDay, ...]) -> EndOfDay:
    """Append the orders of days without a session to the pending ones."""
    if not checked:
        return before
    orders = [order for day in checked for order in day.orders]
    return replace(before, risk=checked[-1].risk, working=(*before.working, *orders))
