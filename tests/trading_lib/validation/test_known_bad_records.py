"""known_bad_records.csv: every row that the folder's files can show is found, and by which rule."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import pandas as pd
import pytest

from tests.builders.prices import instant, universe
from tests.cases.known_bad_records import EXPECTED, Expected
from trading_lib.validation.quality_report import DataQualityReport
from trading_lib.validation.report import Severity
from trading_lib.workflows.data.folder_quality import validate_folder

AS_OF = instant("2023-06-30")
LAST_DAY = date(2022, 12, 31)


@pytest.fixture(scope="module")
def report(shared_market_data: Path) -> DataQualityReport:
    return validate_folder(shared_market_data, universe(), AS_OF)


def test_every_row_of_the_list_is_accounted_for(shared_market_data: Path) -> None:
    listed = pd.read_csv(shared_market_data / "known_bad_records.csv", keep_default_na=False)
    assert set(zip(listed["file"], listed["symbol"], strict=True)) == {expected.row for expected in EXPECTED}


@pytest.mark.parametrize("expected", EXPECTED, ids=lambda e: f"{e.row[0]}-{e.row[1]}-{e.rule or 'not applicable'}")
def test_it_is_found(report: DataQualityReport, expected: Expected) -> None:
    if expected.why_not:
        pytest.skip(expected.why_not)
    found = [
        finding
        for finding in report.findings
        if finding.rule == expected.rule
        and finding.symbol == expected.symbol
        and (expected.session is None or finding.session == expected.session)
        and (not expected.dataset or finding.dataset == expected.dataset)
    ]
    assert len(found) >= expected.least


def test_rows_called_out_of_range_are(shared_market_data: Path) -> None:
    newest = pd.read_parquet(shared_market_data / "etf_daily_autoadjusted_2026-08.parquet", columns=["symbol", "date"])
    assert newest["date"].max().date() <= LAST_DAY
    assert not set(newest["symbol"]) & {"UUP", "XLI", "HYG"}


def test_the_prices_that_are_traded_on_have_no_error(report: DataQualityReport) -> None:
    traded = {"etf_daily", "btc_daily/yahoo/market-lab", "vix_daily/market-lab"}
    errors = [f for f in report.findings if f.dataset in traded and f.severity is Severity.ERROR]
    assert errors == []
    # Two dividends of a few tenths of a percent stand twice within a week, in every capture of this vendor.
    alerts = {(f.symbol, f.session) for f in report.findings if f.dataset in traded and f.rule == "dividend_repeated"}
    assert alerts == {("QQQ", date(2010, 6, 25)), ("TIP", date(2008, 4, 3))}


@pytest.mark.parametrize(
    ("symbol", "first", "last"),
    [
        ("BTC-USD", date(2020, 3, 11), date(2020, 3, 14)),
        ("SLV", date(2011, 4, 25), date(2011, 5, 13)),
        ("SLV", date(2013, 4, 11), date(2013, 4, 17)),
        *[(symbol, date(2008, 10, 1), date(2008, 10, 31)) for symbol in ("SPY", "XLF", "XLE", "EEM", "VNQ", "TLT")],
    ],
)
def test_real_large_moves_are_no_findings(report: DataQualityReport, symbol: str, first: date, last: date) -> None:
    assert [f for f in report.findings if f.symbol == symbol and first <= f.session <= last] == []
