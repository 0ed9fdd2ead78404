"""Rationale of the constraints: a `WeightStep` for each constraint that lowered a weight.

Input: a session's `TargetWeights` and what they were made of. The numbers are the trace of the kernel that decides.
"""

from __future__ import annotations

import numpy as np

from trading_lib.domain.decision.weights import TargetWeights, WeightStep
from trading_lib.domain.market.market_view import MarketView
from trading_lib.domain.market.prices import BoolArray, FloatArray
from trading_lib.portfolio.config import ConstraintConfig
from trading_lib.portfolio.constraints import (
    CAP,
    NOT_TRADABLE,
    PAIR_CAP,
    TotalLimit,
    constraint_names,
    short_weight,
    total_limit,
    traced_clips,
)


def constraint_steps(
    view: MarketView, targets: TargetWeights, held_weights: FloatArray, config: ConstraintConfig
) -> tuple[WeightStep, ...]:
    """Explain how the blended weights became the target weights, shapes (n,)."""
    universe = view.universe
    limit = total_limit(config, short_weight(targets.sleeves))
    clipped, (weights, pairs) = traced_clips(
        targets.wanted,
        held_weights,
        view.fresh,
        universe.max_weights,
        targets.correlations,
        config.pair_correlation,
        limit.weight,
    )
    capped = _pair_words(pairs, targets.correlations, universe.max_weights, universe.symbols)
    steps = []
    for place, rule in enumerate(constraint_names(limit)):
        lowered = np.flatnonzero(clipped >> place & 1).tolist()
        if rule == PAIR_CAP:
            details = {i: capped[i] for i in lowered}
        else:
            details = {i: _words(rule, i, held_weights, universe.max_weights, weights[place], limit) for i in lowered}
        if lowered:
            steps.append(WeightStep(rule, weights[place], weights[place + 1], details))
    return tuple(steps)


def _words(rule: str, i: int, held: FloatArray, caps: FloatArray, before: FloatArray, limit: TotalLimit) -> str:
    if rule == NOT_TRADABLE:
        return f"no new bar, so no more than the {held[i]:.1%} held"
    if rule == CAP:
        return f"at most {caps[i]:.0%} of one asset"
    return f"all weights together were {before.sum():.1%}, more than {limit.weight:.1%}"


def _pair_words(
    pairs: BoolArray, correlations: FloatArray, caps: FloatArray, symbols: tuple[str, ...]
) -> dict[int, str]:
    """Asset -> the partners that its weight was capped together with, in the order of the caps."""
    details: dict[int, str] = {}
    for i, j in np.argwhere(pairs).tolist():
        bound = max(caps[i], caps[j])
        for first, second in ((i, j), (j, i)):
            text = f"with {symbols[second]} (correlation {correlations[i, j]:.2f}) at most {bound:.0%}"
            details[first] = f"{details[first]}; {text}" if first in details else text
    return details
