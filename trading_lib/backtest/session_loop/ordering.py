"""The orders of a session in the loop."""

from __future__ import annotations

import numpy as np

from trading_lib.accounting.trades import CASH
from trading_lib.backtest.session_loop.book import ASSET, BUYING, NAV, QUANTITY, WORKING, Book
from trading_lib.backtest.session_loop.inputs import Assets, Rows, Rules
from trading_lib.backtest.session_loop.log import ORDERS, Log
from trading_lib.domain.kernels import compiled, inlined
from trading_lib.domain.money import MICRO
from trading_lib.domain.money_arithmetic import share_in_cents, share_rounded_down, value_in_cents
from trading_lib.domain.prices import BoolArray, FloatArray
from trading_lib.orders.rebalancing import CASH_LEFT, cash_moved, excess_of, rebalancing_trades

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
    """Send the session's orders: whether risk orders are among them, and whether none could be refused."""
    nav = book.counters[NAV]
    cash = book.account[CASH] - share_in_cents(nav, rules.buffer)
    limits = np.array([rules.max_trades, share_rounded_down(nav, rules.turnover), cash, rules.smallest_trade])
    reduced = np.zeros(held.shape[0], np.bool_)
    book.counters[WORKING] = 0
    for i in range(held.shape[0]):
        excess = excess_of(book.quantity[i], book.ceilings[i], assets.lots[i])
        if excess > 0 and not rows.retired[row, i]:
            if not np.isfinite(rows.close[row, i]):
                return True, False
            value = value_in_cents(excess, book.mark[i])
            limits[CASH_LEFT] += cash_moved(value, False, assets.commissions[i], assets.slippages[i])
            reduced[i] = True
            _send(book, log, row, i, 0, excess)
    traded, quantities, cuts = rebalancing_trades(
        approved - held,
        approved,
        rows.close[row],
        may_increase,
        reduced | rows.retired[row],
        book.quantity,
        assets.lots,
        assets.commissions,
        assets.slippages,
        nav,
        limits,
        rules.rebalance_threshold,
    )
    for number in range(traded.shape[0]):
        asset, quantity = traded[number], quantities[number]
        log.cuts[step, asset] = cuts[number]
        if quantity == 0:
            continue
        price = int(np.rint(rows.close[row, asset] * MICRO))
        rounded = abs(price / MICRO / rows.close[row, asset] - 1.0)
        if value_in_cents(quantity, price) >= rules.largest_order or rounded > PRICE_DUST:
            return True, False
        _send(book, log, row, asset, 1 if approved[asset] > held[asset] else 0, quantity)
    return bool(reduced.any()), True


@compiled
def _send(book: Book, log: Log, row: int, asset: int, buying: int, quantity: int) -> None:
    order = book.working[book.counters[WORKING]]
    order[ASSET], order[BUYING], order[QUANTITY] = asset, buying, quantity
    book.counters[WORKING] += 1
    sent = log.orders[log.counts[ORDERS]]
    sent[0], sent[1:] = row, order
    log.counts[ORDERS] += 1
