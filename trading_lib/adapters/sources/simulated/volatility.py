"""Market-wide volatility through time. Input: axis, seed, equity shocks. Output: a multiple of normal volatility.

Three regimes alternate as a Markov chain; around the regime's level volatility moves with memory and rises after
falls, which clusters it. Where history is remembered for its volatility, the level is the published one.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from trading_lib.adapters.sources.simulated.axis import MarketAxis, stream
from trading_lib.adapters.sources.simulated.facts import VOLATILITY_EPISODES
from trading_lib.domain.market.prices import FloatArray

REGIME_LEVELS = (0.65, 0.95, 1.8)
# Probability per session of staying, of moving down and of moving up from calm, normal and stressed.
MOVE_DOWN = (0.0, 1 / 110, 1 / 35)
MOVE_UP = (1 / 140, 1 / 250, 0.0)
MEMORY, MEMORY_IN_EPISODES = 0.95, 0.75
OWN_NOISE, LEVERAGE_EFFECT = 0.05, 0.05
LOWEST, HIGHEST = 0.5, 5.0
CRYPTO_MEMORY, CRYPTO_NOISE = 0.97, 0.10


def market_volatility(axis: MarketAxis, seed: int, equity_shocks: FloatArray) -> FloatArray:
    """Volatility multiple for each day, shape (n_days + 1,).

    Parameters
    ----------
    equity_shocks
        Standardised equity returns, shape (n_days,); element t moves the multiple of day t + 1. Days without a
        session change nothing.
    """
    draws = stream(seed, "volatility").standard_normal(len(axis))
    regimes = _regimes(axis, seed)
    episodes = _episode_levels(axis)
    level = np.log(np.where(np.isnan(episodes), np.asarray(REGIME_LEVELS)[regimes], episodes))
    memory = np.where(np.isnan(episodes), MEMORY, MEMORY_IN_EPISODES)
    shock = OWN_NOISE * draws - LEVERAGE_EFFECT * equity_shocks
    lowest, highest = np.log(LOWEST), np.log(HIGHEST)
    multiple = np.empty(len(axis) + 1)
    state = level[0]
    for day, (is_session, target, keep, push) in enumerate(
        zip(axis.is_session.tolist(), level.tolist(), memory.tolist(), shock.tolist(), strict=True)
    ):
        multiple[day] = state
        if is_session:
            state = min(max(target + keep * (state - target) + push, lowest), highest)
    multiple[-1] = state
    return np.exp(multiple)


def crypto_volatility(axis: MarketAxis, seed: int) -> FloatArray:
    """Bitcoin's own volatility multiple for each UTC day, shape (n_days,)."""
    shocks = CRYPTO_NOISE * stream(seed, "crypto volatility").standard_normal(len(axis))
    multiple = np.empty(len(axis))
    state = 0.0
    for day, shock in enumerate(shocks.tolist()):
        state = min(max(CRYPTO_MEMORY * state + shock, -0.8), 0.9)
        multiple[day] = state
    return np.exp(multiple)


def _regimes(axis: MarketAxis, seed: int) -> NDArray[np.int64]:
    chances = stream(seed, "regimes").random(len(axis)).tolist()
    regimes = np.empty(len(axis), dtype=np.int64)
    regime = 0
    for day, (is_session, chance) in enumerate(zip(axis.is_session.tolist(), chances, strict=True)):
        if is_session:
            if chance < MOVE_DOWN[regime]:
                regime -= 1
            elif chance > 1 - MOVE_UP[regime]:
                regime += 1
        regimes[day] = regime
    return regimes


def _episode_levels(axis: MarketAxis) -> FloatArray:
    levels = np.full(len(axis), np.nan)
    for first, last, level in VOLATILITY_EPISODES:
        levels[axis.position(first) : axis.position(last) + 1] = level
    return levels
