"""Bookkeeping of perpetual futures: fills and funding of one session, in the order they happened.

A perpetual costs nothing to open: cash moves by commissions, by profit when a position is closed, and by funding.
Input: a portfolio, fills of perpetuals, settlements. Output: a new `Portfolio`, not yet marked.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from decimal import Decimal

from trading_lib.domain.book.orders import Fill, Side
from trading_lib.domain.book.portfolio import PerpetualPosition, Portfolio, to_cent
from trading_lib.domain.market.funding import Settlement
from trading_lib.domain.money import exact_price, whole_lots

NOTHING = Decimal(0)


def settle_perpetuals(portfolio: Portfolio, fills: Sequence[Fill], settlements: Sequence[Settlement]) -> Portfolio:
    """Book a session's fills and funding.

    A settlement concerns whoever holds the position just before it: a fill at the very instant of a settlement neither
    earns nor pays it when it opens a position, and still does when it closes one.

    Raises
    ------
    ValueError
        When a fill turns a position around, or opens a long one: perpetuals only hedge.
    """
    # (instant, order within it, settlement or fill)
    timeline: list[tuple[datetime, int, Settlement | Fill]] = [
        (settlement.settled_at, 0, settlement) for settlement in settlements
    ]
    timeline += [(fill.filled_at, 1, fill) for fill in fills]
    for _, _, happened in sorted(timeline, key=lambda entry: entry[:2]):
        portfolio = _pay(portfolio, happened) if isinstance(happened, Settlement) else _book(portfolio, happened)
    return portfolio


def split_perpetuals(portfolio: Portfolio, ratio: Decimal, lot: Decimal) -> Portfolio:
    """Restate the shorts in new units when their spot asset is split, ``ratio`` new units per old one.

    A fraction of a lot is closed at the mark.
    """
    cash, realised, positions = portfolio.cash, portfolio.realised_pnl, {}
    for symbol, held in portfolio.perpetuals.items():
        exact_quantity, mark = held.quantity * ratio, held.mark / ratio
        quantity = -whole_lots(-exact_quantity, lot)
        entry_value = to_cent(held.entry_value * quantity / exact_quantity)
        profit = to_cent((exact_quantity - quantity) * mark - (held.entry_value - entry_value))
        cash, realised = cash + profit, realised + profit
        if quantity != 0:
            positions[symbol] = PerpetualPosition(symbol, quantity, entry_value, mark)
    return replace(portfolio, cash=cash, realised_pnl=realised, perpetuals=positions)


def funding_payment(quantity: Decimal, settlement: Settlement) -> Decimal:
    """Dollars that a position of ``quantity`` units receives, negative when it pays; in whole cents."""
    return to_cent(-quantity * exact_price(settlement.price) * Decimal(repr(settlement.rate)))


def _pay(portfolio: Portfolio, settlement: Settlement) -> Portfolio:
    position = portfolio.perpetuals.get(settlement.symbol)
    if position is None:
        return portfolio
    paid = funding_payment(position.quantity, settlement)
    return replace(portfolio, cash=portfolio.cash + paid, funding=portfolio.funding + paid)


def _book(portfolio: Portfolio, fill: Fill) -> Portfolio:
    held = portfolio.perpetuals.get(fill.symbol) or PerpetualPosition(fill.symbol, NOTHING, NOTHING, fill.price)
    sign = 1 if fill.side is Side.BUY else -1
    quantity = held.quantity + sign * fill.quantity
    if quantity > 0:
        raise ValueError(f"fill {fill.trade_id} buys {fill.quantity} {fill.symbol}, only {-held.quantity} sold short")
    notional = sign * to_cent(fill.quantity * fill.price)
    profit, entry_value = NOTHING, held.entry_value + notional
    if fill.side is Side.BUY:
        # The closed part takes its share of the entry value; the last part takes the remainder.
        leaving = held.entry_value if quantity == 0 else to_cent(held.entry_value * fill.quantity / -held.quantity)
        profit, entry_value = -leaving - notional, held.entry_value - leaving
    positions = {**portfolio.perpetuals, fill.symbol: replace(held, quantity=quantity, entry_value=entry_value)}
    if quantity == 0:
        del positions[fill.symbol]
    return replace(
        portfolio,
        cash=portfolio.cash + profit - fill.commission,
        realised_pnl=portfolio.realised_pnl + profit,
        costs=portfolio.costs + fill.commission + to_cent(abs(fill.price - fill.reference_price) * fill.quantity),
        perpetuals=positions,
    )
