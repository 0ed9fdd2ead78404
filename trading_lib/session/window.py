"""The sessions of a window, as rows of the panel."""

from __future__ import annotations

from datetime import date

import numpy as np

from trading_lib.domain.errors import SessionError
from trading_lib.domain.market.prices import PricePanel
from trading_lib.domain.market.sessions import SessionCalendar


def window_rows(panel: PricePanel, calendar: SessionCalendar, first: date, last: date) -> range:
    """Rows of the panel inside [first, last]; raises where the data does not cover the window."""
    if first > last:
        raise SessionError(f"the window {first} to {last} is inverted", "swap the two dates")
    window = calendar.between(first, last)
    if not len(window):
        raise SessionError(f"there is no trading session from {first} to {last}", "choose a longer window")
    sessions = panel.sessions
    if window[0] < sessions[0] or window[-1] > sessions[-1]:
        raise SessionError(
            f"the window {first} to {last} is not covered by the data ({sessions[0]} to {sessions[-1]})",
            f"choose a window inside it; {_beginnings(panel)}",
        )
    start = int(np.searchsorted(sessions, window[0]))
    return range(start, start + len(window))


def _beginnings(panel: PricePanel) -> str:
    """Name the assets whose prices begin first and last."""
    priced = np.isfinite(panel.close)
    days = sorted(
        (panel.sessions[int(priced[:, i].argmax())], symbol)
        for i, symbol in enumerate(panel.symbols)
        if priced[:, i].any()
    )
    if not days:
        return "no symbol has a price in it"
    (first, symbol), (last, latest) = days[0], days[-1]
    return f"the first price is {symbol}'s of {first}" + (f", {latest}'s begin at {last}" if last > first else "")
