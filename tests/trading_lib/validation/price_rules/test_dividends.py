"""Dividends: each way stated cash, adjustment and price can contradict each other, and its sound twin."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.builders.histories import DAYS, history, price_frame, with_dividends
from trading_lib.validation.price_rules.dividends import dividend_findings
from trading_lib.validation.report import Finding, Severity
from trading_lib.validation.rules import QualityRules

EX_ROW = 120
QUARTERLY = dict.fromkeys(range(40, 340, 30), 0.015)


def found(frame: pd.DataFrame) -> list[Finding]:
    return dividend_findings(history(frame), QualityRules())


def rules_of(frame: pd.DataFrame) -> set[str]:
    return {finding.rule for finding in found(frame)}


@settings(max_examples=40, deadline=None)
@given(
    shares=st.dictionaries(
        st.integers(10, len(DAYS) - 1).map(lambda row: row - row % 8), st.floats(0.001, 0.3), max_size=12
    )
)
def test_dividends_that_reconcile_are_never_a_finding(shares: dict[int, float]) -> None:
    assert found(with_dividends(price_frame(), shares)) == []


def test_a_dividend_the_adjusted_close_does_not_show() -> None:
    paid = with_dividends(price_frame(), {EX_ROW: 0.04})
    (finding,) = found(paid.assign(adj_close=paid["close"]))
    assert (finding.rule, finding.severity) == ("dividend_not_adjusted", Severity.ERROR)
    assert finding.session == DAYS[EX_ROW].item()
    assert finding.value == pytest.approx(0.04)


def test_a_small_one_only_alerts() -> None:
    paid = with_dividends(price_frame(), {EX_ROW: 0.004})
    (finding,) = found(paid.assign(adj_close=paid["close"]))
    assert finding.severity is Severity.WARNING


@pytest.mark.parametrize(("ratio", "rule"), [(5.0, "dividend_mismatch"), (100.0, "dividend_scale")])
def test_cash_that_does_not_match_the_adjustment(ratio: float, rule: str) -> None:
    paid = with_dividends(price_frame(), {EX_ROW: 0.01})
    paid["dividend"] *= ratio
    assert rule in rules_of(paid)


def test_a_gain_that_is_taken_off_twice() -> None:
    paid = with_dividends(price_frame(), {EX_ROW: 0.05})
    stated = paid.assign(
        dividend=paid["dividend"] * 0.6,
        capital_gain=np.where(np.arange(len(paid)) == EX_ROW, paid["dividend"] * 0.4, 0.0),
    )
    assert rules_of(stated) == {"capital_gain_double_counted"}
    assert rules_of(paid.assign(capital_gain=stated["capital_gain"])) == set()


class TestPriceFall:
    """The price is the third witness."""

    def phantom(self, share: float) -> pd.DataFrame:
        frame = price_frame()
        frame.loc[EX_ROW, "dividend"] = share * frame.loc[EX_ROW - 1, "close"]
        frame.loc[: EX_ROW - 1, "adj_close"] *= 1 - share
        return frame

    def test_a_large_dividend_without_a_fall(self) -> None:
        (finding,) = found(self.phantom(0.2))
        assert (finding.rule, finding.severity) == ("dividend_without_drop", Severity.ERROR)

    def test_one_that_disappears_in_a_days_moves_is_not_judged(self) -> None:
        assert found(self.phantom(0.02)) == []

    def test_a_quote_without_a_trade_proves_nothing(self) -> None:
        frame = self.phantom(0.2)
        frame.loc[EX_ROW, "volume"] = 0.0
        assert found(frame) == []

    def test_too_short_a_history_has_no_scale(self) -> None:
        assert found(self.phantom(0.2).iloc[EX_ROW - 5 : EX_ROW + 5]) == []

    def test_many_dividends_a_hundred_times_too_small(self) -> None:
        paid = with_dividends(price_frame(), QUARTERLY)
        hidden = paid.assign(dividend=paid["dividend"] / 100)
        factor = np.ones(len(paid))
        for row, share in QUARTERLY.items():
            factor[:row] *= 1 - share / 100
        findings = found(hidden.assign(adj_close=hidden["close"] * factor))
        assert [finding.rule for finding in findings] == ["dividend_scale"]
        assert found(paid) == []

    def test_real_small_dividends_are_not_called_small(self) -> None:
        assert found(with_dividends(price_frame(), dict.fromkeys(QUARTERLY, 0.0002))) == []


class TestRepeated:
    """The same dividend again within days."""

    def test_it_is_found(self) -> None:
        (finding,) = found(with_dividends(price_frame(), {EX_ROW: 0.03, EX_ROW + 1: 0.03}))
        assert (finding.rule, finding.severity) == ("dividend_repeated", Severity.ERROR)
        assert finding.session == DAYS[EX_ROW + 1].item()

    @pytest.mark.parametrize("second", [{EX_ROW + 1: 0.01}, {EX_ROW + 10: 0.03}])
    def test_another_size_or_a_later_day_is_another_dividend(self, second: dict[int, float]) -> None:
        assert found(with_dividends(price_frame(), {EX_ROW: 0.03} | second)) == []


def test_a_vendor_without_adjusted_close_or_dividends_is_not_blamed() -> None:
    assert found(price_frame().assign(adj_close=np.nan)) == []
    paid = with_dividends(price_frame(), {EX_ROW: 0.04})
    assert found(paid.assign(dividend=np.nan)) == []


def test_a_dividend_on_a_row_without_a_price_counts_on_the_next() -> None:
    paid = with_dividends(price_frame(), {EX_ROW: 0.04})
    cash = paid.loc[EX_ROW, "dividend"]
    paid.loc[EX_ROW, "dividend"] = 0.0
    paid.loc[EX_ROW - 1, ["open", "high", "low", "close", "adj_close"]] = np.nan
    paid.loc[EX_ROW - 1, "dividend"] = cash
    assert found(paid) == []
    assert rules_of(paid.assign(adj_close=paid["close"])) == {"dividend_not_adjusted"}


def test_a_weekly_bar_may_show_its_dividend_one_bar_late() -> None:
    paid = with_dividends(price_frame(days=DAYS[::5]), {30: 0.04})
    late = paid.copy()
    late.loc[30, "adj_close"] = late.loc[30, "close"] * 0.96
    assert found(late) == []
    assert rules_of(paid.assign(adj_close=paid["close"])) == {"dividend_not_adjusted"}
