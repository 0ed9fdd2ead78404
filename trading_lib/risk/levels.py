"""Drawdown levels 0 to 4: escalation, de-escalation and the re-entry ladder (SPEC section 8).

The trap this avoids: after a liquidation net asset value is flat, so drawdown from the old peak never heals. Levels
therefore fall one at a time after calm sessions, and the reference peak follows so that the old drawdown does not
trigger the level again at once.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

from trading_lib.domain.approvals import REVIEW_LEVEL
from trading_lib.domain.risk import RiskEvent, RiskState
from trading_lib.risk.approvals import answer_of_configuration, open_question
from trading_lib.risk.config import RiskConfig
from trading_lib.risk.level_rules import (
    LOWERED_AT_PEAK,
    LOWERED_CALM,
    RAISED,
    floor_of,
    next_level,
    triggered_by,
)

LEVEL_ACTIONS = {
    1: ("ALERT", "INCREASE_CONFIDENCE_THRESHOLD", "BLOCK_BTC_NEW"),
    2: ("REDUCE_25%", "CLOSE_BTC", "SELL_ONLY"),
    3: ("REDUCE_50%", "SAFE_HAVEN_ONLY", "MANUAL_REVIEW"),
    4: ("EMERGENCY_LIQUIDATION", "REQUIRE_MANUAL_CONFIRM"),
}


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


def triggered_level(drawdown: float, config: RiskConfig) -> int:
    """Highest level whose drawdown is reached (>=)."""
    return triggered_by(drawdown, config.levels.bounds)


def advance_level(
    state: RiskState, session: date, nav: float, model_volatility: float, config: RiskConfig
) -> LevelStep:
    """Move the drawdown level by one session.

    Level 4 is left only after an approval; one of re-entry also holds at the level 3 it leads to.

    Parameters
    ----------
    nav
        Net asset value in dollars; 0 or less counts as a drawdown of 100 %.
    model_volatility
        Annualised 20-day volatility of the model portfolio; NaN is not calm.
    """
    approved, events = _approved(state, session, config)
    level, drawdown, peak, reference, calm, approved, change = next_level(
        state.level,
        state.peak,
        state.reference_peak,
        state.calm_sessions,
        approved,
        nav,
        model_volatility,
        config.levels.bounds,
        config.levels.rebase_margin,
        config.target_volatility,
        config.calm_sessions,
    )
    if change == RAISED:
        events += (_raised(state, session, level, drawdown, config),)
    elif change == LOWERED_AT_PEAK:
        events += (_lowered(state, session, level, "net asset value is at its reference peak"),)
    elif change == LOWERED_CALM:
        events += (_lowered(state, session, level, _calm_reason(model_volatility, config, state.level)),)
    approved = approved and level >= REVIEW_LEVEL
    question = open_question(level, approved, level > state.level, state.question, session)
    return LevelStep(level, drawdown, peak, reference, calm, approved, question, events)


def _approved(state: RiskState, session: date, config: RiskConfig) -> tuple[bool, tuple[RiskEvent, ...]]:
    """Whether the session starts with an approval; a simulated book gives it to itself, one session after asking."""
    if state.approved or state.level < REVIEW_LEVEL or not config.simulated_approval:
        return state.approved, ()
    return True, answer_of_configuration(state, session)


def _raised(state: RiskState, session: date, level: int, drawdown: float, config: RiskConfig) -> RiskEvent:
    reason = f"drawdown {drawdown:.2%} from the reference peak reached {config.levels.drawdowns[level - 1]:.0%}"
    return RiskEvent(session, "level_raised", "", state.level, level, reason, LEVEL_ACTIONS[level])


def _lowered(state: RiskState, session: date, level: int, reason: str) -> RiskEvent:
    return RiskEvent(session, "level_lowered", "", state.level, level, reason)


def _calm_reason(volatility: float, config: RiskConfig, level: int) -> str:
    approval = " and re-entry was approved" if level == 4 else ""
    return (
        f"{config.calm_sessions} sessions with model volatility below {config.target_volatility:.0%} "
        f"(now {volatility:.1%}){approval}"
    )


def advance_recovery(state: RiskState, step: LevelStep, config: RiskConfig) -> int | None:
    """Sessions spent on the re-entry ladder, None outside recovery.

    The ladder begins when level 4 is left, counts the sessions at drawdown level 0 or 1, restarts on a fresh breach and
    ends at full size. A correlation floor does not stop the count: the crash that led to level 4 stays in the 60
    sessions of the correlations for 60 sessions, and 12 weeks must be enough to come back (SPEC section 8).
    """
    if step.level == 4:
        return None
    if state.level == 4:
        return 0
    if state.recovery_sessions is None:
        return None
    if step.level > state.level:
        return 0
    spent = state.recovery_sessions + (1 if step.level <= 1 else 0)
    last_step = (len(config.recovery.sizes) - 1) * config.recovery.sessions_per_step
    return None if spent >= last_step else spent


def recovery_size(recovery_sessions: int | None, config: RiskConfig) -> float:
    """Share of normal size allowed: 25/50/75/100 % by week of recovery."""
    if recovery_sessions is None:
        return 1.0
    step = min(recovery_sessions // config.recovery.sessions_per_step, len(config.recovery.sizes) - 1)
    return config.recovery.sizes[step]


def correlation_floor(average: float, smallest: float, config: RiskConfig) -> tuple[int, str]:
    """Lowest level correlations allow, and why; NaN (too little history) means no floor."""
    bounds = config.correlation
    floor = floor_of(average, smallest, bounds.average_floor_1, bounds.every_pair_floor_2)
    if floor == 2:
        return floor, f"every pair correlates above {bounds.every_pair_floor_2:.2f} (lowest {smallest:.2f})"
    if floor == 1:
        return floor, f"average correlation {average:.2f} is above {bounds.average_floor_1:.2f}"
    return floor, ""
