"""Settlement of a session in the loop: the kernels of execution and accounting, and a record of the fills."""

from __future__ import annotations

from trading_lib.accounting.trades import book_fill, credit_dividends, mark_holdings
from trading_lib.backtest.compiled.book import NAV, WORKING, Book
from trading_lib.backtest.compiled.inputs import Assets, Rows, Rules
from trading_lib.backtest.compiled.journal import (
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
from trading_lib.domain.book.holdings import CASH, Holdings
from trading_lib.domain.kernels import inlined
from trading_lib.execution.simulated import meet_opening


@inlined
def settle_session(book: Book, log: Log, assets: Assets, rows: Rows, rules: Rules, row: int) -> bool:
    """Settle a session; False where the slow path has to: a split, or a sale of more than is held."""
    holdings = Holdings(book.account, book.quantity, book.mark, book.average_cost)
    for i in range(book.quantity.shape[0]):
        if book.quantity[i] > 0 and rows.split[row, i] != 1.0:
            return False
    credit_dividends(holdings, rows.dividend[row])
    for number in range(book.counters[WORKING]):
        asset, buying, ordered = book.working[number]
        if rows.split[row, asset] != 1.0 or (buying == 0 and ordered > book.quantity[asset]):
            return False
        reference, cash = rows.opening[row, asset], book.account[CASH]
        quantity, price, commission = meet_opening(
            ordered,
            buying != 0,
            reference,
            assets.lots[asset],
            assets.commissions[asset],
            assets.slippages[asset],
            rules.price_unit,
            cash,
        )
        if quantity > 0:
            book_fill(holdings, asset, buying != 0, quantity, price, reference, commission)
        fill = log.fills[log.counts[FILLS]]
        fill[ROW], fill[FILL_ASSET], fill[FILL_BUYING], fill[FILL_QUANTITY] = row, asset, buying, quantity
        fill[PRICE], fill[REFERENCE_PRICE], fill[COMMISSION] = price, reference, commission
        fill[LEFT], fill[CASH_THERE] = ordered - quantity, cash
        log.counts[FILLS] += 1
    book.counters[WORKING] = 0
    book.counters[NAV] = mark_holdings(holdings, rows.close[row])
    return True
