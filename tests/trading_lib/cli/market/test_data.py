"""`trading sources`, `trading data-report`, and `trading ingest` with days and symbols."""

from __future__ import annotations

import json
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text
from typer.testing import CliRunner

from tests.builders.price_folder import write_price_folder
from tests.builders.prices import instant
from trading_lib.adapters.stores.market.source_status import DatabaseBoard
from trading_lib.adapters.stores.postgres.database import connect
from trading_lib.cli import app
from trading_lib.domain.errors import InputError, UnknownSymbolError
from trading_lib.market_data.resilience.breaker import BreakerState, BreakerStatus
from trading_lib.market_data.resilience.status import SourceStatus

pytestmark = pytest.mark.postgres

KEYS = ("TRADING_POLYGON_API_KEY", "TRADING_TIINGO_API_KEY", "TRADING_FRED_API_KEY")


@pytest.fixture(scope="module")
def prices(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_price_folder(tmp_path_factory.mktemp("data") / "prices", date(2020, 1, 2), date(2020, 3, 31))


@pytest.fixture
def runner(database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> CliRunner:
    monkeypatch.setenv("TRADING_DATABASE_URL", database_url)
    monkeypatch.setenv("TRADING_HOME", str(tmp_path))
    for name in KEYS:
        monkeypatch.delenv(name, raising=False)
    return CliRunner()


def run(runner: CliRunner, *arguments: str, code: int = 0) -> Any:
    result = runner.invoke(app, [*arguments, "--json"])
    assert result.exit_code == code, result.output
    return json.loads(result.output)


@pytest.mark.parametrize("command", ["sources", "data-report", "ingest"])
def test_help_has_an_example(runner: CliRunner, command: str) -> None:
    assert f"trading {command}" in " ".join(runner.invoke(app, [command, "--help"]).output.split())


def test_sources_show_state_and_what_is_skipped(
    runner: CliRunner, database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TRADING_TIINGO_API_KEY", "hunter2")
    until = instant("2024-03-08 22:05")
    status = SourceStatus(BreakerState(BreakerStatus.OPEN, 5, until), None, None, until, "tiingo: HTTP 500")
    DatabaseBoard(connect(database_url)).update("tiingo", lambda _: status)
    sources = run(runner, "sources")["sources"]
    assert sources["tiingo"]["state"] == "open"
    assert sources["tiingo"]["blocked_until"] == until.isoformat()
    assert sources["tiingo"]["last_error"] == "tiingo: HTTP 500"
    assert sources["tiingo"]["routes"] == {"US_ETF": 2}
    assert sources["tiingo"]["skipped"] is None
    assert "TRADING_POLYGON_API_KEY" in sources["polygon"]["skipped"]
    assert sources["yfinance"]["state"] == "closed"
    words = runner.invoke(app, ["sources"]).output
    assert "left alone until 2024-03-08T22:05" in words
    assert "after 5 failures in a row" in words
    states = {line.split()[0]: line[11:21].strip() for line in words.splitlines() if not line.startswith(" ")}
    assert (states["tiingo"], states["yfinance"], states["polygon"]) == ("left alone", "not asked", "skipped")
    assert "closed" not in words
    assert "hunter2" not in words + str(sources)


def test_ingest_takes_days_and_symbols(runner: CliRunner, prices: Path, database_url: str) -> None:
    result = run(
        runner, "ingest", "--data", str(prices), "--from", "2020-02-03", "--to", "2020-02-28", "--symbols", "SPY, ^VIX"
    )
    assert result["delivered"] == {"SPY": "files:prices", "^VIX": "files:prices"}
    assert result["failures"] == {}
    with connect(database_url).connect() as connection:
        spans = connection.execute(text("SELECT symbol, min(session), max(session) FROM bars GROUP BY 1 ORDER BY 1"))
        assert [tuple(row) for row in spans] == [
            ("SPY", date(2020, 2, 3), date(2020, 2, 28)),
            ("^VIX", date(2020, 2, 3), date(2020, 2, 28)),
        ]


def test_a_symbol_asked_for_by_name_that_brings_nothing_is_a_finding(runner: CliRunner, prices: Path) -> None:
    days = ("--from", "2019-01-02", "--to", "2019-01-31")
    result = run(runner, "ingest", "--data", str(prices), *days, "--symbols", "SPY", code=1)
    assert "SPY" in result["failures"]


@pytest.mark.parametrize(
    ("arguments", "kind"),
    [
        (("--symbols", "NOSUCH"), UnknownSymbolError),
        (("--from", "2020-03-02", "--to", "2020-02-03"), InputError),
        (("--from", "yesterday"), InputError),
    ],
)
def test_bad_input_is_refused(
    runner: CliRunner, prices: Path, arguments: tuple[str, ...], kind: type[InputError]
) -> None:
    result = runner.invoke(app, ["ingest", "--data", str(prices), *arguments])
    assert isinstance(result.exception, kind)


def test_a_data_report_without_data_says_what_to_do(runner: CliRunner) -> None:
    result = runner.invoke(app, ["data-report"])
    assert isinstance(result.exception, InputError)
    assert "trading ingest" in str(result.exception)


def test_a_data_report_finds_old_data(runner: CliRunner, prices: Path) -> None:
    run(runner, "ingest", "--data", str(prices))
    report = run(runner, "data-report", code=1)
    assert report["source"] == "files:prices"
    assert report["symbols"]["SPY"]["first"] == "2020-01-02"
    assert report["symbols"]["SPY"]["missing"] == 0
    assert any(line.startswith("SPY: ") and "behind" in line for line in report["problems"])
    assert "Stored data of files:prices" in runner.invoke(app, ["data-report"]).output
    assert isinstance(runner.invoke(app, ["data-report", "--source", "other"]).exception, InputError)
