"""The risk manager of one session: level, floor, stops, approved weights and ceilings.

Input: view, signals, target weights, portfolio, yesterday's `RiskState`. Output: `RiskAssessment`.
"""

from __future__ import annotations

from datetime import date
from decimal import Decimal

import numpy as np

from trading_lib.domain.correlation import summarise_correlations
from trading_lib.domain.instruments import Universe
from trading_lib.domain.lots import whole_lots
from trading_lib.domain.market_view import MarketView
from trading_lib.domain.portfolio import Portfolio
from trading_lib.domain.prices import BoolArray, FloatArray
from trading_lib.domain.risk import RiskAssessment, RiskEvent, RiskState
from trading_lib.domain.signals import SignalPanel
from trading_lib.domain.volatility import portfolio_volatility
from trading_lib.domain.weights import TargetWeights
from trading_lib.risk.config import RiskConfig
from trading_lib.risk.levels import (
    LEVEL_ACTIONS,
    LevelStep,
    advance_level,
    advance_recovery,
    correlation_floor,
    recovery_size,
)
from trading_lib.risk.stops import StopStep, check_stops


def assess_risk(
    view: MarketView,
    signals: SignalPanel,
    targets: TargetWeights,
    held_weights: FloatArray,
    portfolio: Portfolio,
    state: RiskState,
    config: RiskConfig,
) -> RiskAssessment:
    """Apply risk control to the target weights of one session.

    Parameters
    ----------
    held_weights
        Shape (n,): the present weights; nothing that may not be increased rises above them.
    """
    universe, session, nav = view.universe, view.session, float(portfolio.nav)
    model_volatility = portfolio_volatility(view.mark_returns, targets.weights, config.volatility_window)
    step = advance_level(state, session, nav, model_volatility, config)
    average, largest, smallest = summarise_correlations(targets.correlations)
    floor, floor_reason = correlation_floor(average, smallest, config)
    effective = max(step.level, floor)
    stops = check_stops(state, portfolio, universe, session, config)
    recovery = advance_recovery(state, step, effective, config)
    ceilings, reasons, reduction = _ceilings(state, stops, effective, portfolio, view, config)
    minimum = config.levels.level_1_minimum_confidence if effective >= 1 else 0.0
    may_increase = _may_increase(view, signals, effective, minimum, stops.cooling_off)
    size = recovery_size(recovery, config)
    limit = config.recovery.max_leverage if recovery is not None else np.inf
    weights = _ladder_weights(targets.weights, held_weights, size, limit)
    np.minimum(weights, held_weights, out=weights, where=~may_increase)
    if effective == 4:
        weights[:] = 0.0
    events = (
        *step.events,
        *_floor_event(state, step, floor, effective, floor_reason, session),
        *reduction,
        *stops.events,
        *_recovery_event(state, recovery, size, session, effective),
    )
    return RiskAssessment(
        level=step.level,
        floor=floor,
        effective_level=effective,
        drawdown=step.drawdown,
        model_volatility=model_volatility,
        average_correlation=average,
        largest_correlation=largest,
        weights=weights,
        may_increase=may_increase,
        ceilings=_ceiling_array(ceilings, universe),
        ceiling_reasons=reasons,
        minimum_confidence=minimum,
        leverage_limit=limit,
        next_state=RiskState(
            session=session,
            level=step.level,
            effective_level=effective,
            peak=step.peak,
            reference_peak=step.reference_peak,
            calm_sessions=step.calm_sessions,
            awaiting_approval=step.awaiting_approval,
            approved=step.approved,
            ceilings=ceilings,
            halved=stops.halved,
            cooling_off=stops.cooling_off,
            recovery_sessions=recovery,
        ),
        events=events,
    )


def _ladder_weights(targets: FloatArray, held: FloatArray, size: float, leverage_limit: float) -> FloatArray:
    """Weights the re-entry ladder allows: it limits what is bought and sells nothing that is held.

    A target that only keeps a holding (HOLD) would otherwise shrink by the ladder's factor every session.
    """
    weights: FloatArray = np.minimum(targets, np.maximum(targets * size, held))
    total = float(weights.sum())
    if total > leverage_limit:
        weights *= leverage_limit / total
    return weights


def _may_increase(
    view: MarketView, signals: SignalPanel, effective: int, minimum_confidence: float, cooling_off: dict[str, int]
) -> BoolArray:
    universe = view.universe
    if effective in (2, 4):
        return np.zeros(len(universe), dtype=np.bool_)
    allowed = view.fresh.copy()
    if effective >= 1:
        allowed &= ~universe.crypto
        allowed &= signals.confidence >= minimum_confidence
    if effective == 3:
        allowed &= universe.safe_havens
    for symbol in cooling_off:
        allowed[universe.positions[symbol]] = False
    return allowed


def _ceilings(
    state: RiskState,
    stops: StopStep,
    effective: int,
    portfolio: Portfolio,
    view: MarketView,
    config: RiskConfig,
) -> tuple[dict[str, Decimal], dict[str, str], tuple[RiskEvent, ...]]:
    """Quantities that may remain: what earlier actions left, this session's level entry and stops."""
    universe, session = view.universe, view.session
    ceilings: dict[str, Decimal] = {}
    reasons: dict[str, str] = {}
    events: tuple[RiskEvent, ...] = ()
    if state.ceilings:
        for symbol, ceiling in state.ceilings.items():
            position = portfolio.positions.get(symbol)
            # Once sold down to, a ceiling has done its work: a haven bought later at level 3 is not above it.
            if position is None or position.quantity <= ceiling:
                continue
            # A level's ceiling holds while level 2 or more is in force, a stop's while the asset cools off.
            if effective >= 2 or symbol in stops.cooling_off:
                ceilings[symbol] = ceiling
                reasons[symbol] = "an earlier reduction is still in force"
    entered = effective >= 2 and effective > state.effective_level
    if entered or effective == 4:
        verb = "was entered" if entered else "is in force"
        reason = f"risk level {effective} {verb} ({', '.join(LEVEL_ACTIONS[effective])})"
        for symbol, position in portfolio.positions.items():
            remaining = _remaining(symbol, position.quantity, effective, universe, config)
            if remaining < position.quantity:
                ceilings[symbol] = min(remaining, ceilings.get(symbol, remaining))
                reasons[symbol] = reason
        if entered and portfolio.positions:
            actions = LEVEL_ACTIONS[effective]
            events = (RiskEvent(session, "reduction", "", state.effective_level, effective, reason, actions),)
    for symbol, ceiling in stops.ceilings.items():
        ceilings[symbol] = min(ceiling, ceilings.get(symbol, ceiling))
        reasons[symbol] = stops.reasons[symbol]
    return ceilings, reasons, events


def _remaining(symbol: str, quantity: Decimal, level: int, universe: Universe, config: RiskConfig) -> Decimal:
    """Quantity a level's entry leaves: havens are spared at level 3, coins are closed from level 2 on."""
    at = universe.positions[symbol]
    if level == 4 or universe.crypto[at]:
        return Decimal(0)
    if level == 3 and universe.safe_havens[at]:
        return quantity
    keep = 1 - Decimal(str(config.levels.reductions[level - 1]))
    return whole_lots(quantity * keep, universe.instruments[at].lot_size)


def _floor_event(
    state: RiskState, step: LevelStep, floor: int, effective: int, reason: str, session: date
) -> tuple[RiskEvent, ...]:
    if floor > step.level and effective > state.effective_level:
        return (RiskEvent(session, "floor", "", state.effective_level, effective, reason, LEVEL_ACTIONS[floor]),)
    if not step.events and effective < state.effective_level:
        text = "the correlation floor no longer applies"
        return (RiskEvent(session, "floor", "", state.effective_level, effective, text),)
    return ()


def _recovery_event(
    state: RiskState, recovery: int | None, size: float, session: date, effective: int
) -> tuple[RiskEvent, ...]:
    if recovery == state.recovery_sessions:
        return ()
    if recovery is None and state.recovery_sessions is not None and effective < 4:
        return (RiskEvent(session, "recovery", "", effective, effective, "the re-entry ladder reached full size"),)
    if recovery == 0:
        text = f"re-entry begins at {size:.0%} of normal size"
        return (RiskEvent(session, "recovery", "", effective, effective, text),)
    return ()


def _ceiling_array(ceilings: dict[str, Decimal], universe: Universe) -> FloatArray:
    array = np.full(len(universe), np.inf)
    for symbol, ceiling in ceilings.items():
        array[universe.positions[symbol]] = float(ceiling)
    return array
