"""Columns of the user's own may know no more than the panel they are computed from: `refuse_foresight`."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace

import numpy as np

from trading_lib.domain.errors import InputError
from trading_lib.domain.market.prices import DailyBars, FloatArray, NativeSeries, PricePanel

# Of a panel, the user's own columns by name, each of shape (T, n).
OwnColumns = Callable[[PricePanel], Mapping[str, FloatArray]]
# Shares of the sessions after which the future is taken away.
CUTS = (0.4, 0.7, 0.95)
FILLS = ("fill_open", "fill_low", "fill_high", "fill_volume")


def refuse_foresight(own: OwnColumns, panel: PricePanel) -> None:
    """Refuse a column that says something else of a session where the sessions after it are missing.

    A column that is shifted by a session, scaled by the mean of all of them, or computed from returns to come is found
    so, however little it shows in correlations. What a column reads from elsewhere is not taken away.

    Raises
    ------
    InputError
        Naming the column, and the first session and asset of which it says something else.
    """
    whole = own(panel)
    for share in CUTS:
        known = own(up_to(panel, int(share * (len(panel.sessions) - 1))))
        for name, values in known.items():
            ours, theirs = whole[name][: len(values)], np.asarray(values)
            differing = np.argwhere((ours != theirs) & ~(np.isnan(ours) & np.isnan(theirs)))
            if len(differing):
                row, asset = (int(index) for index in differing[0])
                raise InputError(
                    f"the own feature {name} is a leak: of {panel.symbols[asset]} on {panel.sessions[row]} it is "
                    f"{ours[row, asset]:.6g}, and {theirs[row, asset]:.6g} where prices end on "
                    f"{panel.sessions[len(values) - 1]}",
                    "compute each session's row from that row and earlier ones alone",
                )


def up_to(panel: PricePanel, row: int) -> PricePanel:
    """Return the panel as it was known at the decision of session ``row``."""
    end = row + 1
    by_session = {
        name: getattr(panel, name)[:end]
        for name in PricePanel.__slots__
        if name not in ("symbols", "common_lag", "native", "source", "daily")
    }
    by_session |= {name: _fills_up_to(panel, getattr(panel, name), row) for name in FILLS}
    native = tuple(_series_up_to(series, end) for series in panel.native)
    daily = {symbol: _days_up_to(bars, panel.sessions[row]) for symbol, bars in panel.daily.items()}
    return replace(panel, **by_session, native=native, daily=daily)


def _fills_up_to(panel: PricePanel, fills: FloatArray, row: int) -> FloatArray:
    """Take away the last session's fills of bars that end after its decision, those of its own UTC day."""
    cut: FloatArray = fills[: row + 1].copy()
    if row and panel.sessions[row - 1] + 1 >= panel.sessions[row]:
        cut[row, panel.common_lag > 0] = np.nan
    return cut


def _series_up_to(series: NativeSeries, end: int) -> NativeSeries:
    bars = int(series.last_known[end - 1]) + 1
    cut = {name: getattr(series, name)[:bars] for name in ("dates", "close", "high", "low", "factor")}
    return replace(series, **cut, last_known=series.last_known[:end])


def _days_up_to(bars: DailyBars, session: np.datetime64) -> DailyBars:
    # The session's own day is not complete at its decision.
    count = int(np.searchsorted(bars.days, session))
    return replace(bars, **{name: getattr(bars, name)[:count] for name in ("days", "open", "low", "high", "close")})
