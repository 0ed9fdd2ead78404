"""``trading orders watch``: look at orders at real brokers until they are over."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from trading_lib.cli.orders.orders import app, orders_app
from trading_lib.cli.output import JSON_OPTION, progress, show

__all__ = ["app"]
SECONDS = 60.0


@orders_app.command("watch")
def watch_orders(
    book: Annotated[str | None, typer.Option("--book", help="Only this book.")] = None,
    once: Annotated[bool, typer.Option("--once", help="Look once, and do not wait.")] = False,
    as_json: Annotated[bool, JSON_OPTION] = False,
) -> None:
    """Look at orders at real brokers, book what filled, and go on until nothing is due any more.

    Every minute, and at once where a broker's stream tells of a fill.

    Exit code 1 when something is due still, or a broker could not be reached.

    Example: trading orders watch --book paper --once
    """
    from trading_lib.workflows.orders.stream_hints import wait_for_hint
    from trading_lib.workflows.orders.watching import watch

    found: dict[str, Any] = watch(book)
    while not (once or found["done"]):
        for line in _lines(found):
            progress(line)
        wait_for_hint(SECONDS, book)
        found = watch(book)
    show(found, as_json, _lines(found) or ["no book has orders at a real broker"])
    if not found["done"] or any(look.get("away") for look in found["books"].values()):
        raise typer.Exit(1)


def _lines(found: dict[str, Any]) -> list[str]:
    lines = []
    for name, look in found["books"].items():
        counts = ", ".join(f"{look[key]} {key}" for key in ("due", "open", "unknown", "fills", "sent", "cancelled"))
        lines.append(f"book {name}: {counts}" + ("; another task is at it" if look.get("busy") else ""))
        lines += [f"  account {account}: {why}" for account, why in look.get("away", {}).items()]
        lines += [f"  {problem}" for problem in look.get("problems", ())]
    return lines
