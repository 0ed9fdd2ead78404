"""`RiskState` as arrays and back, for the step of `trading_lib.risk.step`; the compiled loop keeps the arrays."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import NamedTuple

import numpy as np

from trading_lib.domain.book.holdings import holdings_of
from trading_lib.domain.book.portfolio import Portfolio
from trading_lib.domain.decision.risk import UNLIMITED, RiskState
from trading_lib.domain.decision.signals import MarketRegime, RegimeReading
from trading_lib.domain.market.instruments import Universe
from trading_lib.domain.money import from_micros, to_micros
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
    UNREAD,
    RiskAssets,
    RiskHoldings,
    RiskMemory,
)
from trading_lib.risk.stops.stops import STATES

REGIMES = tuple(MarketRegime)


class Remembered(NamedTuple):
    """The state of single assets in a memory; see the fields of the same names in `RiskState`."""

    halved: frozenset[str]
    cooling_off: dict[str, int]
    ceilings: dict[str, Decimal]
    stop_state: dict[str, dict[str, float]]


def regime_label(reading: RegimeReading) -> str:
    """Regime as text, and whether it is assumed because ^VIX is missing or too old."""
    return f"{reading.regime.value}{' without ^VIX' if reading.abstained else ''}"


# Label in `RiskState` -> code as in `RiskMarket.regime`.
REGIME_CODES = {"": UNREAD} | {
    regime_label(RegimeReading(regime, float("nan"), -1, abstained)): 2 * place + abstained
    for place, regime in enumerate(REGIMES)
    for abstained in (False, True)
}
# Another version may have written a label that is unknown today.
FOREIGN = -2
REGIME_LABELS = {code: label for label, code in REGIME_CODES.items()}


def regime_number(label: str) -> int:
    """Code of a label of `RiskState.regime`."""
    return REGIME_CODES.get(label, FOREIGN)


def assets_of(universe: Universe) -> RiskAssets:
    """Collect the universe's arrays."""
    return RiskAssets(universe.crypto, universe.safe_havens, universe.retired, universe.stops, universe.lots)


def risk_holdings_of(portfolio: Portfolio, universe: Universe) -> RiskHoldings:
    """Return what a portfolio holds of the universe."""
    spot = holdings_of(portfolio, universe.symbols)
    hedged = np.zeros(len(universe), np.int64)
    if portfolio.perpetuals and universe.perpetuals is not None and universe.perpetuals.spot in universe.positions:
        hedged[universe.positions[universe.perpetuals.spot]] = to_micros(portfolio.hedged)
    return RiskHoldings(spot.quantity, hedged, spot.mark, spot.average_cost, float(portfolio.nav), portfolio.cash < 0)


def memory_of(state: RiskState, universe: Universe) -> RiskMemory:
    """Return a state as new arrays."""
    count = len(universe)
    memory = RiskMemory(
        np.empty(RECOVERY + 1, np.int64),
        np.empty(2),
        np.empty(count, np.bool_),
        np.empty(count, np.int64),
        np.empty(count, np.int64),
        np.empty((len(STATES), count)),
    )
    write_memory(state, universe, memory)
    return memory


def write_memory(state: RiskState, universe: Universe, memory: RiskMemory) -> None:
    """Overwrite ``memory``; assets that have left the universe are dropped."""
    at, counters = universe.positions, memory.counters
    counters[[LEVEL, EFFECTIVE, CALM, FLOOR]] = state.level, state.effective_level, state.calm_sessions, state.floor
    counters[REGIME] = regime_number(state.regime)
    counters[RECOVERY] = ABSENT if state.recovery_sessions is None else state.recovery_sessions
    memory.peaks[[PEAK, REFERENCE]] = state.peak, state.reference_peak
    memory.halved[:], memory.cooling[:], memory.ceilings[:], memory.stop_state[:] = False, ABSENT, UNLIMITED, np.nan
    for symbol in state.halved & at.keys():
        memory.halved[at[symbol]] = True
    for symbol in state.cooling_off.keys() & at.keys():
        memory.cooling[at[symbol]] = state.cooling_off[symbol]
    for symbol in state.ceilings.keys() & at.keys():
        memory.ceilings[at[symbol]] = to_micros(state.ceilings[symbol])
    for row, name in enumerate(STATES):
        values: Mapping[str, float] = state.stop_state.get(name, {})
        for symbol in values.keys() & at.keys():
            memory.stop_state[row, at[symbol]] = values[symbol]


def remembered(memory: RiskMemory, universe: Universe) -> Remembered:
    """Return the state of single assets in ``memory``."""
    symbols = universe.symbols
    states = {
        name: {symbols[i]: float(values[i]) for i in np.flatnonzero(np.isfinite(values)).tolist()}
        for name, values in zip(STATES, memory.stop_state, strict=True)
    }
    return Remembered(
        halved=frozenset(symbols[i] for i in np.flatnonzero(memory.halved).tolist()),
        cooling_off={symbols[i]: int(memory.cooling[i]) for i in np.flatnonzero(memory.cooling != ABSENT).tolist()},
        ceilings={
            symbols[i]: from_micros(int(memory.ceilings[i]))
            for i in np.flatnonzero(memory.ceilings != UNLIMITED).tolist()
        },
        stop_state={name: values for name, values in states.items() if values},
    )
