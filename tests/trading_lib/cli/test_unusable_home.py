"""A home that cannot be used is one line and exit code 2, whichever command meets it; some need none."""

from __future__ import annotations

import errno
from datetime import date
from pathlib import Path

import pytest

from tests.builders.price_folder import write_price_folder
from tests.environment.command_line import run
from trading_lib import cli

NEEDING = {
    "database": ("db", "upgrade"),
    "sources": ("sources",),
    "switch": ("kill-switch", "on", "--reason", "test"),
    "ingest": ("ingest", "--source", "simulated", "--from", "2024-06-10", "--to", "2024-06-11"),
    "session": ("run-daily", "--session", "2024-06-14"),
}


@pytest.fixture(name="home")
def fixture_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home below a file: nobody, not even root, can make it."""
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("TRADING_HOME", str(tmp_path / "file" / "home"))
    for name in ("TRADING_DATABASE_URL", "MLFLOW_TRACKING_URI"):
        monkeypatch.delenv(name, raising=False)
    return tmp_path / "file" / "home"


@pytest.mark.parametrize("command", NEEDING.values(), ids=NEEDING)
def test_a_command_that_needs_the_home_names_it_in_one_line(
    home: Path, command: tuple[str, ...], capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(*command) == 2
    error = capsys.readouterr().err
    assert error.startswith("error: ")
    assert str(home) in error
    assert error.count("\n") == 1


def test_a_backtest_needs_no_home(home: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    prices = write_price_folder(tmp_path / "prices", date(2020, 1, 2), date(2021, 3, 31))
    assert run("backtest", "--data", str(prices), "--from", "2021-01-04", "--to", "2021-03-31") == 0
    assert "Final value" in capsys.readouterr().out
    assert not home.exists()


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EROFS, errno.EACCES, errno.EDQUOT])
def test_what_the_system_refuses_anywhere_is_one_line(
    number: int, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def refuse(_arguments: list[str], **_: object) -> None:
        raise OSError(number, "refused", "/some/file")

    monkeypatch.setattr(cli, "app", refuse)
    assert run("anything") == 2
    assert capsys.readouterr().err.startswith("error: /some/file cannot be used (refused): ")


def test_an_error_of_the_program_is_not_taken_for_a_refusal(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def fail(_arguments: list[str], **_: object) -> None:
        raise OSError(errno.EBADF, "bad descriptor")

    monkeypatch.setattr(cli, "app", fail)
    assert run("anything") == 1
    # The log cannot be written there either, so where it happened is shown at once.
    assert "error: OSError: [Errno 9] bad descriptor: report this defect" in capsys.readouterr().err
