"""When an order decided at a session trades (docs/specification.md#next-opening)."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from functools import lru_cache

from trading_lib.domain.market.instruments import Instrument, TradingCalendar
from trading_lib.domain.market.sessions import SessionCalendar


def next_opening(instrument: Instrument, decided: date, calendar: SessionCalendar) -> datetime:
    """Return the first opening after the decision: the next session's, or for 24/7 the next UTC day's."""
    if instrument.calendar is TradingCalendar.ALWAYS:
        return datetime.combine(decided + timedelta(days=1), time(), UTC)
    return _next_session_opening(decided, calendar)


@lru_cache(maxsize=1 << 14)
def _next_session_opening(decided: date, calendar: SessionCalendar) -> datetime:
    return calendar.open(calendar.next(decided))
