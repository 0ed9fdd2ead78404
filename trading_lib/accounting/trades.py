"""Bookkeeping of single trades and dividends in whole numbers; see `domain.money` for their units."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from trading_lib.domain.kernels import compiled
from trading_lib.domain.money import MICRO
from trading_lib.domain.money_arithmetic import value_in_cents

# Places in an account: cash, and totals since the book was opened, all in cents.
CASH, REALISED, DIVIDENDS, COSTS = range(4)

Account = NDArray[np.int64]


@compiled
def book_trade(
    account: Account,
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
    if buying:
        account[CASH] -= value + commission
        # Alone it costs exactly what was paid; an average of one would be a rounding away.
        average = paid if held == 0 else (held * average_cost + quantity * paid) / (held + quantity)
        return held + quantity, average
    account[CASH] += value - commission
    account[REALISED] += int(np.rint((paid - average_cost) * quantity / MICRO * 100.0))
    left = held - quantity
    return left, average_cost if left > 0 else 0.0


@compiled
def credit_dividend(account: Account, held: int, amount: int) -> None:
    """Pay ``amount`` millionths of a dollar per unit on what was held the evening before."""
    paid = value_in_cents(held, amount)
    account[CASH] += paid
    account[DIVIDENDS] += paid
