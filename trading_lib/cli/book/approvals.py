"""Commands that answer risk control: ``trading approvals list|approve|reject``. Airflow is not needed."""

from __future__ import annotations

import getpass
from typing import Annotated, Any

import typer

from trading_lib.cli.output import JSON_OPTION, show

app = typer.Typer()
approvals_app = typer.Typer(
    no_args_is_help=True, help="Answer what risk levels 3 and 4 ask the operator; sales never wait for it."
)
app.add_typer(approvals_app, name="approvals")

BOOK_OPTION = typer.Option("--book", help="Book that asks.", show_default=False)
SESSION_OPTION = typer.Option("--session", help="Session that asked, default the open question's.")
NOTE_OPTION = typer.Option("--note", help="Why, for the record.")
BY_OPTION = typer.Option("--by", help="Who answers, default the user of this computer.")


@approvals_app.command("list")
def list_approvals(
    book: Annotated[str | None, typer.Option("--book", help="Only this book.")] = None,
    as_json: Annotated[bool, JSON_OPTION] = False,
) -> None:
    """Show open questions and the answers so far.

    Example: trading approvals list --book paper
    """
    from trading_lib.workflows.books.approvals import listing

    questions = listing(book)
    lines = [f"open      {q['book']} {q['session']}  {q['subject']} {q['body']}" for q in questions["open"]]
    lines += [
        f"{'approved' if a['approved'] else 'rejected':<9} {a['book']} {a['session']}  level {a['level']}, by "
        f"{a['answered_by']} ({a['channel']}) at {a['answered_at']}{': ' + a['note'] if a['note'] else ''}"
        for a in questions["answered"]
    ]
    show(questions, as_json, lines or ["no question was ever asked"])


@approvals_app.command("approve")
def approve(
    book: Annotated[str, BOOK_OPTION],
    session: Annotated[str | None, SESSION_OPTION] = None,
    note: Annotated[str, NOTE_OPTION] = "",
    by: Annotated[str | None, BY_OPTION] = None,
    as_json: Annotated[bool, JSON_OPTION] = False,
) -> None:
    """Allow what a book asks for: buying safe havens at level 3, re-entry from level 4. The next session follows it.

    Example: trading approvals approve --book paper --session 2022-06-15 --note "crash understood"
    """
    _answer(book, session, True, note, by, as_json)


@approvals_app.command("reject")
def reject(
    book: Annotated[str, BOOK_OPTION],
    session: Annotated[str | None, SESSION_OPTION] = None,
    note: Annotated[str, NOTE_OPTION] = "",
    by: Annotated[str | None, BY_OPTION] = None,
    as_json: Annotated[bool, JSON_OPTION] = False,
) -> None:
    """Refuse it: there is no new risk, and the next session asks again.

    Example: trading approvals reject --book paper --session 2022-06-15 --note "wait for the statement"
    """
    _answer(book, session, False, note, by, as_json)


def _answer(book: str, session: str | None, approved: bool, note: str, by: str | None, as_json: bool) -> None:
    from trading_lib.domain.market.sessions import parse_session
    from trading_lib.workflows.books.approvals import answer

    asked = parse_session(session) if session else None
    result: dict[str, Any] = answer(book, asked, approved, by or getpass.getuser(), note)
    show(result, as_json)
