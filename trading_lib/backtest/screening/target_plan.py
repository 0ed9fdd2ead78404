"""Target weights of a window that depend on market data alone, without a book.

The sleeves' rules, budgets and portfolio constraints are those of the decision core. What depends on a book is left
out: risk levels, stops, limits of a day, lots, cash to the cent. Holdings are what was traded to, moved by the returns.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from trading_lib.backtest.compiled.book import Book, empty_book
from trading_lib.backtest.compiled.inputs import Assets, Rows, Rules, assets_of, rows_of, rules_of
from trading_lib.backtest.compiled.precompute import MarketInputs, market_inputs
from trading_lib.backtest.compiled.run import longest_segment
from trading_lib.backtest.compiled.targets import blend_targets, decide_sleeves
from trading_lib.domain.errors import DataQualityError, InputError
from trading_lib.domain.kernels import compiled
from trading_lib.domain.market.market_view import SessionViews
from trading_lib.domain.market.prices import FloatArray
from trading_lib.portfolio.constraints import clip_weights, valid_weights
from trading_lib.portfolio.sleeves import drift
from trading_lib.risk.numbers import ABSENT
from trading_lib.session.inputs import SessionInput
from trading_lib.strategies.registry import Sleeve, running_sleeves


@dataclass(frozen=True, slots=True)
class ScreeningPlan:
    """Target weights of a configuration in every session of a window, n assets in universe order.

    Attributes
    ----------
    targets
        Shape (S, n): weights wanted at each decision.
    orders
        Shape (S, n): the weight to trade to at the next opening; NaN where what is held is near enough, by the
        configured rebalancing threshold.
    """

    targets: FloatArray
    orders: FloatArray


def plan_window(data: SessionInput, rows: range) -> ScreeningPlan:
    """Decide every session of consecutive rows, starting in cash.

    Raises
    ------
    InputError
        Naming a sleeve whose targets depend on more than the market.
    DataQualityError
        Naming the session in which a sleeve wants a weight that is negative or no number.
    """
    sleeves = screened_sleeves(data)
    views = data.views or SessionViews(data.universe, data.panel, data.factors, data.funding)
    assets, prices, rules = assets_of(data.universe), rows_of(data), rules_of(data.config, data.paper, sleeves)
    many, count = len(sleeves), len(data.universe)
    book, held = empty_book(count, many), np.zeros((1, count))
    for array in book:
        array[...] = 0
    book.cooling[:] = ABSENT
    plan = ScreeningPlan(np.empty((len(rows), count)), np.full((len(rows), count), np.nan))
    longest = longest_segment(count, many)
    for first in range(rows.start, rows.stop, longest):
        stop = min(first + longest, rows.stop)
        inputs = market_inputs(data, views, sleeves, first, stop)
        part = slice(first - rows.start, stop - rows.start)
        reached = decide_rows(
            book, held, assets, prices, inputs, rules, first, stop, plan.targets[part], plan.orders[part]
        )
        if reached < stop:
            raise DataQualityError(
                f"a sleeve wants impossible weights on {data.panel.sessions[reached]}", "check the point's values"
            )
    return plan


def screened_sleeves(data: SessionInput) -> tuple[Sleeve, ...]:
    """Return the running sleeves; one that cannot be screened is an `InputError`."""
    sleeves = running_sleeves(data.config.strategy)
    unknown = [sleeve.name for sleeve in sleeves if sleeve.loop_form is None]
    if unknown or not sleeves:
        raise InputError(
            f"sleeve {unknown[0]!r} cannot be screened: its targets depend on more than the market"
            if unknown
            else "there is no sleeve to screen",
            "sweep without --screen, or give the budgets to trend, rotation, momentum or planned sleeves",
        )
    return sleeves


@compiled
def decide_rows(
    book: Book,
    held: FloatArray,
    assets: Assets,
    rows: Rows,
    inputs: MarketInputs,
    rules: Rules,
    first: int,
    stop: int,
    targets: FloatArray,
    orders: FloatArray,
) -> int:
    """Fill targets and orders of rows [first, stop) and return the row reached, smaller if a weight is impossible.

    Parameters
    ----------
    book
        What the sleeves own, want and remember, carried on in place; nothing else of it is used.
    held
        Shape (1, n): weights of the portfolio, carried on in place.
    """
    for row in range(first, stop):
        step = row - inputs.first
        held[:] = drift(held, rows.mark_return[row : row + 1])
        _, valid = decide_sleeves(book, assets, rows, inputs, rules, held[0], row, step)
        blended = blend_targets(book.targets, rules.budgets)
        if not (valid and valid_weights(blended)):
            return row
        weights, _, _ = clip_weights(
            blended,
            held[0],
            rows.fresh[row] & ~assets.retired,
            assets.max_weights,
            inputs.correlations[step],
            rules.pair_correlation,
            rules.total_weight,
        )
        targets[row - first] = weights
        for i in range(weights.shape[0]):
            # Where the next session brings no opening the order is cancelled, and the next decision asks again.
            if (
                abs(weights[i] - held[0, i]) >= rules.rebalance_threshold
                and row + 1 < rows.opening.shape[0]
                and rows.opening[row + 1, i] > 0
            ):
                orders[row - first, i] = weights[i]
                held[0, i] = weights[i]
    return stop
