"""The inputs and the state of one session of risk control, as arrays: rules, holdings, market, memory; n assets.

The step over them is `trading_lib.risk.step`; `trading_lib.risk.memory` turns a `RiskState` into them and back.
"""

from __future__ import annotations

from typing import NamedTuple

from trading_lib.domain.market.prices import BoolArray, FloatArray, IntegerArray

# Positions in the counters, and in the peaks.
LEVEL, EFFECTIVE, CALM, FLOOR, REGIME, RECOVERY = range(6)
PEAK, REFERENCE = range(2)
# No regime read yet, an asset that is not cooling off, no re-entry in progress.
UNREAD = ABSENT = -1


class RiskNumbers(NamedTuple):
    """The configuration.

    Attributes
    ----------
    kept
        Shape (5,): share of a position that entering levels 0 to 4 leaves, in millionths.
    stop_numbers
        Parameters of the stop rules beside the universe's bounds; see `StopConfig.numbers`.
    recovery_sizes
        Shape (steps,): shares of normal size on the re-entry ladder.
    """

    level_bounds: FloatArray
    rebase_margin: float
    target_volatility: float
    calm_sessions: int
    average_floor: float
    pair_floor: float
    level_1_confidence: float
    kept: IntegerArray
    cool_off: int
    stop_numbers: FloatArray
    recovery_sizes: FloatArray
    recovery_sessions: int
    recovery_leverage: float


class RiskAssets(NamedTuple):
    """Arrays of the universe, shape (n,); stops have shape (n, 2)."""

    crypto: BoolArray
    safe_havens: BoolArray
    retired: BoolArray
    stops: FloatArray
    lots: IntegerArray


class RiskHoldings(NamedTuple):
    """Holdings after settlement.

    Attributes
    ----------
    quantity, hedged
        Shape (n,), millionths of a unit: all that is held, and what of it a perpetual hedges.
    mark
        Shape (n,), millionths of a dollar.
    average_cost
        Shape (n,), dollars per unit.
    nav
        Dollars.
    owes
        Whether cash is below zero.
    """

    quantity: IntegerArray
    hedged: IntegerArray
    mark: IntegerArray
    average_cost: FloatArray
    nav: float
    owes: bool


class RiskMarket(NamedTuple):
    """Market data of the session as risk control reads it.

    Attributes
    ----------
    volatility
        Annualised, of the model portfolio; NaN is not calm.
    average_correlation, smallest_correlation
        Over all pairs; NaN where unknown.
    regime
        Twice the regime's code, plus 1 where ^VIX had to be assumed.
    confidence
        Shape (n,): of the signals.
    fresh, without_price
        Shape (n,): whether there is a new bar, and whether there has been none for so long that the asset is retired.
    """

    volatility: float
    average_correlation: float
    smallest_correlation: float
    regime: int
    confidence: FloatArray
    fresh: BoolArray
    without_price: BoolArray


class RiskMemory(NamedTuple):
    """`RiskState` in arrays; a step overwrites it.

    Attributes
    ----------
    counters
        See `LEVEL` and its neighbours; a longer array may hold more.
    peaks
        Shape (2,), dollars.
    halved, cooling, ceilings
        Shape (n,): sessions left, `ABSENT` where none; millionths of a unit, `UNLIMITED` where none.
    stop_state
        Shape (rules with a state, n): a number per asset and rule while it is held, NaN otherwise; see `risk.stops`.
    """

    counters: IntegerArray
    peaks: FloatArray
    halved: BoolArray
    cooling: IntegerArray
    ceilings: IntegerArray
    stop_state: FloatArray
