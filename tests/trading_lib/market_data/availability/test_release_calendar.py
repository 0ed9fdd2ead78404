"""When macro observations become known."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from trading_lib.market_data.availability.release_calendar import (
    BUSINESS_DAY_SERIES,
    DEFAULT_RELEASE_LAG_DAYS,
    MACRO_RELEASE_LAG_DAYS,
    macro_available_at,
    macro_release_date,
)


def released(series: str, observed: str) -> str:
    return str(macro_release_date(series, np.array([observed], dtype="datetime64[D]"))[0])


@pytest.mark.parametrize(
    ("observed", "expected"),
    [
        ("2022-06-06", "2022-06-07"),
        ("2022-06-03", "2022-06-06"),  # Friday: published on Monday
        ("2022-06-04", "2022-06-06"),  # the federal funds rate has a value on Saturdays
        ("2022-06-17", "2022-06-21"),  # Juneteenth was kept on Monday
        ("2021-10-08", "2021-10-12"),  # Columbus Day: the stock exchange is open, the publishers are not
    ],
)
def test_a_daily_rate_is_published_on_the_next_business_day(observed: str, expected: str) -> None:
    assert released("DFF", observed) == expected


def test_consumer_prices_are_not_known_before_the_latest_day_they_ever_come_out() -> None:
    # The Bureau of Labor Statistics released these on the dates given.
    for month, release in (("2022-05-01", "2022-06-10"), ("2022-01-01", "2022-02-10"), ("2020-02-01", "2020-03-11")):
        assert released("CPIAUCSL", month) >= release


def test_the_shutdown_of_2025_delays_what_it_delayed() -> None:
    assert released("CPIAUCSL", "2025-09-01") == "2025-10-24"
    assert released("UNRATE", "2025-09-01") == "2025-11-20"
    assert released("CPIAUCSL", "2025-08-01") < "2025-09-20"


def test_a_recession_is_known_when_it_has_been_declared() -> None:
    # The NBER dated the start of the 2007 recession on 2008-12-01 and the end of it on 2010-09-20.
    assert released("USREC", "2008-01-01") >= "2008-12-01"
    assert released("USREC", "2009-07-01") >= "2010-09-20"


def test_an_unknown_series_gets_the_default_lag() -> None:
    lag = np.datetime64(released("NEWSERIES", "2022-01-01")) - np.datetime64("2022-01-01")
    assert lag == np.timedelta64(DEFAULT_RELEASE_LAG_DAYS, "D")


@given(
    series=st.sampled_from([*sorted(BUSINESS_DAY_SERIES), *sorted(MACRO_RELEASE_LAG_DAYS), "NEWSERIES"]),
    days=st.lists(st.integers(min_value=0, max_value=22_000), min_size=1, max_size=20),
)
def test_nothing_is_known_on_the_day_it_describes(series: str, days: list[int]) -> None:
    observed = np.datetime64("1975-01-01") + np.array(days).astype("timedelta64[D]")
    known = macro_available_at(series, observed)
    assert (known - observed >= np.timedelta64(1, "D")).all()
    np.testing.assert_array_equal(known, macro_available_at(series, observed))
