"""Formulas of single figures. Input: daily net asset values and returns. Output: a number, None where there is none.

A year has 252 sessions and a month 21.
"""

from __future__ import annotations

import math

import numpy as np

from trading_lib.domain.market.prices import DateArray, FloatArray

SESSIONS_PER_YEAR = 252.0
SESSIONS_PER_MONTH = 21.0
# Below this a deviation is the rounding dust of a constant series.
CONSTANT = 1e-12


def annual_return(nav: FloatArray) -> float | None:
    """Compound annual growth of a curve of decisions, shape (S,), positive; None with fewer than two."""
    years = (len(nav) - 1) / SESSIONS_PER_YEAR
    return float((nav[-1] / nav[0]) ** (1.0 / years) - 1.0) if years > 0 else None


def monthly_turnover(traded: float, average: float, returns: int) -> float | None:
    """Half the notional traded in so many sessions, as a fraction of the average value and per month of sessions."""
    return traded / 2.0 / average / (returns / SESSIONS_PER_MONTH) if returns > 0 else None


def max_drawdown(nav: FloatArray) -> float:
    """Largest fall from a running peak as a positive fraction; 0 for a series that never falls."""
    return float((1.0 - nav / np.maximum.accumulate(nav)).max())


def sharpe_ratio(returns: FloatArray, cash_rate: FloatArray) -> float | None:
    """Annualised Sharpe ratio over the cash rate; None with fewer than two returns or without variation.

    Money that is never invested does not vary, though the cash rate that it misses does: that is no ratio either.

    Parameters
    ----------
    returns
        Daily simple returns, shape (S,).
    cash_rate
        Annual rate known at the start of each return, shape (S,).
    """
    excess = returns - cash_rate / SESSIONS_PER_YEAR
    deviation = float(excess.std(ddof=1)) if len(excess) > 1 else 0.0
    if deviation < CONSTANT or not returns.any():
        return None
    return float(excess.mean() / deviation * math.sqrt(SESSIONS_PER_YEAR))


def volatility(returns: FloatArray) -> float | None:
    """Annualised sample standard deviation of daily returns; None with fewer than two."""
    return float(returns.std(ddof=1) * math.sqrt(SESSIONS_PER_YEAR)) if len(returns) > 1 else None


def sortino_ratio(returns: FloatArray, cash_rate: FloatArray) -> float | None:
    """Annualised Sortino ratio over the cash rate; None where every return is 0 or none is below the cash rate.

    The downside deviation is the root of the mean square of what returns fall short, over all of them and not only
    over those that do (Sortino and Price 1994; Rollinger and Hoffman 2013 on the usual mistake).

    Parameters
    ----------
    returns
        Daily simple returns, shape (S,).
    cash_rate
        Annual rate known at the start of each return, shape (S,): the returns' target.
    """
    excess = returns - cash_rate / SESSIONS_PER_YEAR
    short = np.minimum(excess, 0.0)
    downside = math.sqrt(float((short**2).mean())) if len(excess) else 0.0
    if downside < CONSTANT or not returns.any():
        return None
    return float(excess.mean()) / downside * math.sqrt(SESSIONS_PER_YEAR)


def value_at_risk(returns: FloatArray, tail: float) -> float:
    """Loss that a share ``tail`` of the returns exceeds, positive for a loss: their quantile, linear between two."""
    return -float(np.quantile(returns, tail))


def expected_shortfall(returns: FloatArray, tail: float) -> float:
    """Average loss in the worst share ``tail`` of the returns, positive for a loss.

    The return at the edge of the tail counts with the part of it that lies inside (Acerbi and Tasche 2002), so that the
    figure is never below the value at risk and ties do not matter.
    """
    worst, size = np.sort(returns), tail * len(returns)
    # A share of a whole number of returns must not take a sliver of the next one in by rounding.
    whole = math.floor(size + 1e-9)
    rest = max(size - whole, 0.0)
    inside = float(worst[:whole].sum()) + (rest * float(worst[whole]) if rest > 0.0 else 0.0)
    return -inside / size


def skewness(values: FloatArray) -> float | None:
    """Sample skewness with the correction for small samples, as SKEW of spreadsheets; None with fewer than three."""
    count = len(values)
    deviation = float(values.std(ddof=1)) if count > 2 else 0.0
    if deviation < CONSTANT:
        return None
    cubes = float((((values - values.mean()) / deviation) ** 3).sum())
    return count / ((count - 1) * (count - 2)) * cubes


def month_returns(sessions: DateArray, nav: FloatArray) -> tuple[DateArray, FloatArray]:
    """Compounded return of every month in which a return ends.

    Parameters
    ----------
    sessions, nav
        Shape (S,).

    Returns
    -------
    months
        datetime64[M], ascending.
    returns
        As long; the first and the last month as far as the sessions cover them.
    """
    growth = np.log(nav[1:] / nav[:-1])
    months, starts = np.unique(sessions[1:].astype("datetime64[M]"), return_index=True)
    parts = np.split(growth, starts[1:]) if len(starts) else []
    return months, np.array([np.expm1(part.sum()) for part in parts], np.float64)


def beta_and_correlation(returns: FloatArray, benchmark: FloatArray) -> tuple[float, float] | None:
    """Beta of returns to a benchmark's, and their correlation, shapes (S,); None with fewer than two, or constant."""
    if len(returns) < 2 or returns.std() < CONSTANT or benchmark.std() < CONSTANT:
        return None
    covariance = np.cov(returns, benchmark)
    beta = float(covariance[0, 1] / covariance[1, 1])
    return beta, float(beta * np.sqrt(covariance[1, 1] / covariance[0, 0]))


def jensen_alpha(returns: FloatArray, benchmark: FloatArray, cash_rate: FloatArray) -> float | None:
    """Annualised alpha against a benchmark (Jensen 1968); None where there is no beta.

    ``252 * (mean(returns - cash) - beta * mean(benchmark - cash))``, not compounded.

    Parameters
    ----------
    returns, benchmark
        Daily simple returns, shape (S,).
    cash_rate
        Annual rate known at the start of each return, shape (S,).
    """
    relation = beta_and_correlation(returns, benchmark)
    if relation is None:
        return None
    cash = cash_rate / SESSIONS_PER_YEAR
    return SESSIONS_PER_YEAR * float((returns - cash).mean() - relation[0] * (benchmark - cash).mean())
