"""Largest quantities after level entries and stops, as kernels; `position_limits` and `stops` add the reasons.

Quantities are in millionths of a unit, ceilings likewise, `UNLIMITED` where there is none.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from trading_lib.domain.decision.risk import UNLIMITED
from trading_lib.domain.kernels import compiled
from trading_lib.domain.market.prices import BoolArray, IntegerArray
from trading_lib.domain.money import MICRO
from trading_lib.risk.levels.drawdown_kernels import EXIT

# What set a ceiling.
NOTHING, EARLIER, LEVEL_ENTRY = range(3)


@compiled
def level_ceilings(
    earlier: IntegerArray,
    quantity: IntegerArray,
    cooling: BoolArray,
    level: int,
    entered: bool,
    crypto: BoolArray,
    havens: BoolArray,
    lots: IntegerArray,
    keep: int,
) -> tuple[IntegerArray, NDArray[np.int8]]:
    """Ceilings of a session before its stops, and what set each.

    Parameters
    ----------
    earlier
        Shape (n,): yesterday's. A level's holds while level 2 or more is in force, a stop's while the asset cools
        off; once sold down to, it has done its work: a haven bought later at level 3 is not above it.
    level, entered
        Effective level, and whether it is 2 or more and has just been raised.
    keep
        Share of a position that entering the level leaves, in millionths.
    """
    assets = quantity.shape[0]
    ceilings = np.full(assets, UNLIMITED, np.int64)
    causes = np.zeros(assets, np.int8)
    for i in range(assets):
        if quantity[i] <= 0:
            continue
        if earlier[i] != UNLIMITED and quantity[i] > earlier[i] and (level >= 2 or cooling[i]):
            ceilings[i], causes[i] = earlier[i], EARLIER
        if entered or level == 4:
            left = _left_by_entry(quantity[i], level, crypto[i], havens[i], lots[i], keep)
            if left < quantity[i] and (ceilings[i] == UNLIMITED or left <= ceilings[i]):
                ceilings[i], causes[i] = left, LEVEL_ENTRY
    return ceilings, causes


@compiled
def _left_by_entry(quantity: int, level: int, crypto: bool, haven: bool, lot: int, keep: int) -> int:
    """Quantity left by a level's entry: safe havens are spared at level 3, crypto is closed from level 2 on."""
    if level == 4 or crypto:
        return 0
    if level == 3 and haven:
        return quantity
    return (quantity // MICRO * keep + quantity % MICRO * keep // MICRO) // lot * lot


@compiled
def half_of(quantity: int, lot: int) -> int:
    """Half a position, rounded down to whole lots."""
    return quantity // 2 // lot * lot


@compiled
def stop_ceiling(quantity: int, stop: int, lot: int) -> int:
    """Return what a stop leaves of a position that nothing hedges."""
    return 0 if stop == EXIT else half_of(quantity, lot)
