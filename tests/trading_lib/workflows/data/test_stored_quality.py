"""``trading validate`` without a folder: what is stored, what is in quarantine, what ingestion found beside it."""

from __future__ import annotations

import json
from datetime import date
from pathlib import Path

import pandas as pd
import pytest

from tests.builders.price_folder import write_price_folder
from tests.builders.settings import make_settings
from tests.cases.known_bad_records import EXPECTED, Expected
from tests.environment.database import MakeDatabase
from trading_lib.cli import main
from trading_lib.domain.errors import InputError
from trading_lib.validation.quality_report import DataQualityReport
from trading_lib.workflows.data import fetch as fetching
from trading_lib.workflows.data import tasks as market_data
from trading_lib.workflows.data.folder_quality import write_documentation
from trading_lib.workflows.data.stored_quality import record_folder_findings, stored_content, validate_stored
from trading_lib.workflows.setup.settings import Settings

pytestmark = pytest.mark.postgres

LAST = date(2022, 12, 30)


def load(settings: Settings, data: Path, last: date) -> None:
    plan = market_data.plan(last.isoformat(), "files", str(data), "demo", settings)
    fetching.ingest_history(plan, settings, last)
    record_folder_findings(data, settings)


@pytest.fixture(scope="module", name="report")
def fixture_report(
    make_database: MakeDatabase, shared_market_data: Path, tmp_path_factory: pytest.TempPathFactory
) -> DataQualityReport:
    settings = make_settings(make_database(), tmp_path_factory.mktemp("home"))
    load(settings, shared_market_data, LAST)
    load(settings, shared_market_data, LAST)
    return validate_stored(settings)


@pytest.mark.parametrize(
    "expected", [e for e in EXPECTED if not e.why_not], ids=lambda e: f"{e.row[0]}-{e.row[1]}-{e.rule}"
)
def test_every_applicable_known_bad_record_is_found_after_an_ingest(
    report: DataQualityReport, expected: Expected
) -> None:
    found = [
        finding
        for finding in report.findings
        if finding.rule == expected.rule
        and finding.symbol == expected.symbol
        and (expected.session is None or finding.session == expected.session)
        and (not expected.dataset or finding.dataset == f"files:market-data/{expected.dataset}")
    ]
    # Rows of a file that share a rule and a day are one stored finding, whose value is their number.
    rows = sum(int(f.value or 1) if " times, first: " in f.message else 1 for f in found)
    assert rows >= expected.least


def test_nothing_that_is_traded_on_is_called_an_error(report: DataQualityReport) -> None:
    assert [f for f in report.findings if f.dataset == "files:market-data" and f.severity == "ERROR"] == []


@pytest.fixture(name="settings")
def fixture_settings(database_url: str, tmp_path: Path) -> Settings:
    return make_settings(database_url, tmp_path)


def test_quarantined_bars_and_hindsight_are_found_in_the_database(settings: Settings, tmp_path: Path) -> None:
    data = write_price_folder(tmp_path / "prices", date(2021, 1, 4), date(2022, 6, 30))
    prices = pd.read_parquet(data / "prices.parquet")
    columns = ["open", "high", "low", "close"]
    gold, bonds = (prices.index[prices["symbol"] == symbol][200] for symbol in ("GLD", "TLT"))
    prices.loc[gold, "low"] = -1.0
    prices.loc[bonds, columns] *= 1.4
    prices.to_parquet(data / "prices.parquet", index=False)
    pd.DataFrame({"series": "DFF", "date": ["2022-01-03"], "value": [0.08]}).to_csv(data / "macro.csv", index=False)
    load(settings, data, date(2022, 6, 30))
    report = validate_stored(settings, "files:prices")
    found = {(f.symbol, f.session, f.rule, str(f.severity)) for f in report.findings if f.severity == "ERROR"}
    assert found == {
        ("GLD", prices.loc[gold, "date"].date(), "non_positive_price", "ERROR"),
        ("TLT", prices.loc[bonds, "date"].date(), "bad_tick", "ERROR"),
    }
    quality = {entry.symbol: entry for entry in report.symbols}
    assert quality["GLD"].quarantined == 1
    assert quality["GLD"].bars == quality["SPY"].bars
    first = write_documentation(stored_content(settings), tmp_path / "pages")
    pages = " ".join(page.name for page in (tmp_path / "pages").rglob("*.html"))
    assert first.is_file()
    assert all(kind in pages for kind in ("bars", "macro", "volatility_index"))


def test_sources_are_chosen_by_name_and_nothing_stored_is_said(settings: Settings, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no market data is stored: run `trading ingest`"):
        validate_stored(settings)
    load(settings, write_price_folder(tmp_path / "prices", date(2022, 1, 3), date(2022, 3, 31)), date(2022, 3, 31))
    with pytest.raises(InputError, match="nothing of source 'tiingo' is stored: there is files:prices"):
        validate_stored(settings, "tiingo")


def test_the_command_prints_the_same_contract(
    settings: Settings,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert settings.database_url is not None
    monkeypatch.setenv("TRADING_DATABASE_URL", settings.database_url)
    monkeypatch.setenv("TRADING_HOME", str(tmp_path))
    load(settings, write_price_folder(tmp_path / "prices", date(2021, 1, 4), date(2022, 3, 31)), date(2022, 3, 31))
    for arguments in (["validate", "--json"], ["validate", "--source", "files:prices", "--json"]):
        with pytest.raises(SystemExit) as ended:
            main(arguments)
        record = json.loads(capsys.readouterr().out)
        assert (ended.value.code or 0, record["findings"]) == (0, [])
        assert record["symbols"]["SPY"]["dataset"] == "files:prices"
    with pytest.raises(SystemExit) as ended:
        main(["validate", "--data", str(tmp_path), "--source", "chain"])
    assert ended.value.code == 2
