"""What goes out now, alone or in a digest. Input: what waits for one channel. Output: batches to send, in order."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from trading_lib.monitoring.alert import AlertLevel
from trading_lib.monitoring.config import RateLimit

ORDER = list(AlertLevel)


@dataclass(frozen=True, slots=True)
class Waiting:
    """One delivery that is due.

    Attributes
    ----------
    alert
        Its number or name in the outbox.
    due_at
        When it was due first; ``attempts`` count the failures since.
    """

    alert: str
    level: AlertLevel
    step: int
    channel: str
    due_at: datetime
    attempts: int = 0


@dataclass(frozen=True, slots=True)
class Sent:
    """A message that a channel took, and the highest level in it."""

    at: datetime
    level: AlertLevel


def batches(
    waiting: Sequence[Waiting], sent: Sequence[Sent], limit: RateLimit, now: datetime
) -> tuple[tuple[Waiting, ...], ...]:
    """Choose what one channel is sent now; each batch is one message.

    An emergency is always a message of its own, at once. Of the others, ``limit.messages`` go out within the window;
    what comes beyond them waits for its end and is one digest. A higher level than those sent waits for none of them.

    Parameters
    ----------
    sent
        What the channel took within the last two windows.
    """
    emergencies = [(entry,) for entry in waiting if entry.level is AlertLevel.EMERGENCY]
    window = timedelta(seconds=limit.per_seconds)
    counted = [entry for entry in sent if entry.level is not AlertLevel.EMERGENCY]
    open_to = [
        entry
        for entry in sorted(waiting, key=lambda entry: (-ORDER.index(entry.level), entry.due_at, entry.alert))
        if entry.level is not AlertLevel.EMERGENCY and _room(entry, counted, limit, window, now) > 0
    ]
    if not open_to:
        return tuple(emergencies)
    if any(_was_held(entry, counted, window) for entry in open_to):
        return (*emergencies, tuple(open_to))
    room = _room(open_to[0], counted, limit, window, now)
    return (*emergencies, *((entry,) for entry in open_to[:room]))


def _room(entry: Waiting, sent: Sequence[Sent], limit: RateLimit, window: timedelta, now: datetime) -> int:
    # What was sent in the future was sent before the clock was set back, and holds nothing up.
    recent = [other for other in sent if now - window < other.at <= now and _as_high(other.level, entry.level)]
    return limit.messages - len(recent)


def _was_held(entry: Waiting, sent: Sequence[Sent], window: timedelta) -> bool:
    """Whether it has waited for others, or belongs to many that come due at once anyway."""
    before = any(other.at > entry.due_at - window and _as_high(other.level, entry.level) for other in sent)
    return before or entry.step > 1 or entry.attempts > 0


def _as_high(level: AlertLevel, other: AlertLevel) -> bool:
    return ORDER.index(level) >= ORDER.index(other)
