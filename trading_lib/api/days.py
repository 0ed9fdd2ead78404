"""Dates as people write them in Python."""

from __future__ import annotations

from datetime import date, datetime
from typing import Any

import numpy as np

from trading_lib.domain.errors import SessionError
from trading_lib.domain.market.sessions import parse_session

Day = str | date | np.datetime64


def day_of(given: Any, name: str) -> date:
    """Return ``given`` as a date: text such as "2015-01-02", a date, a datetime, or one of numpy or pandas.

    Parameters
    ----------
    name
        Of the argument, for the message.

    Raises
    ------
    SessionError
        When it is none of these.
    """
    if isinstance(given, str):
        return parse_session(given)
    if isinstance(given, np.datetime64):
        given = given.astype("datetime64[us]").item()
    if isinstance(given, datetime):
        given = given.date()
    if isinstance(given, date) and given == given:  # pandas' NaT is a date that does not equal itself
        return given
    raise SessionError(f"{name} {given!r} is not a date", "write it as YYYY-MM-DD")
