"""The exchange's sessions as a table that is shipped: nobody who starts a command waits for its holidays.

Building the calendar takes longer than a backtest of five years, so it is built once for each release of
exchange_calendars: ``make calendar`` writes the table, and a test compares it with the library.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

FILE = Path(__file__).with_name("xnys_sessions.npz")
DAY = np.timedelta64(1, "D")
MINUTE = np.timedelta64(1, "m")

Times = NDArray[np.datetime64]


def read_sessions(path: Path = FILE) -> tuple[Times, Times, Times]:
    """Return sessions (datetime64[D]) with their opens and closes (datetime64[us], UTC), shape (n_sessions,)."""
    with np.load(path) as table:
        sessions = table["session"].astype("datetime64[D]")
        opens, closes = (sessions + table[name].astype("timedelta64[m]") for name in ("open_minute", "close_minute"))
    return sessions, opens.astype("datetime64[us]"), closes.astype("datetime64[us]")


def library_sessions(first: str, last: str) -> tuple[Times, Times, Times]:
    """Return the same of the New York Stock Exchange from exchange_calendars, which only this function needs."""
    import exchange_calendars

    calendar = exchange_calendars.get_calendar("XNYS", start=first, end=last)
    sessions = calendar.sessions.to_numpy().astype("datetime64[D]")
    opens, closes = (
        times.dt.tz_convert(None).to_numpy().astype("datetime64[us]") for times in (calendar.opens, calendar.closes)
    )
    return sessions, opens, closes


def write_sessions(first: str, last: str, path: Path = FILE) -> None:
    """Write the table of the sessions that the library knows from ``first`` to ``last``."""
    sessions, opens, closes = library_sessions(first, last)
    minutes = {
        name: ((times - sessions.astype("datetime64[us]")) // MINUTE).astype(np.int16)
        for name, times in (("open_minute", opens), ("close_minute", closes))
    }
    np.savez_compressed(path, session=sessions.astype(np.int32), **minutes)
