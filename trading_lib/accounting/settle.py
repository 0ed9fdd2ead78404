"""One session of bookkeeping: corporate actions, fills, then marking. Pure: a new `Portfolio` comes back."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import date
from decimal import Decimal

import numpy as np

from trading_lib.accounting.perpetuals import split_perpetuals
from trading_lib.accounting.trades import book_fill, credit_dividends, mark_holdings
from trading_lib.domain.book.holdings import average_cost, holdings_of, with_holdings
from trading_lib.domain.book.orders import Fill, Side
from trading_lib.domain.book.portfolio import PerpetualPosition, Portfolio, Position, to_cent
from trading_lib.domain.errors import OversoldError
from trading_lib.domain.market.instruments import Universe
from trading_lib.domain.money import exact_price, from_cents, from_micros, price_micros, to_cents, to_micros, whole_lots


def apply_actions(
    portfolio: Portfolio, dividends: Mapping[str, float], splits: Mapping[str, float], universe: Universe
) -> Portfolio:
    """Credit dividends and apply splits to the positions of the previous close.

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
    if dividends:
        symbols = list(positions)
        holdings = holdings_of(settled, symbols)
        credit_dividends(holdings, np.array([price_micros(dividends.get(s, 0.0)) for s in symbols], np.int64))
        settled = with_holdings(settled, holdings, symbols)
    contract = universe.perpetuals
    if settled.perpetuals and contract is not None and contract.spot in splits:
        ratio = Decimal(repr(splits[contract.spot]))
        settled = split_perpetuals(settled, ratio, universe[contract.spot].lot_size)
    return settled


def apply_fills(portfolio: Portfolio, fills: Sequence[Fill]) -> Portfolio:
    """Book executions at average cost; selling more than is held is an `OversoldError`."""
    if not fills:
        return portfolio
    symbols = list(dict.fromkeys([*portfolio.positions, *(fill.symbol for fill in fills)]))
    places = {symbol: i for i, symbol in enumerate(symbols)}
    holdings = holdings_of(portfolio, symbols)
    for fill in fills:
        i, quantity = places[fill.symbol], to_micros(fill.quantity)
        if fill.side is Side.SELL and quantity > holdings.quantity[i]:
            held = from_micros(int(holdings.quantity[i]))
            problem = f"fill {fill.trade_id} sells {fill.quantity} {fill.symbol}, only {held} held"
            raise OversoldError(problem, trade_id=fill.trade_id)
        price, reference = to_micros(fill.price), to_micros(fill.reference_price)
        book_fill(holdings, i, fill.side is Side.BUY, quantity, price, reference, to_cents(fill.commission))
    return with_holdings(portfolio, holdings, symbols)


def mark(portfolio: Portfolio, closes: Mapping[str, float], session: date) -> Portfolio:
    """Value the holdings at the last good raw prices, to the cent; a symbol without one keeps its old mark."""
    symbols = list(portfolio.positions)
    holdings = holdings_of(portfolio, symbols)
    nav = from_cents(mark_holdings(holdings, np.array([closes.get(symbol, math.nan) for symbol in symbols])))
    marks = {symbol: from_micros(price) for symbol, price in zip(symbols, holdings.mark.tolist(), strict=True)}
    perpetuals = portfolio.perpetuals
    if perpetuals:
        perpetuals = {symbol: _marked(position, closes) for symbol, position in perpetuals.items()}
        nav += to_cent(sum((position.unrealised for position in perpetuals.values()), Decimal(0)))
    return replace(portfolio, session=session, nav=nav, marks=marks, perpetuals=perpetuals)


def _marked(position: PerpetualPosition, closes: Mapping[str, float]) -> PerpetualPosition:
    close = closes.get(position.symbol, math.nan)
    return replace(position, mark=exact_price(close)) if math.isfinite(close) else position
