"""Drawdown levels 0 to 4: escalation, de-escalation, re-entry ladder (docs/specification.md#risk-levels).

The trap this avoids: after a liquidation net asset value is flat, so drawdown from the old peak never heals. Levels
therefore fall one at a time after calm sessions, and the reference peak follows so that the old drawdown does not
trigger the level again at once.
"""

from __future__ import annotations

from datetime import date

from trading_lib.domain.book.approvals import REVIEW_LEVEL
from trading_lib.domain.decision.risk import RiskEvent, RiskState
from trading_lib.risk.config import RiskConfig
from trading_lib.risk.levels.approvals import answer_of_configuration, open_question
from trading_lib.risk.levels.drawdown_kernels import LOWERED_AT_PEAK, LOWERED_CALM, RAISED, size_of, triggered_by
from trading_lib.risk.numbers import ABSENT

LEVEL_ACTIONS = {
    1: ("ALERT", "INCREASE_CONFIDENCE_THRESHOLD", "BLOCK_BTC_NEW"),
    2: ("REDUCE_25%", "CLOSE_BTC", "SELL_ONLY"),
    3: ("REDUCE_50%", "SAFE_HAVEN_ONLY", "MANUAL_REVIEW"),
    4: ("EMERGENCY_LIQUIDATION", "REQUIRE_MANUAL_CONFIRM"),
}


def triggered_level(drawdown: float, config: RiskConfig) -> int:
    """Highest level whose drawdown is reached (>=)."""
    return triggered_by(drawdown, config.levels.bounds)


def level_events(
    state: RiskState,
    session: date,
    level: int,
    change: int,
    drawdown: float,
    model_volatility: float,
    config: RiskConfig,
) -> tuple[RiskEvent, ...]:
    """Report the change of the drawdown level; see `next_level`.

    Parameters
    ----------
    state
        After the session before.
    """
    if change == RAISED:
        return (_raised(state, session, level, drawdown, config),)
    if change == LOWERED_AT_PEAK:
        return (_lowered(state, session, level, "net asset value is at its reference peak"),)
    if change == LOWERED_CALM:
        return (_lowered(state, session, level, _calm_reason(model_volatility, config, state.level)),)
    return ()


def next_question(state: RiskState, session: date, level: int, approved: bool) -> date | None:
    """Session that asks for an approval after this one, None when nothing is asked.

    Level 4 is left only after an approval; one of re-entry also holds at the level 3 it leads to.
    """
    return open_question(level, approved, level > state.level, state.question, session)


def approval_at_start(state: RiskState, session: date, config: RiskConfig) -> tuple[bool, tuple[RiskEvent, ...]]:
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


def recovery_size(recovery_sessions: int | None, config: RiskConfig) -> float:
    """Share of normal size allowed: 25/50/75/100 % by week of recovery."""
    numbers = config.numbers
    spent = ABSENT if recovery_sessions is None else recovery_sessions
    return size_of(spent, numbers.recovery_sizes, numbers.recovery_sessions)


def floor_reason(floor: int, average: float, smallest: float, config: RiskConfig) -> str:
    """Say why correlations allow no lower level; "" where they do."""
    bounds = config.correlation
    if floor == 2:
        return f"every pair correlates above {bounds.every_pair_floor_2:.2f} (lowest {smallest:.2f})"
    if floor == 1:
        return f"average correlation {average:.2f} is above {bounds.average_floor_1:.2f}"
    return ""
