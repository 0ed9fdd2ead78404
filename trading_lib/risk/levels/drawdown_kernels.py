"""Kernels of drawdown levels, correlation floors and stops (docs/specification.md#risk-control).

`levels` and `stops` turn their results into states, events and reasons.
"""

from __future__ import annotations

import numpy as np

from trading_lib.domain.book.approvals import REVIEW_LEVEL
from trading_lib.domain.kernels import compiled
from trading_lib.domain.market.prices import FloatArray
from trading_lib.domain.money import MICRO
from trading_lib.risk.numbers import ABSENT, UNREAD

# Net asset values are cents, so a drawdown of exactly 8 % may come out as 0.07999999999999996.
TOLERANCE = 1e-9
# How a level changed.
UNCHANGED, RAISED, LOWERED_AT_PEAK, LOWERED_CALM = range(4)
# What a stop does.
NO_STOP, REDUCE, EXIT = range(3)


@compiled
def triggered_by(drawdown: float, bounds: FloatArray) -> int:
    """Highest level whose drawdown is reached (>=)."""
    level = 0
    for bound in bounds:
        if drawdown >= bound - TOLERANCE:
            level += 1
    return level


@compiled
def _moved(
    level: int,
    peak: float,
    reference: float,
    calm: int,
    approved: bool,
    nav: float,
    volatility: float,
    bounds: FloatArray,
    rebase_margin: float,
    target_volatility: float,
    calm_needed: int,
) -> tuple[int, float, float, float, int, bool, int]:
    peak = max(peak, nav)
    reference = max(reference, nav)
    drawdown = 1.0 - nav / reference if nav > 0.0 else 1.0
    calm = calm + 1 if volatility < target_volatility else 0
    triggered = triggered_by(drawdown, bounds)
    if triggered > level:
        # A fresh breach is a fresh question: nobody has approved what comes after it.
        return triggered, drawdown, peak, reference, 0, False, RAISED
    if 0 < level < 4 and nav >= reference:
        return 0, 0.0, peak, reference, calm, approved, LOWERED_AT_PEAK
    if level > 0 and calm >= calm_needed and (level < 4 or approved):
        level -= 1
        reference = min(reference, nav / (1.0 - (bounds[level] - rebase_margin)))
        return level, max(0.0, 1.0 - nav / reference), peak, reference, 0, approved, LOWERED_CALM
    return level, drawdown, peak, reference, calm, approved, UNCHANGED


@compiled
def next_level(
    level: int,
    peak: float,
    reference: float,
    calm: int,
    approved: bool,
    nav: float,
    volatility: float,
    bounds: FloatArray,
    rebase_margin: float,
    target_volatility: float,
    calm_needed: int,
) -> tuple[int, float, float, float, int, bool, int]:
    """Move the level by one session: level, drawdown, peak, reference peak, calm sessions, approved, how it changed.

    Parameters
    ----------
    level, peak, reference, calm, approved
        After the session before; see `RiskState`. An approval is forgotten below `REVIEW_LEVEL`.
    volatility
        Annualised volatility of the model portfolio; NaN is not calm.
    bounds
        Shape (4,): drawdowns that trigger levels 1 to 4.
    """
    after, drawdown, peak, reference, calm, approved, change = _moved(
        level, peak, reference, calm, approved, nav, volatility, bounds, rebase_margin, target_volatility, calm_needed
    )
    return after, drawdown, peak, reference, calm, approved and after >= REVIEW_LEVEL, change


@compiled
def next_recovery(before: int, level: int, spent: int, sessions_per_step: int, steps: int) -> int:
    """Sessions spent on the re-entry ladder, `ABSENT` outside recovery.

    The ladder begins when level 4 is left, counts the sessions at drawdown level 0 or 1, restarts on a fresh breach and
    ends at full size. A correlation floor does not stop the count: the crash that led to level 4 stays in the 60
    sessions of the correlations for 60 sessions, and 12 weeks must be enough to come back
    (docs/specification.md#recovery).

    Parameters
    ----------
    before, level
        Drawdown levels of the session before and of this one.
    """
    if level == 4:
        return ABSENT
    if before == 4:
        return 0
    if spent == ABSENT:
        return ABSENT
    if level > before:
        return 0
    spent += 1 if level <= 1 else 0
    return ABSENT if spent >= (steps - 1) * sessions_per_step else spent


@compiled
def size_of(spent: int, sizes: FloatArray, sessions_per_step: int) -> float:
    """Share of normal size after so many sessions on the re-entry ladder."""
    if spent == ABSENT:
        return 1.0
    return float(sizes[min(spent // sessions_per_step, sizes.shape[0] - 1)])


@compiled
def regime_changes(before: int, regime: int) -> bool:
    """Whether to report the regime: it differs from the previous one, or the first had to be assumed."""
    return regime != before and (before != UNREAD or regime % 2 != 0)


@compiled
def floor_of(average: float, smallest: float, average_bound: float, pair_bound: float) -> int:
    """Lowest level that correlations allow; NaN (too little history) means no floor."""
    if np.isfinite(smallest) and smallest > pair_bound:
        return 2
    if np.isfinite(average) and average > average_bound:
        return 1
    return 0


@compiled
def loss_from_cost(mark: int, average_cost: float) -> float:
    """Loss as a fraction of the average cost; ``mark`` is in millionths of a dollar."""
    # Rounded, because floats make 18.000000000000004 % out of a loss of exactly 18 %, which is no breach.
    return float(np.rint((1.0 - mark / MICRO / average_cost) * 1e12) / 1e12) if average_cost > 0.0 else 0.0


@compiled
def stop_of(loss: float, reduce_at: float, exit_at: float, halved: bool) -> int:
    """Which stop a loss sets off; a position is halved only once."""
    if loss > exit_at:
        return EXIT
    if loss > reduce_at and not halved:
        return REDUCE
    return NO_STOP
