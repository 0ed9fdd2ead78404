"""Macro series and trader positions as known at each decision."""

from __future__ import annotations

from datetime import date

import numpy as np
import pandas as pd
import pytest

from tests.builders.markets import CALENDAR
from tests.builders.prices import instant
from trading_lib.adapters.sources.shared.positioning_windows import stamp_cot
from trading_lib.domain.market.positioning import LEGACY_REPORT, CotReports
from trading_lib.domain.market.prices import DateArray, MacroSeries
from trading_lib.learning.features.context import known_macro, preferred_macro
from trading_lib.learning.features.positioning import CHANGE, PERCENTILE, known_positioning, preferred_positioning
from trading_lib.market_data.panel import decision_times


def moments(*texts: str) -> DateArray:
    return np.array(texts, dtype="datetime64[us]")


def series(*rows: tuple[str, str, float, str]) -> MacroSeries:
    columns = ["series", "date", "value", "available_at"]
    frame = pd.DataFrame(rows, columns=columns).assign(source="test")
    frame["date"] = pd.to_datetime(frame["date"])
    frame["available_at"] = [pd.Timestamp(instant(text)) for text in frame["available_at"]]
    return MacroSeries.from_frame(frame)


def test_an_observation_is_known_from_its_release_on() -> None:
    macro = series(("DGS10", "2023-01-03", 4.0, "2023-01-05"), ("DGS10", "2023-01-04", 5.0, "2023-01-06"))
    known = known_macro(macro, moments("2023-01-04T21:15", "2023-01-05", "2023-01-06T21:15"))
    np.testing.assert_array_equal(known["DGS10"], [np.nan, 4.0, 5.0])


def test_a_late_revision_of_an_old_observation_does_not_become_the_newest() -> None:
    macro = series(
        ("CPIAUCSL", "2023-01-01", 100.0, "2023-02-14"),
        ("CPIAUCSL", "2023-02-01", 101.0, "2023-03-14"),
        ("CPIAUCSL", "2023-01-01", 99.0, "2023-03-20"),
        ("CPIAUCSL", "2023-02-01", 102.0, "2023-04-01"),
    )
    known = known_macro(macro, moments("2023-02-20", "2023-03-25", "2023-04-02"))
    np.testing.assert_array_equal(known["CPIAUCSL"], [100.0, 101.0, 102.0])


def test_a_missing_value_is_no_observation() -> None:
    macro = series(("VIXCLS", "2023-01-03", 20.0, "2023-01-04"), ("VIXCLS", "2023-01-04", np.nan, "2023-01-05"))
    assert known_macro(macro, moments("2023-01-06"))["VIXCLS"] == [20.0]


@pytest.fixture(scope="module")
def reports() -> CotReports:
    """Gold and crude oil, weekly: the net long share rises in every report."""
    dates = pd.date_range("2018-01-02", periods=200, freq="7D")
    rows = [
        pd.DataFrame(
            {
                "report": LEGACY_REPORT,
                "market": market,
                "report_date": dates,
                "noncommercial_long": np.linspace(1000, 3000, 200),
                "noncommercial_short": 1000.0,
            }
        )
        for market in ("gold", "crude")
    ]
    return stamp_cot(pd.concat(rows, ignore_index=True), "test")


def test_a_report_is_known_after_the_friday_on_which_it_comes_out(reports: CotReports) -> None:
    # The report of Tuesday 2021-02-02 comes out on Friday 2021-02-05, before that session's decision.
    sessions = CALENDAR.between(date(2021, 2, 4), date(2021, 2, 5))
    known = known_positioning(reports, ("GLD",), decision_times(CALENDAR, sessions))
    long = np.linspace(1000, 3000, 200)
    share = (long - 1000.0) / (long + 1000.0)
    change = share[13:] - share[:-13]
    report = int((date(2021, 2, 2) - date(2018, 1, 2)).days / 7)
    assert known[CHANGE][:, 0] == pytest.approx([change[report - 14], change[report - 13]])


def test_a_share_higher_than_ever_is_at_the_top_of_its_range(reports: CotReports) -> None:
    sessions = CALENDAR.between(date(2018, 6, 1), date(2021, 6, 30))
    known = known_positioning(reports, ("GLD", "SPY", "XLE", "DBC"), decision_times(CALENDAR, sessions))
    percentile = known[PERCENTILE]
    assert percentile[-1, 0] == pytest.approx((155 + 0.5) / 156)
    assert np.isnan(percentile[0, 0])  # less than a year of reports
    assert np.isnan(percentile[:, 1]).all()  # no market of the reports is SPY's
    np.testing.assert_array_equal(percentile[:, 2], percentile[:, 3])


def test_no_reports_are_no_columns() -> None:
    assert known_positioning(CotReports.empty(), ("GLD",), moments("2023-01-06")) == {}


def published(reports: CotReports, until: np.datetime64) -> CotReports:
    known = reports.frame["available_at"].dt.tz_convert(None).to_numpy() <= until
    return CotReports(reports.frame[known])


def test_each_decision_sees_the_reports_and_revisions_published_by_then(reports: CotReports) -> None:
    generator, gold = np.random.default_rng(1), reports.frame[reports.frame["market"] == "gold"]
    gold = gold.assign(noncommercial_long=generator.uniform(500, 3000, 200))
    # Some reports come weeks late, and some are revised, a few of them twice.
    gold["available_at"] += pd.to_timedelta(np.where(generator.random(200) < 0.1, 30, 0), unit="D")
    revised = gold.sample(40, replace=True, random_state=2).assign(
        noncommercial_long=lambda rows: rows["noncommercial_long"] * generator.uniform(0.8, 1.2, 40),
        available_at=lambda rows: rows["available_at"] + pd.to_timedelta(np.arange(1, 81, 2), unit="D"),
    )
    every = CotReports.from_frame(pd.concat([gold, revised]))
    # A source that is preferred, and begins later.
    better = every.frame.assign(noncommercial_short=500.0)
    sources = (CotReports(better[better["report_date"] >= "2020-06-01"]), every)
    decisions = decision_times(CALENDAR, CALENDAR.between(date(2019, 6, 3), date(2021, 9, 30)))
    whole = preferred_positioning(sources, ("GLD",), decisions)
    assert np.isfinite(whole[CHANGE]).sum() > 400
    for row in range(0, len(decisions), 3):
        known = [published(one, decisions[row]) for one in sources]
        then = preferred_positioning(known, ("GLD",), decisions[: row + 1])
        for name in (PERCENTILE, CHANGE):
            np.testing.assert_array_equal(whole[name][row], then[name][row])


def test_a_series_comes_from_the_first_source_that_had_it_by_then() -> None:
    better = series(("DGS10", "2023-01-04", 5.0, "2023-01-06"))
    other = series(("DGS10", "2023-01-03", 4.0, "2023-01-05"), ("DGS10", "2023-01-05", 6.0, "2023-01-09"))
    known = preferred_macro((better, other), moments("2023-01-04", "2023-01-05", "2023-01-06", "2023-01-10"))
    np.testing.assert_array_equal(known["DGS10"], [np.nan, 4.0, 5.0, 5.0])
