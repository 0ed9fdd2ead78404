"""``trading config``: the settings in force, what differs, and what a book was decided under."""

from __future__ import annotations

import json
from datetime import date

import pytest

from tests.environment.command_line import run
from trading_lib.adapters.stores.books.book_store import BookStore
from trading_lib.adapters.stores.books.state_store import StateStore
from trading_lib.domain.book.books import Book, BookKind
from trading_lib.domain.decision.record import DecisionRecord
from trading_lib.workflows.setup.settings import load_settings

HASH = "0123456789abcdef"


def test_one_setting_is_shown_with_its_origin(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TRADING_RISK__CALM_SESSIONS", "7")
    assert run("config", "show", "risk.calm_sessions") == 0
    assert capsys.readouterr().out.split() == [
        "risk.calm_sessions", "7", "TRADING_RISK__CALM_SESSIONS,", "shipped", "5",
    ]  # fmt: skip
    assert run("config", "show", "risk.calm_sessions", "--json") == 0
    (setting,) = json.loads(capsys.readouterr().out)["settings"]
    assert (setting["value"], setting["default"], setting["origin"]) == (7, 5, "environment")


def test_an_unknown_setting_is_bad_usage(capsys: pytest.CaptureFixture[str]) -> None:
    assert run("config", "show", "risk.calm_session") == 2
    assert "did you mean risk.calm_sessions" in capsys.readouterr().err


def test_only_what_differs_is_told(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TRADING_RISK__CALM_SESSIONS", "7")
    assert run("config", "diff", "--json") == 0
    keys = [setting["key"] for setting in json.loads(capsys.readouterr().out)["changed"]]
    assert keys == ["risk.calm_sessions", "environment.TRADING_HOME"]


@pytest.mark.postgres
def test_a_book_is_told_by_the_configurations_it_was_decided_under(
    database_url: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TRADING_DATABASE_URL", database_url)
    settings = load_settings()
    engine, now = settings.engine(), settings.clock()
    shipped = settings.configuration.config_hash
    cash = settings.configuration.initial_cash
    BookStore(engine).open_book(Book("paper", BookKind.PAPER, "x", None, date(2021, 1, 4), cash, shipped, now))
    for day, content in ((4, shipped), (5, shipped), (6, HASH), (7, HASH)):
        record = DecisionRecord("paper", date(2021, 1, day), now, "CALM", 0, content, "v", {})
        StateStore(engine).save_decision(record)
    assert run("config", "diff", "--book", "paper", "--json") == 0
    book = json.loads(capsys.readouterr().out)["book"]
    assert book["opened_under"] == book["shipped_hash"] == shipped
    assert not book["same_as_newest_decision"]
    assert book["periods"] == [
        {"from": "2021-01-04", "config_hash": shipped},
        {"from": "2021-01-06", "config_hash": HASH},
    ]
    assert run("config", "diff", "--book", "paper") == 0
    assert f"decided from 2021-01-06 on under {HASH}" in capsys.readouterr().out
    assert run("config", "diff", "--book", "papr") == 2
    assert "there is no book 'papr'" in capsys.readouterr().err
