"""Which channels an alert goes to, and when. Input: an alert's level and what is set up. Output: planned deliveries."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from trading_lib.monitoring.alert import AlertLevel
from trading_lib.monitoring.config import AlertsConfig

# Takes what no channel is set up for; see `adapters.alerts.mail_file`.
FILE = "file"
ESCALATED = frozenset({AlertLevel.CRITICAL, AlertLevel.EMERGENCY})
FIRST_PAUSE, LONGEST_PAUSE = timedelta(seconds=2), timedelta(minutes=5)
# What no channel has taken in a day is news no longer; the file has had it since the first failure.
GIVEN_UP_AFTER = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class PlannedDelivery:
    """One channel at one step of the escalation, 1 being the first."""

    step: int
    channel: str
    due_at: datetime


def plan_deliveries(
    level: AlertLevel, at: datetime, config: AlertsConfig, set_up: Sequence[str], own: Collection[str] = ()
) -> tuple[PlannedDelivery, ...]:
    """Return who is told when, as long as nobody acknowledges the alert.

    Where none of a step's channels is set up, those of the next step that has one are told instead, then any: an alert
    never waits for a channel that does not exist. Without any channel it goes to the file.

    Parameters
    ----------
    set_up
        Channels that have an address, and notifiers of the user's own.
    own
        Which of them are the user's own: told at the first step of every alert.
    """
    if not set_up:
        return (PlannedDelivery(1, FILE, at),)
    mine = [name for name in set_up if name in own]
    if level not in ESCALATED:
        named = [name for name in config.quiet_channels(level) if name in set_up]
        return tuple(PlannedDelivery(1, name, at) for name in _unique(named + mine) or set_up)
    planned = []
    steps = config.escalation.steps
    for number, step in enumerate(steps, start=1):
        later = [[name for name in entry.channels if name in set_up] for entry in steps[number - 1 :]]
        named = next(filter(None, later), [])
        told = _unique(named + mine) if number == 1 else named
        due_at = at + timedelta(minutes=step.delay_minutes)
        planned += [PlannedDelivery(number, name, due_at) for name in told or set_up]
    return tuple(planned)


def next_try(attempts: int, now: datetime) -> datetime:
    """Return when a channel that has failed ``attempts`` times is tried again."""
    pause: timedelta = FIRST_PAUSE * 3 ** min(attempts - 1, 10)
    return now + min(LONGEST_PAUSE, pause)


def _unique(names: Sequence[str]) -> list[str]:
    return list(dict.fromkeys(names))
