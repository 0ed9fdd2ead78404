"""Who is told when: three steps until somebody answers, and never only a channel that does not exist."""

from __future__ import annotations

from datetime import timedelta

import pytest

from tests.cases.alerts import NOON
from trading_lib.monitoring.alert import AlertLevel
from trading_lib.monitoring.config import AlertsConfig
from trading_lib.monitoring.escalation import FILE, LONGEST_PAUSE, next_try, plan_deliveries

CONFIG = AlertsConfig()
ALL = ("mail", "slack", "pagerduty")


def steps(level: AlertLevel, set_up: tuple[str, ...], own: tuple[str, ...] = ()) -> list[tuple[int, float, set[str]]]:
    """(step, minutes, channels) of a plan."""
    planned = plan_deliveries(level, NOON, CONFIG, set_up, own)
    return [
        (
            number,
            (min(e.due_at for e in planned if e.step == number) - NOON).total_seconds() / 60,
            {e.channel for e in planned if e.step == number},
        )
        for number in sorted({entry.step for entry in planned})
    ]


@pytest.mark.parametrize("level", [AlertLevel.CRITICAL, AlertLevel.EMERGENCY])
def test_the_three_steps_of_the_design(level: AlertLevel) -> None:
    assert steps(level, ALL) == [
        (1, 0.0, {"slack"}),
        (2, 5.0, {"slack", "mail"}),
        (3, 15.0, {"slack", "mail", "pagerduty"}),
    ]


@pytest.mark.parametrize("level", [AlertLevel.INFO, AlertLevel.WARNING])
def test_what_nobody_has_to_acknowledge_has_one_step(level: AlertLevel) -> None:
    ((number, minutes, channels),) = steps(level, ALL)
    assert (number, minutes) == (1, 0.0)
    assert "pagerduty" not in channels
    assert "mail" in channels


@pytest.mark.parametrize("channel", ["mail", "pagerduty", "telegram"])
@pytest.mark.parametrize("level", list(AlertLevel))
def test_the_only_channel_that_is_set_up_is_told_at_once(channel: str, level: AlertLevel) -> None:
    assert steps(level, (channel,))[0] == (1, 0.0, {channel})


def test_a_step_without_a_channel_borrows_those_of_the_next_and_not_all() -> None:
    assert [told for *_, told in steps(AlertLevel.CRITICAL, ("mail", "pagerduty"))] == [
        {"mail"},
        {"mail"},
        {"mail", "pagerduty"},
    ]


def test_without_any_channel_it_goes_to_the_file() -> None:
    assert steps(AlertLevel.EMERGENCY, ()) == [(1, 0.0, {FILE})]


@pytest.mark.parametrize("level", list(AlertLevel))
def test_notifiers_of_ones_own_are_told_at_the_first_step(level: AlertLevel) -> None:
    assert "own.py:Own" in steps(level, (*ALL, "own.py:Own"), ("own.py:Own",))[0][2]


def test_pauses_grow_and_are_bounded() -> None:
    pauses = [next_try(attempts, NOON) - NOON for attempts in range(1, 40)]
    assert pauses[0] == timedelta(seconds=2)
    assert pauses == sorted(pauses)
    assert pauses[-1] == LONGEST_PAUSE
