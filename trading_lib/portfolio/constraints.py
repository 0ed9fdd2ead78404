"""Portfolio constraints (docs/specification.md#portfolio-constraints).

Input: blended weights and correlations. Output: `TargetWeights`. Every constraint only lowers weights, so each one
leaves those before it intact and a single pass is enough.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from trading_lib.domain.decision.sleeves import SleeveRecord
from trading_lib.domain.decision.weights import TargetWeights
from trading_lib.domain.kernels import compiled, inlined
from trading_lib.domain.market.correlation import pair_correlations
from trading_lib.domain.market.market_view import MarketView
from trading_lib.domain.market.prices import BoolArray, FloatArray
from trading_lib.portfolio.config import ConstraintConfig

CAP = "max_weight"
PAIR_CAP = "pair_correlation"
CASH_BUFFER = "cash_buffer"
LEVERAGE = "max_leverage"
NOT_TRADABLE = "no_new_bar"
# One bit each in what the kernel answers, in this order; the last is named by what bounds the sum, see `total_limit`.
PLACES = 4


class TotalLimit(NamedTuple):
    """Largest sum of weights, and the rule it comes from."""

    weight: float
    rule: str


class ConstraintTrace(NamedTuple):
    """What each constraint did, n assets.

    Attributes
    ----------
    weights
        Shape (5, n): as wanted, then after each constraint in its order; no rows where no trace was asked for.
    pairs
        Shape (n, n): the pairs (i, j), j < i, whose sum was lowered.
    """

    weights: FloatArray
    pairs: BoolArray


def total_limit(config: ConstraintConfig, short: float = 0.0) -> TotalLimit:
    """Bound the sum of weights: short legs are gross exposure too, so they take from the leverage limit.

    They count at full size, since scaling the spot legs scales them as well.

    Parameters
    ----------
    short
        `short_weight` of the sleeves.
    """
    invested, leveraged = 1.0 - config.cash_buffer, max(config.max_leverage - short, 0.0)
    return TotalLimit(leveraged, LEVERAGE) if leveraged < invested else TotalLimit(invested, CASH_BUFFER)


def short_weight(sleeves: Mapping[str, SleeveRecord]) -> float:
    """Return what sleeves want short, as a share of net asset value."""
    return sum((r.budget * sum(r.target.hedges.values()) for r in sleeves.values() if r.target.hedges), 0.0)


def constraint_names(limit: TotalLimit) -> tuple[str, ...]:
    """Names of the constraints in the order of their bits."""
    return (NOT_TRADABLE, CAP, PAIR_CAP, limit.rule)


def constrain(
    view: MarketView,
    blended: FloatArray,
    held_weights: FloatArray,
    config: ConstraintConfig,
    sleeves: Mapping[str, SleeveRecord] = MappingProxyType({}),
) -> TargetWeights:
    """Apply asset caps, pair caps, the leverage limit and the cash buffer.

    Parameters
    ----------
    blended
        Shape (n,), the blended sleeves; NaN or negative is a ValueError, a fault of the sleeve.
    held_weights
        Shape (n,): an asset without a fresh, accepted bar may not grow beyond it.
    sleeves
        What the sleeves decided, for the answer to carry.
    """
    if not valid_weights(blended):
        raise ValueError(f"sleeve weights must be finite and not negative, got {blended}")
    correlations = view_correlations(view, config.correlation_window)
    limit = total_limit(config, short_weight(sleeves))
    weights, clipped, any_clipped = clip_weights(
        blended,
        held_weights,
        view.fresh,
        view.universe.max_weights,
        correlations,
        config.pair_correlation,
        limit.weight,
    )
    return TargetWeights(
        wanted=blended,
        weights=weights,
        correlations=correlations,
        clips=_name_clips(view.universe.symbols, clipped, limit) if any_clipped else {},
        sleeves=sleeves,
    )


def view_correlations(view: MarketView, window: int) -> FloatArray:
    """Correlations of the session's pairs, which every run over the view shares; see `pair_correlations`."""
    key = ("pair_correlations", window)
    cached: FloatArray | None = view.remembered.get(key)
    if cached is None:
        cached = view.remembered[key] = pair_correlations(view.common_returns, view.common_lag, window)
    return cached


@compiled
def valid_weights(weights: FloatArray) -> bool:
    """Whether all weights, shape (n,), are finite and none is negative."""
    for i in range(weights.shape[0]):  # noqa: SIM110 - numba compiles the loop, not all()
        if not (np.isfinite(weights[i]) and weights[i] >= 0.0):
            return False
    return True


@inlined
def _clip(
    blended: FloatArray,
    held: FloatArray,
    fresh: BoolArray,
    caps: FloatArray,
    correlations: FloatArray,
    pair_limit: float,
    total_limit: float,
    trace: ConstraintTrace,
) -> tuple[FloatArray, NDArray[np.uint8]]:
    """Every constraint in its order: weights, and the constraints that lowered each as bits."""
    assets, traced = blended.shape[0], trace.weights.shape[0] > 0
    weights = blended.copy()
    clipped = np.zeros(assets, np.uint8)
    if traced:
        trace.weights[0] = weights
    for i in range(assets):
        if not fresh[i] and weights[i] > held[i]:
            weights[i] = max(held[i], 0.0)
            clipped[i] |= 1
    if traced:
        trace.weights[1] = weights
    for i in range(assets):
        if weights[i] > caps[i]:
            weights[i] = caps[i]
            clipped[i] |= 2
    if traced:
        trace.weights[2] = weights
    for i in range(assets):
        # Without a weight of its own it adds nothing to another's, which is within its cap.
        if weights[i] == 0.0:
            continue
        for j in range(i):
            if weights[j] == 0.0:
                continue
            bound = max(caps[i], caps[j])
            both = weights[i] + weights[j]
            if correlations[i, j] > pair_limit and both > bound:
                weights[i] *= bound / both
                weights[j] *= bound / both
                clipped[i] |= 4
                clipped[j] |= 4
                if traced:
                    trace.pairs[i, j] = True
    if traced:
        trace.weights[3] = weights
    total = weights.sum()
    if total > total_limit:
        for i in range(assets):
            if weights[i] > 0.0:
                clipped[i] |= 8
        weights *= total_limit / total
    if traced:
        trace.weights[4] = weights
    return weights, clipped


@inlined
def clip_weights(
    blended: FloatArray,
    held: FloatArray,
    fresh: BoolArray,
    caps: FloatArray,
    correlations: FloatArray,
    pair_limit: float,
    total_limit: float,
) -> tuple[FloatArray, NDArray[np.uint8], bool]:
    """Kernel of `constrain`: weights, the constraints that lowered each as bits, and whether any did."""
    untraced = ConstraintTrace(np.empty((0, 0)), np.empty((0, 0), np.bool_))
    weights, clipped = _clip(blended, held, fresh, caps, correlations, pair_limit, total_limit, untraced)
    return weights, clipped, bool(clipped.any())


@compiled
def traced_clips(
    blended: FloatArray,
    held: FloatArray,
    fresh: BoolArray,
    caps: FloatArray,
    correlations: FloatArray,
    pair_limit: float,
    total_limit: float,
) -> tuple[NDArray[np.uint8], ConstraintTrace]:
    """`clip_weights` step by step: the constraints that lowered each weight as bits, and what each left."""
    assets = blended.shape[0]
    trace = ConstraintTrace(np.empty((PLACES + 1, assets)), np.zeros((assets, assets), np.bool_))
    _, clipped = _clip(blended, held, fresh, caps, correlations, pair_limit, total_limit, trace)
    return clipped, trace


@compiled
def constraint_cuts(
    blended: FloatArray,
    held: FloatArray,
    fresh: BoolArray,
    caps: FloatArray,
    correlations: FloatArray,
    pair_limit: float,
    total_limit: float,
) -> tuple[FloatArray, FloatArray]:
    """Return weights, shape (c, n), and what each constraint took, shape (c, 4, n), of c sessions.

    Parameters
    ----------
    blended, held, fresh
        Shape (c, n); ``correlations``, shape (c, n, n): see `clip_weights`.
    caps
        Shape (n,).
    """
    sessions, assets = blended.shape
    weights, cuts = np.empty((sessions, assets)), np.empty((sessions, PLACES, assets))
    for t in range(sessions):
        _, trace = traced_clips(blended[t], held[t], fresh[t], caps, correlations[t], pair_limit, total_limit)
        weights[t] = trace.weights[PLACES]
        for place in range(PLACES):
            cuts[t, place] = trace.weights[place] - trace.weights[place + 1]
    return weights, cuts


def _name_clips(symbols: tuple[str, ...], clipped: NDArray[np.uint8], limit: TotalLimit) -> dict[str, tuple[str, ...]]:
    names = constraint_names(limit)
    return {
        symbol: tuple(name for bit, name in enumerate(names) if bits >> bit & 1)
        for symbol, bits in zip(symbols, clipped.tolist(), strict=True)
        if bits
    }
