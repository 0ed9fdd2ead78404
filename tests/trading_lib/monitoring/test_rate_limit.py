"""One message and a digest instead of ten messages; an emergency is never part of either."""

from __future__ import annotations

from datetime import datetime, timedelta
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from tests.cases.alerts import NOON
from trading_lib.monitoring.alert import AlertLevel
from trading_lib.monitoring.config import RateLimit
from trading_lib.monitoring.rate_limit import Sent, Waiting, batches

LIMIT = RateLimit(messages=1, per_seconds=60)


def at(seconds: float) -> datetime:
    return NOON + timedelta(seconds=seconds)


def waiting(number: int, seconds: float = 0, level: AlertLevel = AlertLevel.CRITICAL, step: int = 1) -> Waiting:
    return Waiting(f"{number:03}", level, step, "mail", at(seconds))


def numbers(found: tuple[tuple[Waiting, ...], ...]) -> list[list[int]]:
    return [[int(entry.alert) for entry in batch] for batch in found]


def play(arriving: list[Waiting], until: int) -> list[tuple[int, list[int]]]:
    """(second, alerts of one message) for a channel that is looked at every second and takes everything."""
    sent: list[Sent] = []
    told: list[tuple[int, list[int]]] = []
    left = list(arriving)
    for second in range(until):
        due = [entry for entry in left if entry.due_at <= at(second)]
        for batch in batches(due, sent, LIMIT, at(second)):
            told.append((second, [int(entry.alert) for entry in batch]))
            sent.append(Sent(at(second), max((e.level for e in batch), key=list(AlertLevel).index)))
            left = [entry for entry in left if entry not in batch]
    assert left == []
    return told


def test_ten_failures_in_a_minute_are_one_message_and_a_digest() -> None:
    told = play([waiting(number, seconds=5 * number) for number in range(10)], until=200)
    assert told == [(0, [0]), (60, list(range(1, 10)))]


def test_ten_failures_at_once_are_so_too() -> None:
    told = play([waiting(number) for number in range(10)], until=200)
    assert told == [(0, [0]), (60, list(range(1, 10)))]


def test_ten_escalations_at_once_are_one_digest() -> None:
    assert numbers(batches([waiting(n, step=2) for n in range(10)], [], LIMIT, at(0))) == [list(range(10))]


def test_an_emergency_goes_out_alone_and_at_once() -> None:
    emergencies = [waiting(n, level=AlertLevel.EMERGENCY) for n in range(10)]
    sent = [Sent(at(-1), AlertLevel.EMERGENCY), Sent(at(-2), AlertLevel.CRITICAL)]
    assert numbers(batches(emergencies, sent, LIMIT, at(0))) == [[n] for n in range(10)]


def test_an_emergency_holds_up_nothing_that_follows() -> None:
    assert numbers(batches([waiting(1)], [Sent(at(-1), AlertLevel.EMERGENCY)], LIMIT, at(0))) == [[1]]


def test_a_higher_level_waits_for_no_lower_one() -> None:
    sent = [Sent(at(-1), AlertLevel.WARNING)]
    found = batches([waiting(1, level=AlertLevel.WARNING), waiting(2)], sent, LIMIT, at(0))
    assert numbers(found) == [[2]]


def test_a_clock_that_is_set_back_holds_nothing_up() -> None:
    assert numbers(batches([waiting(1)], [Sent(at(3600), AlertLevel.CRITICAL)], LIMIT, at(0))) == [[1]]


@given(st.lists(st.tuples(st.sampled_from(list(AlertLevel)), st.integers(0, 150)), max_size=25))
def test_everything_is_told_once_and_emergencies_without_delay(arriving: list[tuple[AlertLevel, int]]) -> None:
    entries = [waiting(number, seconds, level) for number, (level, seconds) in enumerate(arriving)]
    told = play(entries, until=600)
    assert sorted(number for _, batch in told for number in batch) == list(range(len(entries)))
    for number, entry in enumerate(entries):
        if entry.level is AlertLevel.EMERGENCY:
            ((second, batch),) = [message for message in told if number in message[1]]
            assert batch == [number]
            assert at(second) == entry.due_at
    minutes = [second for second, batch in told if entries[batch[0]].level is AlertLevel.CRITICAL]
    assert all(later - earlier >= 60 for earlier, later in pairwise(minutes))
