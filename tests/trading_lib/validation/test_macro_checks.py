"""Macro series, funding settlements and dates of headlines."""

from __future__ import annotations

from datetime import date

import numpy as np
import pandas as pd

from trading_lib.validation.macro_checks import funding_findings, macro_findings, news_findings
from trading_lib.validation.report import Finding


def macro(series: str, days: list[str], values: list[float] | None = None) -> list[Finding]:
    frame = pd.DataFrame({"series": series, "date": pd.to_datetime(days), "value": values or [1.0] * len(days)})
    return macro_findings(frame, "macro")


def test_an_index_value_on_a_holiday() -> None:
    (finding,) = macro("VIXCLS", ["2022-05-27", "2022-05-30", "2022-05-31"])
    assert (finding.rule, finding.session) == ("observation_on_holiday", date(2022, 5, 30))
    assert macro("VIXCLS", ["2022-05-27", "2022-05-30"], [20.0, np.nan]) == []
    assert macro("DFF", ["2022-05-27", "2022-05-28", "2022-05-29", "2022-05-30"]) == []


def test_a_month_without_a_value() -> None:
    months = [f"2025-{month:02d}-01" for month in range(4, 13)]
    assert macro("CPIAUCSL", months) == []
    (finding,) = macro("CPIAUCSL", [month for month in months if month != "2025-10-01"])
    assert (finding.rule, finding.session) == ("missing_observation", date(2025, 10, 1))
    empty = [np.nan if month == "2025-10-01" else 1.0 for month in months]
    assert [f.rule for f in macro("CPIAUCSL", months, empty)] == ["missing_observation"]


def test_an_observation_that_is_there_twice() -> None:
    assert [f.rule for f in macro("DGS10", ["2022-06-01", "2022-06-01", "2022-06-02"])] == ["repeated_observation"]


def funding(times: pd.DatetimeIndex, rates: object = 0.0001) -> list[Finding]:
    return funding_findings(
        pd.DataFrame({"exchange": "venue", "symbol": "BTC-USDT", "time": times, "rate": rates}), "funding"
    )


def test_settlements_on_the_venues_own_grid_are_sound() -> None:
    assert funding(pd.date_range("2022-01-01", periods=90, freq="8h")) == []
    assert funding(pd.date_range("2022-01-01 04:00", periods=90, freq="8h")) == []
    assert funding(pd.date_range("2022-01-01", periods=90, freq="4h")) == []


def test_a_settlement_off_the_grid() -> None:
    times = pd.date_range("2022-01-01", periods=90, freq="8h").to_series(index=range(90))
    times[41] += pd.Timedelta(hours=2)
    (finding,) = funding(pd.DatetimeIndex(times))
    assert (finding.symbol, finding.rule, finding.value) == ("BTC-USDT@venue", "off_grid_settlement", 2.0)


def test_days_without_a_settlement() -> None:
    times = pd.date_range("2022-01-01", periods=90, freq="8h")
    (finding,) = funding(times[(times < "2022-01-10") | (times >= "2022-01-20")])
    assert (finding.rule, finding.session) == ("funding_gap", date(2022, 1, 10))


def test_a_rate_that_is_missing() -> None:
    rates = np.full(30, 0.0001)
    rates[4] = np.nan
    assert [f.rule for f in funding(pd.date_range("2022-01-01", periods=30, freq="8h"), rates)] == ["not_finite_rate"]


def test_a_headline_from_antiquity() -> None:
    texts = pd.Series(["28-01-2016", "2015-04-27", "0201-04-27", "2031-01-01"])
    findings = news_findings(texts, "news", date(2026, 1, 1))
    assert [(f.rule, f.value) for f in findings] == [("impossible_date", 3.0), ("impossible_date", 4.0)]
