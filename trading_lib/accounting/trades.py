"""Bookkeeping of a session in fixed-point integers, for the objects of `settle` and for the compiled loop.

Dividends on the positions of the previous close, then the fills in order, then marking at the close; see `domain.money`
for the units.
"""

from __future__ import annotations

import numpy as np

from trading_lib.domain.book.holdings import CASH, COSTS, DIVIDENDS, REALISED, Holdings
from trading_lib.domain.kernels import compiled
from trading_lib.domain.market.prices import FloatArray, IntegerArray
from trading_lib.domain.money import MICRO
from trading_lib.domain.money_arithmetic import value_in_cents, value_of_holdings


@compiled
def credit_dividends(holdings: Holdings, amounts: IntegerArray) -> None:
    """Credit dividends, shape (n,), millionths of a dollar per unit, on what was held at the previous close."""
    for i in range(amounts.shape[0]):
        if holdings.quantity[i] > 0 and amounts[i] > 0:
            credit_dividend(holdings.account, holdings.quantity[i], amounts[i])


@compiled
def book_fill(
    holdings: Holdings, asset: int, buying: bool, quantity: int, price: int, reference: int, commission: int
) -> None:
    """Book an execution; what was not held before is marked at its price. See `book_trade` for the units."""
    before = holdings.quantity[asset]
    after, cost = book_trade(
        holdings.account, before, holdings.average_cost[asset], buying, quantity, price, reference, commission
    )
    holdings.quantity[asset], holdings.average_cost[asset] = after, cost
    if before == 0:
        holdings.mark[asset] = price


@compiled
def mark_holdings(holdings: Holdings, closes: FloatArray) -> int:
    """Mark at the last good prices, dollars, NaN where the old mark stays; answer what all is worth with cash."""
    for i in range(closes.shape[0]):
        if holdings.quantity[i] > 0 and np.isfinite(closes[i]):
            holdings.mark[i] = int(np.rint(closes[i] * MICRO))
    return int(holdings.account[CASH] + value_of_holdings(holdings.quantity, holdings.mark))


@compiled
def cash_after(cash: int, buying: bool, value: int, commission: int) -> int:
    """Cash once a trade of ``value`` is booked, all in cents."""
    return cash - value - commission if buying else cash + value - commission


@compiled
def book_trade(
    account: IntegerArray,
    held: int,
    average_cost: float,
    buying: bool,
    quantity: int,
    price: int,
    reference: int,
    commission: int,
) -> tuple[int, float]:
    """Book an execution at average cost; answer the quantity held afterwards and its average cost.

    The caller makes sure that no more is sold than is held.

    Parameters
    ----------
    account
        Changed in place; see `CASH` and its neighbours.
    held, quantity
        Millionths of a unit.
    average_cost
        Dollars per unit; 0 when nothing is held.
    price, reference
        Of the execution, and before slippage, in millionths of a dollar.
    commission
        Cents.
    """
    value, paid = value_in_cents(quantity, price), price / MICRO
    account[COSTS] += commission + value_in_cents(quantity, abs(price - reference))
    account[CASH] = cash_after(account[CASH], buying, value, commission)
    if buying:
        # Alone it costs exactly what was paid; an average of one would be a rounding away.
        average = paid if held == 0 else (held * average_cost + quantity * paid) / (held + quantity)
        return held + quantity, average
    account[REALISED] += int(np.rint((paid - average_cost) * quantity / MICRO * 100.0))
    left = held - quantity
    return left, average_cost if left > 0 else 0.0


@compiled
def credit_dividend(account: IntegerArray, held: int, amount: int) -> None:
    """Pay ``amount`` millionths of a dollar per unit on what was held at the previous close."""
    paid = value_in_cents(held, amount)
    account[CASH] += paid
    account[DIVIDENDS] += paid
