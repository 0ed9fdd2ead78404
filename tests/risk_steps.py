"""Single rules of the risk step on a `RiskState`, for tests that look at one rule at a time."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

from trading_lib.domain.decision.risk import RiskEvent, RiskState
from trading_lib.risk.config import RiskConfig
from trading_lib.risk.levels.drawdown_kernels import floor_of, next_level, next_recovery
from trading_lib.risk.levels.levels import approval_at_start, floor_reason, level_events, next_question
from trading_lib.risk.numbers import ABSENT


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
