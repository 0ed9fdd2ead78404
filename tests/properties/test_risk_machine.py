"""The risk manager over generated price paths: no dead end, no rule broken, whatever the market and people do."""

from __future__ import annotations

import numpy as np
from hypothesis import example, given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule

from tests.builders.markets import UNIVERSE
from tests.properties.risk_machine import BTC, TWELVE_WEEKS, WEATHER, WISHES, RiskMachine
from trading_lib.decision import held_weights
from trading_lib.risk.config import RiskConfig

SIMULATED, MANUAL = RiskConfig(), RiskConfig(simulated_approval=False)
BAD = [name for name in WEATHER if name not in ("calm", "flat")]
STRETCHES = st.lists(
    st.tuples(st.sampled_from([*BAD, "calm", "calm"]), st.integers(1, 6), st.sampled_from(list(WISHES))),
    min_size=1,
    max_size=5,
)


def reaches_full_size(machine: RiskMachine) -> bool:
    """Go on for twelve calm weeks, and say whether nothing of risk control was in force at some time.

    Not at their very end: a drawdown that stands just below 5 % may touch level 1 on any day, for a week.
    """
    reached, floors = False, 0
    for _ in range(TWELVE_WEEKS):
        machine.give(approved=True)
        machine.go("calm")
        reached |= machine.full_size
        floors += machine.assessment is not None and machine.assessment.floor > 0
    # The bad days stay in the 60 sessions of the correlations for most of the twelve weeks. What is bought after them
    # costs something, and a drawdown that stood just below 5 % may then touch level 1 for its week.
    for _ in range(10 if floors > TWELVE_WEEKS - 10 else 0):
        machine.go("calm")
        reached |= machine.full_size
    return reached


def recovers(machine: RiskMachine) -> None:
    """Twelve calm, rising weeks must lead back to full size, and a little later the wish must be held."""
    assert reaches_full_size(machine), machine.assessment
    for _ in range(8):
        machine.go("calm")
    # Buying back costs; a drawdown that stood just below 5 % may touch level 1 again, which sells nothing.
    found = machine.assessment
    assert found.effective_level <= 1
    assert found.next_state.recovery_sessions is None
    assert machine.targets is not None
    held = held_weights(UNIVERSE, machine.portfolio)
    # What is short by more than the threshold of 2 % and a lot would have been bought, unless the cash is used up.
    lots = machine.prices / float(machine.portfolio.nav)
    lots[BTC] = 0.0
    # A lot dearer than the day's turnover is never bought.
    short = (held < machine.targets.weights - 0.03 - lots) & found.may_increase & (lots < 0.30)
    assert not short.any() or held.sum() > 0.92


@settings(max_examples=500, deadline=None)
@given(STRETCHES, st.integers(0, 2**32 - 1))
@example([("falling", 5, "mixed"), ("calm", 2, "havens"), ("falling", 1, "coin")], 1_055_011_912)
def test_whatever_happened_twelve_calm_rising_weeks_lead_back_to_full_size(
    path: list[tuple[str, int, str]], seed: int
) -> None:
    machine = RiskMachine(SIMULATED, np.random.default_rng(seed))
    for weather, sessions, wish in path:
        for _ in range(sessions):
            machine.go(weather, wish)
    recovers(machine)


@settings(max_examples=500, deadline=None)
@given(STRETCHES, st.integers(0, 2**32 - 1), st.booleans())
def test_level_4_is_a_dead_end_without_a_person_and_none_with_one(
    path: list[tuple[str, int, str]], seed: int, rejects_first: bool
) -> None:
    machine = RiskMachine(MANUAL, np.random.default_rng(seed))
    for weather, sessions, wish in path:
        for _ in range(sessions):
            machine.go(weather, wish)
    if machine.state.level < 4:
        recovers(machine)
        return
    for _ in range(12):
        machine.go("calm")
        assert machine.state.level == 4
    if rejects_first:
        machine.give(approved=False)
        machine.go("calm")
        assert machine.state.level == 4
        assert machine.state.question == machine.session, "a rejection asks again"
    machine.give(approved=True)
    recovers(machine)


class RiskManagerMachine(RuleBasedStateMachine):
    """Any order of market moods, wishes and answers; the checks are in `RiskMachine`."""

    @initialize(seed=st.integers(0, 2**32 - 1), simulated=st.booleans())
    def open(self, seed: int, simulated: bool) -> None:
        self.machine = RiskMachine(SIMULATED if simulated else MANUAL, np.random.default_rng(seed))

    @rule(weather=st.sampled_from(list(WEATHER)), wish=st.sampled_from(list(WISHES)), sure=st.sampled_from([0.9, 0.3]))
    def session(self, weather: str, wish: str, sure: float) -> None:
        self.machine.go(weather, wish, sure)

    @rule(weeks=st.integers(1, 2))
    def calm_weeks(self, weeks: int) -> None:
        for _ in range(5 * weeks):
            self.machine.go("calm")

    @precondition(lambda self: self.machine.state.question is not None)
    @rule(approved=st.booleans())
    def answer(self, approved: bool) -> None:
        self.machine.give(approved)

    def teardown(self) -> None:
        if hasattr(self, "machine") and not self.machine.full_size:
            assert reaches_full_size(self.machine)


TestRiskManagerMachine = RiskManagerMachine.TestCase
TestRiskManagerMachine.settings = settings(max_examples=500, stateful_step_count=10, deadline=None)
