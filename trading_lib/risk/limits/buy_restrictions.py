"""What may be bought, and how much of it: level rules, cool-off, retirement, and the re-entry ladder.

Input: target weights, holdings, level and view. Output: allowed weights, and the rules that lowered each.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator

import numpy as np
from numpy.typing import NDArray

from trading_lib.domain.decision.signals import SignalPanel
from trading_lib.domain.kernels import compiled, inlined
from trading_lib.domain.market.instruments import Universe
from trading_lib.domain.market.market_view import MarketView
from trading_lib.domain.market.prices import BoolArray, FloatArray
from trading_lib.risk.limits.retirement import among

LIQUIDATION = "liquidation"
SELL_ONLY = "sell_only"
NEGATIVE_CASH = "negative_cash"
MANUAL_REVIEW = "manual_review"
HAVENS_ONLY = "safe_haven_only"
NO_CRYPTO = "crypto_blocked"
CONFIDENCE = "minimum_confidence"
COOL_OFF = "stop_cool_off"
NOT_TRADABLE = "no_new_bar"
RETIRED = "retired"
LADDER = "recovery_ladder"
LADDER_LEVERAGE = "recovery_leverage"
DUST = 1e-12

# Rules that forbid buying; an array of them has one bit per rule, in this order.
RULES = (
    LIQUIDATION,
    SELL_ONLY,
    NEGATIVE_CASH,
    HAVENS_ONLY,
    MANUAL_REVIEW,
    NO_CRYPTO,
    CONFIDENCE,
    COOL_OFF,
    RETIRED,
    NOT_TRADABLE,
)
# Other limits that lower a target; their bits follow those of the rules.
LOWERING = (*RULES, LADDER, LADDER_LEVERAGE)
BITS = tuple(1 << place for place in range(len(LOWERING)))
(
    LIQUIDATION_BIT,
    SELL_ONLY_BIT,
    NEGATIVE_CASH_BIT,
    HAVENS_ONLY_BIT,
    MANUAL_REVIEW_BIT,
    NO_CRYPTO_BIT,
    CONFIDENCE_BIT,
    COOL_OFF_BIT,
    RETIRED_BIT,
    NOT_TRADABLE_BIT,
    LADDER_BIT,
    LADDER_LEVERAGE_BIT,
) = BITS
# Rows of a trace: the targets, and what each kind of limit left of them.
TARGETS, AFTER_LADDER, AFTER_LEVERAGE, APPROVED = range(4)

Blocks = NDArray[np.uint16]


def blocked_purchases(
    view: MarketView,
    signals: SignalPanel,
    effective_level: int,
    approved: bool,
    minimum_confidence: float,
    cooling_off: Collection[str],
    negative_cash: bool,
    retired: Collection[str] = (),
) -> Blocks:
    """Rules of the session that forbid buying, one bit each, shape (n,); see `RULES`.

    Parameters
    ----------
    retired
        Symbols without a price for too long, beside those the universe has retired.
    """
    universe = view.universe
    return forbidden(
        effective_level,
        approved,
        negative_cash,
        minimum_confidence,
        signals.confidence,
        universe.crypto,
        universe.safe_havens,
        among(universe, cooling_off),
        universe.retired | among(universe, retired) if retired else universe.retired,
        view.fresh,
    )


def named(blocks: Blocks) -> Iterator[tuple[str, BoolArray]]:
    """Rules that forbid anything, each with the assets it concerns."""
    for rule, bit in zip(RULES, BITS, strict=False):
        mask = (blocks & bit) != 0
        if mask.any():
            yield rule, mask


@compiled
def forbidden(
    level: int,
    approved: bool,
    negative_cash: bool,
    minimum_confidence: float,
    confidence: FloatArray,
    crypto: BoolArray,
    havens: BoolArray,
    cooling: BoolArray,
    retired: BoolArray,
    fresh: BoolArray,
) -> Blocks:
    """Kernel of `blocked_purchases`; NaN as confidence is below any minimum."""
    blocks = np.zeros(crypto.shape[0], np.uint16)
    for i in range(crypto.shape[0]):
        bits = 0
        if level == 4:
            bits |= LIQUIDATION_BIT
        if level == 2:
            bits |= SELL_ONLY_BIT
        if negative_cash:
            bits |= NEGATIVE_CASH_BIT
        if level == 3 and not havens[i]:
            bits |= HAVENS_ONLY_BIT
        if level == 3 and not approved:
            bits |= MANUAL_REVIEW_BIT
        if level >= 1 and crypto[i]:
            bits |= NO_CRYPTO_BIT
        if level >= 1 and not confidence[i] >= minimum_confidence:
            bits |= CONFIDENCE_BIT
        if cooling[i]:
            bits |= COOL_OFF_BIT
        if retired[i]:
            bits |= RETIRED_BIT
        if not fresh[i]:
            bits |= NOT_TRADABLE_BIT
        blocks[i] = bits
    return blocks


def clips_of(universe: Universe, lowered: Blocks) -> dict[str, tuple[str, ...]]:
    """Symbol -> the rules that lowered its target weight; see `allowed_weights`."""
    return {universe.symbols[i]: names_of(int(lowered[i])) for i in np.flatnonzero(lowered).tolist()}


def names_of(bits: int) -> tuple[str, ...]:
    """Name what lowered a weight."""
    return tuple(name for name, bit in zip(LOWERING, BITS, strict=True) if bits & bit)


@inlined
def _allow(
    targets: FloatArray,
    held: FloatArray,
    blocks: Blocks,
    size: float,
    leverage_limit: float,
    short: float,
    trace: FloatArray,
) -> tuple[FloatArray, Blocks]:
    """Apply every limit in order: weights, and the rules that lowered each as bits of `LOWERING`."""
    assets, traced = targets.shape[0], trace.shape[0] > 0
    weights, lowered = targets.copy(), np.zeros(targets.shape[0], np.uint16)
    if traced:
        trace[TARGETS] = weights
    total = short
    for i in range(assets):
        if size != 1.0:
            weights[i] = min(targets[i], max(targets[i] * size, held[i]))
        total += weights[i]
    if traced:
        trace[AFTER_LADDER] = weights
    scaled = total > leverage_limit
    for i in range(assets):
        bits = blocks[i]
        if not targets[i] > held[i] + DUST:
            # A rule binds only where a purchase is intended.
            bits &= LIQUIDATION_BIT
        if weights[i] < targets[i] - DUST:
            bits |= LADDER_BIT
        if scaled:
            weights[i] *= leverage_limit / total
            bits |= LADDER_LEVERAGE_BIT
        if traced:
            trace[AFTER_LEVERAGE, i] = weights[i]
        if blocks[i] != 0:
            weights[i] = min(weights[i], held[i])
        if blocks[i] & LIQUIDATION_BIT:
            weights[i] = 0.0
        if weights[i] < targets[i] - DUST:
            lowered[i] = bits
    if traced:
        trace[APPROVED] = weights
    return weights, lowered


@compiled
def allowed_weights(
    targets: FloatArray, held: FloatArray, blocks: Blocks, size: float, leverage_limit: float, short: float
) -> tuple[FloatArray, Blocks]:
    """Lower the target weights to what the rules allow, and say what lowered each as bits of `LOWERING`.

    Nothing is sold here that a target keeps.

    Parameters
    ----------
    targets, held
        Shape (n,): weights wanted and present.
    blocks
        Shape (n,): see `forbidden`.
    size
        Share of normal size that the re-entry ladder allows to be bought. A target that only keeps a holding would
        otherwise shrink by it every session.
    leverage_limit
        Largest sum of weights, short legs included.
    short
        What sleeves want short, as a share of net asset value.
    """
    return _allow(targets, held, blocks, size, leverage_limit, short, np.empty((0, 0)))


@compiled
def traced_limits(
    targets: FloatArray, held: FloatArray, blocks: Blocks, size: float, leverage_limit: float, short: float
) -> tuple[Blocks, FloatArray]:
    """`allowed_weights` step by step: what lowered each weight, and the rows of a trace, shape (4, n)."""
    trace = np.empty((APPROVED + 1, targets.shape[0]))
    _, lowered = _allow(targets, held, blocks, size, leverage_limit, short, trace)
    return lowered, trace
