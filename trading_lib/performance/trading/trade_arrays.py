"""Executions in whole numbers, which metrics of thousands of runs are computed from; see `domain.money` for units."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from trading_lib.domain.book.orders import Fill, Side
from trading_lib.domain.kernels import compiled
from trading_lib.domain.market.prices import FloatArray, IntegerArray
from trading_lib.domain.money import to_cents, to_micros
from trading_lib.domain.money_arithmetic import value_in_cents


class TradeArrays(NamedTuple):
    """Executions in the order they were booked, shapes (f,).

    Attributes
    ----------
    asset
        A number for each asset, from 0.
    quantity
        Millionths of a unit, negative for sales.
    price, reference
        Of the execution, and before slippage, in millionths of a dollar.
    commission
        Cents.
    """

    asset: IntegerArray
    quantity: IntegerArray
    price: IntegerArray
    reference: IntegerArray
    commission: IntegerArray


def trade_arrays(fills: Sequence[Fill], numbers: dict[str, int] | None = None) -> TradeArrays:
    """Collect executions that came as objects.

    Parameters
    ----------
    numbers
        Symbol -> its number; others are added to it.
    """
    numbers = {} if numbers is None else numbers
    rows = [
        (
            numbers.setdefault(fill.symbol, len(numbers)),
            to_micros(fill.quantity) * (1 if fill.side is Side.BUY else -1),
            to_micros(fill.price),
            to_micros(fill.reference_price),
            to_cents(fill.commission),
        )
        for fill in fills
    ]
    # Each in one piece of memory, as the loop logs them: a kernel is compiled for every way that its arrays lie.
    return TradeArrays(*np.ascontiguousarray(np.array(rows, np.int64).reshape(len(rows), 5).T))


@compiled
def traded_and_costs(
    quantity: IntegerArray, price: IntegerArray, reference: IntegerArray, commission: IntegerArray
) -> tuple[int, int]:
    """Notional, and commissions with slippage, in cents."""
    traded, costs = 0, 0
    for f in range(quantity.shape[0]):
        size = abs(quantity[f])
        traded += value_in_cents(size, price[f])
        costs += commission[f] + value_in_cents(size, abs(price[f] - reference[f]))
    return traded, costs


@compiled
def round_trips(
    asset: IntegerArray, quantity: IntegerArray, price: IntegerArray, commission: IntegerArray
) -> FloatArray:
    """Profit in dollars after commissions of every closed round trip, flat to flat in one asset, in closing order."""
    profits = np.empty(asset.shape[0])
    count = 0
    assets = asset.max() + 1 if asset.shape[0] > 0 else 0
    held, flow = np.zeros(assets, np.int64), np.zeros(assets, np.int64)
    for f in range(asset.shape[0]):
        value = value_in_cents(abs(quantity[f]), price[f])
        held[asset[f]] += quantity[f]
        flow[asset[f]] -= (value if quantity[f] > 0 else -value) + commission[f]
        if held[asset[f]] == 0:
            profits[count] = flow[asset[f]] / 100.0
            flow[asset[f]] = 0
            count += 1
    return profits[:count]
