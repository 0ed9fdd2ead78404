"""Settlement of a session. Input: the portfolio at the previous close and the fills. Output: the portfolio."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date

from trading_lib.accounting.perpetuals import settle_perpetuals
from trading_lib.accounting.proceeds import closing_fills
from trading_lib.accounting.settle import apply_fills, mark
from trading_lib.domain.book.orders import Fill
from trading_lib.domain.book.portfolio import Portfolio
from trading_lib.domain.market.perpetuals import is_perpetual
from trading_lib.session.inputs import SessionInput
from trading_lib.session.start import book_start, cash_by_account


@dataclass(frozen=True, slots=True)
class Settled:
    """A portfolio after a session, and the fills that recorded proceeds led to."""

    portfolio: Portfolio
    closings: tuple[Fill, ...] = ()


def settle(data: SessionInput, portfolio: Portfolio, row: int, day: date, fills: Sequence[Fill]) -> Settled:
    """Settle a session of a book: what its broker filled, and what recorded proceeds close.

    Parameters
    ----------
    portfolio
        At the previous close. Raises
    ------
    OversoldError
        When a fill sells more than is held.
    """
    closed = closings(data, portfolio, row, day, fills)
    return Settled(settle_row(data, portfolio, row, day, [*fills, *closed]), tuple(closed))


def settle_row(data: SessionInput, portfolio: Portfolio, row: int, day: date, fills: Sequence[Fill]) -> Portfolio:
    """Settle a session of a book, and of each of its accounts where there are several."""
    settled = _settle(data, portfolio, row, day, fills)
    if not data.several_accounts and not portfolio.accounts:
        return settled
    # Of accounts that were given up and are empty, nothing is kept; one with cash is named.
    before = data.accounts.cash_of(portfolio)
    if len(before) == 1:
        return replace(settled, accounts={})

    def step(account: str, part: Portfolio) -> Portfolio:
        of_account = [fill for fill in fills if data.account_of(fill.symbol) == account]
        return _settle(without_flows, part, row, day, of_account)

    without_flows = replace(data, flows=())
    return replace(settled, accounts=cash_by_account(data, portfolio, day, step))


def _settle(data: SessionInput, portfolio: Portfolio, row: int, day: date, fills: Sequence[Fill]) -> Portfolio:
    """Corporate actions and flows, then the opening's fills and funding, then marking at the close."""
    at, closes = data.universe.positions, data.panel.close[row].tolist()
    portfolio = book_start(data, portfolio, row, day)
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


def closings(data: SessionInput, portfolio: Portfolio, row: int, day: date, fills: Sequence[Fill]) -> list[Fill]:
    """Return the fills that the recorded proceeds of the session lead to; see `closing_fills`."""
    if not any(due.session == day for due in data.proceeds):
        return []
    splits = dict(zip(data.universe.symbols, data.panel.split[row].tolist(), strict=True))
    opening = data.calendar.open(day)
    return closing_fills(portfolio, fills, splits, data.proceeds, data.universe, day, opening)
