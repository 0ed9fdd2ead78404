"""Missing, stray and stale bars."""

from __future__ import annotations

from datetime import date

import numpy as np
import pandas as pd
import pytest

from tests.builders.histories import DAYS, history, price_frame
from trading_lib.domain.market.instruments import TradingCalendar
from trading_lib.validation.price_rules.coverage import coverage_findings, stale_findings
from trading_lib.validation.report import Finding, Severity
from trading_lib.validation.rules import QualityRules

RULES = QualityRules()


def found(frame: pd.DataFrame, calendar: TradingCalendar = TradingCalendar.XNYS) -> list[Finding]:
    return coverage_findings(history(frame), calendar, RULES)


def without(rows: list[int]) -> pd.DataFrame:
    return price_frame().drop(index=rows).reset_index(drop=True)


def test_a_complete_history_is_sound() -> None:
    assert found(price_frame()) == []


@pytest.mark.parametrize("rows", [[50], [50, 51, 90]])
def test_each_absent_session_is_named(rows: list[int]) -> None:
    findings = found(without(rows))
    assert [(f.rule, f.session, f.severity) for f in findings] == [
        ("missing_bar", DAYS[row].item(), Severity.WARNING) for row in rows
    ]


def test_absent_sessions_in_a_row_are_one_gap() -> None:
    (finding,) = found(without(list(range(50, 57))))
    assert (finding.rule, finding.session, finding.value) == ("gap", DAYS[50].item(), 7.0)


@pytest.mark.parametrize(("every", "expected"), [(15, True), (25, False)])
def test_more_than_a_twentieth_is_an_error(every: int, expected: bool) -> None:
    findings = [f for f in found(without(list(range(5, len(DAYS) - 1, every)))) if f.rule == "missing_sessions"]
    assert bool(findings) is expected
    assert all(f.severity is Severity.ERROR and f.value is not None and f.value > 0.05 for f in findings)


def test_a_window_of_days_has_no_share() -> None:
    short = price_frame(days=DAYS[:8]).drop(index=[3]).reset_index(drop=True)
    assert [f.rule for f in found(short)] == ["missing_bar"]


def test_bars_before_inception_are_not_missing() -> None:
    assert found(price_frame().iloc[200:].reset_index(drop=True)) == []


@pytest.mark.parametrize(("first", "count"), [(date(2019, 5, 1), 1), (date(2020, 11, 20), 0)])
def test_a_bar_long_before_the_series_is_stray(first: date, count: int) -> None:
    early = price_frame(days=np.array([first], "datetime64[D]"))
    findings = [f for f in found(pd.concat([early, price_frame()], ignore_index=True)) if f.rule == "stray_bar"]
    assert [(f.session, f.severity) for f in findings] == [(first, Severity.ERROR)] * count


def test_a_stray_bar_does_not_make_the_years_after_it_missing() -> None:
    early = price_frame(days=np.array(["2015-05-01"], "datetime64[D]"))
    assert [f.rule for f in found(pd.concat([early, price_frame()], ignore_index=True))] == ["stray_bar"]


def test_every_day_counts_for_a_coin() -> None:
    days = np.arange("2022-01-01", "2022-04-01", dtype="datetime64[D]")
    frame = price_frame("BTC-USD", days=days)
    assert found(frame, TradingCalendar.ALWAYS) == []
    weekend = frame[frame["date"] != "2022-01-08"].reset_index(drop=True)
    assert [f.session for f in found(weekend, TradingCalendar.ALWAYS)] == [date(2022, 1, 8)]


def test_no_volume_on_a_trading_day_alerts() -> None:
    frame = price_frame()
    frame.loc[30, "volume"] = 0.0
    (finding,) = found(frame)
    assert (finding.rule, finding.session, finding.severity) == ("zero_volume", DAYS[30].item(), Severity.WARNING)
    assert found(frame.assign(volume=np.nan)) == []


@pytest.mark.parametrize(("late", "severity"), [(1, Severity.WARNING), (6, Severity.ERROR)])
def test_a_symbol_that_ends_before_the_others_is_stale(late: int, severity: Severity) -> None:
    symbols = ("DBC", "GLD", "QQQ", "SPY")
    frames = {s: price_frame(s).iloc[: len(DAYS) - (late if s == "QQQ" else 0)] for s in symbols}
    histories = {symbol: history(frame) for symbol, frame in frames.items()}
    (finding,) = stale_findings(histories, dict.fromkeys(symbols, TradingCalendar.XNYS), RULES)
    assert (finding.symbol, finding.severity, finding.value) == ("QQQ", severity, float(late))
    del histories["QQQ"]
    assert stale_findings(histories, dict.fromkeys(symbols, TradingCalendar.XNYS), RULES) == []


def test_half_of_the_symbols_may_end_early_each_on_its_own_day() -> None:
    late = {"DBC": 9, "GLD": 6, "QQQ": 0, "SPY": 0}
    histories = {s: history(price_frame(s).iloc[: len(DAYS) - sessions]) for s, sessions in late.items()}
    found = stale_findings(histories, dict.fromkeys(late, TradingCalendar.XNYS), RULES)
    assert {finding.symbol: finding.value for finding in found} == {"DBC": 9.0, "GLD": 6.0}


@pytest.mark.parametrize(("late", "expected"), [(1, []), (2, ["BTC-USD"])])
def test_a_coin_may_end_a_day_before_the_exchange_does(late: int, expected: list[str]) -> None:
    ends = {"BTC-USD": late, "QQQ": 0, "SPY": 0}
    histories = {s: history(price_frame(s).iloc[: len(DAYS) - sessions]) for s, sessions in ends.items()}
    calendars = dict.fromkeys(ends, TradingCalendar.XNYS) | {"BTC-USD": TradingCalendar.ALWAYS}
    assert [finding.symbol for finding in stale_findings(histories, calendars, RULES)] == expected
