"""The bookkeeping of a session in the loop: dividends, fills, marks."""

from __future__ import annotations

import numpy as np

from trading_lib.accounting.trades import CASH, book_trade, credit_dividend
from trading_lib.backtest.session_loop.book import WORKING, Book
from trading_lib.backtest.session_loop.inputs import Assets, Rows, Rules
from trading_lib.backtest.session_loop.log import (
    CASH_THERE,
    COMMISSION,
    FILL_ASSET,
    FILL_BUYING,
    FILL_QUANTITY,
    FILLS,
    LEFT,
    PRICE,
    REFERENCE_PRICE,
    ROW,
    Log,
)
from trading_lib.domain.kernels import compiled, inlined
from trading_lib.domain.money import MICRO
from trading_lib.domain.money_arithmetic import payable, share_in_cents, value_in_cents
from trading_lib.execution.simulated import execution_price


@inlined
def settle_session(book: Book, log: Log, assets: Assets, rows: Rows, rules: Rules, row: int) -> bool:
    """Dividends on the evening's holdings, the opening's fills, then marking at the close."""
    for i in range(book.quantity.shape[0]):
        if book.quantity[i] > 0:
            if rows.split[row, i] != 1.0:
                return False
            if rows.dividend[row, i] > 0:
                credit_dividend(book.account, book.quantity[i], rows.dividend[row, i])
    for number in range(book.counters[WORKING]):
        if not _fill(book, log, assets, rows, rules, row, number):
            return False
    book.counters[WORKING] = 0
    for i in range(book.quantity.shape[0]):
        if book.quantity[i] > 0 and np.isfinite(rows.close[row, i]):
            book.mark[i] = int(np.rint(rows.close[row, i] * MICRO))
    return True


@compiled
def _fill(book: Book, log: Log, assets: Assets, rows: Rows, rules: Rules, row: int, number: int) -> bool:
    asset, buying, ordered = book.working[number]
    if rows.split[row, asset] != 1.0 or (not buying and ordered > book.quantity[asset]):
        return False
    reference = rows.opening[row, asset]
    price, commission, quantity, cash = 0, 0, 0, book.account[CASH]
    if reference > 0:
        price = execution_price(reference, buying != 0, assets.slippages[asset], rules.price_unit)
        quantity = ordered
        if buying:
            quantity = payable(ordered, price, assets.lots[asset], assets.commissions[asset], cash)
    if quantity == 0:
        price = 0
    else:
        commission = share_in_cents(value_in_cents(quantity, price), assets.commissions[asset])
        before = book.quantity[asset]
        after, cost = book_trade(
            book.account, before, book.average_cost[asset], buying != 0, quantity, price, reference, commission
        )
        book.quantity[asset], book.average_cost[asset] = after, cost
        if before == 0:
            book.mark[asset] = price
    fill = log.fills[log.counts[FILLS]]
    fill[ROW], fill[FILL_ASSET], fill[FILL_BUYING], fill[FILL_QUANTITY] = row, asset, buying, quantity
    fill[PRICE], fill[REFERENCE_PRICE], fill[COMMISSION] = price, reference, commission
    fill[LEFT], fill[CASH_THERE] = ordered - quantity, cash
    log.counts[FILLS] += 1
    return True
