"""Trading sessions: the XNYS calendar, and when each kind of observation becomes known.

See docs/specification.md#trading-sessions and docs/specification.md#availability.

Inputs are session dates; outputs are dates and timezone-aware UTC datetimes. Nothing here reads a clock:
callers pass ``now``.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from functools import cache
from zoneinfo import ZoneInfo

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from trading_lib.domain.errors import NaiveDatetimeError, SessionError
from trading_lib.domain.market.session_table import read_sessions

NEW_YORK = ZoneInfo("America/New_York")
FIRST_SESSION = date(1990, 1, 2)
# Holidays further ahead than this are not announced yet.
LAST_SESSION_YEAR = 2035
BAR_DELAY = timedelta(minutes=15)
DECISION_DELAY = timedelta(minutes=30)
VOLATILITY_INDEX_TIME = time(16, 30)

DateArray = NDArray[np.datetime64]
BoolArray = NDArray[np.bool_]


def require_aware(moment: datetime, what: str) -> datetime:
    """Return ``moment`` in UTC; a datetime without a time zone raises `NaiveDatetimeError`."""
    if moment.tzinfo is None:
        raise NaiveDatetimeError(f"{what} {moment.isoformat()} has no time zone; pass an aware datetime")
    return moment.astimezone(UTC)


def parse_session(text: str) -> date:
    """Parse ``YYYY-MM-DD``; anything else is a `SessionError`."""
    try:
        day = date.fromisoformat(text)
    except ValueError:
        day = None
    # fromisoformat also takes 20200102 and 2020-W01-4.
    if day is None or day.isoformat() != text:
        raise SessionError(f"{text!r} is not a date", "write it as YYYY-MM-DD")
    return day


@dataclass(frozen=True, slots=True, eq=False)
class SessionCalendar:
    """The New York Stock Exchange's sessions as an ordered array with their opening and closing instants.

    Attributes
    ----------
    sessions
        datetime64[D], shape (n_sessions,), ascending.
    opens, closes
        datetime64[us] in UTC, same shape; half days have their early close.
    """

    sessions: DateArray
    opens: DateArray
    closes: DateArray

    def contains(self, day: date) -> bool:
        """Whether ``day`` is a trading session."""
        position = int(np.searchsorted(self.sessions, np.datetime64(day)))
        return position < len(self.sessions) and self.sessions[position] == np.datetime64(day)

    def position(self, day: date) -> int:
        """Index of session ``day``; a date that is no session raises `SessionError` naming its neighbours."""
        position = int(np.searchsorted(self.sessions, np.datetime64(day)))
        if position < len(self.sessions) and self.sessions[position] == np.datetime64(day):
            return position
        if position in (0, len(self.sessions)):
            raise SessionError(
                f"{day} is outside the exchange calendar",
                f"use a session between {self.sessions[0]} and {self.sessions[-1]}",
            )
        raise SessionError(
            f"{day} ({day:%A}) is no trading session of the New York Stock Exchange",
            f"the sessions around it are {self.sessions[position - 1]} and {self.sessions[position]}",
        )

    def close(self, day: date) -> datetime:
        """Return the closing instant of session ``day`` in UTC."""
        return _to_datetime(self.closes[self.position(day)])

    def open(self, day: date) -> datetime:
        """Return the opening instant of session ``day`` in UTC."""
        return _to_datetime(self.opens[self.position(day)])

    def data_time(self, day: date) -> datetime:
        """When the daily bars of session ``day`` are known: close + 15 minutes."""
        return self.close(day) + BAR_DELAY

    def decision_time(self, day: date) -> datetime:
        """When decisions for session ``day`` are made: close + 30 minutes."""
        return self.close(day) + DECISION_DELAY

    def stop_check_time(self, day: date) -> datetime:
        """When the stops of a day without a session are checked: half past four in New York; a session raises.

        That is the decision time of an ordinary session. The newest complete bar of what trades every day is the day
        before's, and what is sold trades at the opening of the next UTC day.
        """
        if self.contains(day):
            raise SessionError(
                f"{day} is a session: its stops are checked by its decision", "run that session, or choose another day"
            )
        return _to_datetime(new_york_time(np.array([day], "datetime64[D]"), VOLATILITY_INDEX_TIME)[0])

    def latest_stop_check(self, now: datetime) -> date:
        """Return the newest day without a session whose `stop_check_time` is not after ``now``."""
        day = require_aware(now, "now").date()
        while self.contains(day) or self.stop_check_time(day) > now:
            day -= timedelta(days=1)
        return day

    def session_before(self, day: date) -> date:
        """Return the newest session before ``day``, which need be none."""
        position = int(np.searchsorted(self.sessions, np.datetime64(day)))
        if position == 0:
            raise SessionError(f"there is no session before {day}", f"use a day after {self.sessions[0]}")
        return _to_date(self.sessions[position - 1])

    def next(self, day: date) -> date:
        """Return the session after session ``day``."""
        return self.offset(day, 1)

    def previous(self, day: date) -> date:
        """Return the session before session ``day``."""
        return self.offset(day, -1)

    def offset(self, day: date, count: int) -> date:
        """Return the session ``count`` sessions after (negative: before) session ``day``."""
        position = self.position(day) + count
        if not 0 <= position < len(self.sessions):
            raise SessionError(
                f"the exchange calendar ends before {abs(count)} session(s) {'after' if count > 0 else 'before'} {day}",
                f"use sessions between {self.sessions[0]} and {self.sessions[-1]}",
            )
        return _to_date(self.sessions[position])

    def between(self, first: date, last: date) -> DateArray:
        """Sessions with ``first <= session <= last`` as datetime64[D]; the ends need not be sessions."""
        start = np.searchsorted(self.sessions, np.datetime64(first), side="left")
        stop = np.searchsorted(self.sessions, np.datetime64(last), side="right")
        return self.sessions[start:stop]

    def month_ends(self, sessions: DateArray) -> BoolArray:
        """Say of each of ``sessions`` whether it is the last of its month, same shape.

        The exchange announces its holidays years ahead, so this is known on the day.
        """
        following = self.sessions[np.minimum(np.searchsorted(self.sessions, sessions) + 1, len(self.sessions) - 1)]
        later: BoolArray = following.astype("datetime64[M]") > sessions.astype("datetime64[M]")
        return later

    def latest_with_data(self, now: datetime) -> date:
        """Return the newest session whose daily bars are known at ``now``."""
        return self._latest(now, BAR_DELAY)

    def latest_decidable(self, now: datetime) -> date:
        """Return the newest session whose decision time is not after ``now``."""
        return self._latest(now, DECISION_DELAY)

    def _latest(self, now: datetime, delay: timedelta) -> date:
        moment = np.datetime64(require_aware(now, "now").replace(tzinfo=None) - delay, "us")
        position = int(np.searchsorted(self.closes, moment, side="right"))
        if position == 0:
            raise SessionError(f"no session had closed by {now.isoformat()}", "pass a later time")
        return _to_date(self.sessions[position - 1])

    def require_data(self, day: date, now: datetime) -> date:
        """Return ``day`` if it is a session whose daily bars can be known by ``now``, else raise `SessionError`."""
        self.position(day)
        if self.data_time(day) > require_aware(now, "now"):
            raise SessionError(
                f"the bars of session {day} are known at {self.data_time(day):%Y-%m-%d %H:%M} UTC, in the future",
                f"the newest session is {self.latest_with_data(now)}",
            )
        return day


@cache
def exchange_sessions() -> SessionCalendar:
    """Return the XNYS calendar from 1990 on, read once per process."""
    return SessionCalendar(*read_sessions())


def session_bar_available_at(sessions: DateArray) -> DateArray:
    """When ETF bars of these exchange dates are known (UTC datetime64[us]): close + 15 minutes.

    A date that is no session (a stray bar) counts as known at 00:00 UTC of the next day.
    """
    calendar = exchange_sessions()
    days = sessions.astype("datetime64[D]")
    position = np.searchsorted(calendar.sessions, days).clip(max=len(calendar.sessions) - 1)
    available = calendar.closes[position] + np.timedelta64(BAR_DELAY)
    return np.where(calendar.sessions[position] == days, available, daily_bar_available_at(days))


def daily_bar_available_at(days: DateArray) -> DateArray:
    """When bars of these UTC days are known (UTC datetime64[us]): the next 00:00 UTC."""
    return (days.astype("datetime64[D]") + np.timedelta64(1, "D")).astype("datetime64[us]")


def new_york_time(days: DateArray, at: time) -> DateArray:
    """Return the instants (UTC datetime64[us]) at which New York clocks show ``at`` on these dates."""
    local = pd.DatetimeIndex(days.astype("datetime64[us]")) + pd.Timedelta(hours=at.hour, minutes=at.minute)
    utc = local.tz_localize(NEW_YORK, ambiguous=True, nonexistent="shift_forward").tz_convert("UTC")
    return utc.tz_localize(None).to_numpy().astype("datetime64[us]")


def volatility_index_available_at(days: DateArray) -> DateArray:
    """When ^VIX closes of these dates are known: 16:15 New York + 15 minutes (docs/specification.md#availability)."""
    return new_york_time(days, VOLATILITY_INDEX_TIME)


def _to_date(value: np.datetime64) -> date:
    return value.astype("datetime64[D]").item()  # type: ignore[no-any-return]


def _to_datetime(value: np.datetime64) -> datetime:
    moment: datetime = value.astype("datetime64[us]").item()
    return moment.replace(tzinfo=UTC)
