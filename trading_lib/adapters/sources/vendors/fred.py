"""FRED's macro series with their vintages. Input: dates. Output: one row per revision, known when it came out."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from trading_lib.adapters.sources.files.macro import macro_window
from trading_lib.adapters.sources.shared.http import CONNECT_SECONDS, READ_SECONDS, checked_address, vendor_with_key
from trading_lib.domain.errors import SourceError
from trading_lib.domain.market.prices import Bars, BoolArray, DateArray, MacroSeries
from trading_lib.domain.market.sessions import require_aware
from trading_lib.market_data.availability.release_calendar import macro_available_at
from trading_lib.market_data.source import SourceAnswer

if TYPE_CHECKING:
    from trading_lib.adapters.sources.vendors.fred_session import FredSession

NAME = "fred"
KEY_VARIABLE = "TRADING_FRED_API_KEY"
ADDRESS = "https://api.stlouisfed.org"
DEFAULT_SERIES = (
    "DFF", "DGS2", "DGS10", "DGS30", "T10Y2Y", "T10YIE", "FEDFUNDS", "CPIAUCSL", "UNRATE", "VIXCLS",
)  # fmt: skip
# FRED answers for at most 2,000 vintages at once; a daily series has at most 366 a year.
YEARS_PER_REQUEST = 5
FOREVER = "9999-12-31"

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class MacroAnswer:
    """The series that could be read, and why the others could not."""

    macro: MacroSeries
    failures: dict[str, str] = field(default_factory=dict)
    errors: dict[str, SourceError] = field(default_factory=dict)


class FredSource:
    """Macro series from FRED, each value with the day it became the current one (ALFRED).

    A value is known at the end of the day of its release. For observations older than FRED's archive of a series,
    and for series without one, the series' usual release lag takes the place of the unknown day.

    Parameters
    ----------
    api_key
        FRED's key.
    series
        FRED's names of the series to read.
    base_url
        Stands in for FRED's address.
    connect_seconds, read_seconds
        See `HttpService`.

    Raises
    ------
    MissingKeyError
        Without a key.
    """

    def __init__(
        self,
        api_key: str | None,
        series: Sequence[str] = DEFAULT_SERIES,
        base_url: str = ADDRESS,
        connect_seconds: float = CONNECT_SECONDS,
        read_seconds: float = READ_SECONDS,
    ) -> None:
        self._vendor = vendor_with_key(NAME, KEY_VARIABLE, api_key)
        self._series = tuple(dict.fromkeys(series))
        self._address = checked_address(NAME, base_url)
        self._timeouts = (connect_seconds, read_seconds)

    @property
    def name(self) -> str:
        """Always "fred"."""
        return NAME

    def bars(self, symbols: Sequence[str], first: date, last: date, as_of: datetime) -> SourceAnswer:
        """No bars: FRED has closing values at best, so every symbol is a failure."""
        require_aware(as_of, "as_of")
        failures = {symbol: f"{NAME} has macro series and no bars of {symbol}" for symbol in symbols}
        return SourceAnswer(Bars.empty(), failures)

    def macro(self, first: date, last: date, as_of: datetime) -> MacroSeries:
        """Every revision known at ``as_of`` of the observations in the date range; see `MacroSource.macro`.

        One series' failure is logged and costs no other; when all fail, the first error is raised.
        """
        observations = self.observations(first, last, as_of)
        if observations.errors and len(observations.errors) == len(self._series):
            raise next(iter(observations.errors.values()))
        for line in observations.failures.values():
            logger.warning("%s", line)
        return observations.macro

    def observations(self, first: date, last: date, as_of: datetime) -> MacroAnswer:
        """Like `macro`, with the failures by series instead of an exception."""
        moment = require_aware(as_of, "as_of")
        from trading_lib.adapters.sources.vendors.fred_session import FredSession

        session = FredSession(self._vendor, self._address, *self._timeouts)
        frames: list[pd.DataFrame] = []
        errors: dict[str, SourceError] = {}
        for series in self._series:
            session.begin(series, first, last)
            try:
                frames.append(_vintages(session, series, first, moment))
            except SourceError as error:
                errors[series] = error
        history = MacroSeries.empty()
        if frames:
            history = MacroSeries.from_frame(pd.concat(frames, ignore_index=True).assign(source=NAME))
        failures = {series: str(error) for series, error in errors.items()}
        return MacroAnswer(macro_window(history, first, last, moment), failures, errors)


def _vintages(session: FredSession, series: str, first: date, as_of: datetime) -> pd.DataFrame:
    """All revisions of one series: series, date, value, available_at."""
    starts = _window_starts(first, as_of.date())
    ends = [(start - timedelta(days=1)).isoformat() for start in starts[1:]] + [FOREVER]
    rows = pd.concat([session.releases(start, end) for start, end in zip(starts, ends, strict=True)], ignore_index=True)
    archived = len(rows) > 0
    if archived:
        rows = rows.astype({"date": "datetime64[us]", "realtime_start": "datetime64[us]", "value": "float64"})
    else:
        latest = session.latest()
        rows = pd.DataFrame({"date": latest.index, "value": latest.to_numpy(dtype=np.float64)})
    rows = rows.dropna(subset="value")
    dates = rows["date"].to_numpy().astype("datetime64[D]")
    available = macro_available_at(series, dates)
    if archived:
        available = np.where(_before_archive(session, rows, available), available, _end_of_day(rows["realtime_start"]))
    stamped = rows.assign(series=series, available_at=pd.Series(available, index=rows.index).dt.tz_localize("UTC"))
    return _without_repetitions(stamped[["series", "date", "value", "available_at"]])


def _before_archive(session: FredSession, rows: pd.DataFrame, usual: DateArray) -> BoolArray:
    """Rows that were out before FRED kept vintages: their realtime_start is the day the archive began."""
    oldest = rows["realtime_start"].min()
    candidates: BoolArray = (rows["realtime_start"] == oldest).to_numpy() & (
        usual < _end_of_day(rows["realtime_start"])
    )
    if not candidates.any():
        return candidates
    began = session.first_vintage()
    if began is None or oldest > pd.Timestamp(began):
        return np.zeros_like(candidates)
    return candidates


def _end_of_day(days: pd.Series) -> DateArray:
    ends: DateArray = (days + pd.Timedelta(days=1)).to_numpy().astype("datetime64[us]")
    return ends


def _without_repetitions(rows: pd.DataFrame) -> pd.DataFrame:
    """Drop a row that repeats the value before it; where windows meet, FRED reports a value again."""
    ordered = rows.sort_values(["date", "available_at"], kind="stable", ignore_index=True)
    same = (ordered["date"] == ordered["date"].shift()) & (ordered["value"] == ordered["value"].shift())
    return ordered[~same]


def _window_starts(first: date, last: date) -> list[date]:
    starts = [first]
    while (following := starts[-1] + timedelta(days=365 * YEARS_PER_REQUEST)) <= last:
        starts.append(following)
    return starts
