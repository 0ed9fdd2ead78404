"""Changes of weight -> quantities to trade, within the day's limits (docs/specification.md#daily-limits).

Whole numbers of `domain.money`. Sells come before buys and larger changes before smaller, each until a daily limit or
the cash buffer is reached.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from trading_lib.domain.decision.risk import UNLIMITED
from trading_lib.domain.kernels import compiled, inlined
from trading_lib.domain.market.prices import BoolArray, FloatArray, IntegerArray
from trading_lib.domain.money import MICRO
from trading_lib.domain.money_arithmetic import affordable, share_in_cents, value_in_cents, value_rounded_up

# Smaller differences between target and current weight are rounding.
DUST = 1e-9
# Limits that may cut an intended trade.
UNCUT, TRADE_COUNT, TURNOVER, CASH_BUFFER, TOO_SMALL, NO_LOT = range(6)
# Their names in reports, in the same order.
CUT_LIMITS = ("", "max_daily_trades", "max_daily_turnover", "order_cash_buffer", "min_trade_value", "lot_size")
# Positions in a day's limits: trades left; in cents the turnover left, the smallest trade, and from the
# last position on the cash left in each account.
TRADES, TURNOVER_LEFT, SMALLEST, CASH_LEFT = range(4)


@inlined
def rebalancing_trades(
    change: FloatArray,
    approved: FloatArray,
    close: FloatArray,
    may_increase: BoolArray,
    excluded: BoolArray,
    held: IntegerArray,
    lots: IntegerArray,
    commissions: IntegerArray,
    slippages: IntegerArray,
    accounts: IntegerArray,
    nav: int,
    limits: IntegerArray,
    threshold: float,
) -> tuple[IntegerArray, IntegerArray, NDArray[np.int8]]:
    """Assets in the order they trade, the quantity of each (0 where nothing is left of it), and what cut it.

    Parameters
    ----------
    change, approved
        Shape (n,): of weight, and the weight that is to be reached.
    close
        Shape (n,): last good prices in dollars, NaN where none is known.
    excluded
        Shape (n,): assets that already have an order.
    held, lots
        Shape (n,): in millionths of a unit.
    commissions, slippages
        Shape (n,): in millionths of traded notional.
    accounts
        Shape (n,): number of the account whose cash pays for each asset.
    nav
        Cents.
    limits
        Shape (3 + accounts,): see `TRADES` and its neighbours; changed in place.
    threshold
        Smallest change of weight that is traded.
    """
    turn = in_turn(change, close, may_increase, threshold)
    quantities = np.zeros(turn.shape[0], np.int64)
    cuts = np.zeros(turn.shape[0], np.int8)
    kept = 0
    for asset in turn:
        if excluded[asset]:
            continue
        buying, price = change[asset] > 0.0, int(np.rint(close[asset] * MICRO))
        size = _order_size(change[asset], approved[asset], nav, price, held[asset], lots[asset])
        costs = commissions[asset] + slippages[asset]
        purse = CASH_LEFT + accounts[asset]
        quantity, cut = _allowed(size, buying, price, lots[asset], costs, limits, purse)
        if quantity > 0:
            value = value_rounded_up(quantity, price)
            limits[TRADES] -= 1
            limits[TURNOVER_LEFT] -= value
            limits[purse] += cash_moved(value, buying, commissions[asset], slippages[asset])
        turn[kept], quantities[kept], cuts[kept] = asset, quantity, cut
        kept += 1
    return turn[:kept], quantities[:kept], cuts[:kept]


@compiled
def excess_of(quantity: int, ceiling: int, lot: int) -> int:
    """Return what has to be sold of a position above its ceiling, in whole lots."""
    if ceiling == UNLIMITED or quantity <= ceiling:
        return 0
    return (quantity - ceiling) // lot * lot


@inlined
def in_turn(change: FloatArray, close: FloatArray, may_increase: BoolArray, threshold: float) -> IntegerArray:
    """Assets whose change of weight is large enough and allowed: sells before buys, larger before smaller."""
    assets = np.empty(change.shape[0], np.int64)
    count = 0
    for i in range(change.shape[0]):
        size = change[i]
        if not abs(size) >= threshold or not np.isfinite(close[i]) or (size > 0.0 and not may_increase[i]):
            continue
        place = count
        while place > 0 and _before(size, change[assets[place - 1]]):
            assets[place] = assets[place - 1]
            place -= 1
        assets[place] = i
        count += 1
    return assets[:count]


@compiled
def _before(change: float, other: float) -> bool:
    if (change > 0.0) != (other > 0.0):
        return change < other
    return abs(change) > abs(other)


@compiled
def _order_size(change: float, approved: float, nav: int, price: int, held: int, lot: int) -> int:
    """Quantity that changes the weight as intended, in whole lots; what is not wanted at all is sold to the last."""
    if price <= 0:
        return 0
    # A hair more than the quotient: 10 % of $100,000 at $100 is 100 shares, not 99.
    size = max(int(np.floor(abs(change) * nav / 100.0 / price * MICRO / lot * MICRO + 1e-9)), 0) * lot
    if change < 0.0 and (approved <= 0.0 or size > held):
        size = held // lot * lot
    return size


@compiled
def _allowed(
    size: int, buying: bool, price: int, lot: int, costs: int, limits: IntegerArray, purse: int
) -> tuple[int, int]:
    """Quantity the limits allow, and what cut it; ``purse`` is the place of the cash that pays."""
    if limits[TRADES] <= 0:
        return 0, TRADE_COUNT
    quantity, cut = size, UNCUT
    most = affordable(limits[TURNOVER_LEFT], price, lot, 0)
    if most < quantity:
        quantity, cut = most, TURNOVER
    if buying:
        most = affordable(limits[purse], price, lot, costs)
        if most < quantity:
            quantity, cut = most, CASH_BUFFER
    if value_in_cents(quantity, price) < limits[SMALLEST] or quantity <= 0:
        if cut == UNCUT:
            cut = TOO_SMALL if size > 0 else NO_LOT
        return 0, cut
    return quantity, cut


@compiled
def cash_moved(value: int, buying: bool, commission: int, slippage: int) -> int:
    """Cents a trade is expected to bring after its costs; negative for a purchase."""
    costs = share_in_cents(value, commission) + share_in_cents(value, slippage)
    return -value - costs if buying else value - costs
