"""`trading approvals`: the operator answers a book's question without Airflow."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path

import pytest
from sqlalchemy import Engine

from tests.builders.decisions import make_state
from trading_lib.adapters.stores.books.approval_store import ApprovalStore
from trading_lib.adapters.stores.books.book_store import BookStore
from trading_lib.adapters.stores.books.state_store import StateStore
from trading_lib.adapters.stores.postgres.database import connect
from trading_lib.cli import main
from trading_lib.domain.book.approvals import Channel
from trading_lib.domain.book.books import Book, BookKind

pytestmark = pytest.mark.postgres

ASKED = date(2024, 1, 3)


@pytest.fixture
def database(database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Engine]:
    """A database with one paper book that asks for re-entry."""
    monkeypatch.setenv("TRADING_DATABASE_URL", database_url)
    monkeypatch.setenv("TRADING_HOME", str(tmp_path))
    engine = connect(database_url)
    opened = datetime(2024, 1, 2, tzinfo=UTC)
    BookStore(engine).open_book(
        Book("paper", BookKind.PAPER, "yfinance", None, date(2024, 1, 2), Decimal(100_000), "hash", opened)
    )
    state = make_state(level=4, effective_level=4, awaiting_approval=True, question=ASKED)
    StateStore(engine).save_risk("paper", state)
    yield engine
    engine.dispose()


def run(*arguments: str) -> int:
    try:
        main(["approvals", *arguments])
    except SystemExit as stop:
        return int(stop.code or 0)
    return 0


def test_a_question_is_listed_answered_and_listed_again(database: Engine, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("list") == 0
    assert "open      paper 2024-01-03  Book paper: approve re-entry from level 4?" in capsys.readouterr().out
    assert (
        run("approve", "--book", "paper", "--session", "2024-01-03", "--note", "seen", "--by", "alice", "--json") == 0
    )
    answer = json.loads(capsys.readouterr().out)
    assert (answer["stored"], answer["approved"], answer["answered_by"]) == (True, True, "alice")
    assert run("list", "--book", "paper", "--json") == 0
    listed = json.loads(capsys.readouterr().out)
    assert listed["open"] == []
    assert [(a["session"], a["note"], a["channel"]) for a in listed["answered"]] == [
        ("2024-01-03", "seen", "command line")
    ]
    assert run("list") == 0
    assert "approved  paper 2024-01-03  level 4, by alice (command line)" in capsys.readouterr().out


def test_a_rejection_needs_no_session_and_names_who_is_logged_in(database: Engine) -> None:
    assert run("reject", "--book", "paper") == 0
    (stored,) = ApprovalStore(database).answers()
    assert (stored.session, stored.approved, stored.channel) == (ASKED, False, Channel.COMMAND_LINE)
    assert stored.answered_by


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("approve", "--book", "nobody"), "there is no book 'nobody'"),
        (("approve", "--book", "paper", "--session", "2024-01-02"), "asks for no approval (session 2024-01-03 does)"),
        (("approve", "--book", "paper", "--session", "soon"), "'soon' is not a date"),
        (("list", "--book", "nobody"), "there is no book 'nobody'"),
    ],
)
def test_a_wrong_answer_is_one_line(
    database: Engine, capsys: pytest.CaptureFixture[str], arguments: tuple[str, ...], message: str
) -> None:
    assert run(*arguments) == 2
    error = capsys.readouterr().err
    assert message in error
    assert error.count("\n") == 1
    assert ApprovalStore(database).answers() == []
