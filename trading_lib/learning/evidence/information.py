"""Does a score order the assets as they then do? Information coefficients, and how sure their mean is.

Labels of neighbouring sessions share most of their horizon, so daily coefficients are dependent and the usual t says
yes to noise. Newey and West 1987, "A Simple, Positive Semi-Definite, Heteroskedasticity and Autocorrelation Consistent
Covariance Matrix", Econometrica 55; Hansen and Hodrick 1980, Journal of Political Economy 88, on overlapping horizons.
"""

from __future__ import annotations

import math
from statistics import NormalDist

import numpy as np

from trading_lib.domain.kernels import compiled
from trading_lib.domain.market.prices import FloatArray

NORMAL = NormalDist()
# Below this a standard error is the rounding dust of a series that does not vary.
DUST = 1e-12


def information_coefficients(scores: FloatArray, ranks: FloatArray, minimum: int = 3) -> FloatArray:
    """Rank correlation (Spearman, ties averaged) of scores with labels in every session.

    Parameters
    ----------
    scores, ranks
        Shape (S, n). Only assets with both count; what is left is ranked anew.
    minimum
        Fewest assets of a session.

    Returns
    -------
    ndarray of shape (S,)
        NaN where too few assets have both, or all labels are equal: there was nothing to order. 0 where all scores
        are equal: a model that tells no asset from another knows nothing, and would otherwise choose its sessions.
    """
    return _coefficients(
        np.ascontiguousarray(scores, dtype=np.float64), np.ascontiguousarray(ranks, dtype=np.float64), minimum
    )


def path_coefficients(paths: FloatArray, ranks: FloatArray, minimum: int = 3) -> FloatArray:
    """Information coefficients of every path, shape (P, S), from scores of shape (P, S, n)."""
    return np.stack([information_coefficients(path, ranks, minimum) for path in paths])


def mean_over_paths(values: FloatArray) -> FloatArray:
    """Mean of each session over the paths that have one, shape (P, S) -> (S,); NaN where none has.

    Paths judge the same sessions by models of overlapping parts: they are no more sessions than there are.
    """
    known = np.isfinite(values)
    count = known.sum(axis=0)
    total = np.where(known, values, 0.0).sum(axis=0)
    return np.where(count > 0, total / np.maximum(count, 1), np.nan)


def mean_known(values: FloatArray) -> float:
    """Mean of what is not NaN; NaN of nothing."""
    known = values[np.isfinite(values)]
    return float(known.mean()) if len(known) else math.nan


def newey_west_error(ics: FloatArray, lags: int) -> float:
    """Compute the standard error of a mean of dependent values, Bartlett weights.

    Parameters
    ----------
    ics
        Shape (S,); NaN are left out, and what is on both sides of them counts as neighbours.
    lags
        Twice the horizon of overlapping labels is safe; weights fall to 0 beyond it.

    Returns
    -------
    float
        NaN with fewer than three values.
    """
    known = ics[np.isfinite(ics)]
    count = len(known)
    if count < 3:
        return math.nan
    centred = known - known.mean()
    variance = float(centred @ centred)
    for lag in range(1, min(lags, count - 1) + 1):
        variance += 2.0 * (1.0 - lag / (lags + 1.0)) * float(centred[lag:] @ centred[:-lag])
    return math.sqrt(max(variance, 0.0)) / count


def newey_west_t(ics: FloatArray, lags: int) -> float:
    """Divide the mean of coefficients by its standard error, shape (S,); NaN where it is not known or never varies."""
    error = newey_west_error(ics, lags)
    return mean_known(ics) / error if error > DUST else math.nan


def non_overlapping_t(ics: FloatArray, horizon: int) -> float:
    """Compute the t of the mean over sessions a label's horizon apart.

    There are ``horizon`` such series, by the session they begin with; the mean of their t is taken, so that the figure
    does not hang on where the data happens to begin.

    Parameters
    ----------
    ics
        Shape (S,), NaN where there is none.

    Returns
    -------
    float
        NaN where no series has three values that vary.
    """
    series = _non_overlapping(ics, horizon)
    found = [float(known.mean()) / error for known in series if (error := _plain_error(known)) > DUST]
    return float(np.mean(found)) if found else math.nan


def non_overlapping_error(ics: FloatArray, horizon: int) -> float:
    """Compute the standard error of the mean over sessions a label's horizon apart, as `non_overlapping_t` does.

    With few sessions it is the wider one: `newey_west_error` knows the dependence from hardly more than a handful of
    horizons.
    """
    found = [_plain_error(known) ** 2 for known in _non_overlapping(ics, horizon)]
    return math.sqrt(float(np.mean(found))) if found else math.nan


def _non_overlapping(ics: FloatArray, horizon: int) -> list[FloatArray]:
    """Take every ``horizon``-th coefficient, from each of the first sessions on; series of at least three."""
    series = (ics[begin::horizon] for begin in range(min(horizon, len(ics))))
    return [known for one in series if len(known := one[np.isfinite(one)]) >= 3]


def _plain_error(values: FloatArray) -> float:
    return float(values.std(ddof=1)) / math.sqrt(len(values))


def minimum_detectable_ic(standard_error: float, significance: float = 0.05, power: float = 0.8) -> float:
    """Smallest true mean information coefficient that a one-sided test finds with this power.

    Parameters
    ----------
    standard_error
        Of the mean: measured (`newey_west_error`) or expected (`expected_error`).
    """
    return (NORMAL.inv_cdf(1.0 - significance) + NORMAL.inv_cdf(power)) * standard_error


def expected_error(sessions: int, horizon: int, assets: float) -> float:
    """Compute what standard error to expect of a mean of overlapping coefficients, before anything is measured.

    Parameters
    ----------
    assets
        Independent ones. Funds of the same market move together: about half of fifteen are.
    """
    return math.sqrt(horizon / max(sessions, 1) / max(assets - 1.0, 1.0))


@compiled
def _coefficients(scores: FloatArray, ranks: FloatArray, minimum: int) -> FloatArray:
    sessions, assets = scores.shape
    found = np.full(sessions, np.nan)
    first, second = np.empty(assets), np.empty(assets)
    for t in range(sessions):
        count = 0
        for i in range(assets):
            if np.isfinite(scores[t, i]) and np.isfinite(ranks[t, i]):
                first[count] = scores[t, i]
                second[count] = ranks[t, i]
                count += 1
        if count < max(minimum, 2):
            continue
        both, one, other = 0.0, 0.0, 0.0
        for i in range(count):
            # Twice the distance of the averaged rank from the middle one.
            place, target = 0, 0
            for j in range(count):
                place += int(first[j] < first[i]) - int(first[j] > first[i])
                target += int(second[j] < second[i]) - int(second[j] > second[i])
            both += place * target
            one += place * place
            other += target * target
        if other > 0.0:
            found[t] = both / np.sqrt(one * other) if one > 0.0 else 0.0
    return found
