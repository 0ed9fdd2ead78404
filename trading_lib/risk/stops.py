"""Asset stops from average cost (technical design 3.4, 4.3.3; SPEC section 8)."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import date
from decimal import Decimal

from trading_lib.domain.instruments import Universe
from trading_lib.domain.money import from_micros, to_micros
from trading_lib.domain.portfolio import Portfolio
from trading_lib.domain.risk import RiskEvent, RiskState
from trading_lib.risk.ceiling_rules import stop_ceiling
from trading_lib.risk.config import RiskConfig
from trading_lib.risk.level_rules import EXIT, NO_STOP, REDUCE, loss_from_cost, stop_of


@dataclass(frozen=True, slots=True)
class StopStep:
    """What the stops of a session did; see the fields of the same names in `RiskState`."""

    ceilings: dict[str, Decimal]
    reasons: dict[str, str]
    halved: frozenset[str]
    cooling_off: dict[str, int]
    events: tuple[RiskEvent, ...]


def check_stops(
    state: RiskState,
    portfolio: Portfolio,
    universe: Universe,
    session: date,
    config: RiskConfig,
    retired: Collection[str] = (),
) -> StopStep:
    """Find positions whose loss from average cost exceeds a stop.

    A loss above ``stop_reduce`` halves the position once while it is held; above ``stop_exit`` it closes. Either
    way the asset is not bought again for the cool-off. What a perpetual hedges has no price to lose: the stops look at
    the average cost of the whole holding and close only the rest of it.

    Parameters
    ----------
    retired
        Symbols whose mark is too old to judge; their stops are checked again when a price returns.
    """
    # An asset may have left the universe since its stop.
    cooling = {s: left - 1 for s, left in state.cooling_off.items() if left > 1 and s in universe.positions}
    halved = state.halved & portfolio.positions.keys()
    ceilings: dict[str, Decimal] = {}
    reasons: dict[str, str] = {}
    events: list[RiskEvent] = []
    level = state.effective_level
    judged = {symbol: one for symbol, one in portfolio.positions.items() if symbol not in retired}
    losing = [symbol for symbol, position in judged.items() if portfolio.marks[symbol] < position.average_cost]
    # In universe order, whatever order a portfolio was stored in.
    for symbol in sorted(losing, key=universe.positions.__getitem__):
        position = portfolio.positions[symbol]
        hedged = portfolio.hedged if portfolio.perpetuals and _is_hedged(symbol, universe) else Decimal(0)
        loss = loss_from_cost(to_micros(portfolio.marks[symbol]), float(position.average_cost))
        if position.quantity <= hedged:
            continue
        instrument, (reduce_at, exit_at) = universe[symbol], universe.stops[universe.positions[symbol]].tolist()
        stop = stop_of(loss, reduce_at, exit_at, symbol in halved)
        if stop == NO_STOP:
            continue
        kind, limit = ("stop_exit", exit_at) if stop == EXIT else ("stop_reduce", reduce_at)
        left = stop_ceiling(to_micros(position.quantity - hedged), stop, to_micros(instrument.lot_size))
        ceiling = hedged + from_micros(left)
        halved |= {symbol} if stop == REDUCE else frozenset()
        reason = f"{symbol} lost {loss:.1%} from its average cost {position.average_cost:.2f}, more than {limit:.0%}"
        ceilings[symbol] = ceiling
        reasons[symbol] = reason
        cooling[symbol] = config.stops.cool_off_sessions
        action = "EXIT" if kind == "stop_exit" else "REDUCE_50%"
        events.append(RiskEvent(session, kind, symbol, level, level, reason, (action,)))
    return StopStep(ceilings, reasons, frozenset(halved), cooling, tuple(events))


def _is_hedged(symbol: str, universe: Universe) -> bool:
    return universe.perpetuals is not None and universe.perpetuals.spot == symbol
