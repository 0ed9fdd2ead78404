"""One session of bookkeeping: corporate actions, fills, then marking. Pure: a new `Portfolio` comes back."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import date
from decimal import Decimal

import numpy as np

from trading_lib.accounting.perpetuals import split_perpetuals
from trading_lib.accounting.trades import CASH, COSTS, DIVIDENDS, REALISED, Account, book_trade, credit_dividend
from trading_lib.domain.errors import OversoldError
from trading_lib.domain.instruments import Universe
from trading_lib.domain.lots import whole_lots
from trading_lib.domain.money import exact_price, from_cents, from_micros, price_micros, to_cents, to_micros
from trading_lib.domain.money_arithmetic import value_of_holdings
from trading_lib.domain.orders import Fill, Side
from trading_lib.domain.portfolio import PerpetualPosition, Portfolio, Position, to_cent

NO_POSITION = Position("", Decimal(0), Decimal(0))


def apply_actions(
    portfolio: Portfolio, dividends: Mapping[str, float], splits: Mapping[str, float], universe: Universe
) -> Portfolio:
    """Credit dividends and apply splits to the holdings of the evening before.

    Parameters
    ----------
    dividends
        Symbol -> cash per (new) share, dollars.
    splits
        Symbol -> new shares per old share. A fraction of a lot is paid out at the last mark.
    """
    cash = portfolio.cash
    positions, marks = dict(portfolio.positions), dict(portfolio.marks)
    for symbol, ratio_number in splits.items():
        if symbol in positions:
            ratio = Decimal(repr(ratio_number))
            held, mark = positions[symbol], from_micros(to_micros(marks[symbol] / ratio))
            exact = held.quantity * ratio
            whole = whole_lots(exact, universe[symbol].lot_size)
            cash += to_cent((exact - whole) * mark)
            marks[symbol] = mark
            positions[symbol] = Position(symbol, whole, average_cost(float(held.average_cost / ratio)))
            if whole == 0:
                del positions[symbol], marks[symbol]
    settled = replace(portfolio, cash=cash, positions=positions, marks=marks)
    account = account_of(settled)
    for symbol, amount in dividends.items():
        if symbol in positions:
            credit_dividend(account, to_micros(positions[symbol].quantity), price_micros(amount))
    settled = _with_account(settled, account)
    contract = universe.perpetuals
    if settled.perpetuals and contract is not None and contract.spot in splits:
        ratio = Decimal(repr(splits[contract.spot]))
        settled = split_perpetuals(settled, ratio, universe[contract.spot].lot_size)
    return settled


def apply_fills(portfolio: Portfolio, fills: Sequence[Fill]) -> Portfolio:
    """Book executions at average cost; selling more than is held is an `OversoldError`."""
    if not fills:
        return portfolio
    account = account_of(portfolio)
    positions, marks = dict(portfolio.positions), dict(portfolio.marks)
    for fill in fills:
        held = positions.get(fill.symbol, NO_POSITION)
        if fill.side is Side.SELL and fill.quantity > held.quantity:
            raise OversoldError(f"fill {fill.trade_id} sells {fill.quantity} {fill.symbol}, only {held.quantity} held")
        quantity, cost = book_trade(
            account,
            to_micros(held.quantity),
            float(held.average_cost),
            fill.side is Side.BUY,
            to_micros(fill.quantity),
            to_micros(fill.price),
            to_micros(fill.reference_price),
            to_cents(fill.commission),
        )
        if quantity == 0:
            positions.pop(fill.symbol, None)
            marks.pop(fill.symbol, None)
        else:
            positions[fill.symbol] = Position(fill.symbol, from_micros(quantity), average_cost(cost))
            marks.setdefault(fill.symbol, fill.price)
    return replace(_with_account(portfolio, account), positions=positions, marks=marks)


def average_cost(cost: float) -> Decimal:
    """Average cost as the decimal it is written as, which reads back as the same number."""
    return Decimal(repr(cost))


def account_of(portfolio: Portfolio) -> Account:
    """Cash and totals in cents; see `book_trade`."""
    totals = (portfolio.cash, portfolio.realised_pnl, portfolio.dividends, portfolio.costs)
    return np.array([to_cents(total) for total in totals], np.int64)


def _with_account(portfolio: Portfolio, account: Account) -> Portfolio:
    return replace(
        portfolio,
        cash=from_cents(int(account[CASH])),
        realised_pnl=from_cents(int(account[REALISED])),
        dividends=from_cents(int(account[DIVIDENDS])),
        costs=from_cents(int(account[COSTS])),
    )


def mark(portfolio: Portfolio, closes: Mapping[str, float], session: date) -> Portfolio:
    """Value the holdings at the last good raw prices, to the cent; a symbol without one keeps its old mark."""
    marks = {}
    for symbol in portfolio.positions:
        close = closes.get(symbol, math.nan)
        marks[symbol] = exact_price(close) if math.isfinite(close) else portfolio.marks[symbol]
    quantities = np.array([to_micros(position.quantity) for position in portfolio.positions.values()], np.int64)
    value = value_of_holdings(quantities, np.array([to_micros(price) for price in marks.values()], np.int64))
    nav, perpetuals = from_cents(to_cents(portfolio.cash) + value), portfolio.perpetuals
    if perpetuals:
        perpetuals = {symbol: _marked(position, closes) for symbol, position in perpetuals.items()}
        nav += to_cent(sum((position.unrealised for position in perpetuals.values()), Decimal(0)))
    return replace(portfolio, session=session, nav=nav, marks=marks, perpetuals=perpetuals)


def _marked(position: PerpetualPosition, closes: Mapping[str, float]) -> PerpetualPosition:
    close = closes.get(position.symbol, math.nan)
    return replace(position, mark=exact_price(close)) if math.isfinite(close) else position
