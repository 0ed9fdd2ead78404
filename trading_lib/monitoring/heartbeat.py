"""When the daily run is late, and what a clock that is off looks like. Inputs are times; nothing here reads a clock."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime, timedelta

from pydantic import Field

from trading_lib.domain.configuration import Configuration
from trading_lib.domain.errors import SessionError
from trading_lib.domain.market.sessions import SessionCalendar

# A run that came so much later repaired the past; it was not the daily one.
IN_TIME = timedelta(hours=24)


class HeartbeatConfig(Configuration):
    """The part ``heartbeat`` of monitoring.yaml.

    Attributes
    ----------
    data_minutes, trade_minutes
        What the daily run may take, from the moment the session's bars are known, and from its decision time.
    books
        Books that have to trade every session; empty: every one that ever decided a session on its day.
    resting_books
        Books of those that need not trade any more.
    clock_seconds
        How much two clocks may differ.
    disk_gigabytes
        What has to be free on the home's disk.
    backup_hours
        Age of the newest backup of the database that is too old.
    every_seconds
        Time between two looks with ``--watch``.
    probe_seconds
        What one probe may take.
    """

    data_minutes: float = Field(45.0, gt=0, le=24 * 60)
    trade_minutes: float = Field(60.0, gt=0, le=24 * 60)
    books: tuple[str, ...] = ()
    resting_books: tuple[str, ...] = ()
    clock_seconds: float = Field(120.0, gt=0, le=3600)
    disk_gigabytes: float = Field(2.0, ge=0)
    backup_hours: float = Field(3.0, gt=0, le=24 * 365)
    every_seconds: float = Field(60.0, ge=1, le=3600)
    probe_seconds: float = Field(10.0, gt=0, le=300)


@dataclass(frozen=True, slots=True)
class Due:
    """What must have happened by now.

    Attributes
    ----------
    data_session, trade_session
        Newest session whose market data must be stored, and that must be decided; None before the first.
    data_by, trade_by
        By when.
    """

    data_session: date | None
    data_by: datetime | None
    trade_session: date | None
    trade_by: datetime | None


@dataclass(frozen=True, slots=True)
class Reading:
    """What a clock and a counter that nobody can set showed at one moment.

    Attributes
    ----------
    boot
        Of which start of the machine the counter is.
    counter
        Seconds.
    """

    at: datetime
    boot: str
    counter: float


def due(calendar: SessionCalendar, now: datetime, config: HeartbeatConfig) -> Due:
    """Return what must have happened by ``now``; half days are due early, and no holiday is ever due."""
    data_late, trade_late = timedelta(minutes=config.data_minutes), timedelta(minutes=config.trade_minutes)
    try:
        data = calendar.latest_with_data(now - data_late)
    except SessionError:
        return Due(None, None, None, None)
    try:
        trade = calendar.latest_decidable(now - trade_late)
    except SessionError:
        return Due(data, calendar.data_time(data) + data_late, None, None)
    return Due(data, calendar.data_time(data) + data_late, trade, calendar.decision_time(trade) + trade_late)


def decided_in_time(calendar: SessionCalendar, session: date, created_at: datetime) -> bool:
    """Whether a stored decision is of a daily run, and not of a replay of the past."""
    return calendar.contains(session) and created_at - calendar.decision_time(session) < IN_TIME


def clock_problem(before: Reading | None, now: Reading, tolerance: float) -> str:
    """Say how the clock was set between two looks; "" where it went as the counter did.

    A machine that was started in between has another counter: then only a clock that went back is seen.
    """
    if before is None:
        return ""
    went = (now.at - before.at).total_seconds()
    if before.boot == now.boot:
        jumped = went - (now.counter - before.counter)
        if abs(jumped) > tolerance:
            return f"the clock was set {'forward' if jumped > 0 else 'back'} by {abs(jumped):.0f} s"
    elif went < -tolerance:
        return f"the clock went back by {-went:.0f} s while the machine was started"
    return ""


def future_problem(stored: Iterable[tuple[str, datetime | None]], now: datetime, tolerance: float) -> str:
    """Say which stored time lies in the future; "" where none does."""
    for what, moment in stored:
        if moment is not None and (moment - now).total_seconds() > tolerance:
            return f"the newest {what} is {(moment - now).total_seconds():.0f} s in the future"
    return ""
