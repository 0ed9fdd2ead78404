"""The constraints of a session one by one, for explanations. `constrain` applies the same rules in one pass.

Input: a session's `TargetWeights` and what they were made of. Output: a `WeightStep` per rule that changed something.
"""

from __future__ import annotations

import numpy as np

from trading_lib.domain.market_view import MarketView
from trading_lib.domain.prices import FloatArray
from trading_lib.domain.weight_steps import WeightStep
from trading_lib.domain.weights import TargetWeights
from trading_lib.portfolio.config import ConstraintConfig
from trading_lib.portfolio.constraints import CAP, CASH_BUFFER, NOT_TRADABLE, PAIR_CAP


def constraint_steps(
    view: MarketView, targets: TargetWeights, held_weights: FloatArray, config: ConstraintConfig
) -> tuple[WeightStep, ...]:
    """Retrace how the blended weights became the target weights, shapes (n,)."""
    universe, caps = view.universe, view.universe.max_weights
    steps: list[WeightStep] = []
    weights = targets.wanted

    def step(rule: str, after: FloatArray, details: dict[int, str]) -> FloatArray:
        if (after != weights).any():
            steps.append(WeightStep(rule, weights, after, details))
        return after

    kept = np.minimum(weights, np.maximum(held_weights, 0.0))
    stale = ~view.fresh & (weights > held_weights)
    details = {int(i): f"no new bar, so no more than the {held_weights[i]:.1%} held" for i in np.flatnonzero(stale)}
    weights = step(NOT_TRADABLE, np.where(stale, kept, weights), details)
    details = {int(i): f"at most {caps[i]:.0%} of one asset" for i in np.flatnonzero(weights > caps)}
    weights = step(CAP, np.minimum(weights, caps), details)
    paired, pairs = _cap_pairs(weights, targets.correlations, caps, config.pair_correlation, universe.symbols)
    weights = step(PAIR_CAP, paired, pairs)
    limit = min(1.0 - config.cash_buffer, config.max_leverage)
    total = float(weights.sum())
    text = f"all weights together were {total:.1%}, more than {limit:.1%}"
    scaled = weights * (limit / total) if total > limit else weights
    step(CASH_BUFFER, scaled, dict.fromkeys(np.flatnonzero(weights).tolist(), text))
    return tuple(steps)


def _cap_pairs(
    weights: FloatArray, correlations: FloatArray, caps: FloatArray, limit: float, symbols: tuple[str, ...]
) -> tuple[FloatArray, dict[int, str]]:
    weights = weights.copy()
    details: dict[int, str] = {}
    for i in range(len(weights)):
        for j in range(i):
            bound, both = max(caps[i], caps[j]), weights[i] + weights[j]
            if correlations[i, j] > limit and both > bound:
                weights[[i, j]] *= bound / both
                for one, other in ((i, j), (j, i)):
                    text = f"with {symbols[other]} (correlation {correlations[i, j]:.2f}) at most {bound:.0%}"
                    details[one] = f"{details[one]}; {text}" if one in details else text
    return weights, details
