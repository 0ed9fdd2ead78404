"""``trading logs``, ``trading --version``, and what a run leaves in the log."""

from __future__ import annotations

import json
import subprocess
import sys
from datetime import UTC, date, datetime
from pathlib import Path

import pytest

from tests.builders.price_folder import write_price_folder
from tests.environment.command_line import run
from trading_lib.domain.errors import InputError
from trading_lib.workflows.operations.logs import since_when


def test_a_run_can_be_read_back(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    prices = write_price_folder(home / "prices", date(2020, 1, 2), date(2021, 3, 31))
    window = ("--from", "2021-01-04", "--to", "2021-03-31")
    assert run("backtest", *window, "--data", str(prices), "--no-track") == 0
    assert run("backtest", *window, "--data", str(home / "none"), "--no-track") == 2
    assert run("kill-switch", "on", "--reason", "token=abcdefgh") == 0
    capsys.readouterr()
    assert run("logs", "--json") == 0
    found = json.loads(capsys.readouterr().out)["lines"]
    levels = [(line["level"], line["stage"]) for line in found]
    assert levels == [*[("INFO", "backtest")] * 3, ("ERROR", "backtest"), ("INFO", None), ("WARNING", None)]
    assert len({line["run"] for line in found}) == 3
    assert found[1]["details"]["data_source"] == "files:prices"
    assert found[3]["exception"] == "DataFileError"
    assert run("logs", "--level", "warning", "--run", "kill-switch") == 0
    shown = capsys.readouterr().out
    assert shown.count("\n") == 1
    assert "kill switch on: token=***" in shown


def test_an_empty_log_and_lines_that_are_none_are_said(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("logs") == 0
    assert "matches" in capsys.readouterr().out
    (home / "home" / "logs").mkdir(parents=True)
    log = home / "home" / "logs" / "trading.jsonl"
    log.write_text('half a line\n{"time": "2026", "message": "m", "level": "INFO"}\n')
    assert run("logs", "--json") == 0
    found = json.loads(capsys.readouterr().out)
    assert (found["unreadable_lines"], len(found["lines"])) == (1, 1)


def test_a_stage_is_found_under_its_earlier_name_too(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = home / "home" / "logs"
    folder.mkdir(parents=True)
    stages = ("validate", "check_completeness", "settle")
    lines = [{"time": "2026", "message": "m", "level": "INFO", "stage": stage} for stage in stages]
    (folder / "trading.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    assert run("logs", "--json", "--stage", "check_completeness") == 0
    found = json.loads(capsys.readouterr().out)["lines"]
    assert [line["stage"] for line in found] == ["validate", "check_completeness"]


def test_since_takes_days_times_and_ages() -> None:
    now = datetime(2026, 1, 10, 12, tzinfo=UTC)
    assert since_when("2d", now) == datetime(2026, 1, 8, 12, tzinfo=UTC)
    assert since_when("30m", now) == datetime(2026, 1, 10, 11, 30, tzinfo=UTC)
    assert since_when("2026-01-09", now) == datetime(2026, 1, 9, tzinfo=UTC)
    assert since_when("2026-01-09T08:00+02:00", now) == datetime(2026, 1, 9, 6, tzinfo=UTC)
    with pytest.raises(InputError, match="'yesterday' is no time"):
        since_when("yesterday", now)


def test_the_version_names_itself_and_python(capsys: pytest.CaptureFixture[str]) -> None:
    assert run("--version") == 0
    assert capsys.readouterr().out.startswith("trading 0.")


def test_help_imports_nothing_that_takes_long() -> None:
    program = (
        "import sys; from trading_lib.cli import main\n"
        "try: main(['--help'])\n"
        "except SystemExit: pass\n"
        "slow = ('loguru', 'pandas', 'numpy', 'sqlalchemy', 'pydantic_settings', 'mlflow', 'numba', 'yaml')\n"
        "sys.exit(', '.join(name for name in slow if name in sys.modules) or 0)"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
