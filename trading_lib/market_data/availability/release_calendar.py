"""When macro observations become known: (series, observation date) -> instant. Knowledge as data, no I/O.

A vintage's own release date is always better; this is for files and sources that carry the observation date alone.
Lags are the *late* end of each series' usual release window, so a value is never seen before it was public:

* Daily rates (H.15 yields, federal funds, FRED's VIX) are published on the next business day.
* Monthly figures are dated the first of the month they describe and come out in the following month: consumer
  prices by the 15th, employment by the 10th, production by the 17th, housing starts by the 19th, money by the 28th
  (release calendars of the Bureau of Labor Statistics, the Federal Reserve and the Census Bureau).
* Quarterly GDP is dated the first day of the quarter; the advance estimate follows about 30 days after its end.
* Recession dates of the NBER (USREC) have been announced up to a year and more after the fact.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from functools import cache

import numpy as np
from pandas.tseries.holiday import USFederalHolidayCalendar

from trading_lib.domain.market.prices import DateArray

DEFAULT_RELEASE_LAG_DAYS = 35

BUSINESS_DAY_SERIES: frozenset[str] = frozenset(
    {
        "DFF", "DGS1MO", "DGS3MO", "DGS6MO", "DGS1", "DGS2", "DGS3", "DGS5", "DGS7", "DGS10", "DGS20", "DGS30",
        "DTB3", "SOFR", "T10Y2Y", "T10Y3M", "T10YIE", "T5YIE", "VIXCLS", "SP500", "RRPONTSYD", "BAMLC0A0CM",
        "BAMLH0A0HYM2", "^IRX",
    }
)  # fmt: skip

# Calendar days from the observation date to the day of release.
MACRO_RELEASE_LAG_DAYS: Mapping[str, int] = {
    "CPIAUCSL": 46,
    "CPILFESL": 46,
    "FEDFUNDS": 35,
    "UNRATE": 41,
    "PAYEMS": 41,
    "INDPRO": 48,
    "HOUST": 50,
    "M2SL": 59,
    "UMCSENT": 31,
    "USREC": 460,
    "GDPC1": 122,
    "ICSA": 6,
    "ANFCI": 6,
    "STLFSI4": 7,
    "MORTGAGE30US": 1,
    "WALCL": 2,
    "DCOILWTICO": 8,
    "DCOILBRENTEU": 8,
    "DTWEXBGS": 8,
}

# The federal shutdown of autumn 2025 delayed these (Bureau of Labor Statistics, revised release schedule).
EXCEPTIONAL_RELEASES: Mapping[tuple[str, date], date] = {
    ("CPIAUCSL", date(2025, 9, 1)): date(2025, 10, 24),
    ("CPILFESL", date(2025, 9, 1)): date(2025, 10, 24),
    ("CPIAUCSL", date(2025, 11, 1)): date(2025, 12, 18),
    ("CPILFESL", date(2025, 11, 1)): date(2025, 12, 18),
    ("UNRATE", date(2025, 9, 1)): date(2025, 11, 20),
    ("PAYEMS", date(2025, 9, 1)): date(2025, 11, 20),
    ("PAYEMS", date(2025, 10, 1)): date(2025, 12, 16),
    ("UNRATE", date(2025, 11, 1)): date(2025, 12, 16),
    ("PAYEMS", date(2025, 11, 1)): date(2025, 12, 16),
}


@cache
def _federal_business_days() -> np.busdaycalendar:
    holidays = USFederalHolidayCalendar().holidays("1950-01-01", "2050-12-31")
    return np.busdaycalendar(holidays=holidays.to_numpy().astype("datetime64[D]"))


def macro_release_date(series: str, observed: DateArray) -> DateArray:
    """Day on which each observation of ``series`` is published.

    Parameters
    ----------
    series
        FRED's name; an unknown one gets `DEFAULT_RELEASE_LAG_DAYS`.
    observed
        Observation dates, shape (n,).

    Returns
    -------
    datetime64[D], shape (n,), always later than ``observed``.
    """
    days = observed.astype("datetime64[D]")
    if series in BUSINESS_DAY_SERIES:
        return np.busday_offset(days, 1, roll="backward", busdaycal=_federal_business_days())
    lag = MACRO_RELEASE_LAG_DAYS.get(series, DEFAULT_RELEASE_LAG_DAYS)
    released = (days + np.timedelta64(lag, "D")).astype("datetime64[D]")
    for (name, day), release in EXCEPTIONAL_RELEASES.items():
        if name == series:
            released[days == np.datetime64(day)] = np.datetime64(release)
    return released


def macro_available_at(series: str, observed: DateArray) -> DateArray:
    """When observations of ``series`` are known (UTC datetime64[us]): at the end of the day of release.

    Releases come at different hours (08:30 to 16:30 New York time); the following 00:00 UTC is after all of them.
    """
    released = macro_release_date(series, observed)
    return (released + np.timedelta64(1, "D")).astype("datetime64[us]")
