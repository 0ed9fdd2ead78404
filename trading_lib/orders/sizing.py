"""The orders of a session in numbers, sized once for the objects of `generate` and for the compiled loop.

What stands above a ceiling is sold first; its proceeds can be spent at once. Rebalancing follows within what the day's
limits allow. Whole numbers of `domain.money`.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from trading_lib.domain.kernels import inlined
from trading_lib.domain.market.prices import BoolArray, FloatArray, IntegerArray
from trading_lib.domain.money import to_cents
from trading_lib.domain.money_arithmetic import share_in_cents, share_rounded_down, value_in_cents
from trading_lib.orders.config import OrderConfig
from trading_lib.orders.rebalancing import (
    CASH_LEFT,
    SMALLEST,
    TRADES,
    TURNOVER_LEFT,
    cash_moved,
    excess_of,
    rebalancing_trades,
)


class OrderRules(NamedTuple):
    """Numbers of `OrderConfig`; money in cents, rates of money in millionths."""

    max_trades: int
    turnover: int
    buffer: int
    smallest_trade: int
    threshold: float


def order_rules(config: OrderConfig) -> OrderRules:
    """Collect the configuration's numbers."""
    return OrderRules(
        max_trades=config.max_daily_trades,
        turnover=config.turnover_millionths,
        buffer=config.buffer_millionths,
        smallest_trade=to_cents(config.min_trade_value),
        threshold=config.rebalance_threshold,
    )


@inlined
def day_limits(
    nav: int, cash: IntegerArray, accounts: IntegerArray, quantity: IntegerArray, mark: IntegerArray, rules: OrderRules
) -> IntegerArray:
    """Return what a session's rebalancing may use, shape (3 + accounts,); see `rebalancing_trades`.

    The buffer of an account is a share of what it is worth: of the whole book where it is the only one.
    """
    turnover = share_rounded_down(max(nav, 0), rules.turnover)
    worth = cash.copy()
    if cash.shape[0] == 1:
        worth[0] = nav
    else:
        for i in range(quantity.shape[0]):
            worth[accounts[i]] += value_in_cents(quantity[i], mark[i])
    limits = np.empty(CASH_LEFT + cash.shape[0], np.int64)
    limits[TRADES], limits[TURNOVER_LEFT], limits[SMALLEST] = rules.max_trades, turnover, rules.smallest_trade
    for k in range(cash.shape[0]):
        limits[CASH_LEFT + k] = cash[k] - share_in_cents(worth[k], rules.buffer)
    return limits


@inlined
def size_orders(
    approved: FloatArray,
    held: FloatArray,
    close: FloatArray,
    may_increase: BoolArray,
    retired: BoolArray,
    quantity: IntegerArray,
    mark: IntegerArray,
    ceilings: IntegerArray,
    lots: IntegerArray,
    commissions: IntegerArray,
    slippages: IntegerArray,
    accounts: IntegerArray,
    nav: int,
    cash: IntegerArray,
    rules: OrderRules,
    liquidating: bool,
) -> tuple[IntegerArray, IntegerArray, NDArray[np.int8], int]:
    """Assets in the order they are sent, quantities (0 where nothing is left), what cut them, and how many are risk's.

    Parameters
    ----------
    approved, held
        Shape (n,): weights to be reached, and the present ones.
    close
        Shape (n,): last good prices in dollars, NaN where none is known.
    retired
        Shape (n,): assets without a price for so long that an order would find no buyer.
    quantity, lots, ceilings
        Shape (n,), millionths of a unit; `UNLIMITED` where there is no ceiling.
    mark
        Shape (n,): what a risk order is expected to bring per unit, in millionths of a dollar.
    commissions, slippages
        Shape (n,): in millionths of traded notional.
    accounts
        Shape (n,): number of the account whose cash pays for each asset.
    nav
        Cents.
    cash
        Shape (accounts,), cents.
    liquidating
        Whether nothing but risk orders is sent.
    """
    limits = day_limits(nav, cash, accounts, quantity, mark, rules)
    assets, sizes = np.empty(quantity.shape[0], np.int64), np.empty(quantity.shape[0], np.int64)
    reduced = np.zeros(quantity.shape[0], np.bool_)
    risk = 0
    for i in range(quantity.shape[0]):
        excess = excess_of(quantity[i], ceilings[i], lots[i])
        # Retired, it finds no buyer; the ceiling stands, and sells as soon as a price returns.
        if excess > 0 and not retired[i]:
            value = value_in_cents(excess, mark[i])
            # The proceeds of a risk order can be spent; it uses up no limit.
            limits[CASH_LEFT + accounts[i]] += cash_moved(value, False, commissions[i], slippages[i])
            reduced[i] = True
            assets[risk], sizes[risk] = i, excess
            risk += 1
    if liquidating:
        return assets[:risk], sizes[:risk], np.zeros(risk, np.int8), risk
    turn, quantities, cuts = rebalancing_trades(
        approved - held,
        approved,
        close,
        may_increase,
        reduced | retired,
        quantity,
        lots,
        commissions,
        slippages,
        accounts,
        nav,
        limits,
        rules.threshold,
    )
    sent = risk + turn.shape[0]
    assets[risk:sent], sizes[risk:sent] = turn, quantities
    reasons = np.zeros(sent, np.int8)
    reasons[risk:] = cuts
    return assets[:sent], sizes[:sent], reasons, risk
