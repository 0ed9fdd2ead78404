"""A probe: one look at one thing that has to be well. Input: a `ProbeContext`. Output: what is wrong, or nothing."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

from trading_lib.domain.market.sessions import SessionCalendar
from trading_lib.monitoring.alert import AlertLevel
from trading_lib.monitoring.heartbeat import HeartbeatConfig


@dataclass(frozen=True, slots=True)
class Finding:
    """Something that is not well.

    Attributes
    ----------
    key
        What makes two findings the same fault: told once, until a look no longer finds it.
    title
        One line.
    text
        What it means and what to do.
    """

    key: str
    title: str
    text: str
    level: AlertLevel = AlertLevel.CRITICAL
    session: date | None = None
    book: str = ""


@dataclass(frozen=True, slots=True)
class ProbeContext:
    """What a probe may look at.

    Attributes
    ----------
    now
        The present; use it instead of a clock.
    query
        Runs one SQL query in the trading database, read only, with named parameters (``:name``), and returns its rows.
        Where the database is away it raises, and what the probe found before stays as it was.
    home
        Folder of this installation.
    environment
        Variables.
    """

    now: datetime
    calendar: SessionCalendar
    query: Callable[..., Sequence[Sequence[Any]]]
    home: Path
    environment: Mapping[str, str]
    config: HeartbeatConfig


@runtime_checkable
class Probe(Protocol):
    """One look at one thing."""

    def check(self, context: ProbeContext) -> Iterable[Finding]:
        """Return what is wrong now; nothing where all is well. Called every minute, with a time limit."""
        ...
