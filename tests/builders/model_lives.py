"""Daily information coefficients of simulated models, whose labels overlap."""

from __future__ import annotations

import numpy as np
from scipy.stats import rankdata

from trading_lib.domain.market.prices import FloatArray


def daily_ics(true: FloatArray, assets: int, horizon: int, seed: int) -> FloatArray:
    """Rank correlations of slow scores with labels that correlate with them as told, shape (S,).

    Parameters
    ----------
    true
        Shape (S,): the correlation of each session's scores with its labels.
    horizon
        Labels of neighbouring sessions share all but one of so many; 1 makes sessions independent.
    """
    generator = np.random.default_rng(seed)
    sessions = len(true)
    path = np.cumsum(generator.standard_normal((sessions + horizon, assets)), axis=0)
    noise = (path[horizon:] - path[:-horizon]) / np.sqrt(horizon)
    scores = np.empty((sessions, assets))
    now = generator.standard_normal(assets)
    for session in range(sessions):
        now = 0.98 * now + np.sqrt(1 - 0.98**2) * generator.standard_normal(assets)
        scores[session] = now
    labels = true[:, None] * scores + np.sqrt(1 - true[:, None] ** 2) * noise
    a, b = (rankdata(values, axis=1) - (assets + 1) / 2 for values in (scores, labels))
    return np.asarray((a * b).sum(axis=1) / np.sqrt((a * a).sum(axis=1) * (b * b).sum(axis=1)))
