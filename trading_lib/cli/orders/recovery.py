"""``trading recover``: after a crash, an outage or a restore, from what is stored to a book that may go on."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from trading_lib.cli.output import JSON_OPTION, show

app = typer.Typer()


@app.command("recover")
def recover(
    book: Annotated[str, typer.Option("--book", help="Book to recover.", show_default=False)],
    cancel_working: Annotated[
        bool, typer.Option("--cancel-working", help="Cancel orders too that work as they should.")
    ] = False,
    wait: Annotated[
        float, typer.Option("--wait", min=0, max=3600, help="Seconds to wait until an absence can be proved.")
    ] = 0.0,
    as_json: Annotated[bool, JSON_OPTION] = False,
) -> int:
    """Find out what became of every order, book what filled, cancel what must not go on, and compare with the brokers.

    Nothing is sent. Exit code 1 when the book is halted, or something is unknown still.

    Example: trading recover --book paper --wait 120
    """
    from trading_lib.workflows.orders.recovery import recover_book

    done: dict[str, Any] = recover_book(book, cancel_working, wait)
    lines = [f"{step['step']}  {step['name']}: {step['detail']}" for step in done["steps"]]
    lines.append(f"done in {done['seconds']:.1f} s")
    show(done, as_json, lines)
    return 1 if done["halted"] or done["unknown"] else 0
