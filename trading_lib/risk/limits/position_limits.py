"""Largest quantities that may be held: limits by level entries, stops, retirement and negative cash.

Input: the portfolio, the session's level and stops, yesterday's ceilings. Output: `CeilingStep`; risk orders sell what
is above it. Ceilings never concern what is not held, so nothing here can lead to a purchase.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import date
from decimal import Decimal

import numpy as np

from trading_lib.domain.book.portfolio import Portfolio, Position
from trading_lib.domain.decision.risk import RiskEvent, RiskState
from trading_lib.domain.market.instruments import Universe
from trading_lib.domain.money import from_micros, whole_lots
from trading_lib.risk.levels.levels import LEVEL_ACTIONS
from trading_lib.risk.limits.position_limit_kernels import LEVEL_ENTRY
from trading_lib.risk.step import RiskOutcome
from trading_lib.risk.stops.stops import StopStep


@dataclass
class CeilingStep:
    """Symbol -> largest quantity that may remain, the reason, and events; the lowest ceiling counts."""

    ceilings: dict[str, Decimal]
    reasons: dict[str, str]
    events: list[RiskEvent]

    def lower(self, symbol: str, ceiling: Decimal, reason: str) -> None:
        """Set a ceiling unless a lower one stands."""
        if symbol not in self.ceilings or ceiling <= self.ceilings[symbol]:
            self.ceilings[symbol] = ceiling
            self.reasons[symbol] = reason


def find_ceilings(
    state: RiskState,
    outcome: RiskOutcome,
    stops: StopStep,
    effective_level: int,
    portfolio: Portfolio,
    universe: Universe,
    session: date,
    retired: Collection[str] = (),
) -> CeilingStep:
    """Collect the ceilings of a session; what is ``retired`` for want of a price can give no cash."""
    step = CeilingStep({}, {}, [])
    _by_level(step, state, outcome, effective_level, portfolio, universe, session)
    if universe.any_retired:
        _retire(step, state, effective_level, portfolio, universe, session)
    for account, cash in portfolio.cash_by_account().items():
        if cash < 0:
            mine = {s: p for s, p in portfolio.positions.items() if universe.account_of(s) in (account, "")}
            _restore_cash(step, effective_level, portfolio, cash, mine, universe, session, retired)
    for symbol, ceiling in stops.ceilings.items():
        step.lower(symbol, ceiling, stops.reasons[symbol])
    return step


def _by_level(
    step: CeilingStep,
    state: RiskState,
    outcome: RiskOutcome,
    effective_level: int,
    portfolio: Portfolio,
    universe: Universe,
    session: date,
) -> None:
    """Report what earlier reductions still demand, and what entering a level does."""
    actions, entered = LEVEL_ACTIONS.get(effective_level, ()), outcome.entered
    reason = f"risk level {effective_level} {'was entered' if entered else 'is in force'} ({', '.join(actions)})"
    for i in np.flatnonzero(outcome.causes).tolist():
        why = reason if outcome.causes[i] == LEVEL_ENTRY else "an earlier reduction is still in force"
        step.lower(universe.symbols[i], from_micros(int(outcome.level_ceilings[i])), why)
    if entered and portfolio.positions:
        step.events.append(RiskEvent(session, "reduction", "", state.effective_level, effective_level, reason, actions))


def _retire(
    step: CeilingStep, state: RiskState, level: int, portfolio: Portfolio, universe: Universe, session: date
) -> None:
    """Close what has left the universe; without a price the order cannot fill and is decided again."""
    for symbol in portfolio.positions:
        if universe[symbol].retired:
            reason = f"{symbol} is retired from the universe and is closed"
            step.lower(symbol, Decimal(0), reason)
            if symbol not in state.ceilings:
                step.events.append(RiskEvent(session, "retired", symbol, level, level, reason, ("EXIT",)))


def _restore_cash(
    step: CeilingStep,
    level: int,
    portfolio: Portfolio,
    cash: Decimal,
    positions: Mapping[str, Position],
    universe: Universe,
    session: date,
    retired: Collection[str],
) -> None:
    """Sell the same share of every priced position, enough to repay negative cash after costs at the last marks.

    Parameters
    ----------
    cash, positions
        Of the account that owes; of the book where it has one.
    """
    sellable = {symbol: position for symbol, position in positions.items() if symbol not in retired}
    proceeds = sum(
        (
            position.quantity
            * portfolio.marks[symbol]
            * (1 - universe[symbol].commission_rate - universe[symbol].slippage_rate)
            for symbol, position in sellable.items()
        ),
        Decimal(0),
    )
    if proceeds <= 0:
        return
    share = min(Decimal(1), -cash / proceeds)
    reason = f"cash is negative ({cash:.2f}): every position gives {share:.1%} to restore it"
    for symbol, position in sellable.items():
        step.lower(symbol, whole_lots(position.quantity * (1 - share), universe[symbol].lot_size), reason)
    step.events.append(RiskEvent(session, "cash", "", level, level, reason, ("REDUCE",)))
