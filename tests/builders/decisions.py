"""Portfolios, signals, targets and states of risk, and single rules of the risk step."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import date
from decimal import Decimal
from typing import Any

import numpy as np

from tests.builders.markets import ASSETS, SESSION
from trading_lib.domain.book.portfolio import Portfolio, Position, to_cent
from trading_lib.domain.decision.risk import RiskAssessment, RiskEvent, RiskState
from trading_lib.domain.decision.signals import MarketRegime, RegimeReading, SignalPanel
from trading_lib.domain.decision.weights import TargetWeights
from trading_lib.domain.market.prices import FloatArray
from trading_lib.risk.config import RiskConfig
from trading_lib.risk.levels.drawdown_kernels import floor_of, next_level, next_recovery
from trading_lib.risk.levels.levels import approval_at_start, floor_reason, level_events, next_question
from trading_lib.risk.numbers import ABSENT


def make_portfolio(cash: float | str, **holdings: tuple[float | str, float | str, float | str]) -> Portfolio:
    """Cash and holdings as symbol=(quantity, average cost, mark); underscores stand for the hyphen of BTC-USD."""
    positions, marks = {}, {}
    value = Decimal(str(cash))
    for name, (quantity, cost, mark) in holdings.items():
        symbol = name.replace("_", "-")
        positions[symbol] = Position(symbol, Decimal(str(quantity)), Decimal(str(cost)))
        marks[symbol] = Decimal(str(mark))
        value += positions[symbol].quantity * marks[symbol]
    return Portfolio(SESSION, Decimal(str(cash)), to_cent(value), positions, marks)


def make_signals(codes: int | FloatArray = 0, confidence: float | FloatArray = 0.8) -> SignalPanel:
    """The same signal for every asset, or one per asset."""
    code = np.broadcast_to(np.asarray(codes, dtype=np.int8), ASSETS).copy()
    sure = np.broadcast_to(np.asarray(confidence, dtype=np.float64), ASSETS).copy()
    return SignalPanel(code, code.copy(), sure, np.ones(ASSETS, dtype=np.bool_))


def make_regime(regime: MarketRegime = MarketRegime.NORMAL, index: float = 15.0) -> RegimeReading:
    """A regime read from a fresh ^VIX."""
    return RegimeReading(regime, index, 0, False)


def make_targets(weights: FloatArray, correlations: FloatArray | None = None) -> TargetWeights:
    """Target weights that no constraint lowered; without correlations none is known."""
    unknown = np.full((ASSETS, ASSETS), np.nan)
    return TargetWeights(weights, weights, unknown if correlations is None else correlations, {})


def make_state(nav: float = 100_000.0, **fields: Any) -> RiskState:
    """The state of a book at its peak, unless told otherwise."""
    return replace(RiskState.opened(SESSION, nav), **fields)


def make_assessment(weights: FloatArray, **fields: Any) -> RiskAssessment:
    """An assessment at level 0 that allows everything, unless told otherwise."""
    assessment = RiskAssessment(
        level=0,
        floor=0,
        effective_level=0,
        drawdown=0.0,
        model_volatility=0.10,
        average_correlation=0.1,
        largest_correlation=0.2,
        weights=weights,
        may_increase=np.ones(ASSETS, dtype=np.bool_),
        ceilings=np.full(ASSETS, np.inf),
        ceiling_reasons={},
        minimum_confidence=0.0,
        leverage_limit=np.inf,
        next_state=make_state(),
        events=(),
    )
    return replace(assessment, **fields)


@dataclass(frozen=True, slots=True)
class LevelStep:
    """The level of a session and what is remembered for the next."""

    level: int
    drawdown: float
    peak: float
    reference_peak: float
    calm_sessions: int
    approved: bool
    question: date | None
    events: tuple[RiskEvent, ...]

    @property
    def awaiting_approval(self) -> bool:
        """Whether a person is asked and has not approved."""
        return self.question is not None


def advance_level(
    state: RiskState, session: date, nav: float, model_volatility: float, config: RiskConfig
) -> LevelStep:
    """Move the drawdown level by one session."""
    approved, events = approval_at_start(state, session, config)
    numbers = config.numbers
    level, drawdown, peak, reference, calm, approved, change = next_level(
        state.level,
        state.peak,
        state.reference_peak,
        state.calm_sessions,
        approved,
        nav,
        model_volatility,
        numbers.level_bounds,
        numbers.rebase_margin,
        numbers.target_volatility,
        numbers.calm_sessions,
    )
    events += level_events(state, session, level, change, drawdown, model_volatility, config)
    question = next_question(state, session, level, approved)
    return LevelStep(level, drawdown, peak, reference, calm, approved, question, events)


def advance_recovery(state: RiskState, step: LevelStep, config: RiskConfig) -> int | None:
    """Sessions spent on the re-entry ladder, None outside recovery."""
    numbers, spent = config.numbers, state.recovery_sessions
    after = next_recovery(
        state.level,
        step.level,
        ABSENT if spent is None else spent,
        numbers.recovery_sessions,
        len(numbers.recovery_sizes),
    )
    return None if after == ABSENT else after


def correlation_floor(average: float, smallest: float, config: RiskConfig) -> tuple[int, str]:
    """Lowest level correlations allow, and why."""
    floor = floor_of(average, smallest, config.numbers.average_floor, config.numbers.pair_floor)
    return floor, floor_reason(floor, average, smallest, config)
