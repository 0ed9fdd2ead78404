"""What holds of the risk levels (docs/specification.md#risk-levels) on any path of net asset value and volatility."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from hypothesis import given, settings
from hypothesis import strategies as st

from tests.builders.decisions import LevelStep, advance_level, advance_recovery, make_state
from tests.builders.markets import SESSION
from trading_lib.domain.decision.risk import RiskState
from trading_lib.risk.config import RiskConfig
from trading_lib.risk.levels.levels import recovery_size, triggered_level

CONFIG = RiskConfig()
MANUAL = RiskConfig(simulated_approval=False)

DAYS = st.tuples(st.floats(-0.12, 0.08), st.one_of(st.floats(0.02, 0.149), st.floats(0.15, 0.6), st.just(float("nan"))))
CALM_DAYS = st.tuples(st.floats(-0.01, 0.015), st.floats(0.05, 0.14))
PATHS = st.lists(st.one_of(DAYS, CALM_DAYS, CALM_DAYS), min_size=1, max_size=120)


@dataclass
class Walk:
    """A book walked along a path, checked at every step."""

    config: RiskConfig
    nav: float = 100_000.0
    state: RiskState = field(default_factory=make_state)

    def go(self, change: float, volatility: float, approve: bool = False) -> LevelStep:
        self.nav = round(self.nav * (1 + change), 2)
        before = replace(self.state, approved=True) if approve and self.state.level == 4 else self.state
        found = advance_level(before, SESSION, self.nav, volatility, self.config)
        self.check(before, found, volatility)
        recovery = advance_recovery(before, found, self.config)
        self.check_ladder(before, found, recovery)
        self.state = replace(
            before,
            level=found.level,
            effective_level=found.level,
            peak=found.peak,
            reference_peak=found.reference_peak,
            calm_sessions=found.calm_sessions,
            awaiting_approval=found.awaiting_approval,
            approved=found.approved,
            question=found.question,
            recovery_sessions=recovery,
        )
        return found

    def check(self, before: RiskState, found: LevelStep, volatility: float) -> None:
        assert found.reference_peak <= found.peak
        assert found.peak == max(before.peak, self.nav)
        assert found.level >= triggered_level(found.drawdown, self.config)
        calm = volatility < self.config.target_volatility
        if found.level < before.level:
            healed = found.level == 0 and before.level < 4 and self.nav >= before.reference_peak
            rested = found.level == before.level - 1 and calm and before.calm_sessions >= 4
            allowed = before.level < 4 or before.approved or self.config.simulated_approval
            assert healed or (rested and allowed)
        if self.nav >= found.reference_peak and before.level < 4:
            assert found.level == 0
        if found.level > before.level:
            assert found.level == triggered_level(found.drawdown, self.config)
            assert found.calm_sessions == 0
        moved = [event for event in found.events if event.kind != "approval"]
        assert [(e.level_before, e.level_after) for e in moved] == (
            [(before.level, found.level)] if found.level != before.level else []
        )
        assert found.awaiting_approval == (found.level >= 3 and not found.approved)

    def check_ladder(self, before: RiskState, found: LevelStep, recovery: int | None) -> None:
        if found.level == 4:
            assert recovery is None
        elif before.level == 4:
            assert recovery == 0
        elif before.recovery_sessions is None:
            assert recovery is None
        elif found.level > before.level:
            assert recovery == 0
        elif recovery is not None:
            assert 0 <= recovery - before.recovery_sessions <= 1
        else:
            assert before.recovery_sessions == 14

    @property
    def full_size(self) -> bool:
        return self.state.level == 0 and recovery_size(self.state.recovery_sessions, self.config) == 1.0


@settings(max_examples=500, deadline=None)
@given(PATHS)
def test_no_path_breaks_a_rule_and_calm_rising_markets_lead_back_to_full_size(path: list[tuple[float, float]]) -> None:
    walk = Walk(CONFIG)
    for change, volatility in path:
        walk.go(change, volatility)
    for _ in range(60):
        walk.go(0.0005, 0.10)
    assert walk.full_size


@settings(max_examples=500, deadline=None)
@given(PATHS, st.sets(st.integers(0, 119), max_size=3))
def test_level_4_is_left_only_after_a_person_approved(path: list[tuple[float, float]], approvals: set[int]) -> None:
    walk = Walk(MANUAL)
    for session, (change, volatility) in enumerate(path):
        walk.go(change, volatility, approve=session in approvals)
    stuck = walk.state.level == 4 and not walk.state.approved
    for _ in range(60):
        walk.go(0.0005, 0.10)
    assert walk.full_size != stuck
    if stuck:
        assert walk.state.level == 4
        assert walk.state.awaiting_approval
        walk.go(0.0005, 0.10, approve=True)
        for _ in range(59):
            walk.go(0.0005, 0.10)
        assert walk.full_size


@settings(max_examples=500, deadline=None)
@given(PATHS)
def test_a_flat_book_after_a_liquidation_comes_back_as_well(path: list[tuple[float, float]]) -> None:
    walk = Walk(CONFIG)
    for change, volatility in path:
        walk.go(change, volatility)
    walk.go(-0.20, 0.5)
    assert walk.state.level == 4
    for _ in range(60):
        walk.go(0.0, 0.10)
    assert walk.full_size


@settings(max_examples=500, deadline=None)
@given(rest=st.integers(21, 28), fall=st.floats(-0.14, -0.055))
def test_a_fresh_breach_restarts_the_ladder_wherever_it_stands(rest: int, fall: float) -> None:
    walk = Walk(CONFIG)
    walk.go(-0.20, 0.5)
    for _ in range(rest):
        walk.go(0.004, 0.10)
    assert walk.state.level == 0
    assert walk.state.recovery_sessions
    walk.go(fall, 0.10)
    assert walk.state.level in (1, 2, 3, 4)
    assert walk.state.recovery_sessions == (None if walk.state.level == 4 else 0)
