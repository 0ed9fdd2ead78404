"""`trading kill-switch` works with the database away, keeps the first reason, and says what came of a cancellation."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.environment.command_line import run

NOWHERE = "postgresql+psycopg2://nobody@127.0.0.1:1/none"


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("TRADING_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("TRADING_DATABASE_URL", NOWHERE)
    return tmp_path / "home"


def test_it_halts_with_the_database_away_and_the_wish_to_cancel_stands(
    home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run("kill-switch", "on", "--reason", "a test", "--cancel-working", "--json") == 1
    told = json.loads(capsys.readouterr().out)
    assert (told["on"], told["reason"], told["cancel_working"], told["allow_reducing"]) == (True, "a test", True, False)
    assert told["cancelling"]["done"] is False
    assert "cannot" in told["cancelling"]["problem"]
    assert json.loads((home / "kill-switch").read_text())["cancel_working"] is True
    assert run("kill-switch", "on", "--reason", "another", "--allow-reducing") == 0
    told_again = capsys.readouterr().out
    assert "only orders that reduce risk are sent (a test); what works at brokers is cancelled" in told_again
    assert run("kill-switch", "status", "--json") == 0
    assert json.loads(capsys.readouterr().out)["reason"] == "a test"
    assert run("kill-switch", "off") == 0
    assert capsys.readouterr().out == "the kill switch is off: orders are sent\n"


@pytest.mark.postgres
def test_without_any_order_at_a_real_broker_there_is_nothing_to_cancel(
    database_url: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("TRADING_DATABASE_URL", database_url)
    assert run("kill-switch", "on", "--reason", "a test", "--cancel-working") == 0
    assert "no order works at a real broker" in capsys.readouterr().out
