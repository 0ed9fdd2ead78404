"""The command line as a user meets it: help, JSON, exit codes and one-line errors."""

from __future__ import annotations

import json
import re
import shutil
from datetime import date
from pathlib import Path

import pytest

from tests.builders.price_folder import write_price_folder
from tests.environment.command_line import CONTRACT_KEYS, leaf_commands, run

WINDOW = ("--from", "2021-01-04", "--to", "2021-03-31")


@pytest.fixture(scope="module")
def prices(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_price_folder(tmp_path_factory.mktemp("cli") / "prices", date(2020, 1, 2), date(2021, 3, 31))


@pytest.mark.parametrize("command", leaf_commands(), ids=" ".join)
def test_every_command_has_help_with_an_example_and_json(
    command: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(*command, "--help") == 0
    shown = capsys.readouterr().out
    assert "Example:" in shown
    assert "--json" in shown


def test_backtest_writes_the_contract_keys_and_repeats_itself(prices: Path, tmp_path: Path) -> None:
    reports = []
    for name in ("first.json", "second.json"):
        assert run("backtest", *WINDOW, "--data", str(prices), "--out", str(tmp_path / name)) == 0
        reports.append(json.loads((tmp_path / name).read_text()))
    assert set(reports[0]) >= CONTRACT_KEYS
    for report in reports:
        report.pop("elapsed_seconds")
    assert reports[0] == reports[1]
    assert reports[0]["data_source"] == "files:prices"
    assert reports[0]["sessions"] == 61


def test_backtest_prints_json_and_draws_the_curve(
    prices: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    picture = tmp_path / "curve.png"
    assert run("backtest", *WINDOW, "--data", str(prices), "--picture", str(picture), "--json") == 0
    assert set(json.loads(capsys.readouterr().out)) >= CONTRACT_KEYS
    assert picture.read_bytes().startswith(b"\x89PNG")


def test_backtest_says_in_words_where_its_figures_come_from(prices: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("backtest", *WINDOW, "--data", str(prices)) == 0
    shown = capsys.readouterr().out
    assert "Backtest on files:prices data, 2021-01-04 to 2021-03-31, costs included, 1 trial" in shown
    assert "not logged to MLflow: no MLflow server is running" in shown
    assert re.search(r"^  Strategy +trend 50 \+ rotation 50$", shown, re.MULTILINE)
    assert re.search(r"^  Maximum drawdown +\d+\.\d\d%$", shown, re.MULTILINE)
    assert re.search(r"^  drawdown \d+\.\d\d%: from 2021-\d\d-\d\d, lowest 2021-", shown, re.MULTILINE)


def test_backtest_says_in_words_what_cannot_be_computed(prices: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("backtest", "--from", "2021-01-04", "--to", "2021-01-05", "--data", str(prices)) == 0
    shown = capsys.readouterr().out
    assert re.search(r"^  Sharpe ratio +- \(fewer than two returns\)$", shown, re.MULTILINE)
    assert re.search(r"^  Win rate of closed round trips +- \(no round trip was closed\)$", shown, re.MULTILINE)


def test_a_window_before_the_prices_names_the_first_though_the_index_began_earlier(
    prices: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "prices"
    shutil.copytree(prices, folder)
    rows = "symbol,date,open,high,low,close,volume\n^VIX,2010-01-04,20,20,20,20,0\n"
    (folder / "early_index.csv").write_text(rows)
    assert run("backtest", "--from", "2010-01-04", "--to", "2010-12-31", "--data", str(folder), "--no-track") == 2
    said = capsys.readouterr().err
    assert "has no price up to 2010-12-31: its first is" in said
    assert "choose a later window" in said


def test_the_sleeves_of_one_backtest_can_be_given_with_it(prices: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("backtest", *WINDOW, "--data", str(prices), "--sleeves", "trend=0.6", "--json") == 0
    assert json.loads(capsys.readouterr().out)["strategy"] == "trend 60"
    assert run("backtest", *WINDOW, "--data", str(prices), "--sleeves", "trend") == 2
    assert "--sleeves 'trend' is no NAME=SHARE" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--from", "2021-03-31", "--to", "2021-01-04"), "the window 2021-03-31 to 2021-01-04 is inverted"),
        (("--from", "2021-13-01", "--to", "2021-01-04"), "'2021-13-01' is not a date: write it as YYYY-MM-DD"),
        (("--from", "2021-01-02", "--to", "2021-01-03"), "there is no trading session from 2021-01-02"),
        (("--from", "2010-01-04", "--to", "2021-01-04"), "is not covered by the data (2020-01-02 to"),
    ],
)
def test_a_bad_window_is_one_line_and_exit_code_two(
    prices: Path, arguments: tuple[str, ...], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run("backtest", *arguments, "--data", str(prices)) == 2
    error = capsys.readouterr().err
    assert message in error
    assert error.startswith("error: ")
    assert error.count("\n") == 1


def test_a_result_file_that_cannot_be_written_stops_before_the_work(
    prices: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run("backtest", *WINDOW, "--data", str(prices), "--out", str(tmp_path / "no" / "such.json")) == 2
    assert f"the folder {tmp_path / 'no'} does not exist" in capsys.readouterr().err
    assert run("backtest", *WINDOW, "--data", str(prices), "--out", str(tmp_path)) == 2
    assert f"{tmp_path} is a folder: name a file" in capsys.readouterr().err


def test_an_empty_data_folder_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = tmp_path / "empty"
    folder.mkdir()
    out = tmp_path / "out.json"
    assert run("backtest", *WINDOW, "--data", str(folder), "--out", str(out)) == 2
    assert str(folder) in capsys.readouterr().err
    assert not out.exists()


def test_broken_configuration_is_named(
    home: Path, monkeypatch: pytest.MonkeyPatch, repository_root: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = home / "config"
    folder.mkdir()
    for path in (repository_root / "include" / "config").glob("*.yaml"):
        (folder / path.name).write_text(path.read_text())
    (folder / "risk.yaml").write_text("levels: [1, 2\n")
    monkeypatch.setenv("TRADING_CONFIG", str(folder))
    assert run("backtest", *WINDOW) == 2
    error = capsys.readouterr().err
    assert str(folder / "risk.yaml") in error
    assert "no valid YAML at line" in error


def test_errors_are_json_when_json_is_asked_for(prices: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("backtest", "--from", "x", "--to", "y", "--data", str(prices), "--json") == 2
    answer = json.loads(capsys.readouterr().out)
    assert answer["kind"] == "SessionError"
    assert "'x' is not a date" in answer["error"]


def test_unknown_options_are_usage_errors(capsys: pytest.CaptureFixture[str]) -> None:
    assert run("backtest", "--nonsense") == 2
    assert "nonsense" in capsys.readouterr().err.lower()


def test_an_unreachable_database_is_named_without_its_password(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("TRADING_DATABASE_URL", "postgresql+psycopg2://trader:geheim@127.0.0.1:9/trading")
    assert run("run-daily", "--session", "2021-01-04", "--book", "demo") == 2
    error = capsys.readouterr().err
    assert "127.0.0.1:9" in error
    assert "geheim" not in error
    assert error.count("\n") == 1


def test_the_kill_switch_survives_and_keeps_its_first_reason(capsys: pytest.CaptureFixture[str]) -> None:
    assert run("kill-switch", "on", "--reason", "first", "--json") == 0
    assert run("kill-switch", "on", "--reason", "second") == 0
    capsys.readouterr()
    assert run("kill-switch", "status", "--json") == 0
    status = json.loads(capsys.readouterr().out)
    assert status["on"] is True
    assert status["reason"] == "first"
    assert run("kill-switch", "off", "--json") == 0
    assert json.loads(capsys.readouterr().out) == {"on": False}


@pytest.mark.postgres
def test_ingest_and_run_daily_on_a_folder(
    prices: Path, database_url: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("TRADING_DATABASE_URL", database_url)
    assert run("ingest", "--data", str(prices), "--json") == 0
    first = json.loads(capsys.readouterr().out)
    assert first["to"] == "2021-03-31"
    assert first["inserted"] > 4000
    assert run("ingest", "--data", str(prices), "--json") == 0
    again = json.loads(capsys.readouterr().out)
    assert (again["inserted"], again["revised"], again["unchanged"]) == (0, 0, first["inserted"])
    for _ in range(2):
        arguments = ("--session", "2021-03-01", "--book", "demo-cli", "--data", str(prices), "--json")
        assert run("run-daily", *arguments) == 0
        summary = json.loads(capsys.readouterr().out)
        assert summary["session"] == "2021-03-01"
        assert len(summary["signals"]) == 15
        assert summary["stages"]["check_completeness"]["severity"] == "OK"
        assert summary["stages"]["report"]["nav"] == summary["nav"]
    closing = ("--book", "demo-cli", "--symbol", "UUP", "--amount-per-share", "1", "--session", "2021-03-02")
    assert run("record-proceeds", *closing, "--note", "merger") == 2
    assert "book demo-cli holds no UUP" in capsys.readouterr().err
    assert run("run-daily", "--session", "2021-03-06", "--book", "demo-cli", "--data", str(prices)) == 2
    assert "2021-03-06 (Saturday) is no trading session" in capsys.readouterr().err


@pytest.mark.postgres
def test_database_commands_upgrade_and_report(
    empty_database_url: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("TRADING_DATABASE_URL", empty_database_url)
    assert run("db", "status", "--json") == 0
    assert json.loads(capsys.readouterr().out) == {"revision": None}
    assert run("run-daily", "--session", "2021-01-04", "--book", "demo") == 2
    assert "trading db upgrade" in capsys.readouterr().err
    assert run("db", "upgrade", "--json") == 0
    revision = json.loads(capsys.readouterr().out)["revision"]
    assert run("db", "status", "--json") == 0
    assert json.loads(capsys.readouterr().out) == {"revision": revision}
