"""Flows of capital in a portfolio. Input: the portfolio at the previous close, flows. Output: the portfolio.

A flow counts from the opening of its session: it is part of what the session starts with and earns the session's
return. Portfolios therefore keep `Portfolio.capital_factor`, by which flows alone have multiplied the net asset value;
divided by it, net asset values of different sessions can be compared, and their ratio is the time-weighted return.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import date
from decimal import Decimal

from trading_lib.domain.book.flows import Flow, FlowKind, flows_of, net_of
from trading_lib.domain.book.portfolio import Portfolio
from trading_lib.domain.errors import InputError


def book_flows(portfolio: Portfolio, flows: Iterable[Flow], session: date) -> Portfolio:
    """Book the cash of a session's flows; net asset value is unchanged until the portfolio is marked.

    Cash may fall below zero, where a withdrawal was planned for a day on which the book is invested: risk control then
    sells a share of everything.

    Raises
    ------
    InputError
        When withdrawals would leave nothing of the book.
    """
    due = flows_of(flows, session)
    if not due:
        return portfolio
    net = net_of(due)
    if net:
        _refuse_the_last_dollar(portfolio, due, net)
    return replace(
        portfolio,
        cash=portfolio.cash + net,
        deposits=portfolio.deposits + _sum(due, FlowKind.DEPOSIT),
        withdrawals=portfolio.withdrawals + _sum(due, FlowKind.WITHDRAWAL),
        capital_factor=portfolio.capital_factor * growth_by(net, portfolio.nav) if net else portfolio.capital_factor,
    )


def growth_by(net: Decimal, nav: Decimal) -> float:
    """Ratio of the net asset value after a flow to that before it."""
    return float(nav + net) / float(nav)


def _refuse_the_last_dollar(portfolio: Portfolio, due: Sequence[Flow], net: Decimal) -> None:
    if portfolio.nav <= 0 or portfolio.nav + net <= 0:
        moved = ", ".join(flow.describe() for flow in due)
        raise InputError(
            f"the {moved} of session {due[0].session} would leave nothing of the ${portfolio.nav:,.2f} that the book "
            f"is worth on {portfolio.session}",
            "withdraw less, or record a deposit for the same session",
        )


def _sum(due: Sequence[Flow], kind: FlowKind) -> Decimal:
    return sum((flow.amount for flow in due if flow.kind is kind), Decimal(0))
