"""What a person mistypes: one line that says what was meant, exit code 2, and the same as JSON."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from tests.environment.command_line import leaf_commands, run

WINDOW = ("--from", "2021-01-04", "--to", "2021-03-31")


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("backtset",), "did you mean 'backtest'?: see `trading --help`"),
        (("kill-switch", "stat"), "did you mean 'status'?: see `trading kill-switch --help`"),
        (("backtest", "--form", "2021-01-04"), "did you mean --flows or --from or --to?"),
        (("backtest", "--from", "2021-01-04"), "missing option '--to': see `trading backtest --help`"),
        (("backtest", *WINDOW, "--from", "2021-01-05"), "--from is given twice; give it once"),
        (("backtest", *WINDOW, "--track", "--no-track"), "--track or --no-track is given twice"),
        (("backtest", *WINDOW, "--data", ""), "--data is empty; give a value, or leave it out"),
        (("backtest", *WINDOW, "--out"), "option '--out' requires an argument: see `trading backtest --help`"),
        (("backtest", *WINDOW, "spare"), "unexpected extra argument"),
        (("stress", "--scenario", ""), "--scenario is empty"),
        (("stress", "--scenario", "covid"), "did you mean covid_crash?"),
        (("audit", "lookahead", "--cuts", "many"), "'--cuts': this is no whole number"),
        (("audit", "lookahead", "--seed", "-1"), "'--seed': it must not be below 0"),
        (("explain", "--session", "2022-06-15", "--symbol", "spy"), "did you mean SPY?"),
        (("explain", "--session", "2022-06-18", "--symbol", "SPY"), "around it are 2022-06-17 and 2022-06-21"),
        (("run-daily", "--source", "simulatd"), "did you mean simulated? use one of simulated, files, chain"),
        (("run-daily", "--source", "simulated", "--data", "x"), "the simulated market reads no folder"),
        (("run-daily", "--book", "a\nb"), "is no name for a book"),
        (("ingest", "--symbols", ","), "--symbols , names no symbol"),
        (
            ("backtest", "--from", "1989-01-03", "--to", "1989-02-01"),
            "no price up to 1989-02-01: its first is EEM",
        ),
        (("logs", "--level", "loud"), "use one of DEBUG, INFO"),
    ],
    ids=" ".join,
)
def test_a_mistake_is_one_line_that_says_what_was_meant(
    arguments: tuple[str, ...], words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    if "--book" in arguments:
        arguments = (*arguments, "--session", "2022-06-15")
    assert run(*arguments) == 2
    plain = capsys.readouterr()
    assert plain.out == ""
    assert plain.err.count("\n") == 1
    assert words.lower() in plain.err.lower()
    assert run(*arguments, "--json") == 2
    assert words.lower() in json.loads(capsys.readouterr().out)["error"].lower()


# What follows `trading airflow` is Airflow's own affair.
@pytest.mark.parametrize("command", [c for c in leaf_commands() if c != ["airflow"]], ids=" ".join)
def test_every_command_refuses_an_unknown_option_in_one_line(
    command: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(*command, "--no-such-option") == 2
    error = capsys.readouterr().err
    assert error.startswith("error: no such option: --no-such-option")
    assert f"see `trading {' '.join(command)} --help`" in error
    assert error.count("\n") == 1


def test_a_file_is_no_data_folder(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "prices.csv").write_text("x")
    for command in (("backtest", *WINDOW), ("validate",)):
        assert run(*command, "--data", str(tmp_path / "prices.csv")) == 2
        assert f"is a file, not a data folder: give its folder, {tmp_path}" in capsys.readouterr().err


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_a_folder_nobody_may_read_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    closed = tmp_path / "closed"
    closed.mkdir(mode=0)
    assert run("backtest", *WINDOW, "--data", str(closed)) == 2
    assert "cannot be read (Permission denied)" in capsys.readouterr().err


def test_very_long_and_unreadable_values_are_cut(
    capsys: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    assert run("backtest", "--from", "7" * 5000, "--to", "2021-01-04") == 2
    assert len(capsys.readouterr().err) < 400
    assert run("backtest", *WINDOW, "--data", "\udcff") == 2
    assert "data folder \\udcff does not exist" in capsys.readouterr().err
    assert "udcff" in caplog.text.encode().decode()  # no character that cannot be written


def test_a_defect_is_one_line_and_its_place_stands_in_the_log(
    home: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def broken(*_: object) -> None:
        raise RuntimeError("boom with password=abcdefgh")

    monkeypatch.setattr("trading_lib.workflows.books.kill_switch.kill_switch", broken)
    assert run("kill-switch", "status") == 1
    error = capsys.readouterr().err
    assert error.count("\n") == 1
    assert "RuntimeError: boom with password=***" in error
    text = (home / "home" / "logs" / "trading.jsonl").read_text()
    assert "in broken" in json.loads(text)["traceback"]
    assert "abcdefgh" not in text


def test_the_kill_switch_says_in_words_whether_orders_are_sent(capsys: pytest.CaptureFixture[str]) -> None:
    assert run("kill-switch", "status") == 0
    assert capsys.readouterr().out == "the kill switch is off: orders are sent\n"
    assert run("kill-switch", "on", "--reason", "statement") == 0
    assert "no order is sent (statement)" in capsys.readouterr().out


def test_a_run_that_was_not_to_be_tracked_says_so(capsys: pytest.CaptureFixture[str]) -> None:
    assert run("backtest", *WINDOW, "--no-track") == 0
    shown = capsys.readouterr().out
    assert "not logged to MLflow: --no-track was given" in shown
    assert "no MLflow server" not in shown


def test_the_help_text_names_every_source(capsys: pytest.CaptureFixture[str]) -> None:
    from trading_lib.workflows.setup.source_choice import CHOICES

    assert run("ingest", "--help") == 0
    shown = " ".join(capsys.readouterr().out.replace("│", " ").split())
    assert all(name in shown for name in CHOICES)
