"""Target weights of the sleeves in the loop."""

from __future__ import annotations

import numpy as np

from trading_lib.backtest.compiled.book import Book
from trading_lib.backtest.compiled.inputs import Assets, Rows, Rules
from trading_lib.backtest.compiled.precompute import MarketInputs
from trading_lib.domain.kernels import compiled, inlined
from trading_lib.domain.market.prices import FloatArray
from trading_lib.portfolio.constraints import valid_weights
from trading_lib.portfolio.sleeves import sleeve_parts
from trading_lib.risk.numbers import ABSENT
from trading_lib.strategies.loop_form import CONFIRMED_SIGNALS, MONTHLY_MOVE, SIGNALS
from trading_lib.strategies.rotation.rebalance import month_weights, still_leaving
from trading_lib.strategies.trend.confirmed_trend import confirmed_codes
from trading_lib.strategies.trend.trend import sized_weights


@inlined
def decide_sleeves(
    book: Book, assets: Assets, rows: Rows, inputs: MarketInputs, rules: Rules, held: FloatArray, row: int, step: int
) -> tuple[bool, bool]:
    """Decide the sleeves' targets; return whether there was an event, and whether all targets are valid."""
    has_events = False
    owned, drifted = sleeve_parts(
        held, book.owned, book.targets, rules.budgets, rows.mark_return[row : row + 1], book.cooling != ABSENT
    )
    book.owned[:] = owned
    for k in range(rules.budgets.shape[0]):
        if rules.kinds[k] == SIGNALS or rules.kinds[k] == CONFIRMED_SIGNALS:
            codes = inputs.codes[step]
            if rules.kinds[k] == CONFIRMED_SIGNALS:
                runs = book.memory[k, : held.shape[0]]
                sessions = int(rules.sleeve_numbers[k, 2])
                codes, runs[:] = confirmed_codes(codes, inputs.complete[step], runs, sessions)
            book.targets[k] = sized_weights(
                codes,
                inputs.confidence[step],
                rows.volatility[row],
                owned[k],
                assets.max_weights,
                assets.volatility_targets,
                rules.sleeve_numbers[k, 0],
                rows.mark_return[: row + 1],
                rules.sleeve_numbers[k, 1],
            )
        elif rules.kinds[k] == MONTHLY_MOVE and inputs.due[k, step]:
            has_events |= _rebalance_month(book, assets, inputs, rules, drifted[k], k, step)
        else:
            book.targets[k] = inputs.shares[k, step] if inputs.due[k, step] else drifted[k]
        if not valid_weights(book.targets[k]):
            return has_events, False
    return has_events, True


@compiled
def _rebalance_month(
    book: Book, assets: Assets, inputs: MarketInputs, rules: Rules, present: FloatArray, k: int, step: int
) -> bool:
    was_defensive, defensive = book.memory[k, 0] != 0.0, inputs.defensive[k, step]
    leaving = was_defensive or book.memory[k, 1] != 0.0
    weights, _, _, share, _, _ = month_weights(
        present,
        inputs.kept[k, step],
        inputs.defence[k, step],
        inputs.shares[k, step],
        inputs.stays[k, step],
        defensive,
        leaving,
        assets.cost_rates,
        rules.sleeve_numbers[k, 0],
        rules.sleeve_numbers[k, 1],
    )
    book.targets[k] = weights
    book.memory[k, 0] = 1.0 if defensive else 0.0
    book.memory[k, 1] = 1.0 if still_leaving(leaving, defensive, inputs.stays[k, step], share) else 0.0
    return bool(defensive != was_defensive or inputs.has_events[k, step])


@inlined
def blend_targets(targets: FloatArray, budgets: FloatArray) -> FloatArray:
    """Sum the sleeves' targets times their budgets, shape (n,)."""
    total = np.zeros(targets.shape[1])
    for k in range(budgets.shape[0]):
        total += budgets[k] * targets[k]
    return total
