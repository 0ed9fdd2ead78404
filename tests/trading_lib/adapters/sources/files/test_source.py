"""The file source: contract, formats, and one clear line for everything that can be wrong with a folder."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.builders.prices import instant, universe
from tests.contracts.source_contract import SourceContract
from trading_lib.adapters.sources.files.source import FileSource
from trading_lib.domain.errors import DataFileError, InputError
from trading_lib.domain.market.sessions import exchange_sessions

SESSIONS = [day.item() for day in exchange_sessions().between(date(2022, 6, 1), date(2022, 6, 17))]
LATER = instant("2022-12-31")
HEADER = "symbol,date,open,high,low,close,volume\n"
LINE = "SPY,2022-06-01,10,11,9,10,100\n"


def write_prices(folder: Path, name: str, text: str) -> Path:
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return path


def long_frame(symbols: tuple[str, ...]) -> pd.DataFrame:
    rows = [
        (symbol, day, 10.0 + n, 12.0 + n, 9.0 + n, 11.0 + n, 11.0 + n, 1000 + n)
        for symbol in symbols
        for n, day in enumerate(SESSIONS)
    ]
    names = ["symbol", "date", "open", "high", "low", "close", "adj_close", "volume"]
    return pd.DataFrame(rows, columns=names)


def read(folder: Path, symbols: tuple[str, ...] = ("SPY",)) -> pd.DataFrame:
    return FileSource(folder, universe()).bars(symbols, date(2000, 1, 1), date(2030, 1, 1), LATER).bars.frame


class TestContract(SourceContract):
    known = ("SPY", "GLD", "BTC-USD", "^VIX")
    first, last = SESSIONS[0], SESSIONS[-1]
    as_of = instant("2022-12-31")
    cut = instant("2022-06-10 20:20")

    @pytest.fixture
    def source(self, tmp_path: Path) -> FileSource:
        long_frame(("SPY", "GLD")).to_csv(tmp_path / "etfs.csv", index=False)
        long_frame(("BTC-USD",)).to_parquet(tmp_path / "bitcoin.parquet")
        long_frame(("^VIX",)).drop(columns=["volume", "symbol"]).to_csv(tmp_path / "^VIX.csv", index=False)
        macro = pd.DataFrame({"series": "DFF", "date": SESSIONS, "value": 1.5})
        macro.to_csv(tmp_path / "rates.csv", index=False)
        return FileSource(tmp_path, universe())


def test_the_name_is_the_folders(tmp_path: Path) -> None:
    folder = tmp_path / "my prices"
    folder.mkdir()
    assert FileSource(folder, universe()).name == "files:my prices"


def test_bars_are_known_when_their_market_says_so(tmp_path: Path) -> None:
    write_prices(
        tmp_path,
        "all.csv",
        HEADER + "SPY,2022-11-25,1,1,1,1,1\nBTC-USD,2022-11-25,1,1,1,1,1\n^VIX,2022-11-25,1,1,1,1,\n",
    )
    known = read(tmp_path, ("SPY", "BTC-USD", "^VIX")).set_index("symbol")["available_at"]
    # The day after Thanksgiving closes at 13:00 New York time.
    assert known["SPY"] == instant("2022-11-25 18:15")
    assert known["BTC-USD"] == instant("2022-11-26 00:00")
    assert known["^VIX"] == instant("2022-11-25 21:30")


def test_one_file_per_symbol_takes_the_symbol_from_its_name(tmp_path: Path) -> None:
    for symbol in ("SPY", "BTC-USD"):
        long_frame((symbol,)).drop(columns="symbol").to_parquet(tmp_path / f"{symbol}.parquet")
    assert set(read(tmp_path, ("SPY", "BTC-USD"))["symbol"]) == {"SPY", "BTC-USD"}


def test_a_yahoo_export_is_understood(tmp_path: Path) -> None:
    write_prices(
        tmp_path,
        "SPY.csv",
        "Date,Open,High,Low,Close,Adj Close,Volume,Dividends,Stock Splits\n"
        "2022-06-01 00:00:00-04:00,10,11,9,10,9.5,100,0.0,0.0\n"
        "2022-06-02 00:00:00-04:00,10,11,9,10.5,10.1,100,0.1,0.0\n",
    )
    frame = read(tmp_path)
    assert frame["date"].dt.date.tolist() == [date(2022, 6, 1), date(2022, 6, 2)]
    assert frame["adj_close"].tolist() == [9.5, 10.1]
    assert frame["dividend"].tolist() == [0.0, 0.1]
    assert frame["split"].tolist() == [1.0, 1.0]
    assert set(frame["adjustment"]) == {"split"}


@pytest.mark.parametrize(("zone", "hour"), [("America/New_York", 0), ("America/New_York", 22), ("UTC", 0), ("UTC", 20)])
def test_a_stamp_with_a_zone_is_of_its_day_in_new_york(tmp_path: Path, zone: str, hour: int) -> None:
    frame = long_frame(("SPY",))
    frame["date"] = pd.to_datetime(frame["date"]).dt.tz_localize(zone) + pd.Timedelta(hours=hour)
    frame.to_parquet(tmp_path / "zoned.parquet")
    assert read(tmp_path)["date"].dt.date.tolist() == SESSIONS


def test_what_the_folder_held_is_noted(tmp_path: Path) -> None:
    long_frame(("SPY",)).to_csv(tmp_path / "prices.csv", index=False)
    write_prices(tmp_path, "notes.csv", "a,b\n1,2\n")
    answer = FileSource(tmp_path, universe()).bars(["SPY"], SESSIONS[0], SESSIONS[-1], LATER)
    text = "\n".join(answer.notes)
    assert f"prices.csv: {len(SESSIONS)} rows of 1 symbols taken" in text
    assert "notes.csv: not taken, it lacks date, open, high, low, close" in text


def test_a_missing_price_is_kept_for_validation_to_judge(tmp_path: Path) -> None:
    write_prices(tmp_path, "p.csv", HEADER + "SPY,2022-06-01,10,11,,10,100\n")
    assert np.isnan(read(tmp_path)["low"].iloc[0])


class TestCorporateActions:
    """Dividends and splits that a file states, implies or leaves out."""

    def test_a_dividend_is_derived_from_the_adjusted_close(self, tmp_path: Path) -> None:
        write_prices(
            tmp_path,
            "p.csv",
            "symbol,date,open,high,low,close,adj_close,volume\n"
            "SPY,2022-06-01,100,100,100,100,98,1\nSPY,2022-06-02,99,99,99,99,99,1\nSPY,2022-06-03,99,99,99,99,99,1\n",
        )
        # The factor rises from 0.98 to 1: 2 % of the last close before the ex-date was paid out.
        assert read(tmp_path)["dividend"].tolist() == pytest.approx([0.0, 2.0, 0.0])

    def test_rounding_of_the_adjusted_close_is_no_dividend(self, tmp_path: Path) -> None:
        write_prices(
            tmp_path,
            "p.csv",
            "symbol,date,open,high,low,close,adj_close,volume\n"
            "SPY,2022-06-01,100,100,100,100,90.0000,1\nSPY,2022-06-02,100,100,100,100,90.0009,1\n",
        )
        assert read(tmp_path)["dividend"].tolist() == [0.0, 0.0]

    def test_a_derived_dividend_does_not_leak_into_another_symbol(self, tmp_path: Path) -> None:
        write_prices(
            tmp_path,
            "p.csv",
            "symbol,date,open,high,low,close,adj_close,volume\n"
            "GLD,2022-06-01,100,100,100,100,50,1\nSPY,2022-06-02,100,100,100,100,100,1\n",
        )
        assert read(tmp_path, ("GLD", "SPY"))["dividend"].tolist() == [0.0, 0.0]

    def test_a_stated_dividend_wins_and_a_blank_one_is_derived(self, tmp_path: Path) -> None:
        write_prices(
            tmp_path,
            "p.csv",
            "symbol,date,open,high,low,close,adj_close,volume,dividend\n"
            "SPY,2022-06-01,100,100,100,100,96.04,1,0\nSPY,2022-06-02,100,100,100,100,98,1,1.5\n"
            "SPY,2022-06-03,100,100,100,100,100,1,\n",
        )
        assert read(tmp_path)["dividend"].tolist() == pytest.approx([0.0, 1.5, 2.0])

    def test_cutting_the_file_changes_no_earlier_dividend(self, tmp_path: Path) -> None:
        closes = np.array([100.0, 101, 99, 98, 102, 103])
        factors = np.array([0.95, 0.95, 0.97, 0.97, 0.97, 1.0])
        frame = long_frame(("SPY",)).iloc[: len(closes)].assign(close=closes, adj_close=closes * factors)
        whole, cut = tmp_path / "whole", tmp_path / "cut"
        for folder, rows in ((whole, frame), (cut, frame.iloc[:4])):
            folder.mkdir()
            rows.to_parquet(folder / "p.parquet")
        assert read(cut)["dividend"].tolist() == read(whole)["dividend"].tolist()[:4]

    @pytest.mark.parametrize(("closes", "split", "adjustment"), [((100, 50), 2.0, "raw"), ((50, 51), 1.0, "split")])
    def test_a_split_counts_only_where_the_price_shows_it(
        self, tmp_path: Path, closes: tuple[float, float], split: float, adjustment: str
    ) -> None:
        one, two = closes
        write_prices(
            tmp_path,
            "p.csv",
            "symbol,date,open,high,low,close,adj_close,volume,split\n"
            f"SPY,2022-06-01,{one},{one},{one},{one},50,1,\nSPY,2022-06-02,{two},{two},{two},{two},{two},1,2\n",
        )
        frame = read(tmp_path)
        assert frame["split"].tolist() == [1.0, split]
        assert frame["dividend"].tolist() == [0.0, 0.0]
        assert set(frame["adjustment"]) == {adjustment}

    def test_prices_without_an_adjusted_close_are_raw(self, tmp_path: Path) -> None:
        write_prices(tmp_path, "p.csv", HEADER + LINE)
        frame = read(tmp_path)
        assert frame["adjustment"].tolist() == ["raw"]
        assert frame["dividend"].tolist() == [0.0]
        assert frame["adj_close"].isna().all()


class TestMacro:
    """Macro series and when they are known."""

    def test_a_dot_is_a_day_without_observation(self, tmp_path: Path) -> None:
        write_prices(tmp_path, "p.csv", HEADER + LINE)
        write_prices(tmp_path, "m.csv", "series,date,value\nDGS10,2022-06-03,2.9\nDGS10,2022-06-06,.\n")
        frame = FileSource(tmp_path, universe()).macro(date(2022, 1, 1), date(2022, 12, 31), LATER).frame
        assert frame["value"].tolist() == [2.9]
        # Friday's yield is published on Monday and known for certain when that day is over.
        assert frame["available_at"].iloc[0] == instant("2022-06-07")

    def test_a_folder_without_macro_files_has_none(self, tmp_path: Path) -> None:
        write_prices(tmp_path, "p.csv", HEADER + LINE)
        assert FileSource(tmp_path, universe()).macro(date(2022, 1, 1), date(2022, 12, 31), LATER).frame.empty

    def test_the_same_observation_twice_is_an_error(self, tmp_path: Path) -> None:
        for name in ("one.csv", "two.csv"):
            write_prices(tmp_path, name, "series,date,value\nDFF,2022-06-03,1\n")
        with pytest.raises(
            DataFileError, match=r"DFF on 2022-06-03 is there more than once in .*one\.csv and .*two\.csv"
        ):
            FileSource(tmp_path, universe()).macro(date(2022, 1, 1), date(2022, 12, 31), LATER)


class TestBadInput:
    """Each error is one line that names the culprit."""

    def failure(self, folder: Path) -> str:
        with pytest.raises(InputError) as caught:
            read(folder)
        message = str(caught.value)
        assert "\n" not in message
        assert caught.value.remedy
        return message

    def test_a_folder_that_is_not_there(self, tmp_path: Path) -> None:
        assert f"{tmp_path / 'gone'} does not exist" in self.failure(tmp_path / "gone")

    def test_a_folder_without_any_file(self, tmp_path: Path) -> None:
        message = self.failure(tmp_path)
        assert f"{tmp_path} has no usable price file (no CSV or Parquet file at all)" in message

    def test_a_folder_where_no_file_fits_says_what_each_lacks(self, tmp_path: Path) -> None:
        write_prices(tmp_path, "a.csv", "symbol,date,close\nSPY,2022-06-01,1\n")
        write_prices(tmp_path, "b.csv", HEADER.replace(",volume", "") + "SPY,2022-06-01,1,1,1,1\n")
        message = self.failure(tmp_path)
        assert "a.csv lacks open, high, low" in message
        assert "b.csv lacks volume" in message

    def test_a_file_named_after_no_symbol(self, tmp_path: Path) -> None:
        write_prices(tmp_path, "TSLA.csv", "date,open,high,low,close,volume\n2022-06-01,1,1,1,1,1\n")
        assert "'TSLA' is no symbol of the universe" in self.failure(tmp_path)

    def test_an_unknown_symbol_beside_known_ones(self, tmp_path: Path) -> None:
        write_prices(tmp_path, "p.csv", HEADER + LINE + LINE.replace("SPY", "TSLA"))
        message = self.failure(tmp_path)
        assert f"{tmp_path / 'p.csv'} has symbols that are not in the universe: TSLA" in message
        assert "universe.yaml" in message

    def test_a_file_that_is_no_parquet(self, tmp_path: Path) -> None:
        (tmp_path / "broken.parquet").write_bytes(b"PAR1 but not really")
        assert "broken.parquet cannot be read" in self.failure(tmp_path)

    def test_a_csv_that_is_no_text(self, tmp_path: Path) -> None:
        (tmp_path / "broken.csv").write_bytes(HEADER.encode() + b"\xff\xfe\x80,2022-06-01,1,1,1,1,1\n")
        assert "broken.csv cannot be read" in self.failure(tmp_path)

    def test_an_empty_csv(self, tmp_path: Path) -> None:
        write_prices(tmp_path, "empty.csv", "")
        assert "empty.csv cannot be read" in self.failure(tmp_path)

    @pytest.mark.parametrize("text", ["06/01/2022", "2022-06-31", "soon", "20220601", ""])
    def test_a_date_that_is_none(self, tmp_path: Path, text: str) -> None:
        write_prices(tmp_path, "p.csv", HEADER + LINE + f"SPY,{text},10,11,9,10,100\n")
        message = self.failure(tmp_path)
        assert "p.csv line 3" in message
        assert "is not a date" in message

    @pytest.mark.parametrize("column", ["open", "close", "volume"])
    def test_a_number_that_is_none(self, tmp_path: Path, column: str) -> None:
        values = {"open": "10", "high": "11", "low": "9", "close": "10", "volume": "100", column: "1,5 €"}
        cells = ",".join(f'"{value}"' for value in values.values())
        write_prices(tmp_path, "p.csv", f"{HEADER}{LINE}\nSPY,2022-06-02,{cells}\n")
        message = self.failure(tmp_path)
        # A blank line stands before the bad one, and still the line number is the editor's.
        assert f"p.csv line 4: '1,5 €' in column {column} is not a number" in message

    def test_a_row_without_symbol(self, tmp_path: Path) -> None:
        write_prices(tmp_path, "p.csv", HEADER + ",2022-06-01,10,11,9,10,100\n")
        assert "p.csv: row 1 has no symbol" in self.failure(tmp_path)

    def test_two_rows_that_differ_about_the_only_symbol(self, tmp_path: Path) -> None:
        write_prices(tmp_path, "p.csv", HEADER + LINE + LINE.replace(",10,100", ",11,100"))
        assert "SPY is left out: line 2 and line 3 differ about 2022-06-01" in self.failure(tmp_path)

    def test_the_same_bar_in_two_files_names_both(self, tmp_path: Path) -> None:
        for name in ("one.csv", "two.csv"):
            write_prices(tmp_path, name, HEADER + LINE)
        message = self.failure(tmp_path)
        assert "SPY on 2022-06-01 is in both" in message
        assert str(tmp_path / "one.csv") in message
        assert str(tmp_path / "two.csv") in message

    def test_two_columns_for_the_same_thing(self, tmp_path: Path) -> None:
        write_prices(tmp_path, "p.csv", HEADER.strip() + ",Adj Close,adj_close\n" + LINE.strip() + ",1,2\n")
        assert "p.csv has two columns for adj_close" in self.failure(tmp_path)


PRICE = st.floats(min_value=0.01, max_value=1e6, allow_nan=False)


@settings(max_examples=25, deadline=None)
@given(
    closes=st.lists(PRICE, min_size=1, max_size=len(SESSIONS)),
    volume=st.integers(min_value=0, max_value=10**12),
    suffix=st.sampled_from([".csv", ".parquet"]),
)
def test_what_is_written_is_read_back_exactly(
    tmp_path_factory: pytest.TempPathFactory, closes: list[float], volume: int, suffix: str
) -> None:
    folder = tmp_path_factory.mktemp("prices")
    frame = long_frame(("SPY",)).iloc[: len(closes)].assign(close=closes, adj_close=closes, volume=volume)
    path = folder / f"p{suffix}"
    frame.to_csv(path, index=False) if suffix == ".csv" else frame.to_parquet(path)
    back = read(folder)
    assert back["close"].tolist() == closes
    assert back["volume"].tolist() == [float(volume)] * len(closes)
    assert back["date"].dt.date.tolist() == SESSIONS[: len(closes)]
