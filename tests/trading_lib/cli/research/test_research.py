"""``trading backtest`` as a user meets it: the tear sheet, the full report, and a tracking server that is not there."""

from __future__ import annotations

import json
import subprocess
import sys
from datetime import date
from pathlib import Path

import pandas as pd
import pytest

from tests.builders.price_folder import write_price_folder
from tests.environment.command_line import CONTRACT_KEYS, run

WINDOW = ("--from", "2021-01-04", "--to", "2021-06-30")
ADDED = {
    "targets",
    "per_year",
    "per_regime",
    "benchmarks",
    "costs",
    "attribution",
    "probabilistic_sharpe",
    "deflated_sharpe",
    "trials",
    "trials_source",
    "confidence_intervals",
}


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("MLFLOW_TRACKING_URI", "TRADING_DATABASE_URL", "TRADING_CONFIG"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("TRADING_HOME", str(tmp_path / "home"))


@pytest.fixture(scope="module")
def prices(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_price_folder(tmp_path_factory.mktemp("research") / "prices", date(2020, 1, 2), date(2021, 6, 30))


def test_a_plain_report_has_everything_but_the_intervals(prices: Path, tmp_path: Path) -> None:
    out = tmp_path / "out.json"
    assert run("backtest", *WINDOW, "--data", str(prices), "--out", str(out)) == 0
    report = json.loads(out.read_text())
    assert set(report) >= CONTRACT_KEYS | ADDED
    assert report["confidence_intervals"] is None
    assert report["trials"] == 1
    total = sum(parts["total"] for parts in report["attribution"]["by_asset"].values())
    assert round(total, 2) == round(report["final_nav"] - report["initial_cash"], 2)


def test_a_full_report_has_them(prices: Path, tmp_path: Path) -> None:
    out = tmp_path / "out.json"
    assert run("backtest", *WINDOW, "--data", str(prices), "--full", "--out", str(out)) == 0
    found = json.loads(out.read_text())["confidence_intervals"]
    assert found["annual_return"]["low"] < found["annual_return"]["high"]


def test_the_tear_sheet_is_one_page_of_that_run(prices: Path, tmp_path: Path) -> None:
    sheet, out = tmp_path / "sheet.html", tmp_path / "out.json"
    assert run("backtest", *WINDOW, "--data", str(prices), "--tear-sheet", str(sheet), "--out", str(out)) == 0
    text, report = sheet.read_text(), json.loads(out.read_text())
    assert text.startswith("<!DOCTYPE html>")
    for words in ("files:prices", report["config_hash"], report["code_version"], f"${report['final_nav']:,.2f}"):
        assert words in text, words
    assert report["confidence_intervals"]


def test_what_the_data_lacks_is_told_in_text_report_and_tear_sheet(
    prices: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder, sheet, out = tmp_path / "some", tmp_path / "sheet.html", tmp_path / "out.json"
    folder.mkdir()
    frame = pd.read_parquet(prices / "prices.parquet")
    frame[frame["symbol"].isin(["SPY", "GLD"])].to_parquet(folder / "prices.parquet")
    shown = ("--data", str(folder), "--tear-sheet", str(sheet), "--out", str(out), "--no-track")
    assert run("backtest", *WINDOW, *shown) == 0
    missing = json.loads(out.read_text())["missing"]
    assert {"SPY", "GLD"}.isdisjoint(missing["symbols"])
    assert "TLT" in missing["symbols"]
    assert (missing["volatility_index"], missing["cash_rate"]) == (True, True)
    line = f"no prices for {', '.join(missing['symbols'])}; no ^VIX: all sessions count as HIGH_VOL; no cash rate"
    assert line in capsys.readouterr().out
    assert f"no prices for {', '.join(missing['symbols'])}" in sheet.read_text()
    # What the window knows of ^VIX decides the regime, so the line says what the engine did.
    assert set(json.loads(out.read_text())["per_regime"]) == {"HIGH_VOL"}
    assert run("backtest", *WINDOW, "--data", str(prices), "--out", str(out), "--no-track") == 0
    assert json.loads(out.read_text())["missing"] == {"symbols": [], "volatility_index": False, "cash_rate": True}


def test_a_tear_sheet_that_cannot_be_written_stops_before_the_work(
    prices: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    missing = tmp_path / "no" / "sheet.html"
    assert run("backtest", *WINDOW, "--data", str(prices), "--tear-sheet", str(missing)) == 2
    assert f"the folder {tmp_path / 'no'} does not exist" in capsys.readouterr().err


def test_the_report_is_kept_when_mlflow_does_not_answer(
    prices: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://127.0.0.1:9")
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    out = tmp_path / "out.json"
    assert run("backtest", *WINDOW, "--data", str(prices), "--out", str(out)) == 2
    assert "start it with `make up`, or unset MLFLOW_TRACKING_URI" in capsys.readouterr().err
    assert json.loads(out.read_text())["trials"] == 1


# Each of them takes as long to import as a backtest to compute, or longer.
SLOW = (
    "ccxt", "exchange_calendars", "matplotlib", "mlflow", "plotly", "pyarrow.dataset", "requests", "scipy.linalg",
    "scipy.stats", "sqlalchemy", "yfinance",
)  # fmt: skip


def test_a_plain_backtest_imports_nothing_slow_that_it_does_not_need(prices: Path, tmp_path: Path) -> None:
    arguments = ["backtest", *WINDOW, "--data", str(prices), "--no-track", "--out", str(tmp_path / "out.json")]
    code = (
        "import sys\n"
        "from trading_lib.cli import main\n"
        f"try: main({arguments!r})\n"
        "except SystemExit: pass\n"
        f"print(sorted({set(SLOW)!r} & set(sys.modules)))"
    )
    answer = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert answer.stdout.splitlines()[-1] == "[]"


def test_the_command_line_itself_imports_no_arrays_and_no_tables() -> None:
    slow = {"numba", "numpy", "pandas", "pyarrow", "pydantic"}
    code = f"import sys, trading_lib.cli; print(sorted({slow!r} & set(sys.modules)))"
    answer = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert answer.stdout.strip() == "[]"
