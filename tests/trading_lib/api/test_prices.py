"""`load_prices`: what it reads, what it says, what it refuses."""

from __future__ import annotations

import shutil
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

import trading_lib as tl
from tests.builders.price_folder import write_price_folder
from trading_lib.domain.errors import UnknownSymbolError
from trading_lib.domain.market.prices import BAR_COLUMNS


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_price_folder(tmp_path_factory.mktemp("data") / "prices", date(2016, 1, 4), date(2018, 6, 29))


def test_without_a_folder_prices_are_simulated_and_say_so(prices: tl.Prices) -> None:
    assert prices.simulated
    assert prices.data_source == "simulated"
    assert "SIMULATED prices, no real market" in repr(prices)
    assert "window 2018-01-02 to 2018-12-31" in repr(prices)


def test_a_folder_is_read_as_the_command_line_reads_it(folder: Path) -> None:
    prices = tl.load_prices(folder)
    assert not prices.simulated
    assert prices.data_source == "files:prices"
    assert "prices of files:prices" in repr(prices)
    assert any("prices.parquet" in note for note in prices.notes)
    # A window begins after a year of history, and ends with the data.
    sessions = prices.close.index
    assert prices.window == (sessions[252].date(), date(2018, 6, 29))


def test_bars_have_documented_columns_and_end_with_the_window(folder: Path) -> None:
    prices = tl.load_prices(folder, end="2018-03-29")
    bars = prices.bars
    assert bars.dtypes.astype(str).to_dict() == BAR_COLUMNS
    assert bars["date"].max() == pd.Timestamp("2018-03-29")
    assert bars["date"].min() == pd.Timestamp("2016-01-04")
    assert "^VIX" in set(bars["symbol"])
    bars["close"] = 0.0
    assert (prices.bars["close"] > 0).all()


def test_close_has_a_column_for_each_symbol_and_nan_before_the_first_bar() -> None:
    close = tl.load_prices(end="2014-12-31").close
    assert str(close.index.dtype) == "datetime64[us]"
    assert close.index.name == "session"
    assert set(close.dtypes.astype(str)) == {"float64"}
    assert np.isnan(close["BTC-USD"].iloc[0])
    assert close["SPY"].iloc[0] > 0


def test_only_the_chosen_symbols_have_prices(folder: Path) -> None:
    prices = tl.load_prices(folder, symbols=["GLD", "SPY"])
    assert set(prices.symbols) == {"GLD", "SPY"}
    assert set(prices.close.columns) == {"GLD", "SPY"}
    result = tl.backtest(prices)
    assert set(result.positions["symbol"]) <= {"GLD", "SPY"}
    assert "TLT" in result.report["missing"]["symbols"]


def test_chosen_symbols_are_as_a_folder_with_nothing_else(folder: Path, tmp_path: Path) -> None:
    smaller = tmp_path / "prices"
    shutil.copytree(folder, smaller)
    frame = pd.read_parquet(smaller / "prices.parquet")
    frame[frame["symbol"].isin(["GLD", "SPY"])].to_parquet(smaller / "prices.parquet", index=False)
    chosen = tl.backtest(tl.load_prices(folder, symbols=["GLD", "SPY"]))
    alone = tl.backtest(tl.load_prices(smaller))
    pd.testing.assert_frame_equal(chosen.values, alone.values)
    pd.testing.assert_frame_equal(chosen.fills, alone.fills)


def test_findings_say_what_was_kept_out(folder: Path, tmp_path: Path) -> None:
    broken = tmp_path / "prices"
    shutil.copytree(folder, broken)
    frame = pd.read_parquet(broken / "prices.parquet")
    row = frame.index[(frame["symbol"] == "SPY")][100]
    frame.loc[row, "low"] = frame.loc[row, "high"] + 1
    frame.to_parquet(broken / "prices.parquet", index=False)
    prices = tl.load_prices(broken)
    errors = prices.findings[prices.findings["severity"] == "ERROR"]
    assert list(errors["symbol"].unique()) == ["SPY"]
    assert set(errors["date"]) == {frame.loc[row, "date"]}
    assert "1 bars quarantined" in repr(prices)
    whole = tl.load_prices(folder).findings
    assert list(whole.dtypes.astype(str)) == ["str", "datetime64[us]", "str", "str", "str"]


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({"folder": "/no/such/folder"}, tl.DataFileError, "/no/such/folder"),
        ({"symbols": ["SPX"]}, UnknownSymbolError, "SPX is not in the universe: did you mean SPY?"),
        ({"symbols": []}, tl.InputError, "symbols names no asset: leave it out, or name at least one"),
        ({"start": "2018-13-01"}, tl.SessionError, "'2018-13-01' is not a date: write it as YYYY-MM-DD"),
        ({"start": 2018}, tl.SessionError, "start 2018 is not a date: write it as YYYY-MM-DD"),
        ({"start": pd.NaT}, tl.SessionError, "start NaT is not a date: write it as YYYY-MM-DD"),
        ({"start": "2019-01-02", "end": "2018-01-02"}, tl.SessionError, "is inverted: swap the two dates"),
        ({"start": "1999-01-04"}, tl.SessionError, "is not covered by the data (2004-01-02 to "),
        ({"source": object()}, tl.InputError, "give the class itself, or 'file.py:Class'"),
        ({"source": "no.py:Source"}, tl.ConfigurationError, "no.py does not exist"),
        ({"folder": "prices", "source": "a.py:B"}, tl.InputError, "a source reads no folder, so prices would count"),
    ],
)
def test_what_cannot_be_read_is_one_line(arguments: dict[str, object], error: type[Exception], message: str) -> None:
    with pytest.raises(error) as raised:
        tl.load_prices(**arguments)
    assert message in str(raised.value)
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize(
    "start", ["2018-01-02", date(2018, 1, 2), pd.Timestamp("2018-01-02 15:00"), np.datetime64("2018-01-02")]
)
def test_a_day_may_be_given_as_python_has_it(start: object) -> None:
    assert tl.load_prices(start=start, end="2018-02-28").window == (date(2018, 1, 2), date(2018, 2, 28))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"folder": 5}, "folder of type int is no path"),
        ({"symbols": 5}, "symbols 5 are none: give a list"),
    ],
)
def test_arguments_of_another_type_are_named(arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(tl.InputError, match=message):
        tl.load_prices(**arguments)
