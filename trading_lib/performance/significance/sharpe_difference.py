"""Whether one Sharpe ratio is higher than another, and still so after so many were tried.

Curves over the same sessions share most of their luck, so their difference is far surer than either Sharpe ratio by
itself. All curves are resampled together by the stationary bootstrap of Politis and Romano 1994; see `intervals`. After
Ledoit and Wolf 2008, "Robust performance hypothesis testing with the Sharpe ratio", Journal of Empirical Finance 15,
and, for several curves at once, Romano and Wolf 2005, "Stepwise multiple testing as formalized data snooping",
Econometrica 73.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from trading_lib.domain.kernels import compiled
from trading_lib.domain.market.prices import FloatArray
from trading_lib.performance.config import IntervalConfig
from trading_lib.performance.metrics.formulas import SESSIONS_PER_YEAR
from trading_lib.performance.significance.intervals import MINIMUM_RETURNS, optimal_block_length

# Standard errors below it belong to curves that are the same.
DUST = 1e-9


@dataclass(frozen=True, slots=True)
class SharpeDifference:
    """Annualised Sharpe ratio of a curve minus that of the one it is compared with.

    Attributes
    ----------
    low, high
        Percentile interval of the difference over the resampled curves.
    p_value
        How often chance alone shows at least this difference where there is none, in standard errors; one-sided. 1 for
        a curve that is the same.
    adjusted_p_value
        How often the best of all the compared curves would: the error rate of the whole family of comparisons.
    """

    value: float
    low: float
    high: float
    p_value: float
    adjusted_p_value: float


def compare_sharpes(
    excess: FloatArray, default: int, config: IntervalConfig
) -> tuple[SharpeDifference | None, ...] | None:
    """Compare the Sharpe ratio of every curve with that of the default.

    Parameters
    ----------
    excess
        Daily returns over the cash rate, shape (S, k), finite.
    default
        Column that the others are compared with; its own entry is a difference of 0.

    Returns
    -------
    tuple, or None
        One entry per column, None for a curve that does not vary; None altogether with fewer than `MINIMUM_RETURNS`
        returns or when the default does not vary.
    """
    varied = np.flatnonzero(excess.std(axis=0) >= 1e-12)
    if len(excess) < MINIMUM_RETURNS or default not in varied:
        return None
    found = _compare(np.ascontiguousarray(excess[:, varied]), int(np.searchsorted(varied, default)), config)
    by_column = dict(zip(varied.tolist(), found, strict=True))
    return tuple(by_column.get(k) for k in range(excess.shape[1]))


def _compare(excess: FloatArray, default: int, config: IntervalConfig) -> list[SharpeDifference]:
    curves = excess.shape[1]
    # The longest memory among them serves all: blocks that are too long cost precision, too short ones honesty.
    block = max(optimal_block_length(excess[:, k]) for k in range(curves))
    sharpes = resample_sharpes(excess, block, config.samples, np.random.default_rng(config.seed))
    sharpes = sharpes[np.isfinite(sharpes).all(axis=1)]
    observed = excess.mean(axis=0) / excess.std(axis=0, ddof=1) * np.sqrt(SESSIONS_PER_YEAR)
    values = observed - observed[default]
    drawn = sharpes - sharpes[:, [default]]
    errors = drawn.std(axis=0, ddof=1)
    differs = errors > DUST
    scale = np.where(differs, errors, 1.0)
    chance = np.where(differs, (drawn - values) / scale, -np.inf)
    best = chance.max(axis=1)
    tail = (1.0 - config.confidence) / 2.0
    low, high = np.quantile(drawn, [tail, 1.0 - tail], axis=0)
    return [
        SharpeDifference(
            value=float(values[k]),
            low=float(low[k]),
            high=float(high[k]),
            p_value=float((chance[:, k] >= values[k] / scale[k]).mean()) if differs[k] else 1.0,
            adjusted_p_value=float((best >= values[k] / scale[k]).mean()) if differs[k] else 1.0,
        )
        for k in range(curves)
    ]


@compiled
def resample_sharpes(excess: FloatArray, block: float, samples: int, generator: np.random.Generator) -> FloatArray:
    """Annualised Sharpe ratios of resampled curves, which all draw the same sessions.

    Parameters
    ----------
    excess
        Shape (S, k): returns over the cash rate.
    block
        Average block length, at least 1; blocks wrap around the end.

    Returns
    -------
    ndarray of shape (samples, k)
        NaN where a resampled curve does not vary.
    """
    count, curves = excess.shape
    sharpes = np.empty((samples, curves))
    restart = 1.0 / block
    for sample in range(samples):
        total, squares = np.zeros(curves), np.zeros(curves)
        at = 0
        for t in range(count):
            if t == 0 or generator.random() < restart:
                at = int(generator.random() * count)
            else:
                at = at + 1 if at + 1 < count else 0
            for k in range(curves):
                total[k] += excess[at, k]
                squares[k] += excess[at, k] * excess[at, k]
        for k in range(curves):
            variance = (squares[k] - total[k] * total[k] / count) / (count - 1)
            sharpes[sample, k] = total[k] / count / np.sqrt(variance) * np.sqrt(252.0) if variance > 1e-20 else np.nan
    return sharpes
