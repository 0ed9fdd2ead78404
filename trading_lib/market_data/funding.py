"""`FundingRates` -> `FundingPanel`: rates as known at every decision, and the payments between decisions.

Input: settled rates, the spot asset's bars, the sessions. A row uses only rates whose ``available_at`` is not after
that row's decision, so cutting the input after session D changes no row up to D.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime

import numpy as np
import pandas as pd

from trading_lib.domain.market.funding import HOURS_PER_YEAR, FundingPanel, Settlement
from trading_lib.domain.market.perpetuals import FundingWindows, PerpetualContract
from trading_lib.domain.market.positioning import FundingRates
from trading_lib.domain.market.prices import Bars, DateArray, FloatArray
from trading_lib.domain.market.sessions import SessionCalendar
from trading_lib.market_data.panel import decision_times

USUAL_HOURS = 8.0
# Exchanges settle every 1, 2, 4 or 8 hours; more time between two rates means that one is missing in the data.
LONGEST_INTERVAL = 12.0
ONE_HOUR = np.timedelta64(3600, "s")


@dataclass(frozen=True, slots=True)
class _VenueRates:
    """One venue's settlements, ascending: instants to the minute, when known, fraction paid, hours since the last."""

    settled: DateArray
    known: DateArray
    rate: FloatArray
    hours: FloatArray

    def with_interval(self) -> _VenueRates:
        """Leave out the rates that cannot be compared, because nobody knows what time they are for."""
        keep = np.isfinite(self.hours) & (self.hours > 0) & (self.hours <= LONGEST_INTERVAL)
        return _VenueRates(self.settled[keep], self.known[keep], self.rate[keep], self.hours[keep])


def assemble_funding(
    rates: FundingRates, bars: Bars, contract: PerpetualContract, sessions: DateArray, calendar: SessionCalendar
) -> FundingPanel:
    """Build the panel of the contract's venues; one without rates is missing throughout.

    Parameters
    ----------
    bars
        Those of the spot asset give the prices at which positions are valued when funding settles.
    sessions
        datetime64[D], shape (T,), those of the price panel.
    """
    decisions = decision_times(calendar, sessions)
    venues = [_venue_rates(rates.frame, venue, contract.name) for venue in contract.venues]
    columns = [_columns(venue.with_interval(), decisions, contract.windows) for venue in venues]
    shape = (4, len(sessions), len(venues))
    table = np.stack(columns, axis=2) if columns else np.empty(shape)
    rate, annual_carry, volatility_ratio, age_hours = table
    settlements = _settlements(venues, bars, contract, decisions)
    return FundingPanel(contract.venues, rate, annual_carry, volatility_ratio, age_hours, settlements)


def _venue_rates(frame: pd.DataFrame, venue: str, symbol: str) -> _VenueRates:
    usable = (frame["venue"] == venue) & (frame["symbol"] == symbol) & np.isfinite(frame["rate"])
    rows = frame[usable].sort_values("settled_at", kind="stable")
    settled = rows["settled_at"].dt.tz_convert(None).dt.round("min").to_numpy().astype("datetime64[us]")
    stated = rows["interval_hours"].to_numpy(dtype=np.float64)
    # A window's first rate comes without an interval, even where the settlement before it is stored.
    since = np.r_[np.nan, np.diff(settled) / ONE_HOUR] if len(settled) else np.empty(0)
    return _VenueRates(
        settled=settled,
        known=rows["available_at"].dt.tz_convert(None).to_numpy().astype("datetime64[us]"),
        rate=rows["rate"].to_numpy(dtype=np.float64),
        hours=np.where(np.isfinite(stated), stated, since),
    )


def _columns(venue: _VenueRates, decisions: DateArray, windows: FundingWindows) -> FloatArray:
    """Rate per 8 hours, annual carry, volatility ratio and age at each decision, shape (4, T)."""
    columns = np.full((4, len(decisions)), np.nan)
    newest = np.searchsorted(venue.known, decisions, side="right") - 1
    normal = venue.rate * USUAL_HOURS / venue.hours
    for row in np.flatnonzero(newest >= 0).tolist():
        at, decision = newest[row], decisions[row]
        age = float((decision - venue.settled[at]) / ONE_HOUR)
        columns[3, row] = age
        if age <= windows.stale_intervals * venue.hours[at]:
            columns[0, row] = normal[at]
            columns[1, row] = venue.rate[at] / venue.hours[at] * HOURS_PER_YEAR
            columns[2, row] = _volatility_ratio(venue.settled[: at + 1], normal[: at + 1], decision, windows)
    return columns


def _volatility_ratio(settled: DateArray, rates: FloatArray, decision: np.datetime64, windows: FundingWindows) -> float:
    """Divide the recent standard deviation by that of the history before it; NaN while there is too little of it."""
    since = decision - _days(windows.recent_days)
    begin, split = np.searchsorted(settled, [since - _days(windows.history_days), since], side="right")
    recent, history = rates[split:], rates[begin:split]
    if len(recent) < 2 or len(history) < 2 or settled[0] > since - _days(windows.minimum_days):
        return np.nan
    # Rates are often at their base for weeks; equal numbers must give exactly no deviation.
    usual, now = (0.0 if np.ptp(part) == 0.0 else float(part.std(ddof=1)) for part in (history, recent))
    if usual == 0.0:
        return 0.0 if now == 0.0 else np.inf
    return now / usual


def _days(count: float) -> np.timedelta64:
    return np.timedelta64(round(count * 24 * 3600), "s")


def _settlements(
    venues: list[_VenueRates], bars: Bars, contract: PerpetualContract, decisions: DateArray
) -> tuple[tuple[Settlement, ...], ...]:
    rows: list[list[Settlement]] = [[] for _ in decisions]
    prices = _SpotPrices(bars, contract.spot)
    for name, venue in zip(contract.venues, venues, strict=True):
        # Known after its decision means that no run of that session can have booked it.
        session = np.searchsorted(decisions, np.maximum(venue.settled, venue.known), side="left")
        price = prices.at(venue.settled)
        for i in np.flatnonzero((session < len(decisions)) & np.isfinite(price)).tolist():
            moment: datetime = venue.settled[i].astype("datetime64[us]").item()
            rows[session[i]].append(
                Settlement(contract.on(name), moment.replace(tzinfo=UTC), float(venue.rate[i]), float(price[i]))
            )
    return tuple(tuple(sorted(row, key=lambda s: (s.settled_at, s.symbol))) for row in rows)


class _SpotPrices:
    """Prices of the spot asset known at any instant: the UTC day's opening, or the newest close before it."""

    def __init__(self, bars: Bars, symbol: str) -> None:
        rows = bars.frame[bars.frame["symbol"] == symbol]
        self._days: DateArray = rows["date"].to_numpy().astype("datetime64[D]")
        opening, close = rows["open"].to_numpy(dtype=np.float64), rows["close"].to_numpy(dtype=np.float64)
        before = pd.Series(close).ffill().shift().to_numpy(dtype=np.float64)
        self._opening: FloatArray = np.where(opening > 0, opening, before)
        self._close = pd.Series(close).ffill().to_numpy(dtype=np.float64)

    def at(self, instants: DateArray) -> FloatArray:
        """Prices at the instants, NaN before the first."""
        if not len(self._days):
            return np.full(len(instants), np.nan)
        days = instants.astype("datetime64[D]")
        position = np.searchsorted(self._days, days, side="right") - 1
        at = np.maximum(position, 0)
        prices = np.where(self._days[at] == days, self._opening[at], self._close[at])
        return np.where(position >= 0, prices, np.nan)
