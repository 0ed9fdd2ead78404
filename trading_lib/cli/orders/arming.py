"""Commands that let a book send orders to an account at a real broker: ``trading arm``, ``disarm``, ``armings``."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from trading_lib.cli.output import JSON_OPTION, show

app = typer.Typer()

BOOK = Annotated[str, typer.Option("--book", help="Book that sends.", show_default=False)]
BY = Annotated[str, typer.Option("--by", help="Who says so, for the record.", show_default=False)]


@app.command("arm")
def arm(
    book: BOOK,
    account: Annotated[str, typer.Option("--account", help="Account of execution.yaml.", show_default=False)],
    first: Annotated[str, typer.Option("--from", help="First session, YYYY-MM-DD.", show_default=False)],
    last: Annotated[str, typer.Option("--until", help="Last session, at most 30.", show_default=False)],
    by: BY,
    note: Annotated[str, typer.Option("--note", help="Why, for the record.")] = "",
    as_json: Annotated[bool, JSON_OPTION] = False,
) -> None:
    """Let a book send the orders of some sessions to an account at a real broker; what is armed already stays so.

    Without it such orders are held back and only simulated. A live account cannot be armed yet.

    Example: trading arm --book paper --account stocks --from 2026-12-01 --until 2026-12-31 --by "Ada Lovelace"
    """
    from trading_lib.domain.market.sessions import parse_session
    from trading_lib.workflows.orders.guarding import arming

    result: dict[str, Any] = arming.arm(book, account, parse_session(first), parse_session(last), by, note)
    verb = "is armed" if result["changed"] else "was armed already"
    line = f"account {account} {verb} for book {book} from {result['from']} until {result['until']}"
    show(result, as_json, [f"{line} (record {result['number']}, {result['state']})"])


@app.command("disarm")
def disarm(
    book: BOOK,
    by: BY,
    account: Annotated[str | None, typer.Option("--account", help="Only this account.")] = None,
    as_json: Annotated[bool, JSON_OPTION] = False,
) -> None:
    """End the armings of a book: from now on its orders are held back. Orders at the broker stay there.

    Example: trading disarm --book paper --by "Ada Lovelace"
    """
    from trading_lib.workflows.orders.guarding import arming

    result: dict[str, Any] = arming.disarm(book, account, by)
    count = len(result["revoked"])
    line = f"{count} arming{'s' * (count != 1)} of book {book} ended" if count else f"book {book} is armed for nothing"
    show(result, as_json, [line])


@app.command("armings")
def armings(
    book: Annotated[str | None, typer.Option("--book", help="Only this book.")] = None,
    as_json: Annotated[bool, JSON_OPTION] = False,
) -> None:
    """List which book was armed for which account, from when until when, by whom, and whether that counts now.

    Example: trading armings --book paper --json
    """
    from trading_lib.workflows.orders.guarding import arming

    result: dict[str, Any] = arming.armings(book)
    lines = [
        f"{r['number']:>4}  {r['book']}  {r['account']}  {r['from']} to {r['until']}  {r['state']}"
        f" (by {r['by']}{', ' + r['note'] if r['note'] else ''})"
        for r in result["armings"]
    ]
    show(result, as_json, lines or ["nothing was ever armed"])
