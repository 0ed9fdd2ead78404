"""The circuit breaker: whatever happens in whatever order, it keeps its promises."""

from __future__ import annotations

from datetime import timedelta

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from tests.builders.prices import instant
from trading_lib.domain.errors import BreakerTransitionError
from trading_lib.market_data.config import BreakerConfig
from trading_lib.market_data.resilience.breaker import (
    TRANSITIONS,
    BreakerEvent,
    BreakerState,
    BreakerStatus,
    admit,
    after_answer,
    after_failure,
    next_breaker_status,
)

CONFIG = BreakerConfig(failures_to_open=3, open_seconds=300, probe_seconds=60)
NOW = instant("2024-03-04 21:00")


class Breaker(RuleBasedStateMachine):
    """Callers that ask, answer and fail in any order, while the clock moves on."""

    def __init__(self) -> None:
        super().__init__()
        self.state = BreakerState()
        self.now = NOW
        self.in_a_row = 0
        self.under_way = 0
        self.opened_at = NOW

    @rule(seconds=st.integers(0, 400))
    def time_passes(self, seconds: int) -> None:
        self.now += timedelta(seconds=seconds)

    @rule()
    def somebody_asks(self) -> None:
        before = self.state
        admitted = admit(before, self.now, CONFIG)
        if before.status is BreakerStatus.CLOSED:
            assert admitted == before
        if before.status is BreakerStatus.OPEN:
            assert (admitted is not None) == (self.now >= self.opened_at + timedelta(seconds=300))
        if admitted is None:
            assert before.status is not BreakerStatus.CLOSED
            return
        if before.status is not BreakerStatus.CLOSED:
            assert admitted.status is BreakerStatus.HALF_OPEN
            # One probe at a time: nobody else at this instant.
            assert admit(admitted, self.now, CONFIG) is None
        self.state = admitted
        self.under_way += 1

    @precondition(lambda self: self.under_way)
    @rule()
    def an_answer_comes(self) -> None:
        before = self.state.status
        self.under_way -= 1
        self.state = after_answer(self.state)
        if before is BreakerStatus.OPEN:
            assert self.state.status is BreakerStatus.OPEN
        else:
            assert self.state == BreakerState()
            self.in_a_row = 0

    @precondition(lambda self: self.under_way)
    @rule()
    def a_request_fails(self) -> None:
        before = self.state.status
        self.under_way -= 1
        self.state = after_failure(self.state, self.now, CONFIG)
        self.in_a_row += 1
        if before is BreakerStatus.HALF_OPEN or (before is BreakerStatus.CLOSED and self.in_a_row >= 3):
            assert self.state.status is BreakerStatus.OPEN
            self.opened_at = self.now
        else:
            assert self.state.status is before

    @invariant()
    def it_is_blocked_unless_closed(self) -> None:
        assert (self.state.blocked_until is None) == (self.state.status is BreakerStatus.CLOSED)
        assert self.state.failures == self.in_a_row


TestBreaker = Breaker.TestCase


@pytest.mark.parametrize("status", BreakerStatus)
@pytest.mark.parametrize("event", BreakerEvent)
def test_what_the_table_does_not_list_raises(status: BreakerStatus, event: BreakerEvent) -> None:
    if (status, event) in TRANSITIONS:
        assert next_breaker_status(status, event) is TRANSITIONS[status, event]
        return
    with pytest.raises(BreakerTransitionError, match=f"{status} cannot take the event {event}"):
        next_breaker_status(status, event)


def test_a_source_that_asks_to_be_left_alone_is_left_alone_at_once_and_long_enough() -> None:
    state = after_failure(BreakerState(), NOW, CONFIG, hold_seconds=3600)
    assert state.status is BreakerStatus.OPEN
    assert admit(state, NOW + timedelta(seconds=3599), CONFIG) is None
    assert admit(state, NOW + timedelta(seconds=3600), CONFIG) is not None


def test_a_lost_probe_gives_way_to_another() -> None:
    opened = BreakerState(BreakerStatus.OPEN, 3, NOW)
    probing = admit(opened, NOW, CONFIG)
    assert probing is not None
    assert admit(probing, NOW + timedelta(seconds=59), CONFIG) is None
    assert admit(probing, NOW + timedelta(seconds=60), CONFIG) is not None
