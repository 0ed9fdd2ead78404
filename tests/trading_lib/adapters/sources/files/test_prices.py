"""Files as they come: zones, dates, numbers, names, repeated rows, what is refused and how large a file may be."""

from __future__ import annotations

import gzip
from datetime import date
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.builders.prices import instant, universe
from trading_lib.adapters.sources.files.formats import numbers
from trading_lib.adapters.sources.files.formats.symbols import SymbolNames
from trading_lib.adapters.sources.files.source import FileSource
from trading_lib.domain.errors import DataFileError, InputError
from trading_lib.market_data.config import FileLimits
from trading_lib.market_data.source import SourceAnswer
from trading_lib.workflows.data.folder_quality import validate_folder

HEADER = "date,open,high,low,close,volume\n"
LATER = instant("2023-06-30")
SMALL = FileLimits(max_rows=1_000, max_columns=50, max_megabytes=10)


def row(day: str, opening: str = "10") -> str:
    return f"{day},{opening},11,9,10,100\n"


ROWS = "".join(row(f"2022-06-0{day}") for day in (1, 2, 3))


def answer(folder: Path, *symbols: str) -> SourceAnswer:
    asked = symbols or ("SPY", "GLD", "BTC-USD", "^VIX")
    return FileSource(folder, universe()).bars(asked, date(2000, 1, 1), date(2030, 1, 1), LATER)


def bars(folder: Path) -> pd.DataFrame:
    return answer(folder).bars.frame


def days(folder: Path) -> list[date]:
    return list(bars(folder)["date"].dt.date)


def refusal(folder: Path) -> str:
    with pytest.raises(InputError) as caught:
        answer(folder)
    text = str(caught.value)
    assert "\n" not in text
    assert caught.value.remedy
    return text


def findings(folder: Path) -> dict[str, str]:
    return {finding.rule: finding.message for finding in validate_folder(folder, universe(), LATER).findings}


class TestZones:
    """A stamp with a zone is of the day it has in its own market, or it is refused."""

    @pytest.mark.parametrize(
        ("name", "stamp", "day"),
        [
            ("SPY", "2020-01-02 00:00:00-05:00", "2020-01-02"),
            ("SPY", "2020-01-02T05:00:00Z", "2020-01-02"),
            ("SPY", "2020-07-02T04:00:00+00:00", "2020-07-02"),
            ("SPY", "2020-01-02T14:30:00Z", "2020-01-02"),
            ("SPY", "2020-01-02T21:00:00Z", "2020-01-02"),
            ("SPY", "2020-01-03T00:30:00Z", "2020-01-02"),
            ("SPY", "2020-01-02T00:00:00.000Z", "2020-01-02"),
            ("SPY", "1577975400", "2020-01-02"),
            ("SPY", "1577975400000", "2020-01-02"),
            ("SPY", "1577975400000000", "2020-01-02"),
            ("SPY", "1577975400000000000", "2020-01-02"),
            ("SPY", "2020-01-02 16:00:00", "2020-01-02"),
            ("^VIX", "2020-01-02 00:00:00-06:00", "2020-01-02"),
            ("BTC-USD", "2020-01-01 19:00:00-05:00", "2020-01-02"),
            ("BTC-USD", "2020-01-02 00:00:00+00:00", "2020-01-02"),
            ("BTC-USD", "1577923200", "2020-01-02"),
            ("BTC-USD", "2020-01-02 23:59:59.999", "2020-01-02"),
        ],
    )
    def test_the_day_is_the_markets_own(self, tmp_path: Path, name: str, stamp: str, day: str) -> None:
        (tmp_path / f"{name}.csv").write_text(HEADER + row(stamp))
        assert days(tmp_path) == [date.fromisoformat(day)]

    @pytest.mark.parametrize(
        ("name", "stamps", "words"),
        [
            ("SPY", ("2022-06-01 10:30:00", "2022-06-02 11:30:00"), "at 10:30 without a time zone"),
            ("SPY", ("2022-06-01T15:00:00Z", "2022-06-02T16:00:00Z"), "at 11:00 in New York"),
            ("SPY", ("2022-06-01 00:00:00+09:00", "2022-06-02 00:00:00+09:00"), "at 11:00 in New York"),
            ("SPY", ("2022-06-01 05:00:00", "2022-06-02 05:00:00"), "at 05:00 without a time zone"),
            ("SPY", ("2022-06-04T12:00:00Z",), "falls on a Saturday in New York"),
            ("SPY", ("2022-06-01", "2022-06-02T04:00:00Z"), "some of its times have a time zone and some have none"),
            ("BTC-USD", ("2022-06-01 00:00:00-05:00",), "at 05:00 UTC"),
            ("BTC-USD", ("2022-06-01 12:00:00",), "at 12:00"),
        ],
    )
    def test_a_time_that_no_daily_bar_has_is_refused(
        self, tmp_path: Path, name: str, stamps: tuple[str, ...], words: str
    ) -> None:
        (tmp_path / f"{name}.csv").write_text(HEADER + "".join(map(row, stamps)))
        text = refusal(tmp_path)
        assert words in text
        assert f"{name}.csv line " in text

    def test_bars_of_hours_are_refused_by_both_readers(self, tmp_path: Path) -> None:
        stamps = [f"2022-06-0{day} {hour:02d}:30:00-04:00" for day in (1, 2, 3) for hour in (9, 10, 11)]
        (tmp_path / "SPY.csv").write_text(HEADER + "".join(map(row, stamps)))
        assert "second bar of SPY on 2022-06-01: these are bars of hours or minutes" in refusal(tmp_path)
        with pytest.raises(DataFileError, match="bars of hours or minutes"):
            validate_folder(tmp_path, universe(), LATER)

    def test_bars_of_weeks_are_refused(self, tmp_path: Path) -> None:
        fridays = pd.date_range("2022-01-07", periods=20, freq="7D").strftime("%Y-%m-%d")
        (tmp_path / "SPY.csv").write_text(HEADER + "".join(map(row, fridays)))
        assert "has bars that are 7 days apart" in refusal(tmp_path)

    def test_both_offsets_of_a_year_are_converted(self, tmp_path: Path) -> None:
        (tmp_path / "SPY.csv").write_text(HEADER + row("2022-03-11 00:00:00-05:00") + row("2022-03-14 00:00:00-04:00"))
        assert days(tmp_path) == [date(2022, 3, 11), date(2022, 3, 14)]

    def test_each_row_of_a_long_file_is_of_its_own_markets_day(self, tmp_path: Path) -> None:
        stamps = ("2020-01-02T21:00:00Z", "2020-01-03T00:00:00Z", "2020-01-04T00:00:00Z")
        lines = zip(("SPY", "BTC-USD", "BTC-USD"), stamps, strict=True)
        (tmp_path / "all.csv").write_text("symbol," + HEADER + "".join(f"{name},{row(at)}" for name, at in lines))
        found = bars(tmp_path).set_index("symbol")["date"].dt.date
        assert found["SPY"] == date(2020, 1, 2)
        assert found["BTC-USD"].tolist() == [date(2020, 1, 3), date(2020, 1, 4)]

    def test_bitcoin_is_not_known_a_day_early(self, tmp_path: Path) -> None:
        (tmp_path / "BTC-USD.csv").write_text(HEADER + row("2020-01-01 19:00:00-05:00"))
        assert bars(tmp_path)["available_at"].tolist() == [pd.Timestamp("2020-01-03", tz="UTC")]

    def test_both_readers_give_a_zoned_parquet_file_the_same_days(self, tmp_path: Path) -> None:
        stamps = pd.to_datetime(["2022-06-01", "2022-06-02"]).tz_localize("America/New_York")
        frame = pd.DataFrame({"date": stamps, "open": 10.0, "high": 11.0, "low": 9.0, "close": 10.0, "volume": 1})
        frame.to_parquet(tmp_path / "SPY.parquet")
        (quality,) = validate_folder(tmp_path, universe(), LATER).symbols
        assert [quality.first, quality.last] == days(tmp_path) == [date(2022, 6, 1), date(2022, 6, 2)]


class TestDates:
    """Every way of writing a date that vendors use; the whole column decides which it is."""

    @pytest.mark.parametrize(
        "text",
        [
            *("2022-06-15", "20220615", "2022/06/15", "06/15/2022", "6/15/2022", "15/06/2022", "06/15/22"),
            *("15.06.2022", "Jun 15, 2022", "15 Jun 2022", "15-Jun-2022", "June 15, 2022", "2022-06-15T00:00:00"),
        ],
    )
    def test_it_is_read(self, tmp_path: Path, text: str) -> None:
        quoted = f'"{text}"' if "," in text else text
        (tmp_path / "SPY.csv").write_text(HEADER + row(quoted))
        assert days(tmp_path) == [date(2022, 6, 15)]

    @pytest.mark.parametrize(
        ("texts", "first"),
        [
            (("03/06/2022", "06/15/2022"), date(2022, 3, 6)),
            (("03/06/2022", "15/06/2022"), date(2022, 6, 3)),
            # Only one reading is of sessions: the other has a Sunday.
            (("06/01/2022", "06/02/2022"), date(2022, 6, 1)),
        ],
    )
    def test_the_column_decides_which_of_day_and_month_comes_first(
        self, tmp_path: Path, texts: tuple[str, ...], first: date
    ) -> None:
        (tmp_path / "SPY.csv").write_text(HEADER + "".join(map(row, texts)))
        assert days(tmp_path)[0] == first

    def test_what_stays_ambiguous_is_refused(self, tmp_path: Path) -> None:
        (tmp_path / "BTC-USD.csv").write_text(HEADER + row("06/01/2022") + row("06/02/2022"))
        assert "BTC-USD.csv line 2" in refusal(tmp_path)
        assert "month/day and as day/month" in refusal(tmp_path)

    @pytest.mark.parametrize("texts", [("13/06/2022", "06/15/2022"), ("2022-06-15", "06/16/2022"), ("44713",)])
    def test_two_ways_in_one_column_are_refused(self, tmp_path: Path, texts: tuple[str, ...]) -> None:
        (tmp_path / "SPY.csv").write_text(HEADER + "".join(map(row, texts)))
        assert "is not a date" in refusal(tmp_path)


class TestNumbers:
    """Marks and words of vendors, and what is unclear."""

    @pytest.mark.parametrize(
        ("cells", "opening", "volume"),
        [
            (("$10.50", "1,234"), 10.5, 1234.0),
            (("1,234.50", "1.2M"), 1234.5, 1.2e6),
            (("10,50", "1,2M"), 10.5, 1.2e6),
            (("1.234,50", "12.345.678"), 1234.5, 12_345_678.0),
            (("10.50", "3.4K"), 10.5, 3400.0),
            (("10.50", "1e3"), 10.5, 1000.0),
            (("10.50", "-"), 10.5, float("nan")),
            (("10.50", "N/A"), 10.5, float("nan")),
        ],
    )
    def test_they_are_read(self, tmp_path: Path, cells: tuple[str, str], opening: float, volume: float) -> None:
        (tmp_path / "SPY.csv").write_text(HEADER + f'2022-06-01,"{cells[0]}",9999,9,10,"{cells[1]}"\n')
        found = bars(tmp_path).iloc[0]
        assert found["open"] == opening
        assert found["volume"] == volume or (np.isnan(found["volume"]) and np.isnan(volume))

    @pytest.mark.parametrize(
        ("cells", "words"),
        [
            (("1,234", "100"), "'1,234' in column open may be a decimal comma or a thousand"),
            (("(10)", "100"), "'(10)' in column open is not a number"),
            (("10€", "100"), "'10€' in column open is not a number"),
            (("10,5", "1.5"), "use different decimal marks"),
        ],
    )
    def test_what_is_unclear_is_named(self, tmp_path: Path, cells: tuple[str, str], words: str) -> None:
        (tmp_path / "SPY.csv").write_text(HEADER + f'2022-06-01,"{cells[0]}",11,9,10,"{cells[1]}"\n')
        assert words in refusal(tmp_path)

    @pytest.mark.parametrize("text", ["2:1", "2/1", "4-for-2", "2.0"])
    def test_a_split_may_be_written_as_a_ratio(self, tmp_path: Path, text: str) -> None:
        header = "date,open,high,low,close,volume,Stock Splits\n"
        (tmp_path / "SPY.csv").write_text(header + f"2022-06-01,10,11,9,10,100,\n2022-06-02,5,6,4,5,100,{text}\n")
        assert bars(tmp_path)["split"].tolist() == [1.0, 2.0]

    @given(st.floats(min_value=0.01, max_value=9.9e9).map(lambda value: round(value, 2)))
    def test_both_conventions_say_the_same(self, value: float) -> None:
        english = f"{value:,.2f}"
        german = english.replace(",", "_").replace(".", ",").replace("_", ".")
        assert numbers.parse(pd.Series([english]), numbers.POINT)[0] == value
        assert numbers.parse(pd.Series([german]), numbers.COMMA)[0] == value
        assert numbers.decimal_mark([english]) == numbers.POINT
        assert numbers.decimal_mark([german]) == numbers.COMMA


class TestNames:
    """Whose prices a file holds."""

    @pytest.mark.parametrize(
        ("stem", "symbol"),
        [
            ("SPY", "SPY"), ("spy", "SPY"), ("spy.us", "SPY"), ("spy_us_d", "SPY"), ("daily_adjusted_SPY", "SPY"),
            ("BATS_SPY, 1D", "SPY"), ("SPY ETF Stock Price History", "SPY"), ("SPY (1)", "SPY"),
            ("^VIX", "^VIX"), ("VIX", "^VIX"), ("_VIX", "^VIX"), ("VIX_History", "^VIX"), ("vixcurrent", "^VIX"),
            ("BTC-USD", "BTC-USD"), ("BTCUSDT-1d-2020-01", "BTC-USD"), ("BITSTAMP_BTCUSD, 1D", "BTC-USD"),
            ("SPY_old", None), ("SPY_GLD", None), ("TSLA", None), ("prices", None), ("HistoricalData_16", None),
        ],
    )  # fmt: skip
    def test_a_files_name_is_read(self, stem: str, symbol: str | None) -> None:
        found = SymbolNames(universe()).of_file(stem)
        assert (found.symbol if found else None) == symbol

    def test_another_quote_currency_is_named(self, tmp_path: Path) -> None:
        (tmp_path / "BTCUSDT-1d-2022-06.csv").write_text(HEADER + ROWS)
        assert any("BTCUSDT is taken as BTC-USD" in note for note in answer(tmp_path).notes)

    @pytest.mark.parametrize("name", ["BTCUSDT-1h-2022-06", "SPY_weekly", "BATS_SPY, 60M"])
    def test_another_bar_size_in_the_name_is_refused(self, tmp_path: Path, name: str) -> None:
        (tmp_path / f"{name}.csv").write_text(HEADER + ROWS)
        assert "says in its name that its bars are of" in refusal(tmp_path)

    @pytest.mark.parametrize("column", ["Ticker", "ticker", "<TICKER>", "Symbol"])
    def test_a_column_of_tickers_says_whose_rows_they_are(self, tmp_path: Path, column: str) -> None:
        lines = f"{column},{HEADER}SPY.US,{row('2022-06-01')}GLD,{row('2022-06-01')}"
        (tmp_path / "all.csv").write_text(lines)
        assert sorted(bars(tmp_path)["symbol"]) == ["GLD", "SPY"]

    def test_a_column_of_names_is_no_column_of_tickers(self, tmp_path: Path) -> None:
        (tmp_path / "BTC-USD.csv").write_text(f"name,{HEADER}2781,{row('2022-06-01')}")
        assert bars(tmp_path)["symbol"].tolist() == ["BTC-USD"]

    def test_a_name_that_contradicts_the_column_is_refused(self, tmp_path: Path) -> None:
        (tmp_path / "SPY.csv").write_text(f"Ticker,{HEADER}GLD,{row('2022-06-01')}")
        assert "is named after SPY, and its rows are of GLD" in refusal(tmp_path)


class TestRepeatedRows:
    """The same row twice is dropped with a note; two that differ stop their symbol and no other."""

    def test_the_same_row_twice(self, tmp_path: Path) -> None:
        (tmp_path / "SPY.csv").write_text(HEADER + ROWS + row("2022-06-03"))
        assert len(bars(tmp_path)) == 3
        assert any("1 rows that repeat another row word for word" in note for note in answer(tmp_path).notes)
        assert "duplicate_bar" not in findings(tmp_path)

    def test_two_that_differ(self, tmp_path: Path) -> None:
        (tmp_path / "SPY.csv").write_text(HEADER + ROWS + row("2022-06-03", "9.5"))
        (tmp_path / "GLD.csv").write_text(HEADER + ROWS)
        found = answer(tmp_path)
        assert set(found.bars.frame["symbol"]) == {"GLD"}
        assert found.failures["SPY"] == (
            "ERROR SPY is left out: line 4 and line 5 differ about 2022-06-03; keep one of them"
        )
        assert any("ERROR SPY is left out" in note for note in found.notes)
        assert "SPY 2022-06-03" in findings(tmp_path)["duplicate_bar"]


class TestColumns:
    """No column that means something goes unread."""

    @pytest.mark.parametrize("column", ["cash_div", "Split Coefficient 2", "adjFactor", "Distribution"])
    def test_one_that_may_mean_money_is_refused(self, tmp_path: Path, column: str) -> None:
        (tmp_path / "SPY.csv").write_text(HEADER.strip() + f",{column}\n" + row("2022-06-01").strip() + ",1\n")
        text = refusal(tmp_path)
        assert column in text
        assert "not understood" in text

    def test_others_are_named(self, tmp_path: Path) -> None:
        (tmp_path / "SPY.csv").write_text(HEADER.strip() + ",mood\n" + row("2022-06-01").strip() + ",1\n")
        assert "SPY.csv: columns not used: mood" in answer(tmp_path).notes

    def test_that_no_dividends_are_stated_is_noted(self, tmp_path: Path) -> None:
        (tmp_path / "all.csv").write_text("symbol," + HEADER + f"SPY,{row('2022-06-01')}BTC-USD,{row('2022-06-01')}")
        assert "all.csv: no dividends are stated, SPY count by their prices alone" in answer(tmp_path).notes
        (tmp_path / "all.csv").write_text(
            HEADER.strip() + ",dividend,symbol\n" + row("2022-06-01").strip() + ",0,SPY\n"
        )
        assert not any("no dividends" in note for note in answer(tmp_path).notes)

    def test_adjusted_prices_alone_are_refused(self, tmp_path: Path) -> None:
        (tmp_path / "SPY.csv").write_text("date,adjOpen,adjHigh,adjLow,adjClose,adjVolume\n2022-06-01,1,1,1,1,1\n")
        (tmp_path / "GLD.csv").write_text(HEADER + ROWS)
        assert "has adjusted prices only (adjClose)" in refusal(tmp_path)
        assert "has adjusted prices only (adjClose)" in findings(tmp_path)["file_not_taken"]

    @pytest.mark.parametrize(("column", "cell"), [("<PER>", "60"), ("<TIME>", "153000"), ("Currency", "EUR")])
    def test_a_bar_of_another_kind_is_refused(self, tmp_path: Path, column: str, cell: str) -> None:
        (tmp_path / "SPY.csv").write_text(HEADER.strip() + f",{column}\n" + row("2022-06-01").strip() + f",{cell}\n")
        assert f"SPY.csv line 2: '{cell}' is" in refusal(tmp_path)


class TestText:
    """Encodings, separators and lines that are no rows."""

    @pytest.mark.parametrize(
        "content",
        [
            (HEADER + ROWS).encode("utf-8-sig"),
            (HEADER + ROWS).encode("utf-16"),
            (HEADER + ROWS).replace("\n", "\r\n").encode(),
            (HEADER + ROWS).replace(",", ";").encode(),
            (HEADER + ROWS).replace(",", "\t").encode(),
            (HEADER + ROWS).replace(",", "|").encode(),
            (HEADER + ROWS).replace("date", "").encode(),
            (HEADER + ROWS.replace("\n", ",\n")).encode(),
            ("https://vendor.example\n" + HEADER + ROWS).encode(),
            (HEADER + ROWS + "Total,,,,,\n").encode(),
            (HEADER + row("2022-06-01") + HEADER + row("2022-06-02") + row("2022-06-03")).encode(),
            (HEADER + "".join(reversed(ROWS.splitlines(keepends=True)))).encode(),
            (HEADER.upper() + ROWS).encode(),
            ("Unnamed: 0," + HEADER + "".join(f"{n},{line}\n" for n, line in enumerate(ROWS.splitlines()))).encode(),
        ],
    )
    def test_it_is_read(self, tmp_path: Path, content: bytes) -> None:
        (tmp_path / "SPY.csv").write_bytes(content)
        assert days(tmp_path) == [date(2022, 6, 1), date(2022, 6, 2), date(2022, 6, 3)]
        assert bars(tmp_path)["open"].tolist() == [10.0] * 3

    def test_lines_that_are_no_rows_are_named(self, tmp_path: Path) -> None:
        (tmp_path / "SPY.csv").write_text("a title\n" + HEADER + ROWS + HEADER + row("2022-06-06") + "Total,,,,,\n")
        notes = "\n".join(answer(tmp_path).notes)
        assert "1 lines above the header" in notes
        assert "headers that come again are no rows (line 6)" in notes
        assert "the last 1 lines, from line 8, are no rows" in notes

    def test_a_packed_file_is_read(self, tmp_path: Path) -> None:
        (tmp_path / "SPY.csv.gz").write_bytes(gzip.compress((HEADER + ROWS).encode()))
        assert len(bars(tmp_path)) == 3

    @pytest.mark.parametrize(
        ("content", "words"),
        [
            (b"", "it is empty"),
            (b"\n\n", "it is empty"),
            (HEADER.encode(), "has a header and no rows"),
            (HEADER.encode() + b"2022-06-01,\x0010,11,9,10,100\n", "NUL bytes"),
            ((HEADER + ROWS).encode("utf-16-le"), "NUL bytes"),
            ("Máximo\n".encode("latin-1") + HEADER.encode() + ROWS.encode(), "can't decode byte"),
            (b'[{"date": "2022-06-01"}]', "it is JSON"),
            (b"<!DOCTYPE html><html>too many requests</html>", "it is a web page or XML"),
            ((HEADER + ROWS + "2022-06-06,10,11,9,10,100,7,7\n").encode(), "Expected 6 fields in line 5, saw 8"),
            ((HEADER + '2022-06-01,"10,11,9,10,100\n').encode(), "EOF inside string"),
        ],
    )
    def test_what_is_broken_is_one_clear_line(self, tmp_path: Path, content: bytes, words: str) -> None:
        (tmp_path / "SPY.csv").write_bytes(content)
        assert words in refusal(tmp_path)
        with pytest.raises(DataFileError, match=r"SPY\.csv"):
            validate_folder(tmp_path, universe(), LATER)


class TestWhatIsNotTaken:
    """A file named after a symbol is taken or refused by name; nothing is passed over in silence."""

    @pytest.mark.parametrize("name", ["SPY.json", "SPY.xlsx", "SPY.feather", "spy.us.zip"])
    def test_another_form_named_after_a_symbol_is_refused(self, tmp_path: Path, name: str) -> None:
        (tmp_path / name).write_bytes(b"anything")
        (tmp_path / "GLD.csv").write_text(HEADER + ROWS)
        assert f"{name} is named after SPY and cannot be read" in refusal(tmp_path)
        assert f"{name} is named after SPY and is not taken" in findings(tmp_path)["file_not_taken"]

    def test_other_forms_are_noted(self, tmp_path: Path) -> None:
        (tmp_path / "news.json").write_text("[]")
        (tmp_path / "README.txt").write_text("about these prices")
        (tmp_path / "GLD.csv").write_text(HEADER + ROWS)
        notes = "\n".join(answer(tmp_path).notes)
        assert "news.json: not read, .json is not CSV" in notes
        assert "README.txt: not taken" in notes

    def test_a_folder_and_a_link_in_the_place_of_a_file(self, tmp_path: Path) -> None:
        (tmp_path / "GLD.csv").write_text(HEADER + ROWS)
        (tmp_path / "x.csv").mkdir()
        (tmp_path / "nasdaq etfs").mkdir()
        (tmp_path / "y.csv").symlink_to(tmp_path / "y.csv")
        notes = "\n".join(answer(tmp_path).notes)
        assert "x.csv: not read, it is a folder" in notes
        assert "nasdaq etfs: not read, it is a folder" in notes
        assert "y.csv: not read, it is a link to nothing" in notes

    def test_a_manifest_leaves_files_out_on_purpose(self, tmp_path: Path) -> None:
        (tmp_path / "SPY.csv").write_text("date,close\n2022-06-01,10\n")
        (tmp_path / "GLD.csv").write_text(HEADER + ROWS)
        assert "SPY.csv is named after SPY and cannot be used: it lacks open, high, low" in refusal(tmp_path)
        (tmp_path / "dataset.yaml").write_text("prices:\n  - file: GLD.csv\n")
        assert set(bars(tmp_path)["symbol"]) == {"GLD"}

    def test_another_name_with_a_symbol_in_it_counts_where_the_symbol_has_no_prices(self, tmp_path: Path) -> None:
        (tmp_path / "SPY_old.csv").write_text(HEADER + ROWS)
        (tmp_path / "GLD.csv").write_text(HEADER + ROWS)
        assert "SPY_old.csv is named after SPY" in refusal(tmp_path)
        (tmp_path / "SPY.csv").write_text(HEADER + ROWS)
        assert any(note.startswith("SPY_old.csv: not taken") for note in answer(tmp_path).notes)

    def test_a_macro_file_that_is_used_is_not_called_unused(self, tmp_path: Path) -> None:
        (tmp_path / "GLD.csv").write_text(HEADER + ROWS)
        (tmp_path / "m.csv").write_text("series,date,value\nDFF,2022-06-01,1\n")
        (tmp_path / "DGS10.csv").write_text("observation_date,DGS10\n2022-06-01,2.9\n2022-06-02,\n")
        notes = "\n".join(answer(tmp_path).notes)
        assert "m.csv: macro series taken" in notes
        assert "DGS10.csv: macro series of FRED taken: DGS10" in notes
        assert "not taken" not in notes
        macro = FileSource(tmp_path, universe()).macro(date(2022, 1, 1), date(2022, 12, 31), LATER).frame
        assert macro["series"].tolist() == ["DFF", "DGS10"]


class TestLimits:
    """A small file that unpacks to more than the memory is refused before it is read."""

    def read(self, folder: Path) -> str:
        with pytest.raises(DataFileError) as caught:
            FileSource(folder, universe(), SMALL)
        with pytest.raises(DataFileError):
            validate_folder(folder, universe(), LATER, limits=SMALL)
        return str(caught.value)

    def test_rows_of_parquet(self, tmp_path: Path) -> None:
        pq.write_table(pa.table({"date": pa.array(np.zeros(1_001, "datetime64[us]"))}), tmp_path / "SPY.parquet")
        assert "SPY.parquet has 1,001 rows, more than the 1,000 that may be read" in self.read(tmp_path)

    def test_columns_of_parquet(self, tmp_path: Path) -> None:
        pq.write_table(pa.table({f"c{n}": [1] for n in range(51)}), tmp_path / "SPY.parquet")
        assert "has 51 columns" in self.read(tmp_path)

    def test_a_text_that_is_stored_once_for_all_rows(self, tmp_path: Path) -> None:
        codes = pa.array(np.zeros(1_000, "int32"))
        texts = pa.DictionaryArray.from_arrays(codes, pa.array(["x" * 20_000]))
        pq.write_table(pa.table({"symbol": texts}), tmp_path / "p.parquet", compression="zstd")
        assert (tmp_path / "p.parquet").stat().st_size < 5_000
        assert "p.parquet has 20 unpacked megabytes, more than the 10" in self.read(tmp_path)

    def test_rows_and_bytes_of_text(self, tmp_path: Path) -> None:
        (tmp_path / "SPY.csv").write_text(HEADER + row("2022-06-01") * 1_001)
        assert "SPY.csv has 1,002 rows" in self.read(tmp_path)
        (tmp_path / "SPY.csv").write_text(HEADER + "x" * 11_000_000)
        assert "SPY.csv has 11 megabytes" in self.read(tmp_path)

    def test_a_packed_file_that_grows(self, tmp_path: Path) -> None:
        (tmp_path / "SPY.csv.gz").write_bytes(gzip.compress(HEADER.encode() + b" " * 11_000_000))
        assert "unpacked megabytes, more than the 10" in self.read(tmp_path)

    def test_what_is_within_them_is_read(self, tmp_path: Path) -> None:
        (tmp_path / "SPY.csv").write_text(HEADER + ROWS)
        source = FileSource(tmp_path, universe(), SMALL)
        assert len(source.bars(["SPY"], date(2022, 1, 1), date(2022, 12, 31), LATER).bars.frame) == 3


class TestMissing:
    """What the rules read and a folder does not have."""

    def test_it_is_found_and_is_an_error_of_the_folder(self, tmp_path: Path) -> None:
        for symbol in ("SPY", "GLD"):
            (tmp_path / f"{symbol}.csv").write_text(HEADER + ROWS)
        report = validate_folder(tmp_path, universe(), LATER)
        missing = report.missing
        assert missing is not None
        assert set(missing.symbols) == {*universe().symbols} - {"SPY", "GLD"}
        assert (missing.volatility_index, missing.cash_rate) == (True, True)
        rules = report.counts
        assert rules["missing_symbol"] == len(missing.symbols)
        assert (rules["missing_volatility_index"], rules["missing_cash_rate"]) == (1, 1)
        assert report.as_record()["missing"]["volatility_index"] is True

    def test_what_a_cross_check_has_is_missing_all_the_same(self, tmp_path: Path) -> None:
        (tmp_path / "SPY.csv").write_text(HEADER + ROWS)
        (tmp_path / "GLD.csv").write_text(HEADER + ROWS)
        (tmp_path / "dataset.yaml").write_text("prices:\n  - file: SPY.csv\ncross_check:\n  - file: GLD.csv\n")
        missing = validate_folder(tmp_path, universe(), LATER).missing
        assert missing is not None
        assert "GLD" in missing.symbols
        assert "SPY" not in missing.symbols

    def test_freds_copy_of_the_index_counts(self, tmp_path: Path) -> None:
        (tmp_path / "SPY.csv").write_text(HEADER + ROWS)
        (tmp_path / "fredgraph.csv").write_text(
            "observation_date,VIXCLS,DFF\n2022-06-01,25.7,0.83\n2022-06-02,.,0.83\n"
        )
        missing = validate_folder(tmp_path, universe(), LATER).missing
        assert missing is not None
        assert (missing.volatility_index, missing.cash_rate) == (False, False)
        assert bars(tmp_path).query("symbol == '^VIX'")["close"].tolist() == [25.7]


class TestDistance:
    """Bars are of days, in whatever order the rows stand."""

    @staticmethod
    def write(folder: Path, days: pd.DatetimeIndex) -> None:
        text = "".join(f"SPY,{row(f'{day:%Y-%m-%d}')}" for day in days)
        (folder / "prices.csv").write_text(f"symbol,{HEADER}{text}")
        (folder / "dataset.yaml").write_text("prices: [{file: prices.csv, dividends: none}]\n")

    def test_rows_in_no_order_are_read(self, tmp_path: Path) -> None:
        sessions = pd.bdate_range("2019-01-02", "2019-12-31")
        self.write(tmp_path, sessions[np.random.default_rng(0).permutation(len(sessions))])
        assert len(days(tmp_path)) == len(sessions)

    def test_bars_of_months_are_refused_in_any_order(self, tmp_path: Path) -> None:
        months = pd.date_range("2015-01-31", periods=60, freq="ME")
        for order in (slice(None), np.random.default_rng(0).permutation(len(months))):
            self.write(tmp_path, months[order])
            assert "days apart: they are of weeks or months: give one bar per day" in refusal(tmp_path)
