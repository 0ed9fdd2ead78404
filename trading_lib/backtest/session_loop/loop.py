"""The loop: settle, decide and order, session after session, by the kernels of the rules.

It trades what happens on most sessions. Where anything else does (a split of what is held, risk level 3 or 4, cash
below zero, a sleeve's answer that makes no sense, an order the pre-trade checks might refuse), the book is left as it
was the evening before, and the session has to be traded the long way.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from trading_lib.accounting.trades import CASH, book_trade, credit_dividend
from trading_lib.backtest.session_loop.book import (
    ABSENT,
    ASSET,
    BUYING,
    CALM,
    EFFECTIVE,
    FLOOR,
    LEVEL,
    NAV,
    PEAK,
    QUANTITY,
    REFERENCE,
    REGIME,
    UNREAD,
    WORKING,
    Book,
    copy_book,
    keep_book,
)
from trading_lib.backtest.session_loop.inputs import MONTHLY, PATIENT, TREND, Assets, Outlook, Rows, Rules
from trading_lib.domain.kernels import compiled, inlined
from trading_lib.domain.money import MICRO
from trading_lib.domain.money_arithmetic import share_in_cents, share_rounded_down, value_in_cents, value_of_holdings
from trading_lib.domain.prices import BoolArray, FloatArray, IntegerArray
from trading_lib.domain.risk import UNLIMITED
from trading_lib.domain.volatility import portfolio_volatility
from trading_lib.execution.simulated import execution_price
from trading_lib.orders.rebalancing import CASH_LEFT, cash_moved, excess_of, rebalancing_trades
from trading_lib.portfolio.constraints import clip_weights, valid_weights
from trading_lib.portfolio.sleeves import sleeve_parts
from trading_lib.risk.ceiling_rules import level_ceilings, stop_ceiling
from trading_lib.risk.level_rules import NO_STOP, REDUCE, UNCHANGED, floor_of, loss_from_cost, next_level, stop_of
from trading_lib.risk.limits import allowed_weights, forbidden
from trading_lib.strategies.monthly_allocation import month_weights, still_leaving
from trading_lib.strategies.patient_trend import confirmed_codes
from trading_lib.strategies.trend import sized_weights

# Places in a fill of the log; a price of 0 says that the order found no opening and was cancelled.
ROW, FILL_ASSET, FILL_BUYING, FILL_QUANTITY, PRICE, REFERENCE_PRICE, COMMISSION = range(7)
# Places among the counts.
FILLS, ORDERS = range(2)
# A rounded price this far from the last one, as a fraction, is worth a look by the pre-trade checks.
PRICE_DUST = 1e-6


class Log(NamedTuple):
    """What c sessions did, from the outlook's first on.

    Attributes
    ----------
    nav, cash
        Shape (c,), cents.
    levels
        Shape (c,): effective risk levels.
    notable
        Shape (c,): whether there is an event to tell.
    quantity
        Shape (c, n), millionths of a unit.
    held, approved
        Shape (c, n): weights before and after.
    owned, targets
        Shape (c, s, n): of the sleeves.
    counts
        Shape (2,): fills and orders so far.
    fills
        Shape (c * n, 7); ``orders``, shape (c * n, 4): row, and the places of a working order.
    """

    nav: IntegerArray
    cash: IntegerArray
    levels: NDArray[np.int8]
    notable: BoolArray
    quantity: IntegerArray
    held: FloatArray
    approved: FloatArray
    owned: FloatArray
    targets: FloatArray
    counts: IntegerArray
    fills: IntegerArray
    orders: IntegerArray


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
    if not _settle(book, log, assets, rows, rules, row):
        return False
    nav = book.account[CASH] + value_of_holdings(book.quantity, book.mark)
    if nav <= 0 or book.account[CASH] < 0:
        return False
    book.counters[NAV] = nav
    held = np.zeros(book.quantity.shape[0])
    for i in range(held.shape[0]):
        if book.quantity[i] > 0:
            held[i] = book.quantity[i] / MICRO * (book.mark[i] / MICRO) / (nav / 100.0)
    notable, valid = _decide_sleeves(book, assets, rows, outlook, rules, held, row, step)
    if not valid:
        return False
    wanted = _blend(book.targets, rules.budgets)
    weights, _, _ = clip_weights(
        wanted,
        held,
        rows.fresh[row],
        assets.max_weights,
        outlook.correlations[step],
        rules.pair_correlation,
        rules.total_weight,
    )
    changed, ordinary = _control(book, assets, rows, outlook, rules, weights, row, step)
    if not ordinary:
        return False
    blocks = forbidden(
        book.counters[EFFECTIVE],
        False,
        False,
        rules.level_1_confidence if book.counters[EFFECTIVE] >= 1 else 0.0,
        outlook.confidence[step],
        assets.crypto,
        assets.safe_havens,
        book.cooling != ABSENT,
        assets.retired,
        rows.fresh[row],
    )
    approved, _, _ = allowed_weights(weights, held, blocks, 1.0, np.inf, 0.0)
    reduced, ordered = _order(book, log, assets, rows, rules, approved, held, blocks == 0, row)
    if not ordered:
        return False
    log.nav[step] = nav
    log.cash[step] = book.account[CASH]
    log.levels[step] = book.counters[EFFECTIVE]
    log.notable[step] = notable or changed or reduced
    log.quantity[step] = book.quantity
    log.held[step] = held
    log.approved[step] = approved
    log.owned[step] = book.owned
    log.targets[step] = book.targets
    return True


@inlined
def _settle(book: Book, log: Log, assets: Assets, rows: Rows, rules: Rules, row: int) -> bool:
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
    asset, buying, quantity = book.working[number]
    if rows.split[row, asset] != 1.0 or (not buying and quantity > book.quantity[asset]):
        return False
    reference = rows.opening[row, asset]
    price, commission = 0, 0
    if reference > 0:
        price = execution_price(reference, buying != 0, assets.slippages[asset], rules.price_unit)
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
    log.counts[FILLS] += 1
    return True


@inlined
def _decide_sleeves(
    book: Book, assets: Assets, rows: Rows, outlook: Outlook, rules: Rules, held: FloatArray, row: int, step: int
) -> tuple[bool, bool]:
    """Whether a sleeve did something to tell, and whether all answers make sense."""
    notable = False
    owned, wanted = sleeve_parts(
        held, book.owned, book.targets, rules.budgets, rows.mark_return[row : row + 1], book.cooling != ABSENT
    )
    book.owned[:] = owned
    for k in range(rules.budgets.shape[0]):
        if rules.kinds[k] == TREND or rules.kinds[k] == PATIENT:
            codes = outlook.codes[step]
            if rules.kinds[k] == PATIENT:
                runs = book.memory[k, : held.shape[0]]
                sessions = int(rules.sleeve_numbers[k, 2])
                codes, runs[:] = confirmed_codes(codes, outlook.complete[step], runs, sessions)
            book.targets[k] = sized_weights(
                codes,
                outlook.confidence[step],
                rows.volatility[row],
                owned[k],
                assets.max_weights,
                assets.volatility_targets,
                rules.sleeve_numbers[k, 0],
                rows.mark_return[: row + 1],
                rules.sleeve_numbers[k, 1],
            )
        elif rules.kinds[k] == MONTHLY and outlook.due[k, step]:
            notable |= _rebalance_month(book, assets, outlook, rules, wanted[k], k, step)
        else:
            book.targets[k] = outlook.shares[k, step] if outlook.due[k, step] else wanted[k]
        if not valid_weights(book.targets[k]):
            return notable, False
    return notable, True


@compiled
def _rebalance_month(
    book: Book, assets: Assets, outlook: Outlook, rules: Rules, present: FloatArray, k: int, step: int
) -> bool:
    was_defensive, defensive = book.memory[k, 0] != 0.0, outlook.defensive[k, step]
    leaving = was_defensive or book.memory[k, 1] != 0.0
    weights, _, _, share, _, _ = month_weights(
        present,
        outlook.kept[k, step],
        outlook.defence[k, step],
        outlook.shares[k, step],
        outlook.stays[k, step],
        defensive,
        leaving,
        assets.cost_rates,
        rules.sleeve_numbers[k, 0],
        rules.sleeve_numbers[k, 1],
    )
    book.targets[k] = weights
    book.memory[k, 0] = 1.0 if defensive else 0.0
    book.memory[k, 1] = 1.0 if still_leaving(leaving, defensive, outlook.stays[k, step], share) else 0.0
    return bool(defensive != was_defensive or outlook.notable[k, step])


@inlined
def _blend(targets: FloatArray, budgets: FloatArray) -> FloatArray:
    total = np.zeros(targets.shape[1])
    for k in range(budgets.shape[0]):
        total += budgets[k] * targets[k]
    return total


@inlined
def _control(
    book: Book, assets: Assets, rows: Rows, outlook: Outlook, rules: Rules, weights: FloatArray, row: int, step: int
) -> tuple[bool, bool]:
    """Level, floor, stops and cool-off: whether there is something to tell, and whether nothing worse happened."""
    volatility = portfolio_volatility(rows.mark_return[: row + 1], weights, rules.volatility_window)
    level, _, peak, reference, calm, _, change = next_level(
        book.counters[LEVEL],
        book.peaks[PEAK],
        book.peaks[REFERENCE],
        book.counters[CALM],
        False,
        book.counters[NAV] / 100.0,
        volatility,
        rules.level_bounds,
        rules.rebase_margin,
        rules.target_volatility,
        rules.calm_sessions,
    )
    floor = floor_of(outlook.summaries[step, 0], outlook.summaries[step, 2], rules.average_floor, rules.pair_floor)
    effective = max(level, floor)
    if effective > 2:
        return False, False
    stopped = _limit_quantities(book, assets, rules, effective)
    regime, before = outlook.regimes[step], book.counters[REGIME]
    told = regime != before and (before != UNREAD or regime % 2 != 0)
    notable = told or stopped or change != UNCHANGED or floor != book.counters[FLOOR]
    book.counters[LEVEL], book.counters[EFFECTIVE], book.counters[CALM] = level, effective, calm
    book.counters[FLOOR], book.counters[REGIME] = floor, regime
    book.peaks[PEAK], book.peaks[REFERENCE] = peak, reference
    return notable, True


@compiled
def _limit_quantities(book: Book, assets: Assets, rules: Rules, effective: int) -> bool:
    """Put the stops, cool-off and ceilings of the session into the book; answer whether a stop fired."""
    stops = np.zeros(book.quantity.shape[0], np.int64)
    for i in range(stops.shape[0]):
        if book.cooling[i] != ABSENT:
            book.cooling[i] = book.cooling[i] - 1 if book.cooling[i] > 1 else ABSENT
        if book.quantity[i] == 0:
            book.halved[i] = False
            continue
        loss = loss_from_cost(book.mark[i], book.average_cost[i])
        if loss > 0.0:
            stops[i] = stop_of(loss, assets.stops[i, 0], assets.stops[i, 1], book.halved[i])
        if stops[i] != NO_STOP:
            book.cooling[i] = rules.cool_off
            book.halved[i] |= stops[i] == REDUCE
    entered = effective >= 2 and effective > book.counters[EFFECTIVE]
    ceilings, _ = level_ceilings(
        book.ceilings,
        book.quantity,
        book.cooling != ABSENT,
        effective,
        entered,
        assets.crypto,
        assets.safe_havens,
        assets.lots,
        rules.kept_at_level_2,
    )
    for i in range(stops.shape[0]):
        if stops[i] != NO_STOP:
            left = stop_ceiling(book.quantity[i], stops[i], assets.lots[i])
            ceilings[i] = left if ceilings[i] == UNLIMITED else min(left, ceilings[i])
    book.ceilings[:] = ceilings
    return bool((stops != NO_STOP).any())


@inlined
def _order(
    book: Book,
    log: Log,
    assets: Assets,
    rows: Rows,
    rules: Rules,
    approved: FloatArray,
    held: FloatArray,
    may_increase: BoolArray,
    row: int,
) -> tuple[bool, bool]:
    """Send the session's orders: whether risk orders are among them, and whether none could be refused."""
    nav = book.counters[NAV]
    cash = book.account[CASH] - share_in_cents(nav, rules.buffer)
    limits = np.array([rules.max_trades, share_rounded_down(nav, rules.turnover), cash, rules.smallest_trade])
    reduced = np.zeros(held.shape[0], np.bool_)
    book.counters[WORKING] = 0
    for i in range(held.shape[0]):
        excess = excess_of(book.quantity[i], book.ceilings[i], assets.lots[i])
        if excess > 0:
            if not np.isfinite(rows.close[row, i]):
                return True, False
            value = value_in_cents(excess, book.mark[i])
            limits[CASH_LEFT] += cash_moved(value, False, assets.commissions[i], assets.slippages[i])
            reduced[i] = True
            _send(book, log, row, i, 0, excess)
    traded, quantities, _ = rebalancing_trades(
        approved - held,
        approved,
        rows.close[row],
        may_increase,
        reduced,
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
