"""Risk control of a session in the loop: level, floor, stops, cool-off and ceilings."""

from __future__ import annotations

import numpy as np

from trading_lib.backtest.session_loop.book import (
    ABSENT,
    CALM,
    EFFECTIVE,
    FLOOR,
    LEVEL,
    NAV,
    PEAK,
    REFERENCE,
    REGIME,
    UNREAD,
    Book,
)
from trading_lib.backtest.session_loop.inputs import Assets, Rows, Rules
from trading_lib.backtest.session_loop.outlook import Outlook
from trading_lib.domain.kernels import compiled, inlined
from trading_lib.domain.prices import BoolArray, FloatArray
from trading_lib.domain.risk import UNLIMITED
from trading_lib.domain.volatility import portfolio_volatility
from trading_lib.risk.ceiling_rules import level_ceilings, stop_ceiling
from trading_lib.risk.level_rules import NO_STOP, REDUCE, UNCHANGED, floor_of, loss_from_cost, next_level, stop_of


@inlined
def control_risk(
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
    stopped = _limit_quantities(book, assets, rules, rows.retired[row], effective)
    regime, before = outlook.regimes[step], book.counters[REGIME]
    told = regime != before and (before != UNREAD or regime % 2 != 0)
    notable = told or stopped or change != UNCHANGED or floor != book.counters[FLOOR]
    book.counters[LEVEL], book.counters[EFFECTIVE], book.counters[CALM] = level, effective, calm
    book.counters[FLOOR], book.counters[REGIME] = floor, regime
    book.peaks[PEAK], book.peaks[REFERENCE] = peak, reference
    return notable, True


@compiled
def _limit_quantities(book: Book, assets: Assets, rules: Rules, retired: BoolArray, effective: int) -> bool:
    """Put the stops, cool-off and ceilings of the session into the book; answer whether a stop fired."""
    stops = np.zeros(book.quantity.shape[0], np.int64)
    for i in range(stops.shape[0]):
        if book.cooling[i] != ABSENT:
            book.cooling[i] = book.cooling[i] - 1 if book.cooling[i] > 1 else ABSENT
        if book.quantity[i] == 0:
            book.halved[i] = False
            continue
        loss = loss_from_cost(book.mark[i], book.average_cost[i])
        if loss > 0.0 and not retired[i]:
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
