"""``trading preflight``: what would keep a book's orders from its brokers."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from trading_lib.cli.output import JSON_OPTION, show

app = typer.Typer()


@app.command("preflight")
def preflight(
    book: Annotated[str, typer.Option("--book", help="Book that is to send.", show_default=False)],
    as_json: Annotated[bool, JSON_OPTION] = False,
) -> None:
    """Look at what the orders of a book need: configuration, keys, clock, symbols, window, arming, kill switch, disk.

    The brokers are asked, and sent nothing. Exit code 1 with problems.

    Example: trading preflight --book paper --json
    """
    from trading_lib.workflows.orders.guarding.preflight import preflight as look

    found: dict[str, Any] = look(book)
    lines = [
        f"{finding['state']:<8} {finding['account'] or '-':<12} {finding['subject']:<22} {finding['detail']}"
        for finding in found["findings"]
    ]
    ready = "is ready" if found["ready"] else "is NOT ready"
    show(found, as_json, [*lines, f"book {book} {ready} to send the orders of session {found['session']}"])
    if not found["ready"]:
        raise typer.Exit(1)
