"""Drawdown levels, de-escalation, the reference peak, approval, the re-entry ladder and correlation floors."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import pytest
from pydantic import ValidationError

from tests.builders.decisions import LevelStep, advance_level, advance_recovery, correlation_floor, make_state
from tests.builders.markets import SESSION
from trading_lib.domain.decision.risk import RiskState
from trading_lib.risk.config import LevelConfig, RecoveryConfig, RiskConfig
from trading_lib.risk.levels.levels import LEVEL_ACTIONS, recovery_size, triggered_level

CONFIG = RiskConfig()
MANUAL = RiskConfig(simulated_approval=False)
CALM, WILD = 0.10, 0.20


def step(state: RiskState, nav: float, volatility: float = CALM, config: RiskConfig = CONFIG) -> LevelStep:
    return advance_level(state, SESSION, nav, volatility, config)


def after(state: RiskState, found: LevelStep) -> RiskState:
    """The state the next session starts from."""
    return replace(
        state,
        level=found.level,
        effective_level=found.level,
        peak=found.peak,
        reference_peak=found.reference_peak,
        calm_sessions=found.calm_sessions,
        awaiting_approval=found.awaiting_approval,
        approved=found.approved,
        question=found.question,
    )


@pytest.mark.parametrize(
    ("nav", "level"),
    [
        (100_000, 0),
        (95_000.01, 0),
        (95_000, 1),
        (92_000.01, 1),
        (92_000, 2),  # 1 - 92000 / 100000 is 0.07999999999999996 in floats
        (88_000.01, 2),
        (88_000, 3),
        (85_000.01, 3),
        (85_000, 4),
        (1, 4),
        (0, 4),
        (-5_000, 4),
    ],
)
def test_levels_begin_exactly_at_their_drawdowns(nav: float, level: int) -> None:
    found = step(make_state(), nav)
    assert found.level == level
    assert found.awaiting_approval == (level >= 3)
    if level:
        assert [(e.kind, e.level_before, e.level_after) for e in found.events] == [("level_raised", 0, level)]
        assert found.events[0].actions == LEVEL_ACTIONS[level]
        assert f"{found.drawdown:.2%}" in found.events[0].reason


@pytest.mark.parametrize("bound", [0.05, 0.08, 0.12, 0.15])
@pytest.mark.parametrize("peak", [100_000.0, 123_456.78, 97.31])
def test_a_loss_to_the_cent_of_the_bound_triggers(bound: float, peak: float) -> None:
    expected = {0.05: 1, 0.08: 2, 0.12: 3, 0.15: 4}[bound]
    assert triggered_level(1.0 - peak * (1.0 - bound) / peak, CONFIG) == expected
    assert triggered_level(bound - 1e-6, CONFIG) == expected - 1


def test_a_level_holds_while_the_drawdown_shrinks_without_calm() -> None:
    state = make_state(level=2, effective_level=2)
    for _ in range(30):
        found = step(state, 99_000, WILD)
        assert (found.level, found.calm_sessions, found.events) == (2, 0, ())
        state = after(state, found)


@pytest.mark.parametrize("volatility", [0.15, WILD, math.nan])
def test_a_session_that_is_not_calm_starts_the_count_again(volatility: float) -> None:
    state = make_state(level=1, effective_level=1, calm_sessions=4)
    found = step(state, 94_500, volatility)
    assert (found.level, found.calm_sessions) == (1, 0)


@pytest.mark.parametrize("level", [1, 2, 3])
def test_a_level_falls_by_one_after_five_calm_sessions(level: int) -> None:
    bounds = CONFIG.levels.drawdowns
    nav = 100_000 * (1 - bounds[level - 1] - 0.001)
    state = make_state(level=level, effective_level=level)
    for session in range(1, 6):
        found = step(state, nav)
        state = after(state, found)
        assert state.level == (level if session < 5 else level - 1)
    assert found.calm_sessions == 0
    assert [(e.kind, e.level_after) for e in found.events] == [("level_lowered", level - 1)]
    # The drawdown is now a margin under what would trigger the level again, and the true peak is remembered.
    assert found.drawdown == pytest.approx(bounds[level - 1] - 0.005)
    assert found.peak == 100_000
    assert triggered_level(1 - nav / found.reference_peak, CONFIG) == level - 1


def test_rebasing_never_raises_the_reference_peak() -> None:
    state = make_state(level=2, effective_level=2, calm_sessions=4)
    found = step(state, 97_000)
    assert found.level == 1
    assert found.reference_peak == 100_000
    assert found.drawdown == pytest.approx(0.03)


def test_losing_again_after_a_step_down_raises_the_level_again() -> None:
    state = make_state(level=2, effective_level=2, calm_sessions=4)
    found = step(state, 91_500)
    state = after(state, found)
    assert state.level == 1
    # The reference peak is now 91,500 / 0.925; 8 % below it are $91,005.41.
    assert step(state, 91_006).level == 1
    again = step(state, 91_005)
    assert again.level == 2
    assert again.calm_sessions == 0


@pytest.mark.parametrize("level", [1, 2, 3])
def test_net_asset_value_at_the_reference_peak_means_level_0(level: int) -> None:
    state = make_state(level=level, effective_level=level, peak=120_000.0)
    found = step(state, 100_000, WILD, MANUAL)
    assert (found.level, found.drawdown) == (0, 0.0)
    assert "at its reference peak" in found.events[0].reason
    assert found.peak == 120_000


def test_both_peaks_follow_a_new_high() -> None:
    found = step(make_state(peak=105_000.0), 110_000)
    assert (found.peak, found.reference_peak, found.level) == (110_000, 110_000, 0)


def liquidated(config: RiskConfig, **fields: Any) -> RiskState:
    return after(make_state(**fields), step(make_state(**fields), 84_000, WILD, config))


def test_level_4_waits_for_a_person_however_calm_it_is() -> None:
    state = liquidated(MANUAL)
    for _ in range(40):
        found = step(state, 84_000, CALM, MANUAL)
        assert (found.level, found.awaiting_approval, found.events) == (4, True, ())
        state = after(state, found)
    assert state.calm_sessions == 40
    found = step(replace(state, approved=True), 84_000, CALM, MANUAL)
    # The approval of re-entry also holds at the level it leads to, and goes with it.
    assert (found.level, found.awaiting_approval, found.approved) == (3, False, True)
    assert "re-entry was approved" in found.events[0].reason


def test_an_approval_alone_does_not_end_level_4_without_calm() -> None:
    state = replace(liquidated(MANUAL), approved=True)
    for calm in range(1, 5):
        found = step(state, 84_000, CALM, MANUAL)
        assert (found.level, found.calm_sessions, found.approved, found.awaiting_approval) == (4, calm, True, False)
        state = after(state, found)
    assert step(state, 84_000, CALM, MANUAL).level == 3


def test_level_4_is_not_left_at_the_reference_peak_without_approval() -> None:
    found = step(make_state(level=4, effective_level=4, awaiting_approval=True), 130_000, CALM, MANUAL)
    assert found.level == 4


def test_a_simulated_person_approves_after_five_calm_sessions() -> None:
    state = liquidated(CONFIG)
    levels = []
    for _ in range(20):
        state = after(state, step(state, 84_000))
        levels.append(state.level)
    assert levels == [4] * 4 + [3] * 5 + [2] * 5 + [1] * 5 + [0]


def ladder(state: RiskState, found: LevelStep) -> int | None:
    return advance_recovery(state, found, CONFIG)


def test_the_ladder_climbs_week_by_week_once_buying_is_allowed() -> None:
    state = liquidated(CONFIG)
    sizes = []
    for _ in range(36):
        found = step(state, 84_000)
        state = replace(after(state, found), recovery_sessions=ladder(state, found))
        sizes.append((state.level, recovery_size(state.recovery_sessions, CONFIG)))
    # Levels 4, 3 and 2 take until session 14; the ladder counts from there: level 1 is reached at session 15.
    assert sizes[:4] == [(4, 1.0)] * 4
    assert sizes[4:14] == [(3, 0.25)] * 5 + [(2, 0.25)] * 5
    assert [size for _, size in sizes[14:]] == [0.25] * 4 + [0.50] * 5 + [0.75] * 5 + [1.0] * 8
    assert state.recovery_sessions is None


def test_a_fresh_breach_restarts_the_ladder() -> None:
    state = make_state(nav=90_000.0, peak=100_000.0, recovery_sessions=12)
    found = step(state, 85_000)
    assert found.level == 1
    assert ladder(state, found) == 0


def test_a_fresh_liquidation_ends_the_ladder_until_level_4_is_left() -> None:
    state = make_state(recovery_sessions=12)
    found = step(state, 80_000)
    assert ladder(state, found) is None
    four = after(state, found)
    assert ladder(four, step(replace(four, calm_sessions=4), 80_000)) == 0


def test_the_ladder_counts_at_levels_1_and_0_only() -> None:
    for level, spent in ((3, 3), (2, 3), (1, 4)):
        state = make_state(level=level, effective_level=level, recovery_sessions=3)
        found = step(state, 100_000 * (1 - CONFIG.levels.drawdowns[level - 1]) - 1, WILD)
        assert found.level == level
        assert ladder(state, found) == spent


def test_outside_recovery_everything_is_full_size() -> None:
    state = make_state()
    assert ladder(state, step(state, 99_000)) is None
    assert recovery_size(None, CONFIG) == 1.0
    assert [recovery_size(n, CONFIG) for n in (0, 4, 5, 10, 15, 99)] == [0.25, 0.25, 0.5, 0.75, 1.0, 1.0]


@pytest.mark.parametrize(
    ("average", "smallest", "floor"),
    [
        (0.50, 0.10, 0),
        (0.51, 0.10, 1),
        (0.90, 0.80, 1),
        (0.90, 0.81, 2),
        (math.nan, math.nan, 0),
    ],
)
def test_correlations_put_a_floor_under_the_level(average: float, smallest: float, floor: int) -> None:
    found, reason = correlation_floor(average, smallest, CONFIG)
    assert found == floor
    assert bool(reason) == bool(floor)
    if floor == 1:
        assert f"{average:.2f}" in reason
    if floor == 2:
        assert f"{smallest:.2f}" in reason


@pytest.mark.parametrize(
    ("model", "fields", "words"),
    [
        (LevelConfig, {"drawdowns": (0.05, 0.05, 0.12, 0.15)}, "drawdowns must rise"),
        (LevelConfig, {"drawdowns": (0.0, 0.05, 0.12, 0.15)}, "drawdowns must rise"),
        (LevelConfig, {"reductions": (0.0, 0.5, 0.25, 1.0)}, "reductions must not fall"),
        (RecoveryConfig, {"sizes": (0.25, 0.5)}, "end at 1.0"),
        (RecoveryConfig, {"sizes": (0.5, 0.25, 1.0)}, "end at 1.0"),
        (RecoveryConfig, {"sizes": ()}, "end at 1.0"),
    ],
)
def test_a_contradictory_configuration_is_refused(model: Any, fields: dict[str, Any], words: str) -> None:
    with pytest.raises(ValidationError, match=words):
        model(**fields)
