"""A strategy of a user's that fails is told in the terminal, the exit code, the report and the tear sheet."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.builders.own_code.strategy import project, source
from tests.environment.command_line import run
from trading_lib.domain.errors import ConfigurationError
from trading_lib.workflows.setup.configuration import load_configuration

WINDOW = ("--from", "2006-01-03", "--to", "2006-02-28")
# Sessions on the third day of a month: January's and February's.
ON_THE_THIRD = 2


@pytest.fixture
def write(tmp_path: Path, repository_root: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    def written(text: str, seconds: float = 10.0) -> Path:
        return project(tmp_path, repository_root, text, monkeypatch, seconds)

    return written


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ("raise ZeroDivisionError('nothing to divide')", "ZeroDivisionError: nothing to divide (own.py, line 14)"),
        ("import sys; sys.exit(3)", "it asked for the end of the process (SystemExit) (own.py, line 14)"),
        ("import os; os._exit(3)", "it asked for the end of the process (os._exit) (own.py, line 14)"),
        ("raise GeneratorExit", "GeneratorExit:  (own.py, line 14)"),
        ("weights[1] = np.nan", "a weight is not a finite number (SPY)"),
        ("weights[1] = -0.1", "a weight is negative (SPY -0.1000)"),
        ("return None", "its strategy must answer with a SleeveTarget of 15 float64 weights"),
        ("def f(n): return f(n + 1)\n    f(0)", "RecursionError: maximum recursion depth exceeded (own.py, line 14)"),
        ("while True: pass", "no answer within 0.2 s (own.py, line 14)"),
    ],
)
def test_a_failure_in_some_sessions_is_told_with_line_and_number(
    write: Any, capsys: pytest.CaptureFixture[str], tmp_path: Path, body: str, message: str
) -> None:
    write(
        source(f"if view.session.day == 3 and view.session.month == 2:\n    {body}"), 0.2 if "while" in body else 10.0
    )
    sheet, out = tmp_path / "sheet.html", tmp_path / "report.json"
    files = ("--out", str(out), "--tear-sheet", str(sheet)) if "ZeroDivision" in body else ("--out", str(out))
    assert run("backtest", *WINDOW, "--no-track", *files) == 1
    line = f"sleeve mine failed in 1 of 39 sessions and kept its previous target: first on 2006-02-03: {message}"
    assert line in capsys.readouterr().out
    found = json.loads(out.read_text())["sleeve_faults"]
    assert found["count"] == 1
    assert found["sleeves"]["mine"] == {"sessions": 1, "asked": 39, "first": "2006-02-03", "message": message}
    if sheet.exists():
        page = sheet.read_text(encoding="utf-8")
        assert 'class="warnings"' in page
        assert line in page


def test_in_json_mode_the_terminal_is_told_beside_it(write: Any, capsys: pytest.CaptureFixture[str]) -> None:
    write(source("if view.session.day == 3: raise ValueError"))
    assert run("backtest", *WINDOW, "--no-track", "--json") == 1
    shown = capsys.readouterr()
    assert json.loads(shown.out)["sleeve_faults"]["count"] == ON_THE_THIRD
    assert "warning: sleeve mine failed in 2 of 39 sessions" in shown.err


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (source("1 / 0"), "mine failed in all 39 sessions it was asked in, first on 2006-01-03: ZeroDivisionError"),
        (
            "class Own:\n    monthly = True\n    def plan(self, view):\n        raise KeyError('GLD')\n",
            "mine failed in all 2 sessions it was asked in, first on 2006-01-31: KeyError: 'GLD' (own.py, line 4)",
        ),
        (source("while True: pass"), "within 0.2 s (own.py, line 13), 3 sessions in a row, the last 2006-01-05"),
        (source(top="raise ValueError('bad')"), "own.py cannot be loaded: ValueError: bad (own.py, line 3)"),
        (source(top="import sys; sys.exit(4)"), "cannot be loaded: it asked for the end of the process (SystemExit)"),
        (source(top="def f(:"), "own.py cannot be loaded: SyntaxError: invalid syntax (line 3)"),
        (source(init="{}['absent']"), "own.py:Own cannot be created from {}: KeyError: 'absent' (own.py, line 8)"),
    ],
)  # fmt: skip
def test_a_strategy_of_which_nothing_runs_is_an_error(
    write: Any, capsys: pytest.CaptureFixture[str], text: str, message: str
) -> None:
    write(text, 0.2 if "while" in text else 10.0)
    assert run("backtest", *WINDOW, "--no-track") == 2
    shown = capsys.readouterr()
    assert message in shown.err
    assert shown.err.count("error: ") == 1
    assert shown.out == ""


def test_a_file_that_a_strategy_reads_is_told_by_the_backtest_too(
    write: Any, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    secret = tmp_path / "secret.csv"
    secret.write_text("1\n")
    write(source(top=f"DATA = open({str(secret)!r}).read()"))
    assert run("backtest", *WINDOW, "--no-track") == 0
    line = (
        f"strategy own.py:Own opened {secret} at own.py, line 3, while its module was imported: a backtest cannot tell"
    )
    assert line in capsys.readouterr().out


def test_an_audit_of_a_strategy_that_fails_is_not_clean(write: Any, capsys: pytest.CaptureFixture[str]) -> None:
    write(source("1 / 0"))
    assert run("audit", "lookahead", *WINDOW, "--cuts", "2") == 1
    shown = capsys.readouterr().out
    assert "sleeve mine failed in 39 of 39 sessions, where it decided nothing" in shown
    assert "  not clean (2 cuts" in shown


@pytest.mark.postgres
def test_a_days_run_names_the_sleeve_that_failed_and_exits_one(
    write: Any, capsys: pytest.CaptureFixture[str], database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(source("raise ValueError('no prices')"))
    monkeypatch.setenv("TRADING_DATABASE_URL", database_url)
    arguments = ("--source", "simulated", "--book", "demo-own", "--session", "2022-06-15")
    assert run("run-daily", *arguments, "--json") == 1
    shown = capsys.readouterr()
    message = "ValueError: no prices (own.py, line 13)"
    assert f"warning: sleeve mine failed and kept its previous target: {message}" in shown.err
    assert any(message in reason for reason in json.loads(shown.out)["risk_events"])


def test_how_long_a_decision_may_take_is_configuration_but_no_rule(write: Any, tmp_path: Path) -> None:
    write(source())
    generous = load_configuration(tmp_path / "config", {})
    strict = load_configuration(tmp_path / "config", {"TRADING_STRATEGY__DECISION_SECONDS": "2"})
    assert strict.decision.strategy.decision_seconds == 2.0
    assert strict.config_hash == generous.config_hash
    with pytest.raises(ConfigurationError, match="decision_seconds"):
        load_configuration(tmp_path / "config", {"TRADING_STRATEGY__DECISION_SECONDS": "0"})


def test_words_that_raise_leave_the_weights_standing(write: Any, capsys: pytest.CaptureFixture[str]) -> None:
    text = source().replace("SleeveTarget(weights)", "SleeveTarget(weights, lambda: {'SPY': 1 / 0})")
    write(text)
    assert run("backtest", *WINDOW, "--no-track", "--json") == 0
    assert json.loads(capsys.readouterr().out)["sleeve_faults"] == {"count": 0, "sleeves": {}}
    assert run("explain", "--session", "2006-02-03", "--symbol", "SPY", "--from", "2006-01-03", "--json") == 0
    (own,) = [one for one in json.loads(capsys.readouterr().out)["sleeves"] if one["sleeve"] == "mine"]
    assert own["wanted"] == pytest.approx(0.1)
