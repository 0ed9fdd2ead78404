"""Funding rates, trader positions and second opinions from a data folder."""

from __future__ import annotations

from datetime import date, timedelta
from pathlib import Path

import pandas as pd
import pytest

from tests.builders.prices import instant, universe
from tests.contracts.funding_contract import FundingContract
from tests.contracts.positioning_contract import PositioningContract
from tests.peers.public_statistics import GOLD, LEGACY_HEADER, legacy_line
from trading_lib.adapters.sources.files.source import FileSource
from trading_lib.domain.errors import DataFileError

LATER = instant("2023-12-31")
TUESDAYS = [date(2022, 1, 4) + timedelta(weeks=n) for n in range(4)]
FIRST, LAST = date(2022, 1, 1), date(2022, 1, 31)
PRICES = "symbol,date,open,high,low,close,volume\nSPY,2022-06-01,10,11,9,10,100\n"


def folder_with(tmp_path: Path, **files: str) -> Path:
    (tmp_path / "prices.csv").write_text(PRICES)
    for name, text in files.items():
        (tmp_path / f"{name}.csv").write_text(text)
    return tmp_path


def funding_text(column: str = "funding_time_utc", zone: str = "") -> str:
    begin = pd.Timestamp(2022, 1, 1)
    times = [begin + pd.Timedelta(hours=8 * n) for n in range(93)]
    lines = [f"Binance,BTC-USDT,{time.isoformat()}{zone},{n * 1e-6:.7f}" for n, time in enumerate(times)]
    lines += [f"bybit,BTC-USDT,{time.isoformat()}{zone},0.0001" for time in times[::2]]
    return "\n".join([f"exchange,symbol,{column},funding_rate", *lines]) + "\n"


def short_cot(columns: str, *rows: str) -> str:
    return "\n".join([columns, *rows]) + "\n"


class TestFunding(FundingContract):
    first_day, last_day = FIRST, LAST
    later = LATER
    settled = instant("2022-01-10 20:20")

    @pytest.fixture
    def funding_source(self, tmp_path: Path) -> FileSource:
        return FileSource(folder_with(tmp_path, rates=funding_text()), universe())


class TestPositions(PositioningContract):
    first, last = FIRST, LAST
    as_of = LATER
    cut = instant("2022-01-14 20:30")

    @pytest.fixture
    def source(self, tmp_path: Path) -> FileSource:
        text = short_cot(
            "market,report_date,mm_long,mm_short,open_interest", *(f"gold,{day},9,4,20" for day in TUESDAYS)
        )
        raw = "\n".join([LEGACY_HEADER, *(legacy_line(GOLD, day, *range(8)) for day in TUESDAYS)])
        return FileSource(folder_with(tmp_path, managed=text, raw=raw), universe())


def test_venues_are_kept_apart(tmp_path: Path) -> None:
    source = FileSource(folder_with(tmp_path, rates=funding_text()), universe())
    frame = source.funding(["BTC-USDT"], FIRST, FIRST, LATER).rates.frame
    assert frame.groupby("venue").size().to_dict() == {"binance": 3, "bybit": 2}
    assert frame.groupby("venue")["interval_hours"].last().to_dict() == {"binance": 8.0, "bybit": 16.0}


@pytest.mark.parametrize(
    ("column", "zone"), [("funding_time_utc", ""), ("settled_at", "Z"), ("funding_time", "+00:00")]
)
def test_times_that_say_their_zone_are_read(tmp_path: Path, column: str, zone: str) -> None:
    source = FileSource(folder_with(tmp_path, rates=funding_text(column, zone)), universe())
    frame = source.funding(["BTC-USDT"], FIRST, FIRST, LATER).rates.frame
    assert frame["settled_at"].min() == pd.Timestamp(2022, 1, 1, tz="UTC")


def test_another_zone_is_converted(tmp_path: Path) -> None:
    source = FileSource(folder_with(tmp_path, rates=funding_text("settled_at", "+03:00")), universe())
    frame = source.funding(["BTC-USDT"], date(2021, 12, 31), FIRST, LATER).rates.frame
    assert frame["settled_at"].min() == pd.Timestamp("2021-12-31 21:00", tz="UTC")


def test_a_time_of_an_unknown_clock_is_refused(tmp_path: Path) -> None:
    source = FileSource(folder_with(tmp_path, rates=funding_text("settled_at")), universe())
    with pytest.raises(
        DataFileError, match=r"rates\.csv line 2: '2022-01-01T00:00:00' in column settled_at has no time"
    ):
        source.funding(["BTC-USDT"], FIRST, LAST, LATER)


def test_a_parquet_time_of_an_unknown_clock_is_refused(tmp_path: Path) -> None:
    folder_with(tmp_path)
    frame = pd.DataFrame({"exchange": ["x"], "symbol": ["BTC-USDT"], "rate": [0.1]})
    frame.assign(settled_at=pd.Timestamp(2022, 1, 1)).to_parquet(tmp_path / "rates.parquet")
    with pytest.raises(DataFileError, match=r"rates\.parquet row 1.*has no time zone"):
        FileSource(tmp_path, universe()).funding(["BTC-USDT"], FIRST, LAST, LATER)


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("binance,BTC-USDT,2022-01-32,0.1", "line 2: '2022-01-32' is not a time"),
        ("binance,BTC-USDT,2022-01-01,high", "line 2: 'high' in column funding_rate is not a number"),
    ],
)
def test_an_unusable_cell_names_its_line(tmp_path: Path, line: str, words: str) -> None:
    text = f"exchange,symbol,funding_time_utc,funding_rate\n{line}\n"
    with pytest.raises(DataFileError, match="rates") as caught:
        FileSource(folder_with(tmp_path, rates=text), universe()).funding(["BTC-USDT"], FIRST, LAST, LATER)
    assert words in str(caught.value)


def test_a_settlement_in_two_files_names_both(tmp_path: Path) -> None:
    source = FileSource(folder_with(tmp_path, one=funding_text(), two=funding_text()), universe())
    with pytest.raises(DataFileError, match=r"one\.csv and .*two\.csv"):
        source.funding(["BTC-USDT"], FIRST, LAST, LATER)


def test_a_report_in_two_files_names_both(tmp_path: Path) -> None:
    text = short_cot("market,report_date,spec_long", "gold,2022-01-04,1")
    raw = "\n".join([LEGACY_HEADER, legacy_line(GOLD, TUESDAYS[0], *range(8))])
    with pytest.raises(DataFileError, match=r"legacy gold 2022-01-04.*raw\.csv and .*short\.csv"):
        FileSource(folder_with(tmp_path, short=text, raw=raw), universe()).cot(FIRST, LAST, LATER)


def test_positions_of_two_reports_in_one_file_are_refused(tmp_path: Path) -> None:
    text = short_cot("market,report_date,spec_long,mm_long", "gold,2022-01-04,1,2")
    with pytest.raises(DataFileError, match="positions of 2 kinds of report"):
        FileSource(folder_with(tmp_path, cot=text), universe()).cot(FIRST, LAST, LATER)


def test_codes_keep_their_zero_and_a_broken_line_names_the_file(tmp_path: Path) -> None:
    raw = "\n".join([LEGACY_HEADER, legacy_line(GOLD, TUESDAYS[0], *range(8)).replace("2022-01-04", "soon")])
    with pytest.raises(DataFileError, match=r"raw\.csv has 'soon' as a report date"):
        FileSource(folder_with(tmp_path, raw=raw), universe()).cot(FIRST, LAST, LATER)


@pytest.mark.parametrize("role", ["funding", "cot", "cross_check"])
def test_a_listed_file_that_does_not_fit_its_role_is_an_error(tmp_path: Path, role: str) -> None:
    folder_with(tmp_path, odd="a,b\n1,2\n")
    (tmp_path / "dataset.yaml").write_text(f"prices:\n  - file: prices.csv\n{role}:\n  - file: odd.csv\n")
    source = FileSource(tmp_path, universe())
    calls = {
        "funding": lambda: source.funding(["BTC-USDT"], FIRST, LAST, LATER),
        "cot": lambda: source.cot(FIRST, LAST, LATER),
        "cross_check": lambda: source.cross_check(["SPY"], FIRST, LAST, LATER),
    }
    with pytest.raises(DataFileError, match=r"odd\.csv"):
        calls[role]()


def test_a_folder_without_such_files_has_none(tmp_path: Path) -> None:
    source = FileSource(folder_with(tmp_path), universe())
    assert list(source.funding(["BTC-USDT"], FIRST, LAST, LATER).failures) == ["BTC-USDT"]
    assert len(source.cot(FIRST, LAST, LATER)) == 0
    assert source.cross_check(["SPY"], FIRST, LAST, LATER) == ()


def test_second_opinions_come_file_by_file_with_what_they_are_adjusted_for(tmp_path: Path) -> None:
    header = "symbol,date,open,high,low,close"
    folder_with(
        tmp_path,
        returns=f"{header},volume\nSPY,2022-06-01,9,10,8,9,5\n",
        vintage=f"{header},adj_close,volume\nSPY,2022-06-01,10,11,9,10,9,5\nGLD,2022-06-01,1,1,1,1,1,1\n",
    )
    (tmp_path / "dataset.yaml").write_text(
        "prices:\n  - file: prices.csv\ncross_check:\n"
        "  - file: returns.csv\n    adjustment: total_return\n  - file: vintage.csv\n"
    )
    source = FileSource(tmp_path, universe())
    day = date(2022, 6, 1)
    returns, vintage = source.cross_check(["SPY", "GLD"], day, day, LATER)
    one, two = returns.bars.frame.iloc[0], vintage.bars.frame.iloc[1]
    assert (one["source"], one["adjustment"], one["close"]) == (f"{source.name}/returns.csv", "total_return", 9)
    assert one[["dividend"]].isna().all()
    assert list(returns.failures) == ["GLD"]
    assert (two["source"], two["adjustment"], two["adj_close"]) == (f"{source.name}/vintage.csv", "split", 9)
    # Neither is traded on.
    assert source.bars(["SPY"], day, day, LATER).bars.frame["close"].tolist() == [10]
    assert source.cross_check(["SPY"], day, day, instant("2022-06-01"))[0].failures


def test_the_shared_funding_history_has_no_gap_and_its_true_hours(shared_market_data: Path) -> None:
    source = FileSource(shared_market_data, universe())
    answer = source.funding(["BTC-USDT", "ETH-USDT"], date(2020, 1, 1), date(2022, 12, 31), LATER)
    binance = answer.rates.frame[answer.rates.frame["venue"] == "binance"]
    assert answer.failures == {}
    assert binance.groupby("symbol").size().to_dict() == {"BTC-USDT": 3285, "ETH-USDT": 3285}
    assert set(binance["interval_hours"].dropna()) == {8.0}
    # The caps of 2020: known at the true time, not three hours later.
    worst = binance[binance["symbol"] == "BTC-USDT"].set_index("settled_at")["rate"]
    assert worst.idxmin().date() == date(2020, 3, 13)
    assert set(binance["settled_at"].dt.hour) == {0, 8, 16}


def test_the_shared_reports_are_read_as_published(shared_market_data: Path) -> None:
    source = FileSource(shared_market_data, universe())
    frame = source.cot(date(2006, 1, 1), date(2022, 12, 31), LATER).frame
    assert frame.groupby("report")["market"].nunique().to_dict() == {"disaggregated": 2, "legacy": 16}
    gold = frame[(frame["report"] == "legacy") & (frame["market"] == "gold")].iloc[0]
    assert (gold["noncommercial_long"], gold["commercial_short"]) == (180688, 239049)
    assert gold["available_at"] == instant("2006-01-06 20:30")
    during = source.cot(date(2018, 12, 1), date(2019, 2, 1), instant("2019-02-01 20:30")).frame
    assert during["report_date"].max().date() == date(2018, 12, 24)
    assert source.cot(date(2018, 12, 1), date(2019, 2, 1), instant("2019-02-01 20:29")).frame[
        "report_date"
    ].max().date() == date(2018, 12, 18)


def test_the_shared_second_opinions_are_read(shared_market_data: Path) -> None:
    source = FileSource(shared_market_data, universe())
    returns, vintage = source.cross_check(["XLK", "SPY"], date(2021, 1, 4), date(2021, 1, 29), LATER)
    assert set(returns.bars.frame["adjustment"]) == {"total_return"}
    assert set(vintage.bars.frame["adjustment"]) == {"split"}
    ours = source.bars(["XLK"], date(2021, 1, 4), date(2021, 1, 29), LATER).bars.frame["close"]
    theirs = vintage.bars.frame[vintage.bars.frame["symbol"] == "XLK"]["close"].reset_index(drop=True)
    # A 2-for-1 split lies between the two captures.
    assert (theirs / ours).round(4).unique().tolist() == [2.0]
