"""From the present weights toward the wanted ones, as far as turnover and cost allow.

See docs/specification.md#cross-sectional-momentum.
"""

from __future__ import annotations

from dataclasses import dataclass

from trading_lib.domain.kernels import compiled
from trading_lib.domain.market.prices import FloatArray


@dataclass(frozen=True, slots=True)
class BoundedRebalance:
    """A rebalance and the bound that stopped it.

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
        Why it stopped short; "" when it did not.
    """

    weights: FloatArray
    share: float
    turnover: float
    cost: float
    bound: str


def bound_rebalance(
    present: FloatArray, target: FloatArray, cost_rates: FloatArray, max_turnover: float, max_cost: float
) -> BoundedRebalance:
    """Go from ``present`` toward ``target`` in a straight line until a bound is met.

    Every asset goes the same part of its way: mixtures of two allocations keep what both keep (none negative, sum at
    most 1), and no asset's turn is a matter of order. Turnover is half of what is bought and sold, so the first
    allocation from cash counts half its size.

    Parameters
    ----------
    present, target
        Shape (n,): shares of capital, the rest being cash.
    cost_rates
        Shape (n,): commission and slippage as fractions of traded notional.
    max_turnover, max_cost
        Bounds as fractions of capital.
    """
    weights, share, turnover, cost = bounded_weights(present, target, cost_rates, max_turnover, max_cost)
    return BoundedRebalance(
        weights, share, turnover, cost, bound_rationale(share, turnover, cost, max_turnover, max_cost)
    )


def bound_rationale(share: float, turnover: float, cost: float, max_turnover: float, max_cost: float) -> str:
    """Name the bound that stopped a move; "" when it went all the way."""
    if share == 1.0:
        return ""
    if share * turnover >= max_turnover * (1.0 - 1e-12):
        return f"turnover {turnover:.1%} > {max_turnover:.1%} a month"
    return f"estimated cost {cost:.2%} > {max_cost:.2%} a month"


@compiled
def bounded_weights(
    present: FloatArray, target: FloatArray, cost_rates: FloatArray, max_turnover: float, max_cost: float
) -> tuple[FloatArray, float, float, float]:
    """Kernel of `bound_rebalance`: weights, share of the way, and turnover and cost of the whole way."""
    traded, cost = 0.0, 0.0
    for i in range(present.shape[0]):
        change = abs(target[i] - present[i])
        traded += change
        cost += change * cost_rates[i]
    turnover = traded / 2.0
    share = 1.0
    if turnover > max_turnover:
        share = max_turnover / turnover
    if cost > max_cost:
        share = min(share, max_cost / cost)
    weights = target.copy()
    if share < 1.0:
        for i in range(present.shape[0]):
            weights[i] = (1.0 - share) * present[i] + share * target[i]
    return weights, share, turnover, cost
