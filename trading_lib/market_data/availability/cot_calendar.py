"""When Commitments of Traders reports become known: report date -> instant. Knowledge as data, no I/O.

A report describes the positions of a Tuesday (of a Monday when the Tuesday is a holiday) and is published on the
Friday at 15:30 New York time. It takes three federal business days, so a holiday or a closed day between Wednesday
and Friday moves it to the next week; a holiday on Monday does not. What the rule cannot know is in the tables below.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, time
from functools import cache

import numpy as np
from pandas.tseries.holiday import USFederalHolidayCalendar

from trading_lib.domain.market.prices import DateArray
from trading_lib.domain.market.sessions import new_york_time

RELEASE_TIME = time(15, 30)
BUSINESS_DAYS_TO_RELEASE = 3

# Days on which federal offices were closed by executive order, beside the holidays of the law.
CLOSED_BY_ORDER: tuple[date, ...] = (
    date(2001, 12, 24), date(2003, 12, 26), date(2004, 6, 11), date(2007, 1, 2), date(2007, 12, 24),
    date(2008, 12, 26), date(2012, 12, 24), date(2014, 12, 26), date(2018, 12, 5), date(2018, 12, 24),
    date(2019, 12, 24), date(2020, 12, 24), date(2024, 12, 24), date(2025, 1, 9), date(2025, 12, 24),
    date(2025, 12, 26),
)  # fmt: skip

# Report date -> day of publication, where it was neither the Friday nor the rule's day.
EXCEPTIONAL_RELEASES: Mapping[date, date] = {
    # Shutdown of October 2013. The day each report of the backlog came out is not known for certain; this is the
    # latest day any of them can have.
    date(2013, 10, 1): date(2013, 11, 22),
    date(2013, 10, 8): date(2013, 11, 22),
    date(2013, 10, 15): date(2013, 11, 22),
    date(2013, 10, 22): date(2013, 11, 22),
    date(2013, 10, 29): date(2013, 11, 22),
    date(2013, 11, 5): date(2013, 11, 22),
    # Shutdown of 2018-12-22 to 2019-01-25 (CFTC release 7864-19: from 2019-02-01 one report each Tuesday and Friday).
    # The first date is as announced; the others follow from that rhythm.
    date(2018, 12, 24): date(2019, 2, 1),
    date(2018, 12, 31): date(2019, 2, 5),
    date(2019, 1, 8): date(2019, 2, 8),
    date(2019, 1, 15): date(2019, 2, 12),
    date(2019, 1, 22): date(2019, 2, 15),
    date(2019, 1, 29): date(2019, 2, 19),
    date(2019, 2, 5): date(2019, 2, 22),
    date(2019, 2, 12): date(2019, 2, 26),
    date(2019, 2, 19): date(2019, 3, 1),
    date(2019, 2, 26): date(2019, 3, 5),
    # Attack on ION Cleared Derivatives (CFTC release 8662-23 and its historical special announcements). Certain for
    # the first; the others agree in independent public tables.
    date(2023, 1, 31): date(2023, 2, 24),
    date(2023, 2, 7): date(2023, 3, 3),
    date(2023, 2, 14): date(2023, 3, 8),
    date(2023, 2, 21): date(2023, 3, 10),
    date(2023, 2, 28): date(2023, 3, 14),
    date(2023, 3, 7): date(2023, 3, 16),
    date(2023, 3, 14): date(2023, 3, 21),
    # Shutdown of 2025-10-01 to 2025-11-12 (CFTC announcement of 2025-11-18, accelerated by release 9147-25).
    date(2025, 9, 30): date(2025, 11, 19),
    date(2025, 10, 7): date(2025, 11, 21),
    date(2025, 10, 14): date(2025, 11, 25),
    date(2025, 10, 21): date(2025, 12, 2),
    date(2025, 10, 28): date(2025, 12, 5),
    date(2025, 11, 4): date(2025, 12, 9),
    date(2025, 11, 10): date(2025, 12, 10),
    date(2025, 11, 18): date(2025, 12, 12),
    date(2025, 11, 25): date(2025, 12, 15),
    date(2025, 12, 2): date(2025, 12, 17),
    date(2025, 12, 9): date(2025, 12, 19),
    date(2025, 12, 16): date(2025, 12, 23),
    date(2025, 12, 23): date(2025, 12, 29),
}


@cache
def _federal_business_days() -> np.busdaycalendar:
    holidays = USFederalHolidayCalendar().holidays("1980-01-01", "2050-12-31").to_numpy().astype("datetime64[D]")
    return np.busdaycalendar(holidays=np.union1d(holidays, np.array(CLOSED_BY_ORDER, dtype="datetime64[D]")))


def cot_release_date(report_dates: DateArray) -> DateArray:
    """Day on which each report is published (datetime64[D], same shape)."""
    days = report_dates.astype("datetime64[D]")
    calendar = _federal_business_days()
    earliest = np.busday_offset(days, BUSINESS_DAYS_TO_RELEASE, roll="backward", busdaycal=calendar)
    # 1970-01-02 was a Friday; a Monday's report waits for the Friday of its week like any other.
    weekday = (days.astype(np.int64) - 1) % 7
    friday = np.busday_offset(days + (-weekday % 7), 0, roll="forward", busdaycal=calendar)
    released: DateArray = np.maximum(earliest, friday)
    for report, release in EXCEPTIONAL_RELEASES.items():
        released[days == np.datetime64(report)] = np.datetime64(release)
    return released


def cot_available_at(report_dates: DateArray) -> DateArray:
    """When reports are known (UTC datetime64[us]): 15:30 New York time on the day of publication."""
    return new_york_time(cot_release_date(report_dates), RELEASE_TIME)
