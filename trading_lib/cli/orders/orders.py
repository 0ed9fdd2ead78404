"""``trading orders list`` and ``show``, ``trading why-not``: orders, their lives, and what stopped one."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from trading_lib.cli.output import JSON_OPTION, show

app = typer.Typer()
orders_app = typer.Typer(no_args_is_help=True, help="Look at orders and their lives.")
app.add_typer(orders_app, name="orders")

# A line of a list shows so much of a reason.
SHORT = 60


@orders_app.command("list")
def list_orders(
    book: Annotated[str | None, typer.Option("--book", help="Only this book.")] = None,
    session: Annotated[str | None, typer.Option("--session", help="Only of this session, YYYY-MM-DD.")] = None,
    status: Annotated[
        list[str] | None, typer.Option("--status", help="Only with this status; may be given several times.")
    ] = None,
    as_json: Annotated[bool, JSON_OPTION] = False,
) -> None:
    """List orders with their status, the oldest session first.

    Example: trading orders list --book paper --status UNKNOWN
    """
    from trading_lib.domain.market.sessions import parse_session
    from trading_lib.workflows.orders.order_life import orders_listing

    found = orders_listing(book, parse_session(session) if session else None, status or ())
    show(found, as_json, [_line(order) for order in found["orders"]] or ["there are no such orders"])


@orders_app.command("show")
def show_order(
    order: Annotated[str, typer.Argument(metavar="ID", help="Client order id.", show_default=False)],
    book: Annotated[str | None, typer.Option("--book", help="Book it is of, as a check.")] = None,
    as_json: Annotated[bool, JSON_OPTION] = False,
) -> None:
    """Show an order's life: every event with its source, and what the broker said.

    Example: trading orders show 20230210-SPY-B0-d0b821121d
    """
    from trading_lib.workflows.orders.order_life import order_life

    found = order_life(order, book)
    lines = [_line(found), f"decided because: {found['reason'] or '-'}"]
    for event in found["events"]:
        columns = f"{event['event']:<14} {event['status']:<16} {event['source']:<8} {event['detail']}"
        lines.append(f"  {event['at'][:19]}  {columns}".rstrip())
        lines += [f"      the broker: {_printable(event['raw'])}"] if event["raw"] else []
    for fill in found["fills"]:
        traded = f"{fill['quantity']} at {fill['price']}, session {fill['session']}"
        lines.append(f"  fill {fill['trade_id']} of {fill['broker']}: {traded}")
    show(found, as_json, lines)


@app.command("why-not")
def why_not(
    order: Annotated[str, typer.Argument(metavar="ORDER", help="Client order id.", show_default=False)],
    as_json: Annotated[bool, JSON_OPTION] = False,
) -> None:
    """Say why an order did not trade, back to the broker's own words: what is known, what is not, and what to do.

    Example: trading why-not 20230210-SPY-B0-d0b821121d
    """
    from trading_lib.workflows.orders import why_not as explaining

    found = explaining.why_not(order)
    lines = [f"{found['order']} is {found['status']}: {found['why']}"]
    for title, name in (("known", "known"), ("not known", "unknown"), ("next", "next"), ("you can", "you_can")):
        lines += [f"{title:<10} {line}" for line in found[name]]
    for said in found["broker_said"]:
        lines.append(f"{'broker':<10} {said['at'][:19]} ({said['source']}) {_printable(said['raw'])}")
    show(found, as_json, lines)


def _line(order: dict[str, Any]) -> str:
    marked = "  (shadow: simulated, never sent)" if order["shadow"] else ""
    detail = order["detail"] if len(order["detail"]) <= SHORT else f"{order['detail'][: SHORT - 3]}..."
    return (
        f"{order['session']}  {order['book']:<10} {order['status']:<16} {order['side']:<4} {order['quantity']:>10}"
        f" {order['symbol']:<8} {order['filled']:>10} filled  {order['client_order_id']}{marked}"
        f"{f'  {detail}' if detail else ''}"
    )


def _printable(raw: str) -> str:
    """Return a broker's words on one line that no terminal obeys."""
    return "".join(letter if letter.isprintable() else ascii(letter)[1:-1] for letter in raw)
