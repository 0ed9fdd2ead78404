"""The synthetic all-asset decline (docs/specification.md#stress-tests). Input: recent returns. Output: moves.

The numbers asked for hold exactly, not on average: every asset falls by the stated share, every pair correlates as
stated and every asset varies as stated. Only the path is drawn, from a seed.
"""

from __future__ import annotations

import numpy as np

from trading_lib.backtest.stress.scenarios import SyntheticDecline
from trading_lib.backtest.stress.synthetic_sessions import SessionMoves
from trading_lib.domain.market.prices import FloatArray

# A share of each session's move happens overnight, before the opening at which orders fill.
OVERNIGHT_SHARE = 0.5


def decline_moves(returns: FloatArray, volatility_index: float, scenario: SyntheticDecline) -> SessionMoves:
    """Draw the sessions of a decline.

    Parameters
    ----------
    returns
        Simple returns of the sessions before, shape (rows, n), NaN where there is none. An asset without any brings no
        bar; one that has never moved falls in a straight line.
    volatility_index
        The last known ^VIX; it rises in a straight line to ``volatility_factor`` times that level. NaN stays unknown.
    """
    sessions, assets = scenario.sessions, returns.shape[1]
    recent = np.log1p(returns[-scenario.volatility_window :])
    traded = np.isfinite(recent).any(axis=0)
    deviation = np.zeros(assets)
    for i in np.flatnonzero(traded):
        history = recent[np.isfinite(recent[:, i]), i]
        deviation[i] = history.std(ddof=1) if len(history) > 1 else 0.0
    shocks = _correlated(np.random.default_rng(scenario.seed), sessions, assets, scenario.correlation)
    log_moves = np.log1p(-scenario.decline) / sessions + shocks * deviation * scenario.volatility_factor
    log_moves[:, ~traded] = np.nan
    opening = np.exp(OVERNIGHT_SHARE * log_moves)
    close = np.exp(log_moves)
    steps = np.arange(1, sessions + 1) / sessions
    return SessionMoves(
        open=opening,
        high=np.maximum(np.maximum(opening, close), 1.0),
        low=np.minimum(np.minimum(opening, close), 1.0),
        close=close,
        volatility_index=volatility_index * (1.0 + (scenario.volatility_factor - 1.0) * steps),
    )


def _correlated(generator: np.random.Generator, sessions: int, assets: int, correlation: float) -> FloatArray:
    """Shocks of shape (sessions, assets) with mean 0, sample deviation 1 and the same correlation for each pair.

    One factor is common to all, and each asset adds its own. Factors that are orthogonal in the sample make the figures
    exact; where there are more assets than sessions no such factors exist, and the correlation holds on average.
    """
    factors = generator.standard_normal((sessions, assets + 1))
    factors -= factors.mean(axis=0)
    if assets + 1 < sessions:
        factors = np.linalg.qr(factors)[0]
    factors /= factors.std(axis=0, ddof=1)
    shocks: FloatArray = np.sqrt(correlation) * factors[:, :1] + np.sqrt(1.0 - correlation) * factors[:, 1:]
    return shocks
