"""One session of risk control in numbers: level, floor, stops, cool-off, ceilings, what may be bought, how much of it.

`assess_risk` and the compiled loop call this one step. Rationale and events are made afterwards from its outcome.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from trading_lib.domain.decision.risk import UNLIMITED
from trading_lib.domain.kernels import compiled, inlined
from trading_lib.domain.market.prices import FloatArray
from trading_lib.risk.levels.drawdown_kernels import (
    UNCHANGED,
    floor_of,
    next_level,
    next_recovery,
    regime_changes,
    size_of,
)
from trading_lib.risk.limits.buy_restrictions import Blocks, allowed_weights, forbidden
from trading_lib.risk.limits.position_limit_kernels import level_ceilings
from trading_lib.risk.numbers import (
    ABSENT,
    CALM,
    EFFECTIVE,
    FLOOR,
    LEVEL,
    PEAK,
    RECOVERY,
    REFERENCE,
    REGIME,
    RiskAssets,
    RiskHoldings,
    RiskMarket,
    RiskMemory,
    RiskNumbers,
)
from trading_lib.risk.stops.stops import Stops, step_stops


class RiskOutcome(NamedTuple):
    """The outcome of a session's risk control; the rest is in the memory it has overwritten.

    Attributes
    ----------
    drawdown, approved, change
        See `next_level`.
    entered
        Whether the effective level is 2 or more and has just been raised.
    level_ceilings, causes
        Shape (n,): ceilings before the stops, and what set each.
    stops
        See `Stops`.
    minimum_confidence, size, leverage_limit
        What a buy needs, the share of normal size it may have, and the largest sum of weights.
    blocks, lowered
        Shape (n,): the rules that forbade buying, and what lowered each target, as bits of `limits.LOWERING`.
    weights
        Shape (n,): approved.
    eventful
        Whether level, floor or regime changed, or a stop fired.
    """

    drawdown: float
    approved: bool
    change: int
    entered: bool
    level_ceilings: NDArray[np.int64]
    causes: NDArray[np.int8]
    stops: Stops
    minimum_confidence: float
    size: float
    leverage_limit: float
    blocks: Blocks
    lowered: Blocks
    weights: FloatArray
    eventful: bool


@compiled
def minimum_confidence(effective: int, numbers: RiskNumbers) -> float:
    """Confidence that a buy needs at an effective level."""
    return numbers.level_1_confidence if effective >= 1 else 0.0


@inlined
def step_risk(
    memory: RiskMemory,
    holdings: RiskHoldings,
    market: RiskMarket,
    assets: RiskAssets,
    numbers: RiskNumbers,
    targets: FloatArray,
    held: FloatArray,
    short: float,
    approved: bool,
) -> RiskOutcome:
    """Take risk control through one session and overwrite ``memory``.

    Parameters
    ----------
    targets, held
        Shape (n,): weights wanted and present.
    short
        Short target of the sleeves, as a share of net asset value. approved
        Whether the session starts with an approval.
    """
    counters, peaks = memory.counters, memory.peaks
    level_before, effective_before = counters[LEVEL], counters[EFFECTIVE]
    level, drawdown, peak, reference, calm, approved_now, change = next_level(
        level_before,
        peaks[PEAK],
        peaks[REFERENCE],
        counters[CALM],
        approved,
        holdings.nav,
        market.volatility,
        numbers.level_bounds,
        numbers.rebase_margin,
        numbers.target_volatility,
        numbers.calm_sessions,
    )
    floor = floor_of(market.average_correlation, market.smallest_correlation, numbers.average_floor, numbers.pair_floor)
    effective = max(level, floor)
    stops = step_stops(memory, holdings, market.without_price, assets, numbers)
    recovery = next_recovery(
        level_before, level, counters[RECOVERY], numbers.recovery_sessions, numbers.recovery_sizes.shape[0]
    )
    entered = effective >= 2 and effective > effective_before
    cooling = memory.cooling != ABSENT
    ceilings, causes = level_ceilings(
        memory.ceilings,
        holdings.quantity,
        cooling,
        effective,
        entered,
        assets.crypto,
        assets.safe_havens,
        assets.lots,
        numbers.kept[effective],
    )
    for i in range(ceilings.shape[0]):
        left = stops.ceilings[i]
        memory.ceilings[i] = ceilings[i]
        if left != UNLIMITED and (ceilings[i] == UNLIMITED or left < ceilings[i]):
            memory.ceilings[i] = left
    minimum = minimum_confidence(effective, numbers)
    limit = np.inf if recovery == ABSENT else numbers.recovery_leverage
    size = size_of(recovery, numbers.recovery_sizes, numbers.recovery_sessions)
    blocks = forbidden(
        effective,
        approved_now,
        holdings.owes,
        minimum,
        market.confidence,
        assets.crypto,
        assets.safe_havens,
        cooling,
        assets.retired | market.without_price,
        market.fresh,
    )
    weights, lowered = allowed_weights(targets, held, blocks, size, limit, short)
    eventful = (
        change != UNCHANGED
        or floor != counters[FLOOR]
        or regime_changes(counters[REGIME], market.regime)
        or stops.stops.any()
    )
    counters[LEVEL], counters[EFFECTIVE], counters[CALM], counters[FLOOR] = level, effective, calm, floor
    counters[REGIME], counters[RECOVERY] = market.regime, recovery
    peaks[PEAK], peaks[REFERENCE] = peak, reference
    return RiskOutcome(
        drawdown,
        approved_now,
        change,
        entered,
        ceilings,
        causes,
        stops,
        minimum,
        size,
        limit,
        blocks,
        lowered,
        weights,
        bool(eventful),
    )


@compiled
def run_step(
    memory: RiskMemory,
    holdings: RiskHoldings,
    market: RiskMarket,
    assets: RiskAssets,
    numbers: RiskNumbers,
    targets: FloatArray,
    held: FloatArray,
    short: float,
    approved: bool,
) -> RiskOutcome:
    """`step_risk` for callers that are not compiled."""
    return step_risk(memory, holdings, market, assets, numbers, targets, held, short, approved)
