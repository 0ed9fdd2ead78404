"""What the sleeves of the loop want."""

from __future__ import annotations

import numpy as np

from trading_lib.backtest.compiled.book import Book
from trading_lib.backtest.compiled.inputs import Assets, Rows, Rules
from trading_lib.backtest.compiled.precompute import Outlook
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
    book: Book, assets: Assets, rows: Rows, outlook: Outlook, rules: Rules, held: FloatArray, row: int, step: int
) -> tuple[bool, bool]:
    """Whether a sleeve did something to tell, and whether all answers make sense."""
    notable = False
    owned, drifted = sleeve_parts(
        held, book.owned, book.targets, rules.budgets, rows.mark_return[row : row + 1], book.cooling != ABSENT
    )
    book.owned[:] = owned
    for k in range(rules.budgets.shape[0]):
        if rules.kinds[k] == SIGNALS or rules.kinds[k] == CONFIRMED_SIGNALS:
            codes = outlook.codes[step]
            if rules.kinds[k] == CONFIRMED_SIGNALS:
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
        elif rules.kinds[k] == MONTHLY_MOVE and outlook.due[k, step]:
            notable |= _rebalance_month(book, assets, outlook, rules, drifted[k], k, step)
        else:
            book.targets[k] = outlook.shares[k, step] if outlook.due[k, step] else drifted[k]
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
def blend_targets(targets: FloatArray, budgets: FloatArray) -> FloatArray:
    """Sum the sleeves' targets times their budgets, shape (n,)."""
    total = np.zeros(targets.shape[1])
    for k in range(budgets.shape[0]):
        total += budgets[k] * targets[k]
    return total
