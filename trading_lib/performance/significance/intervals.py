"""How sure are the figures? Confidence intervals by the stationary bootstrap.

Blocks of random length are drawn from the run's own returns and put together to paths as long as the run, so that
volatility clusters survive (Politis and Romano 1994, "The Stationary Bootstrap", JASA 89). The average length follows
Politis and White 2004, "Automatic Block-Length Selection for the Dependent Bootstrap", Econometric Reviews 23, with
the correction of Patton, Politis and White 2009, Econometric Reviews 28.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from trading_lib.domain.kernels import compiled
from trading_lib.domain.market.prices import FloatArray
from trading_lib.performance.config import IntervalConfig
from trading_lib.performance.metrics.formulas import SESSIONS_PER_YEAR

# With fewer returns a block length cannot be told from noise.
MINIMUM_RETURNS = 60


@dataclass(frozen=True, slots=True)
class Interval:
    """Where the figure lies in the stated share of the resampled paths."""

    low: float
    high: float


@dataclass(frozen=True, slots=True)
class Intervals:
    """Percentile intervals of a run.

    Attributes
    ----------
    confidence
        Share of the paths between the ends of an interval.
    block_length
        Average block, in sessions.
    sharpe
        None when the returns do not vary.
    """

    confidence: float
    samples: int
    seed: int
    block_length: float
    annual_return: Interval
    annual_volatility: Interval
    sharpe: Interval | None
    max_drawdown: Interval


def confidence_intervals(returns: FloatArray, cash_rate: FloatArray, config: IntervalConfig) -> Intervals | None:
    """Resample the returns and read the intervals off; None with fewer than `MINIMUM_RETURNS` of them.

    Parameters
    ----------
    returns
        Daily simple returns, shape (S,), finite.
    cash_rate
        Annual rate at the start of each return, shape (S,), finite.
    """
    if len(returns) < MINIMUM_RETURNS:
        return None
    block = optimal_block_length(returns)
    generator = np.random.default_rng(config.seed)
    figures = resample(returns, returns - cash_rate / SESSIONS_PER_YEAR, block, config.samples, generator)
    tail = (1.0 - config.confidence) / 2.0
    ends = [_interval(figures[:, column], tail) for column in range(4)]
    annual_return, annual_volatility, sharpe, max_drawdown = ends
    assert annual_return
    assert annual_volatility
    assert max_drawdown
    return Intervals(
        confidence=config.confidence,
        samples=config.samples,
        seed=config.seed,
        block_length=block,
        annual_return=annual_return,
        annual_volatility=annual_volatility,
        sharpe=sharpe,
        max_drawdown=max_drawdown,
    )


def _interval(figures: FloatArray, tail: float) -> Interval | None:
    known = figures[np.isfinite(figures)]
    if not len(known):
        return None
    low, high = np.quantile(known, [tail, 1.0 - tail])
    return Interval(float(low), float(high))


def optimal_block_length(values: FloatArray) -> float:
    """Average block length of the stationary bootstrap, at least 1 and at most ``min(3 sqrt(S), S / 3)``.

    Parameters
    ----------
    values
        Shape (S,), finite. A series that does not vary has length 1.
    """
    count = len(values)
    centred = values - values.mean()
    if count < 2 or float(centred @ centred) < 1e-18 * count:
        return 1.0
    run = max(5, math.floor(math.log10(count)))
    largest = min(math.ceil(math.sqrt(count)) + run, count - 1)
    covariance = np.array([centred[lag:] @ centred[: count - lag] for lag in range(largest + 1)]) / count
    window = min(2 * _first_insignificant(np.abs(covariance / covariance[0]), run, count), largest)
    lags = np.arange(1, window + 1)
    weight = np.minimum(1.0, 2.0 * (1.0 - lags / window))
    spread = 2.0 * float((weight * lags * covariance[1 : window + 1]).sum())
    density = float(covariance[0] + 2.0 * (weight * covariance[1 : window + 1]).sum())
    if density <= 0.0:
        return 1.0
    length = (spread**2 / density**2) ** (1.0 / 3.0) * count ** (1.0 / 3.0)
    return float(min(max(length, 1.0), math.ceil(min(3.0 * math.sqrt(count), count / 3.0))))


def _first_insignificant(correlation: FloatArray, run: int, count: int) -> int:
    """First of ``run`` insignificant autocorrelations in a row; without such a run, the last significant lag.

    The paper counts to the lag before it; programs in use (R's np, Python's arch) count to this one, the longer choice.
    """
    small = correlation[1:] < 2.0 * math.sqrt(math.log10(count) / count)
    for lag in range(len(small) - run + 1):
        if small[lag : lag + run].all():
            return lag + 1
    significant = np.flatnonzero(~small)
    return int(significant[-1]) + 1 if len(significant) else 1


@compiled
def resample(
    returns: FloatArray, excess: FloatArray, block: float, samples: int, generator: np.random.Generator
) -> FloatArray:
    """Figures of resampled paths, each as long as the run.

    Parameters
    ----------
    returns, excess
        Shape (S,): returns of a session, and the same over the cash rate; they are drawn together.
    block
        Average block length, at least 1; blocks wrap around the end.

    Returns
    -------
    ndarray of shape (samples, 4)
        Annual return, annual volatility, Sharpe ratio (NaN without variation) and maximum drawdown of each path.
    """
    count = len(returns)
    figures = np.empty((samples, 4))
    restart = 1.0 / block
    for k in range(samples):
        wealth = peak = 1.0
        worst = total = squares = over = over_squares = 0.0
        at = 0
        for t in range(count):
            if t == 0 or generator.random() < restart:
                at = int(generator.random() * count)
            else:
                at = at + 1 if at + 1 < count else 0
            value = returns[at]
            wealth *= 1.0 + value
            peak = max(peak, wealth)
            worst = max(worst, 1.0 - wealth / peak)
            total += value
            squares += value * value
            over += excess[at]
            over_squares += excess[at] * excess[at]
        variance = max(0.0, (squares - total * total / count) / (count - 1))
        over_variance = max(0.0, (over_squares - over * over / count) / (count - 1))
        figures[k, 0] = max(wealth, 0.0) ** (252.0 / count) - 1.0
        figures[k, 1] = np.sqrt(variance * 252.0)
        figures[k, 2] = over / count / np.sqrt(over_variance) * np.sqrt(252.0) if over_variance > 1e-20 else np.nan
        figures[k, 3] = worst
    return figures
