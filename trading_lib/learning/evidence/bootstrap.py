"""Is one series higher on average than another over the same sessions? Paired stationary block bootstrap.

Politis and Romano 1994, "The Stationary Bootstrap", JASA 89. The differences of the two series are resampled, so what
both share cancels; blocks keep that overlapping labels make neighbouring sessions alike.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from trading_lib.domain.errors import InputError
from trading_lib.domain.kernels import compiled
from trading_lib.domain.market.prices import FloatArray
from trading_lib.performance.significance.intervals import optimal_block_length

# Blocks of one horizon see two thirds of the dependence of labels that overlap by one, of two horizons five sixths.
HORIZONS_PER_BLOCK = 2


@dataclass(frozen=True, slots=True)
class MeanDifference:
    """Mean of one series less that of another.

    Attributes
    ----------
    value
        The difference; 0 where no session has both.
    p_value
        How often chance alone shows at least this difference where there is none; one-sided. 1 for series that are
        the same.
    block_length
        Average block, in sessions.
    sessions
        With a value of both.
    """

    value: float
    p_value: float
    block_length: float
    sessions: int


def mean_difference_p(
    higher: FloatArray, lower: FloatArray, horizon: int, samples: int = 2000, seed: int = 0
) -> MeanDifference:
    """Test whether the mean of ``higher`` exceeds that of ``lower``.

    Parameters
    ----------
    higher, lower
        Shape (S,), of the same sessions; those where either is NaN are left out.
    horizon
        Sessions over which neighbouring values depend on each other by construction, as coefficients of overlapping
        labels do. Blocks are `HORIZONS_PER_BLOCK` times as long on average or, where the differences show a longer
        memory, longer.

    Raises
    ------
    InputError
        When the series are not of the same sessions.
    """
    if higher.shape != lower.shape:
        raise InputError(
            f"series of {len(higher)} and {len(lower)} sessions cannot be compared", "give the same sessions of both"
        )
    difference = higher - lower
    difference = np.ascontiguousarray(difference[np.isfinite(difference)])
    count = len(difference)
    if count < 2 or float(np.abs(difference).max()) < 1e-15:
        return MeanDifference(0.0, 1.0, 1.0, count)
    value = float(difference.mean())
    block = max(optimal_block_length(difference), min(float(HORIZONS_PER_BLOCK * horizon), count / 3.0), 1.0)
    means = resample_means(difference - value, block, samples, np.random.default_rng(seed))
    exceed = int(np.count_nonzero(means >= value))
    return MeanDifference(value, (exceed + 1.0) / (samples + 1.0), block, count)


@compiled
def resample_means(values: FloatArray, block: float, samples: int, generator: np.random.Generator) -> FloatArray:
    """Means of resampled series, shape (samples,); each block is one difference of running sums.

    Parameters
    ----------
    values
        Shape (S,), finite.
    block
        Average block length, at least 1; blocks wrap around the end.
    """
    count = values.shape[0]
    running = np.zeros(2 * count + 1)
    for t in range(2 * count):
        running[t + 1] = running[t] + values[t % count]
    means = np.empty(samples)
    for sample in range(samples):
        total, left = 0.0, count
        while left > 0:
            length = min(left, generator.geometric(1.0 / block))
            begin = int(generator.random() * count)
            total += running[begin + length] - running[begin]
            left -= length
        means[sample] = total / count
    return means
