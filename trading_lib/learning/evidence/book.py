"""What scores earn: a book of the highest scores in overlapping tranches, after costs. Input: scores, daily returns.

Returns are judged against those of the whole universe held in equal weights by the same rules: on assets that rose,
books of pure noise have a Sharpe ratio too.
"""

from __future__ import annotations

import math

import numpy as np

from trading_lib.domain.kernels import compiled
from trading_lib.domain.market.prices import FloatArray
from trading_lib.learning.config import BookConfig
from trading_lib.performance.metrics.formulas import CONSTANT, SESSIONS_PER_YEAR


def tranche_book(scores: FloatArray, daily_return: FloatArray, tradable: np.ndarray, config: BookConfig) -> FloatArray:
    """Net returns of a book that buys the highest scores.

    The capital is split over ``config.tranches`` holdings. All are bought in the first session with scores, then one
    is renewed in each session: sold, and bought anew in the assets with the highest scores in equal weights, at the
    session's mark. With a lag of 1 that is by the session's own scores, which so earn from the next session's return
    on; with a lag of 2 by those of the session before. Between its renewals a tranche drifts.

    Parameters
    ----------
    scores
        Shape (S, n), NaN where there is none; such an asset is not bought, and a session without scores renews nothing.
        Equal scores at the edge share what is left of the places: equal scores of all are the universe.
    daily_return
        Shape (S, n): simple return of each session from the one before, finite.
    tradable
        Shape (S, n): what is not is neither bought nor sold; a tranche keeps it until it is renewed again.

    Returns
    -------
    ndarray of shape (S,)
        Simple returns after costs; 0 before the first purchase. ``config.cost_rate`` is paid for each dollar that a
        renewal buys or sells: what stays in a tranche costs nothing.
    """
    return _book(
        np.ascontiguousarray(scores, dtype=np.float64),
        np.ascontiguousarray(daily_return, dtype=np.float64),
        np.ascontiguousarray(tradable, dtype=np.bool_),
        config.positions,
        config.tranches,
        config.lag,
        config.cost_rate,
    )


def equal_weight_returns(
    universe: np.ndarray, daily_return: FloatArray, tradable: np.ndarray, config: BookConfig
) -> FloatArray:
    """Net returns of all assets in equal weights: the same tranches, lag and costs.

    Parameters
    ----------
    universe
        Shape (S, n): what a model could have scored.
    """
    return tranche_book(np.where(universe, 0.0, np.nan), daily_return, tradable, config)


def annual_sharpe(returns: FloatArray) -> float:
    """Annualised Sharpe ratio of daily returns, shape (S,), nothing subtracted.

    0 for returns of nothing at all, as an active return is where a book is its benchmark; NaN for fewer than two, or
    others that do not vary.
    """
    if len(returns) < 2:
        return math.nan
    deviation = float(returns.std(ddof=1))
    if deviation < CONSTANT:
        return 0.0 if float(np.abs(returns).max()) < CONSTANT else math.nan
    return float(returns.mean()) / deviation * math.sqrt(SESSIONS_PER_YEAR)


@compiled
def _book(
    scores: FloatArray,
    daily_return: FloatArray,
    tradable: np.ndarray,
    positions: int,
    tranches: int,
    lag: int,
    cost_rate: float,
) -> FloatArray:
    sessions, assets = scores.shape
    held = np.zeros((tranches, assets))
    cash = np.full(tranches, 1.0 / tranches)
    weights = np.zeros(assets)
    returns = np.zeros(sessions)
    value, begun = 1.0, False
    for t in range(sessions):
        for tranche in range(tranches):
            for i in range(assets):
                held[tranche, i] *= 1.0 + daily_return[t, i]
        decided = t - lag + 1
        if decided >= 0 and _highest(scores[decided], tradable[t], positions, weights) > 0:
            if begun:
                cash[t % tranches] = _renew(held[t % tranches], cash[t % tranches], weights, tradable[t], cost_rate)
            else:
                for tranche in range(tranches):
                    cash[tranche] = _renew(held[tranche], cash[tranche], weights, tradable[t], cost_rate)
                begun = True
        now = held.sum() + cash.sum()
        returns[t] = now / value - 1.0 if value > 0.0 else 0.0
        value = now
    return returns


@compiled
def _highest(scores: FloatArray, tradable: np.ndarray, positions: int, weights: FloatArray) -> int:
    """Write the weights of the highest scores; how many assets could be chosen from."""
    assets = scores.shape[0]
    known = 0
    for i in range(assets):
        weights[i] = 0.0
        known += np.isfinite(scores[i]) and tradable[i]
    places = min(positions, known)
    for i in range(assets):
        if not (np.isfinite(scores[i]) and tradable[i]):
            continue
        above, equal = 0, 0
        for j in range(assets):
            if np.isfinite(scores[j]) and tradable[j]:
                above += scores[j] > scores[i]
                equal += scores[j] == scores[i]
        if above < places:
            weights[i] = min(1.0, (places - above) / equal) / places
    return known


@compiled
def _renew(held: FloatArray, cash: float, weights: FloatArray, tradable: np.ndarray, cost_rate: float) -> float:
    """Trade one tranche to the weights, which are none where nothing can be traded; returns the cash that is left."""
    money = cash
    for i in range(held.shape[0]):
        if tradable[i]:
            money += held[i]
    traded = 0.0
    for i in range(held.shape[0]):
        if tradable[i]:
            traded += abs(weights[i] * money - held[i])
    # Of second order: the cost lowers what is bought by itself.
    money -= cost_rate * traded
    for i in range(held.shape[0]):
        if tradable[i]:
            held[i] = weights[i] * money
    return 0.0
