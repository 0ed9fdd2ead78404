"""Bars, macro series, lots and portfolios as values."""

from __future__ import annotations

from datetime import date
from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.builders.decisions import make_portfolio
from tests.builders.prices import bars_of, price_rows
from trading_lib.domain.book.portfolio import Portfolio, to_cent
from trading_lib.domain.errors import ConfigurationError, SourceError, TradingError
from trading_lib.domain.market.prices import BAR_COLUMNS, MACRO_COLUMNS, Bars, MacroSeries
from trading_lib.domain.money import whole_lots


def test_bars_are_sorted_typed_and_nothing_else() -> None:
    rows = bars_of(price_rows("SPY", ["2024-01-03", "2024-01-02"]), price_rows("GLD", ["2024-01-02"])).frame
    bars = Bars.from_frame(rows.iloc[::-1].assign(stray=1))
    assert list(bars.frame.columns) == list(BAR_COLUMNS)
    assert bars.symbols == ("GLD", "SPY")
    assert bars.frame["symbol"].tolist() == ["GLD", "SPY", "SPY"]
    assert bars.frame["date"].dt.day.tolist() == [2, 2, 3]


def test_a_missing_column_is_an_error() -> None:
    rows = bars_of(price_rows("SPY", ["2024-01-03"])).frame
    with pytest.raises(KeyError, match="volume"):
        Bars.from_frame(rows.drop(columns="volume"))


def test_empty_values_keep_their_columns_and_types() -> None:
    assert len(Bars.empty()) == 0
    assert Bars.empty().symbols == ()
    assert list(MacroSeries.empty().frame.columns) == list(MACRO_COLUMNS)
    assert str(Bars.empty().frame["available_at"].dtype) == "datetime64[us, UTC]"


@settings(deadline=None)
@given(
    quantity=st.decimals(0, 1_000_000, places=6),
    lot=st.sampled_from([Decimal(1), Decimal("0.0001"), Decimal("0.5"), Decimal(100)]),
)
def test_whole_lots_never_round_up_and_lose_less_than_one(quantity: Decimal, lot: Decimal) -> None:
    found = whole_lots(quantity, lot)
    assert found % lot == 0
    assert 0 <= quantity - found < lot


def test_cents_round_half_to_even() -> None:
    assert [to_cent(Decimal(text)) for text in ("0.005", "0.015", "-0.005", "2.675")] == [
        Decimal("0.00"),
        Decimal("0.02"),
        Decimal("0.00"),
        Decimal("2.68"),
    ]


def test_weights_of_a_portfolio() -> None:
    portfolio = make_portfolio(50_000, SPY=(100, 90, "500"))
    assert portfolio.nav == Decimal(100_000)
    assert portfolio.weight("SPY") == pytest.approx(0.5)
    assert portfolio.weight("GLD") == 0.0
    assert Portfolio.opened(date(2024, 1, 2), Decimal("10.005")).nav == Decimal("10.00")
    assert make_portfolio(-100, SPY=(1, 90, 100)).weight("SPY") == 0.0


def test_an_error_is_one_line_with_culprit_and_remedy() -> None:
    error = ConfigurationError("risk.yaml: levels is missing", "add it")
    assert str(error) == "risk.yaml: levels is missing: add it"
    assert error.exit_code == 2
    assert str(SourceError("no answer")) == "no answer"
    assert TradingError("x").exit_code == 1
