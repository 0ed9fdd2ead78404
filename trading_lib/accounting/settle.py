"""One session of bookkeeping: corporate actions, fills, then marking. Pure: a new `Portfolio` comes back."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import date
from decimal import Decimal

from trading_lib.accounting.perpetuals import split_perpetuals
from trading_lib.domain.exact import exact
from trading_lib.domain.instruments import Universe
from trading_lib.domain.lots import whole_lots
from trading_lib.domain.orders import Fill, Side
from trading_lib.domain.portfolio import PerpetualPosition, Portfolio, Position, to_cent


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
    cash, paid = portfolio.cash, portfolio.dividends
    positions, marks = dict(portfolio.positions), dict(portfolio.marks)
    for symbol, ratio_number in splits.items():
        if symbol in positions:
            ratio = Decimal(repr(ratio_number))
            held, mark = positions[symbol], marks[symbol] / ratio
            exact = held.quantity * ratio
            whole = whole_lots(exact, universe[symbol].lot_size)
            cash += to_cent((exact - whole) * mark)
            marks[symbol] = mark
            positions[symbol] = Position(symbol, whole, held.average_cost / ratio)
            if whole == 0:
                del positions[symbol], marks[symbol]
    for symbol, amount in dividends.items():
        if symbol in positions:
            credit = to_cent(positions[symbol].quantity * Decimal(repr(amount)))
            cash, paid = cash + credit, paid + credit
    settled = replace(portfolio, cash=cash, positions=positions, marks=marks, dividends=paid)
    contract = universe.perpetuals
    if settled.perpetuals and contract is not None and contract.spot in splits:
        ratio = Decimal(repr(splits[contract.spot]))
        settled = split_perpetuals(settled, ratio, universe[contract.spot].lot_size)
    return settled


def apply_fills(portfolio: Portfolio, fills: Sequence[Fill]) -> Portfolio:
    """Book executions at average cost; selling more than is held is a ValueError."""
    if not fills:
        return portfolio
    cash, realised, costs = portfolio.cash, portfolio.realised_pnl, portfolio.costs
    positions, marks = dict(portfolio.positions), dict(portfolio.marks)
    for fill in fills:
        held = positions.get(fill.symbol, Position(fill.symbol, Decimal(0), Decimal(0)))
        notional = to_cent(fill.quantity * fill.price)
        costs += fill.commission + to_cent(abs(fill.price - fill.reference_price) * fill.quantity)
        if fill.side is Side.BUY:
            quantity = held.quantity + fill.quantity
            cost = (held.quantity * held.average_cost + fill.quantity * fill.price) / quantity
            cash -= notional + fill.commission
        else:
            quantity, cost = held.quantity - fill.quantity, held.average_cost
            if quantity < 0:
                raise ValueError(f"fill {fill.trade_id} sells {fill.quantity} {fill.symbol}, only {held.quantity} held")
            realised += to_cent((fill.price - held.average_cost) * fill.quantity)
            cash += notional - fill.commission
        if quantity == 0:
            positions.pop(fill.symbol, None)
            marks.pop(fill.symbol, None)
        else:
            positions[fill.symbol] = Position(fill.symbol, quantity, cost)
            marks.setdefault(fill.symbol, fill.price)
    return replace(portfolio, cash=cash, positions=positions, marks=marks, realised_pnl=realised, costs=costs)


def mark(portfolio: Portfolio, closes: Mapping[str, float], session: date) -> Portfolio:
    """Value the holdings at the last good raw prices; a symbol without one keeps its old mark."""
    marks = {}
    value = portfolio.cash
    for symbol, position in portfolio.positions.items():
        close = closes.get(symbol, math.nan)
        price = exact(close) if math.isfinite(close) else portfolio.marks[symbol]
        marks[symbol] = price
        value += position.quantity * price
    perpetuals = portfolio.perpetuals
    if perpetuals:
        perpetuals = {symbol: _marked(position, closes) for symbol, position in perpetuals.items()}
        value += sum((position.unrealised for position in perpetuals.values()), Decimal(0))
    return Portfolio(
        session,
        portfolio.cash,
        to_cent(value),
        portfolio.positions,
        marks,
        portfolio.realised_pnl,
        portfolio.dividends,
        portfolio.costs,
        perpetuals,
        portfolio.funding,
    )


def _marked(position: PerpetualPosition, closes: Mapping[str, float]) -> PerpetualPosition:
    close = closes.get(position.symbol, math.nan)
    return replace(position, mark=exact(close)) if math.isfinite(close) else position
