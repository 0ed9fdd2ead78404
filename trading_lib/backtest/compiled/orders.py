"""The orders of a session in the loop: sized by `size_orders`, recorded, and pending until their opening."""

from __future__ import annotations

import numpy as np

from trading_lib.backtest.compiled.book import ASSET, BUYING, NAV, QUANTITY, WORKING, Book
from trading_lib.backtest.compiled.inputs import Assets, Rows, Rules
from trading_lib.backtest.compiled.journal import ORDER_MARK, ORDER_ROW, ORDERS, Log
from trading_lib.domain.book.holdings import CASH
from trading_lib.domain.kernels import inlined
from trading_lib.domain.market.prices import BoolArray, FloatArray
from trading_lib.domain.money import MICRO
from trading_lib.domain.money_arithmetic import value_in_cents
from trading_lib.orders.sizing import OrderRules, size_orders

# A rounded price this far from the last one, as a fraction, is worth a look by the pre-trade checks.
PRICE_DUST = 1e-6


@inlined
def send_orders(
    book: Book,
    log: Log,
    assets: Assets,
    rows: Rows,
    rules: Rules,
    approved: FloatArray,
    held: FloatArray,
    may_increase: BoolArray,
    row: int,
    step: int,
) -> tuple[bool, bool]:
    """Record the session's orders; return whether any is a risk order, and whether none could be refused."""
    limits = OrderRules(rules.max_trades, rules.turnover, rules.buffer, rules.smallest_trade, rules.rebalance_threshold)
    traded, quantities, cuts, risk = size_orders(
        approved,
        held,
        rows.close[row],
        may_increase,
        rows.retired[row],
        book.quantity,
        book.mark,
        book.ceilings,
        assets.lots,
        assets.commissions,
        assets.slippages,
        assets.account_numbers,
        book.counters[NAV],
        book.account[CASH : CASH + 1],
        limits,
        False,
    )
    book.counters[WORKING] = 0
    for number in range(traded.shape[0]):
        asset, quantity, close = traded[number], quantities[number], rows.close[row, traded[number]]
        log.cuts[step, asset] = cuts[number]
        if quantity == 0:
            continue
        price = int(np.rint(close * MICRO)) if np.isfinite(close) else 0
        # A risk order is refused only without a price; see `orders.pre_trade`.
        if price == 0 or (
            number >= risk
            and (
                value_in_cents(quantity, price) >= rules.largest_order
                or quantity >= rules.largest_quantity
                or abs(price / MICRO / close - 1.0) > PRICE_DUST
            )
        ):
            return True, False
        order, sent = book.working[book.counters[WORKING]], log.orders[log.counts[ORDERS]]
        order[ASSET], order[QUANTITY] = asset, quantity
        order[BUYING] = 1 if number >= risk and approved[asset] > held[asset] else 0
        sent[ORDER_ROW], sent[ORDER_ROW + 1 : ORDER_MARK] = row, order
        sent[ORDER_MARK] = book.mark[asset] if number < risk else 0
        log.order_targets[log.counts[ORDERS]] = book.targets[:, asset]
        book.counters[WORKING] += 1
        log.counts[ORDERS] += 1
    return risk > 0, True
