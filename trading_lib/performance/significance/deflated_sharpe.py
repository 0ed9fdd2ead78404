"""How much of a Sharpe ratio is luck and how much is search? Probabilistic and deflated Sharpe ratio.

Bailey and Lopez de Prado 2012, "The Sharpe Ratio Efficient Frontier", Journal of Risk 15; 2014, "The Deflated Sharpe
Ratio: Correcting for Selection Bias, Backtest Overfitting, and Non-Normality", Journal of Portfolio Management 40.
All Sharpe ratios here are per period and not annualised; kurtosis is raw, 3 for a normal distribution.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np

from trading_lib.domain.market.prices import FloatArray

EULER_MASCHERONI = 0.5772156649015329
NORMAL = NormalDist()
ASSUMED = "assumed: the variance of a Sharpe ratio of pure noise, one over the number of returns"
OBSERVED = "sample variance over the trials of the same window"


@dataclass(frozen=True, slots=True)
class Trials:
    """What was tried before a run was shown.

    Attributes
    ----------
    count
        The run itself included.
    sharpes
        Sharpe ratios per period of the trials over the same window, the run itself included.
    source
        Where the count is from.
    """

    count: int = 1
    sharpes: tuple[float, ...] = ()
    source: str = "this run alone: no record of other trials was read"


@dataclass(frozen=True, slots=True)
class SharpeEvidence:
    """A Sharpe ratio with what it takes to judge it.

    Attributes
    ----------
    returns
        Number of returns.
    sharpe
        Per period, over the cash rate.
    skewness, kurtosis
        Of the excess returns; kurtosis is raw.
    probabilistic
        Probability that the true Sharpe ratio is above 0.
    trials, trial_variance, variance_source
        How many trials stand behind the run, the variance of their Sharpe ratios per period, and where it is from.
    threshold
        Sharpe ratio per period that the best of that many worthless trials is expected to show.
    deflated
        Probability that the true Sharpe ratio is above 0 given that the best of the trials was chosen.
    """

    returns: int
    sharpe: float
    skewness: float
    kurtosis: float
    probabilistic: float
    trials: int
    trial_variance: float
    variance_source: str
    threshold: float
    deflated: float


def judge_sharpe(excess: FloatArray, trials: int = 1, trial_sharpes: Sequence[float] = ()) -> SharpeEvidence | None:
    """Compute the probabilistic and the deflated Sharpe ratio of a run.

    Parameters
    ----------
    excess
        Returns over the cash rate, shape (S,).
    trials
        Trials behind the run, itself included; at least 1.
    trial_sharpes
        Sharpe ratios per period of the trials that can be compared, i.e. of the same window; with fewer than two of
        them their variance is assumed to be that of noise.

    Returns
    -------
    SharpeEvidence or None
        None with fewer than three returns or without variation.
    """
    count = len(excess)
    deviation = float(excess.std(ddof=1)) if count >= 3 else 0.0
    # A constant series leaves rounding dust in its standard deviation.
    if deviation < 1e-12:
        return None
    sharpe = float(excess.mean()) / deviation
    standard = (excess - excess.mean()) / excess.std()
    skewness, kurtosis = float((standard**3).mean()), float((standard**4).mean())
    observed = len(trial_sharpes) >= 2
    variance = float(np.var(trial_sharpes, ddof=1)) if observed else 1.0 / (count - 1)
    threshold = expected_maximum_sharpe(trials, variance)
    return SharpeEvidence(
        returns=count,
        sharpe=sharpe,
        skewness=skewness,
        kurtosis=kurtosis,
        probabilistic=probabilistic_sharpe(sharpe, 0.0, count, skewness, kurtosis),
        trials=trials,
        trial_variance=variance,
        variance_source=OBSERVED if observed else ASSUMED,
        threshold=threshold,
        deflated=probabilistic_sharpe(sharpe, threshold, count, skewness, kurtosis),
    )


def probabilistic_sharpe(sharpe: float, threshold: float, returns: int, skewness: float, kurtosis: float) -> float:
    """Probability that the true Sharpe ratio exceeds ``threshold``, given the one observed over ``returns`` periods.

    Equation 8 of the 2012 paper. A variance that comes out at or below zero, which no distribution has, gives 0 or 1.
    """
    variance = 1.0 - skewness * sharpe + (kurtosis - 1.0) / 4.0 * sharpe**2
    distance = (sharpe - threshold) * math.sqrt(returns - 1)
    if variance <= 0.0:
        return float(distance > 0.0)
    return NORMAL.cdf(distance / math.sqrt(variance))


def expected_maximum_sharpe(trials: int, variance: float) -> float:
    """Sharpe ratio that the best of ``trials`` independent trials shows on average when all of them are worthless.

    Parameters
    ----------
    variance
        Of the trials' Sharpe ratios, per period.

    Returns
    -------
    float
        0 for a single trial, from which nothing was chosen.
    """
    if trials < 1 or variance < 0:
        raise ValueError(f"{trials} trials with variance {variance} do not exist")
    if trials == 1:
        return 0.0
    best = (1.0 - EULER_MASCHERONI) * NORMAL.inv_cdf(1.0 - 1.0 / trials)
    rest = EULER_MASCHERONI * NORMAL.inv_cdf(1.0 - 1.0 / (trials * math.e))
    return math.sqrt(variance) * (best + rest)
