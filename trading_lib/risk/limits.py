"""What may be bought, and how much of it: level rules, cool-off, retirement, and the re-entry ladder.

Input: target weights, holdings, level and view. Output: `Limits`, each lowered weight with the rules that lowered it.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

import numpy as np

from trading_lib.domain.instruments import Universe
from trading_lib.domain.market_view import MarketView
from trading_lib.domain.prices import BoolArray, FloatArray
from trading_lib.domain.signals import SignalPanel

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

Blocks = list[tuple[str, BoolArray]]


@dataclass(frozen=True, slots=True)
class Limits:
    """See the fields of the same names in `RiskAssessment`."""

    weights: FloatArray
    may_increase: BoolArray
    clips: dict[str, tuple[str, ...]]


def blocked_purchases(
    view: MarketView,
    signals: SignalPanel,
    effective_level: int,
    approved: bool,
    minimum_confidence: float,
    cooling_off: Collection[str],
    negative_cash: bool,
) -> Blocks:
    """Rules of the session that forbid buying, each with the assets it concerns, shape (n,)."""
    universe = view.universe
    blocks: Blocks = []
    if effective_level in (2, 4):
        blocks.append((LIQUIDATION if effective_level == 4 else SELL_ONLY, universe.everything))
    if negative_cash:
        blocks.append((NEGATIVE_CASH, universe.everything))
    if effective_level == 3:
        blocks += [(HAVENS_ONLY, ~universe.safe_havens)]
        if not approved:
            blocks.append((MANUAL_REVIEW, universe.everything))
    if effective_level >= 1:
        blocks += [(NO_CRYPTO, universe.crypto), (CONFIDENCE, ~(signals.confidence >= minimum_confidence))]
    if cooling_off:
        blocks.append((COOL_OFF, _among(universe, cooling_off)))
    if universe.any_retired:
        blocks.append((RETIRED, universe.retired))
    blocks.append((NOT_TRADABLE, ~view.fresh))
    return blocks


def limited(
    universe: Universe,
    targets: FloatArray,
    held: FloatArray,
    blocks: Blocks,
    size: float,
    leverage_limit: float,
    short: float = 0.0,
) -> Limits:
    """Lower the target weights to what the rules allow; nothing is sold here that a target keeps.

    Parameters
    ----------
    targets, held
        Shape (n,): weights wanted and present.
    size
        Share of normal size that the re-entry ladder allows to be bought. A target that only keeps a holding would
        otherwise shrink by it every session.
    leverage_limit
        Largest sum of weights, short legs included.
    short
        What sleeves want short, as a share of net asset value.
    """
    ladder: FloatArray = targets if size == 1.0 else np.minimum(targets, np.maximum(targets * size, held))
    weights = ladder.copy()
    total = float(ladder.sum()) + short if leverage_limit < np.inf else 0.0
    if total > leverage_limit:
        weights *= leverage_limit / total
    blocked = blocks[0][1]
    for _, mask in blocks[1:]:
        blocked = blocked | mask
    may_increase = ~blocked
    np.minimum(weights, held, out=weights, where=blocked)
    if any(name == LIQUIDATION for name, _ in blocks):
        weights[:] = 0.0
    lowered = (weights < targets - DUST).nonzero()[0]
    clips = {}
    for i in lowered:
        grows = targets[i] > held[i] + DUST
        names = [name for name, mask in blocks if mask[i] and (grows or name == LIQUIDATION)]
        names += [LADDER] if ladder[i] < targets[i] - DUST else []
        names += [LADDER_LEVERAGE] if total > leverage_limit else []
        clips[universe.symbols[i]] = tuple(names)
    return Limits(weights, may_increase, clips)


def _among(universe: Universe, symbols: Collection[str]) -> BoolArray:
    mask = np.zeros(len(universe), dtype=np.bool_)
    for symbol in symbols:
        mask[universe.positions[symbol]] = True
    return mask
