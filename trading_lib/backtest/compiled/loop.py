"""The loop: settle, decide and order, session after session, by the kernels of the rules.

It trades ordinary sessions. In any other (a split of a held asset, an asset that is retired or has a price again,
recorded proceeds, a flow of capital, risk level 3 or 4, cash below zero, an invalid target, an order that the pre-trade
checks might refuse), the book is left as it was at the previous close, and the session is traded on the slow path.
"""

from __future__ import annotations

from trading_lib.backtest.compiled.book import (
    ASSET,
    BUYING,
    NAV,
    WORKING,
    Book,
    copy_book,
    kept_book,
    overwrite,
    overwrite_rows,
)
from trading_lib.backtest.compiled.inputs import Assets, Rows, Rules
from trading_lib.backtest.compiled.journal import BOOKS, FILLS, ORDERS, Log
from trading_lib.backtest.compiled.orders import send_orders
from trading_lib.backtest.compiled.precompute import MarketInputs
from trading_lib.backtest.compiled.risk import control_risk
from trading_lib.backtest.compiled.settlement import settle_session
from trading_lib.backtest.compiled.targets import blend_targets, decide_sleeves
from trading_lib.domain.book.holdings import CASH
from trading_lib.domain.borrowing import borrowed
from trading_lib.domain.kernels import compiled, inlined
from trading_lib.domain.money_arithmetic import weights_of_holdings
from trading_lib.portfolio.constraints import clip_weights
from trading_lib.risk.levels.drawdown_kernels import NO_STOP, loss_from_cost, stop_of
from trading_lib.risk.numbers import EFFECTIVE
from trading_lib.risk.stops.stops import STATES

# A stop rule with state may stop an asset at any price.
ANY_PRICE = len(STATES) > 0


@compiled
def trade_rows(
    book: Book,
    saved: Book,
    kept: Book,
    log: Log,
    assets: Assets,
    rows: Rows,
    inputs: MarketInputs,
    rules: Rules,
    first: int,
    stop: int,
) -> int:
    """Trade rows [first, stop); return the row that the slow path has to trade, or ``stop``.

    When ``kept`` is full it returns the row after the last one it traded.

    Parameters
    ----------
    book
        At the close before ``first``; afterwards at the close before the returned row.
    saved
        Room for a copy.
    kept
        The books before sessions with events go here, as many as fit.
    """
    book, saved, kept, log = borrowed(book), borrowed(saved), borrowed(kept), borrowed(log)
    assets, rows, inputs, rules = borrowed(assets), borrowed(rows), borrowed(inputs), borrowed(rules)
    for row in range(first, stop):
        step = row - inputs.first
        copy_book(book, saved)
        fills, orders = log.counts[FILLS], log.counts[ORDERS]
        if not _trade(book, log, assets, rows, inputs, rules, row, step):
            copy_book(saved, book)
            log.counts[FILLS], log.counts[ORDERS] = fills, orders
            return row
        if log.has_events[step]:
            log.book[step] = log.counts[BOOKS]
            copy_book(saved, kept_book(kept, log.counts[BOOKS]))
            log.counts[BOOKS] += 1
            if log.counts[BOOKS] == kept.account.shape[0]:
                return row + 1
    return stop


@inlined
def _trade(
    book: Book, log: Log, assets: Assets, rows: Rows, inputs: MarketInputs, rules: Rules, row: int, step: int
) -> bool:
    if rows.turning[row]:
        return False
    if _stop_between(book, assets, rows, row):
        return False
    if not settle_session(book, log, assets, rows, rules, row):
        return False
    nav = book.counters[NAV]
    if nav <= 0 or book.account[CASH] < 0:
        return False
    held = weights_of_holdings(book.quantity, book.mark, nav / 100.0)
    has_events, valid = decide_sleeves(book, assets, rows, inputs, rules, held, row, step)
    if not valid:
        return False
    blended = blend_targets(book.targets, rules.budgets)
    weights, _, _ = clip_weights(
        blended,
        held,
        rows.fresh[row],
        assets.max_weights,
        inputs.correlations[step],
        rules.pair_correlation,
        rules.total_weight,
    )
    risk = control_risk(book, assets, rows, inputs, rules, weights, held, row, step)
    if book.counters[EFFECTIVE] > 2:
        return False
    approved, blocks = risk.weights, risk.blocks
    reduced, ordered = send_orders(book, log, assets, rows, rules, approved, held, blocks == 0, row, step)
    if not ordered:
        return False
    log.nav[step] = nav
    log.cash[step] = book.account[CASH]
    log.levels[step] = book.counters[EFFECTIVE]
    log.has_events[step] = has_events or risk.eventful or reduced
    overwrite(log.quantity[step], book.quantity)
    overwrite(log.held[step], held)
    overwrite(log.approved[step], approved)
    overwrite(log.wanted[step], blended)
    overwrite_rows(log.owned[step], book.owned)
    overwrite(log.blocks[step], blocks)
    return True


@compiled
def _stop_between(book: Book, assets: Assets, rows: Rows, row: int) -> bool:
    """Whether a stop may fire on a day without a session before ``row``; a pending purchase moves the average cost."""
    for i in range(book.quantity.shape[0]):
        lowest = rows.lowest_between[row, i]
        if lowest < 0:
            continue
        if book.quantity[i] > 0:
            loss = loss_from_cost(lowest, book.average_cost[i])
            if ANY_PRICE or stop_of(loss, assets.stops[i, 0], assets.stops[i, 1], False) != NO_STOP:
                return True
        for number in range(book.counters[WORKING]):
            if book.working[number, ASSET] == i and book.working[number, BUYING] != 0:
                return True
    return False
