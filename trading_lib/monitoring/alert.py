"""An alert: something happened that a person has to know. Input of the outbox, from which channels are served."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from enum import StrEnum


class AlertLevel(StrEnum):
    """How much it matters.

    ``INFO``: daily summaries, normal signals. ``WARNING``: risk level 1, data quality. ``CRITICAL``: risk level 2 and
    3, system errors. ``EMERGENCY``: risk level 4, a crash of the system.
    """

    INFO = "info"
    WARNING = "warning"
    CRITICAL = "critical"
    EMERGENCY = "emergency"


@dataclass(frozen=True, slots=True)
class Picture:
    """A picture that goes with an alert: its name without suffix, and its PNG bytes."""

    name: str
    png: bytes


@dataclass(frozen=True, slots=True)
class Alert:
    """Something a person has to know; secrets are struck before it is stored.

    Attributes
    ----------
    title
        One line.
    text
        All of it, in lines.
    source
        What found it: ``trade_daily.place``, ``heartbeat``, ``backup``.
    key
        What makes two alerts the same fault, e.g. ``backup:database:failed``.
    session, book
        Which it is about; None and "" where it is about none.
    link
        Where more stands, "" where nowhere.
    once
        Whether the key is told once for ever, not once a window: a summary of a session.
    """

    level: AlertLevel
    title: str
    text: str
    source: str
    key: str
    session: date | None = None
    book: str = ""
    link: str = ""
    pictures: tuple[Picture, ...] = ()
    once: bool = False
