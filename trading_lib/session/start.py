"""The start of a session: corporate actions on the positions of the previous close, then flows of capital.

Input: the portfolio at the previous close. Output: the portfolio at the opening, before its orders. Where a book has
several accounts, each is looked at as a book of its own: its assets, its part of the cash.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import date
from decimal import Decimal

from trading_lib.accounting.flows import book_flows
from trading_lib.accounting.settle import apply_actions
from trading_lib.domain.book.flows import flows_of
from trading_lib.domain.book.portfolio import Portfolio
from trading_lib.session.inputs import SessionInput


def start_of_session(data: SessionInput, portfolio: Portfolio, row: int, day: date) -> Portfolio:
    """Return the portfolio before the opening's orders, with the cash of each account where there are several."""
    started = book_start(data, portfolio, row, day)
    if not data.several_accounts:
        return started
    return replace(
        started, accounts=cash_by_account(data, portfolio, day, lambda _, part: corporate_actions(data, part, row))
    )


def book_start(data: SessionInput, portfolio: Portfolio, row: int, day: date) -> Portfolio:
    """Book corporate actions and flows, whichever accounts they concern."""
    return book_flows(corporate_actions(data, portfolio, row), data.flows, day)


def corporate_actions(data: SessionInput, portfolio: Portfolio, row: int) -> Portfolio:
    """Book dividends and splits of a session on the positions of the previous close."""
    panel, at = data.panel, data.universe.positions
    held = [(symbol, at[symbol]) for symbol in portfolio.positions]
    paid, ratios = panel.dividend[row].tolist(), panel.split[row].tolist()
    dividends = {s: paid[i] for s, i in held if paid[i] > 0}
    splits = {s: ratios[i] for s, i in held if ratios[i] != 1.0}
    return apply_actions(portfolio, dividends, splits, data.universe) if dividends or splits else portfolio


def cash_by_account(
    data: SessionInput, portfolio: Portfolio, day: date, step: Callable[[str, Portfolio], Portfolio]
) -> dict[str, Decimal]:
    """Cash of each account after ``step``, which gets its name and what it holds, flows of the session included."""
    cash, due = {}, flows_of(data.flows, day)
    for name, before in data.accounts.cash_of(portfolio).items():
        moved = sum((amount for flow in due for account, amount in flow.sides() if account == name), Decimal(0))
        cash[name] = step(name, _part(data, portfolio, name, before + moved)).cash
    return cash


def _part(data: SessionInput, portfolio: Portfolio, account: str, cash: Decimal) -> Portfolio:
    """Return the part of a portfolio that an account holds."""
    positions = {s: held for s, held in portfolio.positions.items() if data.account_of(s) == account}
    perpetuals = {s: held for s, held in portfolio.perpetuals.items() if data.account_of(s) == account}
    marks = {symbol: portfolio.marks[symbol] for symbol in positions}
    return replace(portfolio, cash=cash, positions=positions, marks=marks, perpetuals=perpetuals, accounts={})
