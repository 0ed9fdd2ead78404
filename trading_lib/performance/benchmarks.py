"""What simple portfolios would have come to in the same sessions, with dividends and costs.

Every benchmark starts with the run's capital in cash at the first session, buys at that close, and returns to its
weights at the close of each month's last session where it rebalances. Dividends are reinvested, every trade pays the
assets' commission and slippage, cash earns nothing, as in the run itself. Fractions of a share are held: a benchmark
has no lots. An asset without a price yet is absent; its weight waits in cash, or is shared by the others in the equally
weighted portfolio.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from trading_lib.domain.kernels import compiled
from trading_lib.domain.market.instruments import Universe
from trading_lib.domain.market.prices import BoolArray, FloatArray


@dataclass(frozen=True, slots=True)
class Benchmark:
    """A fixed-weight portfolio.

    Attributes
    ----------
    name
        As it is shown.
    weights
        Symbol -> share; an empty mapping means all assets that have a price, equally.
    rebalanced
        Monthly, or never again after the first purchase.
    """

    name: str
    weights: Mapping[str, float]
    rebalanced: bool


BENCHMARKS = (
    Benchmark("60/40 SPY/TLT", {"SPY": 0.60, "TLT": 0.40}, rebalanced=True),
    Benchmark("equal weight", {}, rebalanced=True),
    Benchmark("SPY", {"SPY": 1.0}, rebalanced=False),
)


def benchmark_values(
    benchmark: Benchmark,
    universe: Universe,
    mark_return: FloatArray,
    close: FloatArray,
    month_end: BoolArray,
    capital: float,
) -> FloatArray | None:
    """Net asset value of a benchmark at each session, shape (S,).

    Parameters
    ----------
    mark_return, close
        Shape (S, n): simple total returns between marks, and raw prices, NaN before an asset's first bar.
    month_end
        Shape (S,).

    Returns
    -------
    ndarray or None
        None when one of its assets is not in the universe or has no price at the first session.
    """
    exists = np.isfinite(close)
    if any(symbol not in universe.positions for symbol in benchmark.weights):
        return None
    fixed = np.zeros(len(universe))
    for symbol, weight in benchmark.weights.items():
        fixed[universe.positions[symbol]] = weight
    if not exists[0].any() or not exists[0][fixed > 0].all():
        return None
    if benchmark.weights:
        targets = np.broadcast_to(fixed, close.shape).copy()
    else:
        targets = exists / np.maximum(exists.sum(axis=1, keepdims=True), 1)
    rebalance = month_end & benchmark.rebalanced
    rebalance[0] = True
    return hold(np.nan_to_num(mark_return, nan=0.0), targets, rebalance, universe.cost_rates, capital)


@compiled
def hold(
    returns: FloatArray, targets: FloatArray, rebalance: BoolArray, cost_rates: FloatArray, capital: float
) -> FloatArray:
    """Value of a portfolio that trades to ``targets`` at the close of the marked sessions.

    The value of a session is before its own trades; their costs show in the next.

    Parameters
    ----------
    returns, targets
        Shape (S, n), finite.
    rebalance
        Shape (S,).
    cost_rates
        Shape (n,): fraction of traded value.

    Returns
    -------
    ndarray of shape (S,)
    """
    sessions, assets = returns.shape
    values = np.empty(sessions)
    held = np.zeros(assets)
    cash = capital
    for t in range(sessions):
        total = cash
        for i in range(assets):
            held[i] *= 1.0 + returns[t, i]
            total += held[i]
        values[t] = total
        if rebalance[t]:
            # Costs come out of the portfolio: what is left is spread by the targets. Twice is close enough, since a
            # correction of the correction is below a millionth of the traded value.
            budget = total
            for _ in range(2):
                cost = 0.0
                for i in range(assets):
                    cost += abs(targets[t, i] * budget - held[i]) * cost_rates[i]
                budget = total - cost
            cash = budget
            for i in range(assets):
                held[i] = targets[t, i] * budget
                cash -= held[i]
    return values
