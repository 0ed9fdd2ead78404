"""Portfolio constraints of technical design 3.4 and 3.5, SPEC section 7.

Input: blended weights and correlations. Output: `TargetWeights`. Every constraint only lowers weights, so each one
leaves those before it intact and a single pass is enough.
"""

from __future__ import annotations

import numpy as np

from trading_lib.domain.correlation import pair_correlations
from trading_lib.domain.kernels import compiled
from trading_lib.domain.market_view import MarketView
from trading_lib.domain.prices import BoolArray, FloatArray
from trading_lib.domain.weights import TargetWeights
from trading_lib.portfolio.config import ConstraintConfig

CAP = "max_weight"
PAIR_CAP = "pair_correlation"
CASH_BUFFER = "cash_buffer"
NOT_TRADABLE = "no_new_bar"


def constrain(
    view: MarketView, wanted: FloatArray, held_weights: FloatArray, config: ConstraintConfig
) -> TargetWeights:
    """Apply asset caps, pair caps, the leverage limit and the cash buffer.

    Parameters
    ----------
    wanted
        Shape (n,), the blended sleeves; NaN or negative is a ValueError, a fault of the sleeve.
    held_weights
        Shape (n,): an asset without a fresh, accepted bar may not grow beyond it.
    """
    if not np.isfinite(wanted).all() or (wanted < 0).any():
        raise ValueError(f"sleeve weights must be finite and not negative, got {wanted}")
    correlations = pair_correlations(view.common_returns, view.common_lag, config.correlation_window)
    limit = min(1.0 - config.cash_buffer, config.max_leverage)
    weights, capped, paired, stale, scaled = _clip(
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
        clips=_name_clips(view.universe.symbols, weights, capped, paired, stale, scaled),
    )


@compiled
def _clip(
    wanted: FloatArray,
    held: FloatArray,
    fresh: BoolArray,
    caps: FloatArray,
    correlations: FloatArray,
    pair_limit: float,
    total_limit: float,
) -> tuple[FloatArray, BoolArray, BoolArray, BoolArray, bool]:
    assets = wanted.shape[0]
    weights = wanted.copy()
    capped = np.zeros(assets, np.bool_)
    paired = np.zeros(assets, np.bool_)
    stale = np.zeros(assets, np.bool_)
    for i in range(assets):
        if not fresh[i] and weights[i] > held[i]:
            weights[i] = max(held[i], 0.0)
            stale[i] = True
        if weights[i] > caps[i]:
            weights[i] = caps[i]
            capped[i] = True
    for i in range(assets):
        for j in range(i):
            bound = max(caps[i], caps[j])
            both = weights[i] + weights[j]
            if correlations[i, j] > pair_limit and both > bound:
                weights[i] *= bound / both
                weights[j] *= bound / both
                paired[i] = True
                paired[j] = True
    total = weights.sum()
    scaled = total > total_limit
    if scaled:
        weights *= total_limit / total
    return weights, capped, paired, stale, scaled


def _name_clips(
    symbols: tuple[str, ...],
    weights: FloatArray,
    capped: BoolArray,
    paired: BoolArray,
    stale: BoolArray,
    scaled: bool,
) -> dict[str, tuple[str, ...]]:
    if not (scaled or capped.any() or paired.any() or stale.any()):
        return {}
    clips: dict[str, tuple[str, ...]] = {}
    for i, symbol in enumerate(symbols):
        names = [
            name
            for name, applies in (
                (NOT_TRADABLE, stale[i]),
                (CAP, capped[i]),
                (PAIR_CAP, paired[i]),
                (CASH_BUFFER, scaled and weights[i] > 0),
            )
            if applies
        ]
        if names:
            clips[symbol] = tuple(names)
    return clips
