"""Regime, sleeves, floors and the re-entry ladder each leave an event with a reason."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from tests.builders.decisions import make_portfolio, make_signals, make_state
from tests.builders.markets import ASSETS, SESSION, make_view
from trading_lib.domain.decision.risk import RiskState
from trading_lib.domain.decision.signals import MarketRegime, RegimeReading
from trading_lib.domain.decision.sleeves import SleeveEvent, SleeveRecord, SleeveTarget
from trading_lib.domain.decision.weights import TargetWeights
from trading_lib.risk.assess import assess_risk
from trading_lib.risk.config import RiskConfig
from trading_lib.risk.events import floor_events, recovery_events, regime_events
from trading_lib.risk.memory import regime_label

ABSENT = RegimeReading(MarketRegime.HIGH_VOL, float("nan"), -1, True)
OLD = RegimeReading(MarketRegime.HIGH_VOL, 14.0, 4, True)
HIGH = RegimeReading(MarketRegime.HIGH_VOL, 31.5, 0, False)
NORMAL = RegimeReading(MarketRegime.NORMAL, 15.0, 0, False)


@pytest.mark.parametrize(
    ("before", "reading", "reason"),
    [
        ("", NORMAL, None),
        ("NORMAL", NORMAL, None),
        ("NORMAL", HIGH, "^VIX 31.50: the regime is HIGH_VOL, before NORMAL"),
        ("HIGH_VOL", ABSENT, "^VIX is missing: the regime is HIGH_VOL without ^VIX, before HIGH_VOL"),
        ("", ABSENT, "^VIX is missing: the regime is HIGH_VOL without ^VIX"),
        ("NORMAL", OLD, "^VIX is 4 sessions old: the regime is HIGH_VOL without ^VIX, before NORMAL"),
        ("HIGH_VOL without ^VIX", ABSENT, None),
    ],
)
def test_regime_changes_are_told(before: str, reading: RegimeReading, reason: str | None) -> None:
    found = regime_events(make_state(regime=before), reading, 0, SESSION)
    assert [event.reason for event in found] == ([] if reason is None else [reason])


def test_an_assessment_tells_and_remembers_regime_and_sleeves() -> None:
    target = SleeveTarget(np.zeros(ASSETS), events=(SleeveEvent("defence", "half of the top group fell"),))
    sleeves = {"rotation": SleeveRecord(target, np.zeros(ASSETS), 1.0)}
    nothing = np.zeros(ASSETS)
    targets = TargetWeights(nothing, nothing, np.full((ASSETS, ASSETS), np.nan), {}, sleeves)
    found = assess_risk(
        make_view(),
        HIGH,
        make_signals(),
        targets,
        nothing,
        make_portfolio(100_000),
        make_state(regime="NORMAL"),
        RiskConfig(),
    )
    assert [(e.kind, e.reason) for e in found.events] == [
        ("regime", "^VIX 31.50: the regime is HIGH_VOL, before NORMAL"),
        ("defence", "half of the top group fell"),
    ]
    assert found.next_state.regime == regime_label(HIGH) == "HIGH_VOL"


@pytest.mark.parametrize(
    ("before", "after", "reason"),
    [
        (None, None, None),
        (None, 0, "re-entry begins at 25% of normal size"),
        (3, 4, None),
        (4, 5, "re-entry moves up to 50% of normal size"),
        (9, 10, "re-entry moves up to 75% of normal size"),
        (12, 0, "a fresh breach restarts re-entry at 25% of normal size"),
        (14, None, "the re-entry ladder reached full size"),
    ],
)
def test_every_step_of_the_ladder_is_told(before: int | None, after: int | None, reason: str | None) -> None:
    found = recovery_events(make_state(recovery_sessions=before), after, 1, SESSION, RiskConfig())
    assert [event.reason for event in found] == ([] if reason is None else [reason])


@pytest.mark.parametrize(
    ("before", "after", "reason", "told"),
    [
        (0, 1, "average 0.60", "average 0.60"),
        (1, 2, "every pair", "every pair"),
        (2, 1, "average 0.60", "average 0.60"),
        (1, 0, "", "the correlation floor no longer applies"),
        (1, 1, "average 0.61", None),
        (0, 0, "", None),
    ],
)
@pytest.mark.parametrize("level", [0, 3])
def test_floors_are_told_when_they_come_change_and_go(
    before: int, after: int, reason: str, told: str | None, level: int
) -> None:
    state: RiskState = replace(make_state(), level=level, effective_level=max(level, before), floor=before)
    found = floor_events(state, after, max(level, after), reason, SESSION)
    assert [event.reason for event in found] == ([] if told is None else [told])
    assert all(event.level_after == max(level, after) for event in found)
