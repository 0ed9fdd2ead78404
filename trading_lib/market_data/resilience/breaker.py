"""The circuit breaker of a source, as values and a table. Input: state, event, the present. Output: the next state.

Closed: requests go through. Open: the source is left alone for a while. Half-open: one request tries whether it is
back; its outcome closes or opens the breaker. Nothing here reads a clock or stores anything: the state lives where
every task that uses the source can see it (`trading_lib.market_data.resilience.status`).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum

from trading_lib.domain.errors import BreakerTransitionError
from trading_lib.market_data.config import BreakerConfig


class BreakerStatus(StrEnum):
    """Whether a source is asked."""

    CLOSED = "closed"
    OPEN = "open"
    HALF_OPEN = "half-open"


class BreakerEvent(StrEnum):
    """What happened: an answer, a failure that is tolerated, one failure too many, the permission to try again."""

    SUCCESS = "success"
    FAILURE = "failure"
    TRIP = "trip"
    PROBE = "probe"


TRANSITIONS: Mapping[tuple[BreakerStatus, BreakerEvent], BreakerStatus] = {
    (BreakerStatus.CLOSED, BreakerEvent.SUCCESS): BreakerStatus.CLOSED,
    (BreakerStatus.CLOSED, BreakerEvent.FAILURE): BreakerStatus.CLOSED,
    (BreakerStatus.CLOSED, BreakerEvent.TRIP): BreakerStatus.OPEN,
    # Requests that were under way when it opened still end, well or badly; only a probe may close it.
    (BreakerStatus.OPEN, BreakerEvent.SUCCESS): BreakerStatus.OPEN,
    (BreakerStatus.OPEN, BreakerEvent.FAILURE): BreakerStatus.OPEN,
    (BreakerStatus.OPEN, BreakerEvent.PROBE): BreakerStatus.HALF_OPEN,
    (BreakerStatus.HALF_OPEN, BreakerEvent.SUCCESS): BreakerStatus.CLOSED,
    (BreakerStatus.HALF_OPEN, BreakerEvent.TRIP): BreakerStatus.OPEN,
    # A probe that never reported back is given up, and another one may try.
    (BreakerStatus.HALF_OPEN, BreakerEvent.PROBE): BreakerStatus.HALF_OPEN,
}


@dataclass(frozen=True, slots=True)
class BreakerState:
    """Where a breaker stands.

    Attributes
    ----------
    failures
        Failed attempts in a row; 0 after an answer.
    blocked_until
        Open: when a probe may go. Half-open: when the present probe counts as lost. None while closed.
    """

    status: BreakerStatus = BreakerStatus.CLOSED
    failures: int = 0
    blocked_until: datetime | None = None


def next_breaker_status(status: BreakerStatus, event: BreakerEvent) -> BreakerStatus:
    """Status after ``event``; a pair that is not in `TRANSITIONS` raises `BreakerTransitionError`."""
    try:
        return TRANSITIONS[status, event]
    except KeyError:
        raise BreakerTransitionError(f"a circuit breaker that is {status} cannot take the event {event}") from None


def admit(state: BreakerState, now: datetime, config: BreakerConfig) -> BreakerState | None:
    """State in which the source may be asked at ``now``; None when it may not.

    A closed breaker admits everybody and stays as it is. An open one admits nobody before ``blocked_until``, and then
    one probe at a time.
    """
    if state.status is BreakerStatus.CLOSED:
        return state
    if state.blocked_until is not None and now < state.blocked_until:
        return None
    lost_after = now + timedelta(seconds=config.probe_seconds)
    return replace(state, status=next_breaker_status(state.status, BreakerEvent.PROBE), blocked_until=lost_after)


def after_answer(state: BreakerState) -> BreakerState:
    """State after the source answered, be it that it does not have what was asked for."""
    status = next_breaker_status(state.status, BreakerEvent.SUCCESS)
    return BreakerState() if status is BreakerStatus.CLOSED else state


def after_failure(state: BreakerState, now: datetime, config: BreakerConfig, hold_seconds: float = 0.0) -> BreakerState:
    """State after the source failed.

    Parameters
    ----------
    hold_seconds
        How long the source itself asked to be left alone; more than 0 opens the breaker at the first failure, for at
        least that long.
    """
    failures = state.failures + 1
    until = now + timedelta(seconds=max(config.open_seconds, hold_seconds))
    if state.status is BreakerStatus.OPEN:
        still_open = next_breaker_status(state.status, BreakerEvent.FAILURE)
        return replace(state, status=still_open, failures=failures)
    tripped = state.status is BreakerStatus.HALF_OPEN or failures >= config.failures_to_open or hold_seconds > 0
    event = BreakerEvent.TRIP if tripped else BreakerEvent.FAILURE
    status = next_breaker_status(state.status, event)
    return BreakerState(status, failures, until if tripped else None)
