"""How much of the wanted weights each constraint took, for reports. `constrain` applies the same rules, and decides.

Input: what many sessions wanted. Output: what is left, and the cuts constraint by constraint.
"""

from __future__ import annotations

import numpy as np

from trading_lib.domain.kernels import compiled
from trading_lib.domain.prices import BoolArray, FloatArray


@compiled
def constraint_cuts(
    wanted: FloatArray,
    held: FloatArray,
    fresh: BoolArray,
    caps: FloatArray,
    correlations: FloatArray,
    pair_limit: float,
    total_limits: FloatArray,
) -> tuple[FloatArray, FloatArray]:
    """Return weights, shape (c, n), and what `CONSTRAINTS` cut, shape (c, 4, n), of c sessions.

    Parameters
    ----------
    wanted, held, fresh
        Shape (c, n); ``correlations``, shape (c, n, n); ``total_limits``, shape (c,): see `clip_weights`.
    caps
        Shape (n,).
    """
    sessions, assets = wanted.shape
    weights = wanted.copy()
    cuts = np.zeros((sessions, 4, assets))
    for t in range(sessions):
        for i in range(assets):
            if not fresh[t, i] and weights[t, i] > held[t, i]:
                left = max(held[t, i], 0.0)
                cuts[t, 0, i] = weights[t, i] - left
                weights[t, i] = left
            if weights[t, i] > caps[i]:
                cuts[t, 1, i] = weights[t, i] - caps[i]
                weights[t, i] = caps[i]
        for i in range(assets):
            for j in range(i):
                bound = max(caps[i], caps[j])
                both = weights[t, i] + weights[t, j]
                if correlations[t, i, j] > pair_limit and both > bound:
                    part = bound / both
                    for k in (i, j):
                        before = weights[t, k]
                        weights[t, k] *= part
                        cuts[t, 2, k] += before - weights[t, k]
        total = weights[t].sum()
        if total > total_limits[t]:
            part = total_limits[t] / total
            for i in range(assets):
                before = weights[t, i]
                weights[t, i] *= part
                cuts[t, 3, i] = before - weights[t, i]
    return weights, cuts
