"""Commands that look after a book: ``trading book repair``, ``trading book repairs`` and ``trading book arm``."""

from __future__ import annotations

import getpass
from typing import Annotated, Any

import typer

from trading_lib.cli.book.flows import app as flows_app
from trading_lib.cli.output import JSON_OPTION, show

app = typer.Typer()
book_app = typer.Typer(
    no_args_is_help=True, help="Look after a book: its capital, and what it cannot repair by itself."
)
app.add_typer(book_app, name="book")
book_app.add_typer(flows_app)


@book_app.command("repair")
def repair(
    book: Annotated[str, typer.Option("--book", help="Book to repair.", show_default=False)],
    session: Annotated[str | None, typer.Option("--session", help="A refused session, to close in any case.")] = None,
    note: Annotated[str, typer.Option("--note", help="Why, for the record.")] = "",
    by: Annotated[str | None, typer.Option("--by", help="Who repairs it, default the user of this computer.")] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say what would be done.")] = False,
    as_json: Annotated[bool, JSON_OPTION] = False,
) -> None:
    """Cancel what overtaken sessions left behind, strike impossible simulated fills, and close those sessions.

    Everything done is recorded; nothing that a portfolio has booked is changed. The same again finds nothing to do.

    Example: trading book repair --book paper --note "two schedulers ran on Monday"
    """
    from trading_lib.domain.market.sessions import parse_session
    from trading_lib.workflows.books.repair import repair_book

    refused = parse_session(session) if session else None
    result: dict[str, Any] = repair_book(book, by or getpass.getuser(), note, refused, dry_run)
    verb = "would be done" if dry_run else "done"
    lines = [f"{step['action']:<15} {step['session']}  {step['subject']}: {step['detail']}" for step in result["steps"]]
    lines.append(f"book {book} is at session {result['book_is_at']}; {len(lines)} steps {verb}")
    show(result, as_json, lines)


@book_app.command("arm")
def arm(
    book: Annotated[str, typer.Option("--book", help="Book to arm.", show_default=False)],
    by: Annotated[str, typer.Option("--by", help="Who arms it, for the record.", show_default=False)],
    note: Annotated[str, typer.Option("--note", help="Why, for the record.")] = "",
    as_json: Annotated[bool, JSON_OPTION] = False,
) -> None:
    """Let a book that was restored send its orders again; until then it decides and sends nothing.

    Compare its holdings and open orders with its broker's first.

    Example: trading book arm --book paper --by "Ada Lovelace" --note "positions compared with the statement"
    """
    from trading_lib.workflows.books.arming import arm_book

    result: dict[str, Any] = arm_book(book, by, note)
    line = f"book {book} is armed (record {result['number']})" if result["changed"] else f"book {book} is armed already"
    show(result, as_json, [line])


@book_app.command("repairs")
def repairs(
    book: Annotated[str | None, typer.Option("--book", help="Only this book.")] = None,
    as_json: Annotated[bool, JSON_OPTION] = False,
) -> None:
    """List what was repaired, when, by whom and why.

    Example: trading book repairs --book paper --json
    """
    from trading_lib.workflows.books.repair import repairs_of

    report = repairs_of(book)
    lines = [
        f"{r['number']:>4}  {r['repaired_at']}  {r['book']} {r['session']}  {r['action']} {r['subject']}: {r['detail']}"
        f" (by {r['repaired_by']}{', ' + r['note'] if r['note'] else ''})"
        for r in report
    ]
    show({"repairs": report}, as_json, lines or ["nothing was ever repaired"])
