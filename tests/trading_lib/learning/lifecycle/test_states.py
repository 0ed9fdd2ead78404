from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trading_lib.domain.errors import InputError
from trading_lib.learning.lifecycle.states import TRANSITIONS, Event, Status, after

ALL = [(status, event) for status in Status for event in Event]


@pytest.mark.parametrize(("status", "event"), ALL)
def test_what_is_not_in_the_table_is_refused_with_what_is(status: Status, event: Event) -> None:
    if (status, event) in TRANSITIONS:
        assert after(status, event) is TRANSITIONS[status, event]
        return
    with pytest.raises(InputError, match=f"a {status} cannot be {event}") as refused:
        after(status, event)
    for stands, known in TRANSITIONS:
        assert (known.value in str(refused.value).split(": ", 1)[1]) or stands is not status


def test_every_status_is_left_again_and_every_event_happens() -> None:
    assert {status for status, _ in TRANSITIONS} == set(Status)
    assert {event for _, event in TRANSITIONS} == set(Event)


@given(st.lists(st.sampled_from(list(Event)), max_size=30))
def test_nobody_becomes_champion_who_never_was_a_challenger(events: list[Event]) -> None:
    status, was = Status.CANDIDATE, [Status.CANDIDATE]
    for event in events:
        if (status, event) in TRANSITIONS:
            status = after(status, event)
            was.append(status)
    if Status.CHAMPION in was and Event.REINSTATED not in events:
        assert Status.CHALLENGER in was
        assert was.index(Status.CHALLENGER) < was.index(Status.CHAMPION)
    assert was.count(Status.CANDIDATE) == 1
