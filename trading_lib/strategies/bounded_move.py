"""From the present weights toward the wanted ones, as far as turnover and cost allow (technical design 4.5.3)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from trading_lib.domain.prices import FloatArray


@dataclass(frozen=True, slots=True)
class BoundedMove:
    """A move of weights and the bound that stopped it.

    Attributes
    ----------
    weights
        Shape (n,): where the move ends.
    share
        Part of the way that was gone, in [0, 1].
    turnover, cost
        Of the whole way: half the traded share of capital, as in `performance.metrics`, and the estimated
        commissions and slippage, as fractions of capital.
    bound
        Why it stopped short, in words; "" when it did not.
    """

    weights: FloatArray
    share: float
    turnover: float
    cost: float
    bound: str


def move_within(
    present: FloatArray, wanted: FloatArray, cost_rates: FloatArray, max_turnover: float, max_cost: float
) -> BoundedMove:
    """Go from ``present`` toward ``wanted`` in a straight line until a bound is met.

    Every asset goes the same part of its way: mixtures of two allocations keep what both keep (none negative, sum at
    most 1), and no asset's turn is a matter of order. Turnover is half of what is bought and sold, so the first
    allocation from cash counts half its size.

    Parameters
    ----------
    present, wanted
        Shape (n,): shares of capital, the rest being cash.
    cost_rates
        Shape (n,): commission and slippage as fractions of traded notional.
    max_turnover, max_cost
        Bounds as fractions of capital.
    """
    traded = np.abs(wanted - present)
    turnover = float(traded.sum()) / 2.0
    cost = float(traded @ cost_rates)
    by_turnover = max_turnover / turnover if turnover > max_turnover else 1.0
    by_cost = max_cost / cost if cost > max_cost else 1.0
    share = min(by_turnover, by_cost)
    if share == 1.0:
        return BoundedMove(wanted, 1.0, turnover, cost, "")
    if by_turnover <= by_cost:
        bound = f"turnover {turnover:.1%} > {max_turnover:.1%} a month"
    else:
        bound = f"estimated cost {cost:.2%} > {max_cost:.2%} a month"
    return BoundedMove((1.0 - share) * present + share * wanted, share, turnover, cost, bound)
