"""Portfolio constraints of technical design 3.4 and 3.5, SPEC section 7.

Input: blended weights and correlations. Output: `TargetWeights`. Every constraint only lowers weights, so each one
leaves those before it intact and a single pass is enough.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray

from trading_lib.domain.correlation import pair_correlations
from trading_lib.domain.kernels import compiled
from trading_lib.domain.market_view import MarketView
from trading_lib.domain.prices import BoolArray, FloatArray
from trading_lib.domain.sleeves import SleeveRecord
from trading_lib.domain.weights import TargetWeights
from trading_lib.portfolio.config import ConstraintConfig

CAP = "max_weight"
PAIR_CAP = "pair_correlation"
CASH_BUFFER = "cash_buffer"
LEVERAGE = "max_leverage"
NOT_TRADABLE = "no_new_bar"
CONSTRAINTS = (NOT_TRADABLE, CAP, PAIR_CAP, CASH_BUFFER)


def constrain(
    view: MarketView,
    wanted: FloatArray,
    held_weights: FloatArray,
    config: ConstraintConfig,
    sleeves: Mapping[str, SleeveRecord] = MappingProxyType({}),
) -> TargetWeights:
    """Apply asset caps, pair caps, the leverage limit and the cash buffer.

    Parameters
    ----------
    wanted
        Shape (n,), the blended sleeves; NaN or negative is a ValueError, a fault of the sleeve.
    held_weights
        Shape (n,): an asset without a fresh, accepted bar may not grow beyond it.
    sleeves
        What the sleeves decided, for the answer to carry.
    """
    if not valid_weights(wanted):
        raise ValueError(f"sleeve weights must be finite and not negative, got {wanted}")
    correlations = known_correlations(view, config.correlation_window)
    # Short legs are gross exposure too; taken at full size, since scaling the spot legs scales them as well.
    short = sum(r.budget * sum(r.target.hedges.values()) for r in sleeves.values() if r.target.hedges)
    limit = min(1.0 - config.cash_buffer, max(config.max_leverage - short, 0.0))
    weights, clipped, any_clipped = clip_weights(
        wanted,
        held_weights,
        view.fresh,
        view.universe.max_weights,
        correlations,
        config.pair_correlation,
        limit,
    )
    return TargetWeights(
        wanted=wanted,
        weights=weights,
        correlations=correlations,
        clips=_name_clips(view.universe.symbols, clipped, config) if any_clipped else {},
        sleeves=sleeves,
    )


def known_correlations(view: MarketView, window: int) -> FloatArray:
    """Correlations of the session's pairs, which every run over the view shares; see `pair_correlations`."""
    key = ("pair_correlations", window)
    known: FloatArray | None = view.remembered.get(key)
    if known is None:
        known = view.remembered[key] = pair_correlations(view.common_returns, view.common_lag, window)
    return known


@compiled
def valid_weights(weights: FloatArray) -> bool:
    """Whether all weights, shape (n,), are finite and none is negative."""
    for i in range(weights.shape[0]):  # noqa: SIM110 - numba compiles the loop, not all()
        if not (np.isfinite(weights[i]) and weights[i] >= 0.0):
            return False
    return True


@compiled
def clip_weights(
    wanted: FloatArray,
    held: FloatArray,
    fresh: BoolArray,
    caps: FloatArray,
    correlations: FloatArray,
    pair_limit: float,
    total_limit: float,
) -> tuple[FloatArray, NDArray[np.uint8], bool]:
    """Kernel of `constrain`: weights, the constraints that lowered each as bits, and whether any did."""
    assets = wanted.shape[0]
    weights = wanted.copy()
    # One bit per constraint, in the order of CONSTRAINTS.
    clipped = np.zeros(assets, np.uint8)
    for i in range(assets):
        if not fresh[i] and weights[i] > held[i]:
            weights[i] = max(held[i], 0.0)
            clipped[i] |= 1
        if weights[i] > caps[i]:
            weights[i] = caps[i]
            clipped[i] |= 2
    for i in range(assets):
        for j in range(i):
            bound = max(caps[i], caps[j])
            both = weights[i] + weights[j]
            if correlations[i, j] > pair_limit and both > bound:
                weights[i] *= bound / both
                weights[j] *= bound / both
                clipped[i] |= 4
                clipped[j] |= 4
    total = weights.sum()
    if total > total_limit:
        weights *= total_limit / total
        for i in range(assets):
            if weights[i] > 0.0:
                clipped[i] |= 8
    return weights, clipped, bool(clipped.any())


def _name_clips(
    symbols: tuple[str, ...], clipped: NDArray[np.uint8], config: ConstraintConfig
) -> dict[str, tuple[str, ...]]:
    leveraged = config.max_leverage < 1.0 - config.cash_buffer
    names = (*CONSTRAINTS[:-1], LEVERAGE) if leveraged else CONSTRAINTS
    return {
        symbol: tuple(name for bit, name in enumerate(names) if bits >> bit & 1)
        for symbol, bits in zip(symbols, clipped.tolist(), strict=True)
        if bits
    }
