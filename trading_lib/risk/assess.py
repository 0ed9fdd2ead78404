"""The risk manager of one session: the step of `trading_lib.risk.step` in arrays, then events and reasons.

Input: view, regime, signals, target weights, portfolio, yesterday's `RiskState`. Output: `RiskAssessment`.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import replace
from datetime import date
from decimal import Decimal

import numpy as np

from trading_lib.domain.book.portfolio import Portfolio
from trading_lib.domain.decision.risk import RiskAssessment, RiskState
from trading_lib.domain.decision.signals import RegimeReading, SignalPanel
from trading_lib.domain.decision.weights import TargetWeights
from trading_lib.domain.market.correlation import summarise_correlations
from trading_lib.domain.market.instruments import Universe
from trading_lib.domain.market.market_view import MarketView
from trading_lib.domain.market.prices import BoolArray, FloatArray
from trading_lib.domain.market.volatility import portfolio_volatility
from trading_lib.risk.config import RiskConfig
from trading_lib.risk.events import floor_events, pair_events, recovery_events, regime_events, sleeve_events
from trading_lib.risk.levels.levels import approval_at_start, floor_reason, level_events, next_question
from trading_lib.risk.limits.buy_restrictions import clips_of
from trading_lib.risk.limits.pair_rules import correlated_pairs, named_pairs, pair_flags
from trading_lib.risk.limits.position_limits import find_ceilings
from trading_lib.risk.limits.retirement import among, retired_symbols, retirement_events
from trading_lib.risk.memory import assets_of, memory_of, regime_label, regime_number, remembered, risk_holdings_of
from trading_lib.risk.numbers import ABSENT, CALM, EFFECTIVE, FLOOR, LEVEL, RECOVERY, RiskMarket
from trading_lib.risk.step import run_step
from trading_lib.risk.stops.stops import StopStep, step_stops, stop_step


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
    universe, session = view.universe, view.session
    hedges = targets.hedges
    exposed = _exposed(targets.weights, hedges, universe) if hedges else targets.weights
    average, largest, smallest = _correlation_summary(view, targets.correlations)
    retired, label = retired_symbols(view.price_age, universe, config), regime_label(regime)
    approved, events = approval_at_start(state, session, config)
    volatility = portfolio_volatility(view.mark_returns, exposed, config.volatility_window)
    without_price = among(universe, retired)
    market = RiskMarket(
        volatility, average, smallest, regime_number(label), signals.confidence, view.fresh, without_price
    )
    memory, holdings = memory_of(state, universe), risk_holdings_of(portfolio, universe)
    outcome = run_step(
        memory,
        holdings,
        market,
        assets_of(universe),
        config.numbers,
        targets.weights,
        held_weights,
        float(sum(hedges.values())),
        approved,
    )
    level, effective, calm, floor = memory.counters[[LEVEL, EFFECTIVE, CALM, FLOOR]].tolist()
    recovery = None if memory.counters[RECOVERY] == ABSENT else int(memory.counters[RECOVERY])
    peak, reference = memory.peaks.tolist()
    pairs_before, pairs = _follow_pairs(state, _of_living(targets.correlations, universe), universe, config)
    stops = stop_step(outcome.stops, portfolio, universe, session, state.effective_level)
    left = find_ceilings(state, outcome, stops, effective, portfolio, universe, session, retired)
    kept, question = remembered(memory, universe), next_question(state, session, level, outcome.approved)
    events = (
        *regime_events(state, regime, effective, session),
        *sleeve_events(targets.events, effective, session),
        *retirement_events(state, retired, view, effective),
        *events,
        *level_events(state, session, level, outcome.change, outcome.drawdown, volatility, config),
        *floor_events(state, floor, effective, floor_reason(floor, average, smallest, config), session),
        *pair_events(
            pairs_before, pairs, targets.correlations, universe.symbols, effective, session, config.correlation
        ),
        *left.events,
        *stops.events,
        *recovery_events(state, recovery, effective, session, config),
    )
    return RiskAssessment(
        level=level,
        floor=floor,
        effective_level=effective,
        drawdown=outcome.drawdown,
        model_volatility=volatility,
        average_correlation=average,
        largest_correlation=largest,
        weights=outcome.weights,
        may_increase=outcome.blocks == 0,
        ceilings=_ceiling_array(left.ceilings, universe),
        ceiling_reasons=left.reasons,
        minimum_confidence=outcome.minimum_confidence,
        leverage_limit=outcome.leverage_limit,
        clips=clips_of(universe, outcome.lowered),
        next_state=RiskState(
            session=session,
            level=level,
            effective_level=effective,
            peak=peak,
            reference_peak=reference,
            calm_sessions=calm,
            awaiting_approval=question is not None,
            approved=outcome.approved,
            question=question,
            ceilings=left.ceilings,
            halved=kept.halved,
            cooling_off=kept.cooling_off,
            recovery_sessions=recovery,
            floor=floor,
            regime=label,
            correlated=named_pairs(pairs, universe.symbols),
            retired=retired,
            stop_state=kept.stop_state,
        ),
        events=events,
    )


def check_stops(
    state: RiskState,
    portfolio: Portfolio,
    universe: Universe,
    session: date,
    config: RiskConfig,
    retired: Collection[str] = (),
) -> StopStep:
    """Check the stops alone, without levels and limits.

    Parameters
    ----------
    retired
        Symbols whose mark is too old to judge.
    """
    memory, holdings = memory_of(state, universe), risk_holdings_of(portfolio, universe)
    stops = step_stops(memory, holdings, among(universe, retired), assets_of(universe), config.numbers)
    kept, step = remembered(memory, universe), stop_step(stops, portfolio, universe, session, state.effective_level)
    return replace(step, halved=kept.halved, cooling_off=kept.cooling_off, stop_state=kept.stop_state)


def _exposed(weights: FloatArray, hedges: Mapping[str, float], universe: Universe) -> FloatArray:
    """Weights without the hedged units, which carry no price risk."""
    if universe.perpetuals is None:
        return weights
    net = weights.copy()
    column = universe.positions[universe.perpetuals.spot]
    net[column] = max(net[column] - sum(hedges.values()), 0.0)
    return net


def _correlation_summary(view: MarketView, correlations: FloatArray) -> tuple[float, float, float]:
    """Summarise the correlations once for all runs that share the view."""
    cached = view.remembered.get("correlation_summary")
    if cached is None or cached[0] is not correlations:
        cached = (correlations, summarise_correlations(_of_living(correlations, view.universe)))
        view.remembered["correlation_summary"] = cached
    summary: tuple[float, float, float] = cached[1]
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
    """Correlations without those of retired assets, which say nothing about the future portfolio."""
    if not universe.any_retired:
        return correlations
    living = correlations.copy()
    living[universe.retired, :] = np.nan
    living[:, universe.retired] = np.nan
    return living


def _ceiling_array(ceilings: dict[str, Decimal], universe: Universe) -> FloatArray:
    array = np.full(len(universe), np.inf)
    for symbol, ceiling in ceilings.items():
        array[universe.positions[symbol]] = float(ceiling)
    return array
