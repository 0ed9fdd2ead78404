"""The risk manager of one session: level, floor, stops, approved weights and ceilings.

Input: view, regime, signals, target weights, portfolio, yesterday's `RiskState`. Output: `RiskAssessment`.
"""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal

import numpy as np

from trading_lib.domain.correlation import summarise_correlations
from trading_lib.domain.instruments import Universe
from trading_lib.domain.market_view import MarketView
from trading_lib.domain.portfolio import Portfolio
from trading_lib.domain.prices import BoolArray, FloatArray
from trading_lib.domain.risk import RiskAssessment, RiskState
from trading_lib.domain.signals import RegimeReading, SignalPanel
from trading_lib.domain.volatility import portfolio_volatility
from trading_lib.domain.weights import TargetWeights
from trading_lib.risk.ceilings import find_ceilings
from trading_lib.risk.config import RiskConfig
from trading_lib.risk.events import (
    floor_events,
    pair_events,
    recovery_events,
    regime_events,
    regime_label,
    sleeve_events,
)
from trading_lib.risk.levels import advance_level, advance_recovery, correlation_floor, recovery_size
from trading_lib.risk.limits import blocked_purchases, limited
from trading_lib.risk.pair_rules import correlated_pairs, named_pairs, pair_flags
from trading_lib.risk.retirement import retired_symbols, retirement_events
from trading_lib.risk.stops import check_stops


def assess_risk(
    view: MarketView,
    regime: RegimeReading,
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
    regime
        Of the session; a change of it is an event.
    held_weights
        Shape (n,): the present weights; nothing that may not be increased rises above them.
    """
    universe, session, nav = view.universe, view.session, float(portfolio.nav)
    hedges = targets.hedges
    exposed = _exposed(targets.weights, hedges, universe) if hedges else targets.weights
    model_volatility = portfolio_volatility(view.mark_returns, exposed, config.volatility_window)
    step = advance_level(state, session, nav, model_volatility, config)
    average, largest, smallest = _correlation_summary(view, targets.correlations)
    pairs_before, pairs = _follow_pairs(state, _of_living(targets.correlations, universe), universe, config)
    floor, floor_reason = correlation_floor(average, smallest, config)
    effective = max(step.level, floor)
    retired = retired_symbols(view.price_age, universe, config)
    stops = check_stops(state, portfolio, universe, session, config, retired)
    recovery = advance_recovery(state, step, config)
    left = find_ceilings(state, stops, effective, portfolio, universe, session, config, retired)
    minimum = config.levels.level_1_minimum_confidence if effective >= 1 else 0.0
    limit = config.recovery.max_leverage if recovery is not None else np.inf
    blocks = blocked_purchases(
        view, signals, effective, step.approved, minimum, stops.cooling_off, portfolio.cash < 0, retired
    )
    limits = limited(
        universe, targets.weights, held_weights, blocks, recovery_size(recovery, config), limit, sum(hedges.values())
    )
    events = (
        *regime_events(state, regime, effective, session),
        *sleeve_events(targets.events, effective, session),
        *retirement_events(state, retired, view, effective),
        *step.events,
        *floor_events(state, floor, effective, floor_reason, session),
        *pair_events(
            pairs_before, pairs, targets.correlations, universe.symbols, effective, session, config.correlation
        ),
        *left.events,
        *stops.events,
        *recovery_events(state, recovery, effective, session, config),
    )
    return RiskAssessment(
        level=step.level,
        floor=floor,
        effective_level=effective,
        drawdown=step.drawdown,
        model_volatility=model_volatility,
        average_correlation=average,
        largest_correlation=largest,
        weights=limits.weights,
        may_increase=limits.may_increase,
        ceilings=_ceiling_array(left.ceilings, universe),
        ceiling_reasons=left.reasons,
        minimum_confidence=minimum,
        leverage_limit=limit,
        clips=limits.clips,
        next_state=RiskState(
            session=session,
            level=step.level,
            effective_level=effective,
            peak=step.peak,
            reference_peak=step.reference_peak,
            calm_sessions=step.calm_sessions,
            awaiting_approval=step.awaiting_approval,
            approved=step.approved,
            question=step.question,
            ceilings=left.ceilings,
            halved=stops.halved,
            cooling_off=stops.cooling_off,
            recovery_sessions=recovery,
            floor=floor,
            regime=regime_label(regime),
            correlated=named_pairs(pairs, universe.symbols),
            retired=retired,
        ),
        events=events,
    )


def _exposed(weights: FloatArray, hedges: Mapping[str, float], universe: Universe) -> FloatArray:
    """Weights without what short legs hedge, which moves with nothing."""
    if universe.perpetuals is None:
        return weights
    net = weights.copy()
    column = universe.positions[universe.perpetuals.spot]
    net[column] = max(net[column] - sum(hedges.values()), 0.0)
    return net


def _correlation_summary(view: MarketView, correlations: FloatArray) -> tuple[float, float, float]:
    """Summarise them once for all runs that share the view and its correlations."""
    known = view.remembered.get("correlation_summary")
    if known is None or known[0] is not correlations:
        known = (correlations, summarise_correlations(_of_living(correlations, view.universe)))
        view.remembered["correlation_summary"] = known
    summary: tuple[float, float, float] = known[1]
    return summary


def _follow_pairs(
    state: RiskState, correlations: FloatArray, universe: Universe, config: RiskConfig
) -> tuple[BoolArray, BoolArray]:
    """Return the closely correlated pairs before and after the session; a retired asset is in none."""
    before, bounds = pair_flags(state.correlated, universe.symbols), config.correlation
    after = correlated_pairs(correlations[np.newaxis], before, bounds.pair_warning, bounds.pair_rearm)[1]
    if universe.any_retired:
        living = ~universe.retired
        after &= (living[:, np.newaxis] & living)[np.tril_indices(len(universe), -1)]
    return before, after


def _of_living(correlations: FloatArray, universe: Universe) -> FloatArray:
    """Correlations without those of retired assets, which no longer say anything about the portfolio to come."""
    if not universe.any_retired:
        return correlations
    known = correlations.copy()
    known[universe.retired, :] = np.nan
    known[:, universe.retired] = np.nan
    return known


def _ceiling_array(ceilings: dict[str, Decimal], universe: Universe) -> FloatArray:
    array = np.full(len(universe), np.inf)
    for symbol, ceiling in ceilings.items():
        array[universe.positions[symbol]] = float(ceiling)
    return array
