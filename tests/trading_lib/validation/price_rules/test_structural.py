"""Structural validation: each planted defect is found, and nothing else is."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.builders.prices import bars_of, instant, price_rows, universe
from trading_lib.domain.errors import NaiveDatetimeError, UnknownSymbolError
from trading_lib.domain.market.prices import Bars
from trading_lib.domain.market.sessions import exchange_sessions
from trading_lib.validation.price_rules.structural import StructuralRules, validate_bars
from trading_lib.validation.report import Severity, ValidationReport

SESSIONS = [day.item() for day in exchange_sessions().between(date(2022, 6, 1), date(2022, 6, 30))]
LATER = instant("2022-12-31")


def validate(*rows: pd.DataFrame) -> ValidationReport:
    return validate_bars(bars_of(*rows), universe(), LATER)


def rules_found(report: ValidationReport) -> list[str]:
    return [finding.rule for finding in report.findings]


def test_sound_bars_are_accepted_as_they_are() -> None:
    bars = bars_of(price_rows("SPY", SESSIONS), price_rows("BTC-USD", ["2022-06-04", "2022-06-05"]))
    report = validate_bars(bars, universe(), LATER)
    assert report.findings == ()
    assert len(report.quarantined) == 0
    pd.testing.assert_frame_equal(report.accepted.frame, bars.frame)


def test_no_bars_have_no_findings() -> None:
    assert validate_bars(Bars.empty(), universe(), LATER).findings == ()


@pytest.mark.parametrize(
    ("columns", "rule", "severity", "value"),
    [
        ({"close": np.nan}, "not_finite_price", Severity.ERROR, None),
        ({"high": np.inf}, "not_finite_price", Severity.ERROR, None),
        ({"high": 98.0}, "high_below_low", Severity.ERROR, 98.0),
        ({"close": 102.0}, "close_outside_range", Severity.ERROR, 102.0),
        ({"close": 98.0}, "close_outside_range", Severity.ERROR, 98.0),
        ({"open": 101.5}, "open_outside_range", Severity.WARNING, 101.5),
        ({"low": 0.0}, "non_positive_price", Severity.ERROR, 0.0),
        ({"low": -1.0}, "non_positive_price", Severity.ERROR, -1.0),
        ({"high": 4e6 + 1.0}, "price_too_high", Severity.ERROR, 4e6 + 1.0),
        ({"volume": -5.0}, "negative_volume", Severity.ERROR, -5.0),
    ],
)
def test_a_defect_of_one_bar_is_found(
    columns: dict[str, float], rule: str, severity: Severity, value: float | None
) -> None:
    report = validate(price_rows("SPY", SESSIONS[:3]), price_rows("SPY", SESSIONS[3:4], **columns))
    found = {finding.rule: finding for finding in report.findings}
    assert rule in found
    assert found[rule].severity is severity
    assert found[rule].value == value
    assert (found[rule].symbol, found[rule].session) == ("SPY", SESSIONS[3])
    assert f"SPY {SESSIONS[3]}" in found[rule].message
    quarantined = report.quarantined.frame["date"].dt.date.tolist()
    assert quarantined == ([SESSIONS[3]] if severity is Severity.ERROR else [])


def test_rounding_of_the_vendor_is_no_defect() -> None:
    assert validate(price_rows("SPY", SESSIONS[:1], close=101.00005, high=101.0)).findings == ()


def test_a_volume_that_is_not_known_is_no_defect() -> None:
    assert validate(price_rows("SPY", SESSIONS[:1], volume=np.nan)).findings == ()


@pytest.mark.parametrize("day", ["2022-06-04", "2022-06-20", "2022-11-24"])
def test_an_exchange_bar_on_a_closed_day_is_quarantined(day: str) -> None:
    report = validate(price_rows("SPY", [day]), price_rows("BTC-USD", [day]))
    assert [(f.symbol, f.rule) for f in report.findings] == [("SPY", "bar_on_non_session")]
    assert report.accepted.symbols == ("BTC-USD",)


def test_a_bar_that_cannot_be_known_yet_is_quarantined() -> None:
    bars = bars_of(price_rows("SPY", ["2022-06-14", "2022-06-15"]), price_rows("BTC-USD", ["2022-06-14", "2022-06-15"]))
    report = validate_bars(bars, universe(), instant("2022-06-15 20:14"))
    assert [(f.symbol, f.session, f.rule) for f in report.findings] == [
        ("BTC-USD", date(2022, 6, 15), "future_bar"),
        ("SPY", date(2022, 6, 15), "future_bar"),
    ]
    assert rules_found(validate_bars(bars, universe(), instant("2022-06-16"))) == []


class TestDuplicates:
    """The same (symbol, date) more than once."""

    def test_copies_that_differ_all_go(self) -> None:
        report = validate(price_rows("SPY", SESSIONS[:2]), price_rows("SPY", SESSIONS[:1], close=100.5))
        assert rules_found(report) == ["duplicate_bar", "duplicate_bar"]
        assert report.accepted.frame["date"].dt.date.tolist() == [SESSIONS[1]]

    def test_of_copies_that_agree_one_stays(self) -> None:
        report = validate(*[price_rows("SPY", SESSIONS[:1])] * 3)
        assert rules_found(report) == ["duplicate_bar", "duplicate_bar"]
        assert {finding.severity for finding in report.findings} == {Severity.WARNING}
        assert len(report.accepted) == 1
        assert len(report.quarantined) == 2

    def test_a_differing_copy_stops_its_symbol_alone(self) -> None:
        others = [price_rows(symbol, SESSIONS[:2]) for symbol in ("GLD", "TLT")]
        report = validate(*others, price_rows("SPY", SESSIONS[:2]), price_rows("SPY", SESSIONS[1:2], close=100.5))
        assert {(f.symbol, f.severity) for f in report.findings} == {("SPY", Severity.ERROR)}
        assert report.accepted.frame["symbol"].value_counts().to_dict() == {"GLD": 2, "TLT": 2, "SPY": 1}

    def test_a_row_of_the_index_on_a_holiday_is_left_out_with_a_warning_even_when_it_is_empty(self) -> None:
        empty = price_rows("^VIX", ["2022-06-20"]).assign(open=np.nan, high=np.nan, low=np.nan, close=np.nan)
        report = validate(price_rows("^VIX", ["2022-06-17"]), empty)
        assert {(f.rule, f.severity) for f in report.findings} == {
            ("bar_on_non_session", Severity.WARNING),
            ("not_finite_price", Severity.WARNING),
        }
        assert (len(report.accepted), len(report.quarantined)) == (1, 1)
        assert validate(price_rows("SPY", ["2022-06-20"])).errors != ()

    def test_two_symbols_on_a_day_are_no_duplicates(self) -> None:
        assert validate(price_rows("SPY", SESSIONS[:1]), price_rows("GLD", SESSIONS[:1])).findings == ()


class TestPriceJump:
    """Moves above one half between consecutive bars."""

    def scaled(self, factor: float, **columns: object) -> pd.DataFrame:
        prices = {"open": 100.0, "high": 101.0, "low": 99.0, "close": 100.0}
        return price_rows("SPY", SESSIONS[1:2], **{k: v * factor for k, v in prices.items()}, **columns)

    @pytest.mark.parametrize(("factor", "value"), [(1.6, 0.6), (0.4, -0.6)])
    def test_it_is_a_warning_and_the_bar_stays(self, factor: float, value: float) -> None:
        report = validate(price_rows("SPY", SESSIONS[:1]), self.scaled(factor))
        assert [f.rule for f in report.warnings] == ["price_jump"]
        assert report.warnings[0].value == pytest.approx(value)
        assert f"{value:+.1%}" in report.warnings[0].message
        assert len(report.accepted) == 2

    def test_a_move_of_exactly_one_half_passes(self) -> None:
        assert validate(price_rows("SPY", SESSIONS[:1]), self.scaled(1.5)).findings == ()

    @pytest.mark.parametrize(("factor", "split"), [(0.25, 4.0), (10.0, 0.1)])
    def test_a_split_explains_it(self, factor: float, split: float) -> None:
        assert validate(price_rows("SPY", SESSIONS[:1]), self.scaled(factor, split=split)).findings == ()

    def test_a_split_that_did_not_happen_is_one(self) -> None:
        assert rules_found(validate(price_rows("SPY", SESSIONS[:1]), self.scaled(1.0, split=2.0))) == ["price_jump"]

    def test_a_dividend_explains_it(self) -> None:
        assert validate(price_rows("SPY", SESSIONS[:1]), self.scaled(0.4, dividend=60.0)).findings == ()

    def test_a_quarantined_bar_is_no_yardstick(self) -> None:
        bad = self.scaled(10.0, volume=-1.0)
        report = validate(price_rows("SPY", [SESSIONS[0], SESSIONS[2]]), bad)
        assert rules_found(report) == ["negative_volume"]

    def test_it_never_compares_two_symbols(self) -> None:
        assert validate(price_rows("GLD", SESSIONS[:1]), self.scaled(9.0)).findings == ()

    def test_the_threshold_is_configuration(self) -> None:
        bars = bars_of(price_rows("SPY", SESSIONS[:1]), self.scaled(1.2))
        assert validate_bars(bars, universe(), LATER).findings == ()
        strict = validate_bars(bars, universe(), LATER, StructuralRules(price_jump=0.1))
        assert rules_found(strict) == ["price_jump"]


class TestVolatilityIndex:
    """^VIX: only its close counts."""

    def test_an_empty_row_is_quarantined(self) -> None:
        empty = {"open": np.nan, "high": np.nan, "low": np.nan, "close": np.nan, "volume": np.nan}
        report = validate(price_rows("^VIX", SESSIONS[:1], **empty))
        assert rules_found(report) == ["not_finite_price"]
        assert len(report.quarantined) == 1

    def test_a_close_alone_is_enough(self) -> None:
        rest = {"open": np.nan, "high": 0.0, "low": np.nan, "volume": -1.0}
        assert validate(price_rows("^VIX", SESSIONS[:1], **rest)).findings == ()

    def test_doubling_in_a_day_has_happened_and_is_no_defect(self) -> None:
        assert (
            validate(
                price_rows("^VIX", SESSIONS[:1], close=17.3), price_rows("^VIX", SESSIONS[1:2], close=37.3)
            ).findings
            == ()
        )

    def test_a_holiday_is_none_of_its_sessions(self) -> None:
        assert rules_found(validate(price_rows("^VIX", ["2022-06-20"]))) == ["bar_on_non_session"]


def test_a_symbol_outside_the_universe_is_an_error() -> None:
    bars = bars_of(price_rows("TSLA", SESSIONS[:1]))
    with pytest.raises(UnknownSymbolError, match="TSLA"):
        validate_bars(bars, universe(), LATER)


def test_an_as_of_without_a_time_zone_is_refused() -> None:
    with pytest.raises(NaiveDatetimeError):
        validate_bars(Bars.empty(), universe(), LATER.replace(tzinfo=None))


Defect = Callable[[pd.DataFrame, int], None]


def _set(column: str, value: float) -> Defect:
    def plant(frame: pd.DataFrame, row: int) -> None:
        frame.loc[row, column] = value

    return plant


DEFECTS: dict[str, Defect] = {
    "not_finite_price": _set("close", np.nan),
    "non_positive_price": _set("low", -3.0),
    "high_below_low": _set("high", 1.0),
    "close_outside_range": _set("close", 120.0),
    "negative_volume": _set("volume", -1.0),
}


@settings(max_examples=60, deadline=None)
@given(
    planted=st.dictionaries(
        st.integers(min_value=0, max_value=len(SESSIONS) - 1), st.sampled_from(sorted(DEFECTS)), max_size=6
    )
)
def test_exactly_the_planted_defects_are_quarantined(planted: dict[int, str]) -> None:
    frame = price_rows("SPY", SESSIONS)
    for row, rule in planted.items():
        DEFECTS[rule](frame, row)
    report = validate(frame)
    found = {(finding.session, finding.rule) for finding in report.errors}
    assert {(SESSIONS[row], rule) for row, rule in planted.items()} <= found
    assert {session for session, _ in found} == {SESSIONS[row] for row in planted}
    assert report.quarantined.frame["date"].dt.date.tolist() == sorted(SESSIONS[row] for row in planted)
    together = pd.concat([report.accepted.frame, report.quarantined.frame]).sort_values("date", ignore_index=True)
    pd.testing.assert_frame_equal(together, bars_of(frame).frame)
