"""The bookkeeping of a session. Input: the portfolio of the evening before and the fills. Output: the portfolio."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date

from trading_lib.accounting.perpetuals import settle_perpetuals
from trading_lib.accounting.proceeds import closing_fills
from trading_lib.accounting.settle import apply_fills, mark
from trading_lib.domain.orders import Fill
from trading_lib.domain.perpetuals import is_perpetual
from trading_lib.domain.portfolio import Portfolio
from trading_lib.session.inputs import SessionInput
from trading_lib.session.opening import corporate_actions


def settle_row(data: SessionInput, portfolio: Portfolio, row: int, day: date, fills: Sequence[Fill]) -> Portfolio:
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


def closings(data: SessionInput, portfolio: Portfolio, row: int, day: date, fills: Sequence[Fill]) -> list[Fill]:
    """Return the executions that recorded proceeds of the session lead to; see `closing_fills`."""
    if not any(due.session == day for due in data.proceeds):
        return []
    splits = dict(zip(data.universe.symbols, data.panel.split[row].tolist(), strict=True))
    opening = data.calendar.open(day)
    return closing_fills(portfolio, fills, splits, data.proceeds, data.universe, day, opening)
