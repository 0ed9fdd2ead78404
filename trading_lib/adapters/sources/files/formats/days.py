"""Which day of its own market a bar belongs to. Input: stamps, symbols, universe. Output: dates, or why there is none.

A stamp with a zone is converted: an exchange asset's day is New York's, that of an asset that always trades is UTC's.
A time of day that no daily bar has is refused, because the bar may be of another length or not be complete.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from trading_lib.adapters.sources.files.formats.stamps import Stamps
from trading_lib.domain.market.instruments import TradingCalendar, Universe
from trading_lib.domain.market.prices import BoolArray, DateArray
from trading_lib.domain.market.sessions import exchange_sessions

EXCHANGE_ZONE = "America/New_York"
OPENING, EARLY_CLOSE, CLOSE = (np.timedelta64(minutes, "m") for minutes in (570, 780, 960))
LATE_CLOSE = np.timedelta64(975, "m")
NEARLY_MIDNIGHT = np.timedelta64(1439, "m")
MIDNIGHT = np.timedelta64(0, "m")
# This share of days with several stamps is no repeated last row, it is another bar size.
SEVERAL_A_DAY = 0.05


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why rows have no day: position of the first such row, and the reason."""

    row: int
    reason: str
    remedy: str


def own_days(stamps: Stamps, symbols: pd.Series, universe: Universe) -> DateArray | Refusal:
    """Day of each row in its own market (datetime64[us] at midnight).

    Parameters
    ----------
    stamps
        Without NaT.
    symbols
        Symbols of ``universe`` or ^VIX, one per stamp.
    """
    if stamps.ambiguous and stamps.other is not None:
        chosen = _decided(stamps, symbols, universe)
        if chosen is None:
            return Refusal(0, "its dates read as month/day and as day/month", "write dates as YYYY-MM-DD")
        stamps = Stamps(chosen, stamps.zoned)
    values = stamps.values
    whole = values.astype("datetime64[D]").astype("datetime64[us]")
    if not stamps.zoned.any() and (values == whole).all():
        return whole
    if stamps.zoned.any() and not stamps.zoned.all():
        row = int(np.flatnonzero(stamps.zoned != stamps.zoned[0])[0])
        return Refusal(row, "some of its times have a time zone and some have none", "write dates as YYYY-MM-DD")
    always = _always(symbols, universe)
    return _crypto_and_exchange_days(values, bool(stamps.zoned[0]), symbols, always)


def _always(symbols: pd.Series, universe: Universe) -> BoolArray:
    names = [i.symbol for i in universe if i.calendar is TradingCalendar.ALWAYS]
    matches: BoolArray = symbols.isin(names).to_numpy(dtype=bool)
    return matches


def _decided(stamps: Stamps, symbols: pd.Series, universe: Universe) -> DateArray | None:
    """Choose the order of day and month in which every exchange bar is of a session, when only one is."""
    if stamps.other is None:
        return None
    on_exchange = ~_always(symbols, universe)
    sessions = exchange_sessions().sessions
    fits = []
    for values in (stamps.values, stamps.other):
        days = values.astype("datetime64[D]")
        fits.append(bool(on_exchange.any() and np.isin(days[on_exchange], sessions).all()))
    if fits[0] != fits[1]:
        return stamps.values if fits[0] else stamps.other
    return None


def _crypto_and_exchange_days(
    values: DateArray, zoned: bool, symbols: pd.Series, always: BoolArray
) -> DateArray | Refusal:
    local = values.copy()
    exchange = ~always
    midnight_dates = False
    if zoned and exchange.any():
        stamps = values[exchange]
        # Vendors that mean a date write it as midnight UTC; no daily bar is stamped at 19:00 New York time.
        midnight_dates = bool((stamps == stamps.astype("datetime64[D]")).all())
        if not midnight_dates:
            converted = pd.DatetimeIndex(stamps).tz_localize("UTC").tz_convert(EXCHANGE_ZONE).tz_localize(None)
            local[exchange] = converted.to_numpy().astype("datetime64[us]")
    day = local.astype("datetime64[D]").astype("datetime64[us]")
    several = _several_a_day(day, local, symbols)
    if several is not None:
        return several
    clock = local - day
    odd = np.where(always, ~_crypto_stamp(clock), ~_exchange_stamp(clock, zoned, exchange))
    if odd.any():
        row = int(np.flatnonzero(odd)[0])
        return _odd_time(row, clock[row], zoned, bool(always[row]))
    weekend = exchange & zoned & (pd.DatetimeIndex(day).day_of_week.to_numpy() > 4)
    if weekend.any():
        row = int(np.flatnonzero(weekend)[0])
        reason = f"falls on a {pd.Timestamp(day[row]):%A} in New York, when the exchange is closed"
        return Refusal(row, reason, "write the session's date as YYYY-MM-DD")
    return day


def _several_a_day(day: DateArray, local: DateArray, symbols: pd.Series) -> Refusal | None:
    rows = pd.DataFrame({"symbol": symbols.to_numpy(), "day": day, "local": local})
    counts = rows.groupby(["symbol", "day"], sort=False)["local"].nunique()
    several = int((counts > 1).sum())
    if several >= 2 and several > SEVERAL_A_DAY * len(counts):
        symbol, first = counts[counts > 1].index[0]
        row = int(np.flatnonzero((rows["symbol"] == symbol) & (rows["day"] == first))[1])
        reason = f"is the second bar of {symbol} on {first:%Y-%m-%d}: these are bars of hours or minutes, not of days"
        return Refusal(row, reason, "resample the file to one bar per day")
    return None


def _crypto_stamp(clock: np.ndarray) -> BoolArray:
    accepted: BoolArray = (clock == MIDNIGHT) | (clock >= NEARLY_MIDNIGHT)
    return accepted


def _exchange_stamp(clock: np.ndarray, zoned: bool, exchange: BoolArray) -> BoolArray:
    """Find times that daily bars have: midnight, the opening, the close; with a zone anything outside the session."""
    early = clock == EARLY_CLOSE
    # A bar stamped at one o'clock is of a short session, so most others are stamped at four.
    short = early & (early[exchange].sum() * 2 < exchange.sum())
    usual = (clock == MIDNIGHT) | (clock == OPENING) | (clock == CLOSE) | (clock == LATE_CLOSE) | short
    outside = (clock < OPENING) | (clock >= CLOSE)
    accepted: BoolArray = usual | (outside if zoned else clock >= NEARLY_MIDNIGHT)
    return accepted


def _odd_time(row: int, clock: np.timedelta64, zoned: bool, always: bool) -> Refusal:
    minutes = int(clock / np.timedelta64(1, "m"))
    written = f"{minutes // 60:02d}:{minutes % 60:02d}"
    if always:
        return Refusal(
            row,
            f"is at {written}{' UTC' if zoned else ''}, and the day of what always trades begins at midnight UTC",
            "give bars of days in UTC",
        )
    where = "in New York" if zoned else "without a time zone"
    return Refusal(
        row, f"is at {written} {where}, where no daily bar begins or ends", "give one complete bar per session"
    )
