"""Hours of the New York Stock Exchange as the simulated brokers need them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta

from trading_lib.domain.market.sessions import NEW_YORK, exchange_sessions

# New York times between which Alpaca refuses orders for the next opening auction.
OPENING_CLOSED_FROM, OPENING_CLOSED_UNTIL = time(9, 28), time(19, 0)


@dataclass(frozen=True)
class Session:
    """A trading session and its instants."""

    day: date
    opens: datetime
    closes: datetime


def sessions(first: date, last: date) -> Iterator[Session]:
    """Sessions from one day to another, both included."""
    calendar = exchange_sessions()
    for stamp in calendar.between(first, last):
        day = stamp.astype(object)
        yield Session(day, calendar.open(day), calendar.close(day))


def next_session(after: datetime) -> Session:
    """Return the first session that opens after a time."""
    day = after.astimezone(NEW_YORK).date()
    return next(each for each in sessions(day, day + timedelta(days=14)) if each.opens > after)


def running_session(at: datetime) -> Session | None:
    """Return the session that is open at a time, or None."""
    day = at.astimezone(NEW_YORK).date()
    return next((each for each in sessions(day, day) if each.opens <= at < each.closes), None)


def takes_opening_orders(at: datetime) -> bool:
    """Whether Alpaca takes orders for the next opening auction at a time."""
    here = at.astimezone(NEW_YORK).time()
    return not OPENING_CLOSED_FROM <= here < OPENING_CLOSED_UNTIL


def turns(after: datetime, until: datetime) -> list[tuple[datetime, str, Session]]:
    """Return the openings and closings in (after, until], in their order: instant, ``open`` or ``close``, session."""
    first, last = after.astimezone(NEW_YORK).date(), until.astimezone(NEW_YORK).date()
    found = [
        (at, name, each)
        for each in sessions(first, last)
        for at, name in ((each.opens, "open"), (each.closes, "close"))
        if after < at <= until
    ]
    return sorted(found, key=lambda turn: turn[0])
