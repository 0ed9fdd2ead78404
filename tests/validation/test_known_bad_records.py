"""known_bad_records.csv: every row that the folder's files can show is found, and by which rule."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from pathlib import Path

import pandas as pd
import pytest

from tests.builders import instant, universe
from trading_lib.validation.quality_report import DataQualityReport
from trading_lib.validation.report import Severity
from trading_lib.workflows.data.folder_quality import validate_folder

AS_OF = instant("2023-06-30")
LAST_DAY = date(2022, 12, 31)


@dataclass(frozen=True)
class Expected:
    """How a row is found: ``why_not`` instead of a rule says why it cannot be."""

    row: tuple[str, str]
    rule: str = ""
    symbol: str = ""
    session: date | None = None
    dataset: str = ""
    least: int = 1
    why_not: str = ""


EXPECTED = (
    Expected(("(not stored) Silverlight data/SPY.csv", "SPY"), why_not="the file is not stored"),
    Expected(("alpaca_iex_daily", "SPY"), "stray_bar", "SPY", date(2018, 11, 1), "alpaca_iex_daily"),
    Expected(("alpaca_iex_daily", "all 14 symbols"), why_not="2024-12-23 is after the files end"),
    Expected(("alpaca_iex_daily", "DBC"), "missing_bar", "DBC", date(2020, 9, 22), "alpaca_iex_daily"),
    Expected(
        ("etf_daily_vintage_2016-06", "XLF"), "bad_tick", "XLF", date(2000, 3, 16), "etf_daily_vintage_2016-06"
    ),
    Expected(
        ("etf_daily_vintage_2016-06", "XLF"),
        "source_deviation", "XLF", date(2000, 3, 16), "etf_daily_vintage_2016-06",
    ),
    Expected(
        ("etf_daily_vintage_2016-06", "XLF"), "level_between_sources", "XLF", None, "etf_daily_vintage_2016-06"
    ),
    # 323 rows to 2025, 294 of them before the files here end.
    Expected(("vix_daily/silverlight", "^VIX"), "not_finite_price", "^VIX", None, "vix_daily/silverlight", least=294),
    Expected(("vix_daily/silverlight", "^VIX"), "bar_on_non_session", "^VIX", None, "vix_daily/silverlight", least=294),
    Expected(("macro_series", "VIXCLS"), "observation_on_holiday", "VIXCLS", date(2022, 5, 30)),
    Expected(("macro_series", "VIXCLS"), "observation_on_holiday", "VIXCLS", date(2004, 6, 11)),
    Expected(("macro_series", "CPIAUCSL, CPILFESL, UNRATE"), why_not="2025-10-01 is after the files end"),
    Expected(("btc_daily/market-lab", "BTC-USD"), why_not="2026-08-21 is after the files end"),
    Expected(("funding_rates", "htx"), "off_grid_settlement", "BTC-USDT@htx", least=6),
    Expected(("funding_rates", "gate"), "funding_gap", "BTC-USDT@gate", date(2020, 12, 1)),
    Expected(("news_gold_headlines_labelled", "-"), "impossible_date", "news", least=162),
    Expected(("alphavantage_daily_2026", "QQQ"), why_not="the file is not stored"),
    Expected(("etf_daily_autoadjusted_2026-08", "all"), why_not="2026-08-21 is after the files end"),
    Expected(
        ("etf_daily_vintage_2025-09 vs etf_daily", "XLK, XLE"),
        "level_between_sources", "XLK", None, "etf_daily_vintage_2025-09",
    ),
    Expected(
        ("etf_daily_vintage_2025-09 vs etf_daily", "XLK, XLE"),
        "level_between_sources", "XLE", None, "etf_daily_vintage_2025-09",
    ),
    Expected(("etf_adjclose_2026-08", "all"), why_not="2026-08-03 is after the files end"),
    Expected(("etf_daily_autoadjusted_2026-08", "HYG"), why_not="2026-08-21 is after the files end"),
    Expected(("etf_daily_autoadjusted_2026-08", "UUP"), why_not="the file here has no UUP"),
    Expected(("etf_daily_autoadjusted_2026-08", "XLI"), why_not="the file here has no XLI"),
)  # fmt: skip


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
