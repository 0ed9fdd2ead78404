"""When Commitments of Traders reports come out, against the CFTC's own announcements."""

from __future__ import annotations

from datetime import date

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from trading_lib.market_data.availability.cot_calendar import EXCEPTIONAL_RELEASES, cot_available_at, cot_release_date


def released(report: str) -> str:
    return str(cot_release_date(np.array([report], dtype="datetime64[us]"))[0])


@pytest.mark.parametrize(
    ("report", "release"),
    [
        ("2022-12-27", "2022-12-30"),  # an ordinary week
        ("2024-07-02", "2024-07-08"),  # Independence Day on the Thursday
        ("2015-06-30", "2015-07-06"),  # observed on the Friday; cftc.gov announced the Monday
        ("2025-11-25", "2025-12-15"),  # in the backlog of 2025, as accelerated in December
        ("2024-11-26", "2024-12-02"),  # Thanksgiving
        ("2025-12-30", "2026-01-05"),  # New Year, CFTC schedule of 2026
        ("2026-06-16", "2026-06-22"),  # Juneteenth, the same schedule
        ("2025-10-13", "2025-10-17"),  # a holiday on the Monday moves nothing
        ("2012-12-24", "2012-12-28"),  # a Monday's report, the Tuesday was Christmas
        ("2020-12-21", "2020-12-28"),  # a Monday's report; Christmas Eve and Christmas closed
        ("2018-12-04", "2018-12-10"),  # day of mourning on the Wednesday
        ("2025-01-07", "2025-01-13"),  # day of mourning on the Thursday; cftc.gov announced the Monday
        ("2025-09-30", "2025-11-19"),  # first report after the shutdown of 2025
        ("2025-12-23", "2025-12-29"),  # last one of its backlog
        ("2018-12-24", "2019-02-01"),  # first report after the shutdown of 2019
        ("2019-03-05", "2019-03-08"),  # current again
        ("2023-01-31", "2023-02-24"),  # first report after the attack on ION
        ("2023-03-21", "2023-03-24"),  # current again
    ],
)
def test_releases_agree_with_what_was_announced(report: str, release: str) -> None:
    assert released(report) == release


def test_the_hour_is_that_of_new_york_in_winter_and_summer() -> None:
    known = cot_available_at(np.array(["2022-01-04", "2022-07-12"], dtype="datetime64[us]"))
    assert known.tolist() == np.array(["2022-01-07T20:30", "2022-07-15T19:30"], dtype="datetime64[us]").tolist()


def test_a_backlog_comes_out_in_order_and_never_early() -> None:
    reports = sorted(EXCEPTIONAL_RELEASES)
    releases = [EXCEPTIONAL_RELEASES[report] for report in reports]
    assert releases == sorted(releases)
    assert all((release - report).days > 3 for report, release in EXCEPTIONAL_RELEASES.items())
    assert all(release.weekday() < 5 for release in releases)


@given(st.dates(date(1990, 1, 1), date(2035, 1, 1)))
def test_a_report_never_comes_out_before_the_friday_of_its_week(day: date) -> None:
    report = np.array([day], dtype="datetime64[D]")
    release = cot_release_date(report)[0].item()
    assert release > day
    assert release.weekday() < 5
    if day.weekday() < 5:
        assert (release - day).days >= 4 - day.weekday()
