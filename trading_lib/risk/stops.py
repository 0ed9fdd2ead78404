"""Asset stops from average cost (technical design 3.4, 4.3.3; SPEC section 8)."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from decimal import Decimal

from trading_lib.domain.instruments import Universe
from trading_lib.domain.lots import whole_lots
from trading_lib.domain.portfolio import Portfolio
from trading_lib.domain.risk import RiskEvent, RiskState
from trading_lib.risk.config import RiskConfig


@dataclass(frozen=True, slots=True)
class StopStep:
    """What the stops of a session did; see the fields of the same names in `RiskState`."""

    ceilings: dict[str, Decimal]
    reasons: dict[str, str]
    halved: frozenset[str]
    cooling_off: dict[str, int]
    events: tuple[RiskEvent, ...]


def check_stops(
    state: RiskState, portfolio: Portfolio, universe: Universe, session: date, config: RiskConfig
) -> StopStep:
    """Find positions whose loss from average cost exceeds a stop.

    A loss above ``stop_reduce`` halves the position once while it is held; above ``stop_exit`` it closes. Either
    way the asset is not bought again for the cool-off. What a perpetual hedges has no price to lose: the stops look at
    the average cost of the whole holding and close only the rest of it.
    """
    # An asset may have left the universe since its stop.
    cooling = {s: left - 1 for s, left in state.cooling_off.items() if left > 1 and s in universe.positions}
    halved = state.halved & portfolio.positions.keys()
    ceilings: dict[str, Decimal] = {}
    reasons: dict[str, str] = {}
    events: list[RiskEvent] = []
    level = state.effective_level
    for symbol, position in portfolio.positions.items():
        hedged = portfolio.hedged if portfolio.perpetuals and _is_hedged(symbol, universe) else Decimal(0)
        if portfolio.marks[symbol] >= position.average_cost or position.quantity <= hedged:
            continue
        instrument = universe[symbol]
        # Rounded, because floats make 18.000000000000004 % out of a loss of exactly 18 %, which is no breach.
        loss = round(1.0 - float(portfolio.marks[symbol] / position.average_cost), 12)
        if loss > instrument.stop_exit:
            kind, ceiling, limit = "stop_exit", hedged, instrument.stop_exit
        elif instrument.stop_reduce is not None and loss > instrument.stop_reduce and symbol not in halved:
            kind, limit = "stop_reduce", instrument.stop_reduce
            ceiling = hedged + whole_lots((position.quantity - hedged) / 2, instrument.lot_size)
            halved |= {symbol}
        else:
            continue
        reason = f"{symbol} lost {loss:.1%} from its average cost {position.average_cost:.2f}, more than {limit:.0%}"
        ceilings[symbol] = ceiling
        reasons[symbol] = reason
        cooling[symbol] = config.stops.cool_off_sessions
        action = "EXIT" if kind == "stop_exit" else "REDUCE_50%"
        events.append(RiskEvent(session, kind, symbol, level, level, reason, (action,)))
    return StopStep(ceilings, reasons, frozenset(halved), cooling, tuple(events))


def _is_hedged(symbol: str, universe: Universe) -> bool:
    return universe.perpetuals is not None and universe.perpetuals.spot == symbol
