"""``trading reconcile``: a book against its brokers, and settling what differs."""

from __future__ import annotations

import getpass
from typing import Annotated, Any

import typer

from trading_lib.cli.output import JSON_OPTION, show

app = typer.Typer()


@app.command("reconcile")
def reconcile(
    book: Annotated[str, typer.Option("--book", help="Book to compare.", show_default=False)],
    accept: Annotated[int | None, typer.Option("--accept", min=1, help="Settle the open break of this number.")] = None,
    how: Annotated[
        str | None,
        typer.Option("--as", help="How: known, flow (money is capital) or adopted (the trade becomes the book's)."),
    ] = None,
    by: Annotated[str | None, typer.Option("--by", help="Who settles it, default the user of this computer.")] = None,
    note: Annotated[str, typer.Option("--note", help="Why, for the record; settling needs it.")] = "",
    as_json: Annotated[bool, JSON_OPTION] = False,
) -> int:
    """Compare orders, positions and cash of a book with its brokers; exit code 1 when anything differs.

    While a break is open nothing is bought. Settling one needs your word, and changes the book only where that is
    said.

    Example: trading reconcile --book paper --accept 3 --by ada --note "interest of June"
    """
    if accept is not None:
        return _accept(book, accept, by or getpass.getuser(), note, how, as_json)
    if how or note or by:
        raise typer.BadParameter("--as, --by and --note are about a break: give --accept NUMBER")
    from trading_lib.workflows.orders.reconciling import reconcile_book

    found = reconcile_book(book)
    show(found, as_json, _lines(found))
    return 1 if found["breaks"] else 0


def _accept(book: str, number: int, by: str, note: str, how: str | None, as_json: bool) -> int:
    from trading_lib.workflows.orders.settling_breaks import accept_break

    done: dict[str, Any] = accept_break(book, number, by, note, how)
    lines = [f"break {number} of book {book} is settled as {done['settled_as']} by {by}: {done['did']}"]
    show(done, as_json, [*lines, *([f"you must: {done['you_must']}"] if done["you_must"] else [])])
    return 0


def _lines(found: dict[str, Any]) -> list[str]:
    if not found["accounts"]:
        return [f"no account of book {found['book']} is at a real broker: nothing to compare"]
    lines = []
    for one in found["breaks"]:
        lines.append(
            f"{one['number']:>4}  {one['status']:<9} {one['kind']:<14} {one['symbol'] or '-':<8}"
            f" here {one['ours']}, there {one['broker']}: {one['explanation']}"
        )
    for account, carried in found["movements"].items():
        for one in carried["newest"]:
            lines.append(f"      {one['kind']:<9} {one['amount']:>10} {account}: {one['explanation']}")
        if carried["count"]:
            lines.append(
                f"{carried['total']} of the cash of {account} is explained by {carried['count']} movements without a"
                " trade and is no break; the book does not count it"
            )
    if found["accepted"]:
        lines.append(f"known differences: {', '.join(str(one['number']) for one in found['accepted'])}")
    compared = (
        f"{found['orders']} orders, {found['positions']} positions and the cash of {', '.join(found['accounts'])}"
    )
    lines.append(f"compared {compared}: {len(found['breaks'])} breaks")
    if found["halted"]:
        lines.append(f"book {found['book']} buys nothing until its open breaks are settled; sales go on")
    return lines
