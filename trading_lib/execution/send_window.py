"""When a broker takes the orders of a session. Input: its capabilities, a session, the calendar. Output: a window.

A window contains the first instant at which orders may be sent and not the last; a broker that says nothing takes them
at any time.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from enum import StrEnum

from trading_lib.domain.market.sessions import NEW_YORK, SessionCalendar, require_aware
from trading_lib.execution.broker import Capabilities

ONE_DAY = timedelta(days=1)


class WindowState(StrEnum):
    """Where a moment lies with regard to a window."""

    EARLY = "EARLY"
    OPEN = "OPEN"
    CLOSED = "CLOSED"


@dataclass(frozen=True, slots=True)
class SendWindow:
    """From when until when orders may be sent; None where there is no such limit. In UTC."""

    opens: datetime | None = None
    closes: datetime | None = None

    def state(self, now: datetime) -> WindowState:
        """Where ``now`` lies."""
        moment = require_aware(now, "now")
        if self.opens is not None and moment < self.opens:
            return WindowState.EARLY
        return WindowState.OPEN if self.closes is None or moment < self.closes else WindowState.CLOSED


ALWAYS = SendWindow()


def send_window(capabilities: Capabilities, session: date, calendar: SessionCalendar) -> SendWindow:
    """Return when a broker takes the orders decided at ``session``.

    Parameters
    ----------
    session
        Or a day without a session, whose stops were checked.
    """
    if capabilities.next_utc_day:
        midnight = datetime.combine(session + ONE_DAY, time(), UTC)
        return SendWindow(midnight, midnight + ONE_DAY)
    first, last = capabilities.send_from, capabilities.send_until
    if first is None and last is None:
        return ALWAYS
    closes = None if last is None else _last_before(calendar.open(first_session_after(session, calendar)), last)
    if first is None:
        return SendWindow(None, closes)
    if closes is None or last is None or first > last:
        return SendWindow(_new_york(session, first), closes)
    # Both on one day: that of the opening.
    return SendWindow(_new_york(closes.astimezone(NEW_YORK).date(), first), closes)


def send_moment(windows: Iterable[SendWindow]) -> datetime | None:
    """Return when to send to several brokers at once: as soon as all take orders, or the first where never all do.

    None: at any time. What is too early for some then is sent later, by whoever watches the orders.
    """
    found = list(windows)
    opens = [window.opens for window in found if window.opens is not None]
    if not opens:
        return None
    last = max(opens)
    return last if all(window.closes is None or last < window.closes for window in found) else min(opens)


def first_session_after(day: date, calendar: SessionCalendar) -> date:
    """Return the first session after ``day``, which need be none."""
    return calendar.next(day if calendar.contains(day) else calendar.session_before(day))


def _last_before(opening: datetime, at: time) -> datetime:
    """Return the last time at or before the opening that New York's clocks show ``at``."""
    day = opening.astimezone(NEW_YORK).date()
    moment = _new_york(day, at)
    return moment if moment <= opening else _new_york(day - ONE_DAY, at)


def _new_york(day: date, at: time) -> datetime:
    return datetime.combine(day, at, NEW_YORK).astimezone(UTC)
