"""The loop: settle, decide and order, session after session, by the kernels of the rules.

It trades what happens on most sessions. Where anything else does (a split of what is held, an asset that is retired or
has a price again, recorded proceeds, a flow of capital, risk level 3 or 4, cash below zero, a sleeve's answer that
makes no sense, an order the pre-trade checks might refuse), the book is left as it was the evening before, and the
session has to be traded the long way.
"""

from __future__ import annotations

from trading_lib.backtest.session_loop.book import NAV, Book, copy_book, keep_book
from trading_lib.backtest.session_loop.controlling import control_risk
from trading_lib.backtest.session_loop.deciding import blend_targets, decide_sleeves
from trading_lib.backtest.session_loop.inputs import Assets, Rows, Rules
from trading_lib.backtest.session_loop.log import FILLS, ORDERS, Log
from trading_lib.backtest.session_loop.ordering import send_orders
from trading_lib.backtest.session_loop.outlook import Outlook
from trading_lib.backtest.session_loop.settling import settle_session
from trading_lib.domain.holdings import CASH
from trading_lib.domain.kernels import compiled, inlined
from trading_lib.domain.money_arithmetic import value_of_holdings, weights_of_holdings
from trading_lib.portfolio.constraints import clip_weights
from trading_lib.risk.numbers import EFFECTIVE


@compiled
def trade_rows(
    book: Book,
    saved: Book,
    evenings: Book,
    log: Log,
    assets: Assets,
    rows: Rows,
    outlook: Outlook,
    rules: Rules,
    first: int,
    stop: int,
) -> int:
    """Trade rows [first, stop); answer the row that has to be traded the long way, or ``stop``.

    Parameters
    ----------
    book
        Of the evening before ``first``; afterwards of that before the answer.
    saved
        Room for a copy.
    evenings
        The books before notable sessions go here.
    """
    for row in range(first, stop):
        step = row - outlook.first
        copy_book(book, saved)
        fills, orders = log.counts[FILLS], log.counts[ORDERS]
        if not _trade(book, log, assets, rows, outlook, rules, row, step):
            copy_book(saved, book)
            log.counts[FILLS], log.counts[ORDERS] = fills, orders
            return row
        if log.notable[step]:
            keep_book(saved, evenings, step)
    return stop


@inlined
def _trade(
    book: Book, log: Log, assets: Assets, rows: Rows, outlook: Outlook, rules: Rules, row: int, step: int
) -> bool:
    if rows.turning[row]:
        return False
    if not settle_session(book, log, assets, rows, rules, row):
        return False
    nav = book.account[CASH] + value_of_holdings(book.quantity, book.mark)
    if nav <= 0 or book.account[CASH] < 0:
        return False
    book.counters[NAV] = nav
    held = weights_of_holdings(book.quantity, book.mark, nav / 100.0)
    notable, valid = decide_sleeves(book, assets, rows, outlook, rules, held, row, step)
    if not valid:
        return False
    wanted = blend_targets(book.targets, rules.budgets)
    weights, _, _ = clip_weights(
        wanted,
        held,
        rows.fresh[row],
        assets.max_weights,
        outlook.correlations[step],
        rules.pair_correlation,
        rules.total_weight,
    )
    risk = control_risk(book, assets, rows, outlook, rules, weights, held, row, step)
    if book.counters[EFFECTIVE] > 2:
        return False
    approved, blocks = risk.weights, risk.blocks
    reduced, ordered = send_orders(book, log, assets, rows, rules, approved, held, blocks == 0, row, step)
    if not ordered:
        return False
    log.nav[step] = nav
    log.cash[step] = book.account[CASH]
    log.levels[step] = book.counters[EFFECTIVE]
    log.notable[step] = notable or risk.eventful or reduced
    log.quantity[step] = book.quantity
    log.held[step] = held
    log.approved[step] = approved
    log.owned[step] = book.owned
    log.targets[step] = book.targets
    log.blocks[step] = blocks
    return True
