"""Asset stops (docs/specification.md#asset-stops): the list of stop rules, and one step over all assets.

A stop rule is a module with a kernel and its reason text. It may keep a number per asset while that is held, e.g. a
peak: its name in `RULES` is then a row of ``stop_state``, which states, stores and the compiled loop carry for it.
tests/extensions/stop_rule.patch adds one.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from trading_lib.domain.book.portfolio import Portfolio, Position
from trading_lib.domain.decision.risk import UNLIMITED, RiskEvent
from trading_lib.domain.kernels import compiled
from trading_lib.domain.market.instruments import Universe
from trading_lib.domain.market.prices import BoolArray, FloatArray, IntegerArray
from trading_lib.domain.money import from_micros
from trading_lib.risk.levels.drawdown_kernels import EXIT, NO_STOP, REDUCE
from trading_lib.risk.limits.position_limit_kernels import stop_ceiling
from trading_lib.risk.numbers import ABSENT, RiskAssets, RiskHoldings, RiskMemory, RiskNumbers
from trading_lib.risk.stops.average_cost_stop import average_cost_stop, describe


class StopRule(NamedTuple):
    """A stop rule beside its kernel.

    Attributes
    ----------
    describe
        Symbol, position, how far its price moved and the bound of that -> why it is stopped.
    state
        Name of the number it remembers per asset, "" for none.
    """

    describe: Callable[[str, Position, float, float], str]
    state: str = ""


# The rules, by the number that `sharpest_stop` returns.
AVERAGE_COST = 0
RULES = (StopRule(describe),)
# Rows of `RiskMemory.stop_state`.
STATES = tuple(rule.state for rule in RULES if rule.state)


@compiled
def sharpest_stop(
    i: int, memory: RiskMemory, holdings: RiskHoldings, assets: RiskAssets, numbers: RiskNumbers
) -> tuple[int, int, float, float]:
    """Of one held asset: the rule, what it does, how far the price moved and the bound of that."""
    halved = memory.halved[i]
    stop, loss, bound = average_cost_stop(holdings.mark[i], holdings.average_cost[i], assets.stops[i], halved)
    return AVERAGE_COST, stop, loss, bound


class Stops(NamedTuple):
    """The outcome of a session's stops, shapes (n,).

    Attributes
    ----------
    stops, rules
        `NO_STOP`, `REDUCE` or `EXIT`, and the place of the rule in `RULES`.
    moves, bounds
        What the rule compared, as fractions.
    ceilings
        What may remain, in millionths of a unit, `UNLIMITED` where nothing was stopped.
    """

    stops: NDArray[np.int8]
    rules: NDArray[np.int8]
    moves: FloatArray
    bounds: FloatArray
    ceilings: IntegerArray


@compiled
def step_stops(
    memory: RiskMemory, holdings: RiskHoldings, without_price: BoolArray, assets: RiskAssets, numbers: RiskNumbers
) -> Stops:
    """Count the cool-offs down and check every position; ``memory`` is overwritten.

    Hedged units carry no price risk: the stops judge the whole holding and close only its unhedged part. An asset whose
    price is too old is checked again when a price returns.
    """
    count = holdings.quantity.shape[0]
    stops = Stops(
        np.zeros(count, np.int8),
        np.zeros(count, np.int8),
        np.zeros(count),
        np.zeros(count),
        np.full(count, UNLIMITED, np.int64),
    )
    for i in range(count):
        if memory.cooling[i] != ABSENT:
            memory.cooling[i] = memory.cooling[i] - 1 if memory.cooling[i] > 1 else ABSENT
        free = holdings.quantity[i] - holdings.hedged[i]
        if holdings.quantity[i] == 0:
            memory.halved[i] = False
            memory.stop_state[:, i] = np.nan
        if holdings.quantity[i] == 0 or free <= 0 or without_price[i]:
            continue
        rule, stop, move, bound = sharpest_stop(i, memory, holdings, assets, numbers)
        if stop == NO_STOP:
            continue
        memory.cooling[i] = numbers.cool_off
        if stop == REDUCE:
            memory.halved[i] = True
        stops.stops[i], stops.rules[i], stops.moves[i], stops.bounds[i] = stop, rule, move, bound
        stops.ceilings[i] = holdings.hedged[i] + stop_ceiling(free, stop, assets.lots[i])
    return stops


@dataclass(frozen=True, slots=True)
class StopStep:
    """The outcome of a session's stops with reasons and events; see the fields of the same names in `RiskState`."""

    ceilings: dict[str, Decimal]
    reasons: dict[str, str]
    events: tuple[RiskEvent, ...]
    halved: frozenset[str] = frozenset()
    cooling_off: Mapping[str, int] = field(default_factory=dict)
    stop_state: Mapping[str, Mapping[str, float]] = field(default_factory=dict)


def stop_step(stops: Stops, portfolio: Portfolio, universe: Universe, session: date, level: int) -> StopStep:
    """Return the stops with reasons and events; ``level`` is the one that was in force."""
    ceilings: dict[str, Decimal] = {}
    reasons: dict[str, str] = {}
    events = []
    for i in np.flatnonzero(stops.stops).tolist():
        symbol = universe.symbols[i]
        moved, bound = float(stops.moves[i]), float(stops.bounds[i])
        reason = RULES[stops.rules[i]].describe(symbol, portfolio.positions[symbol], moved, bound)
        ceilings[symbol], reasons[symbol] = from_micros(int(stops.ceilings[i])), reason
        kind, action = ("stop_exit", "EXIT") if stops.stops[i] == EXIT else ("stop_reduce", "REDUCE_50%")
        events.append(RiskEvent(session, kind, symbol, level, level, reason, (action,)))
    return StopStep(ceilings, reasons, tuple(events))
