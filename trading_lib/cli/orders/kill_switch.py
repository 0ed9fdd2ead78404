"""``trading kill-switch``: halt trading at once, cancel what works at brokers, and allow trading again."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated, Any

import typer

from trading_lib.cli.output import JSON_OPTION, show
from trading_lib.domain.errors import TradingError

app = typer.Typer()
kill_switch_app = typer.Typer(no_args_is_help=True, help="Halt or allow trading; works with the database down.")
app.add_typer(kill_switch_app, name="kill-switch")


@kill_switch_app.command("on")
def kill_switch_on(
    reason: Annotated[str, typer.Option("--reason", help="Why, for the record.")] = "by hand",
    cancel: Annotated[
        bool, typer.Option("--cancel-working", help="Cancel the orders that work at real brokers, too.")
    ] = False,
    allow: Annotated[
        bool, typer.Option("--allow-reducing", help="Still send orders that reduce risk.", show_default=False)
    ] = False,
    as_json: Annotated[bool, JSON_OPTION] = False,
) -> None:
    """Halt trading: no order is sent until it is off. The first reason stays.

    Exit code 1 when orders could not be cancelled now: the wish stands, and whoever watches orders goes on.

    Example: trading kill-switch on --reason "broker statement does not match" --cancel-working
    """
    from trading_lib.workflows.books.kill_switch import halt_trading

    switch = halt_trading(reason, datetime.now(UTC), cancel_working=cancel, allow_reducing=True if allow else None)
    state: dict[str, Any] = switch.describe()
    lines = [_line(state)]
    if cancel:
        state["cancelling"] = _cancel()
        lines += _cancel_lines(state["cancelling"])
    show(state, as_json, lines)
    if cancel and not state["cancelling"]["done"]:
        raise typer.Exit(1)


def _cancel() -> dict[str, Any]:
    """Cancel what works; whatever goes wrong, the switch is on already."""
    from trading_lib.workflows.orders.watching import cancel_working

    try:
        found = cancel_working()
    except TradingError as error:
        return {"done": False, "books": {}, "problem": str(error)}
    left = any(look["open"] or look.get("away") or look.get("busy") for look in found["books"].values())
    return {**found, "done": not left}


def _cancel_lines(cancelling: dict[str, Any]) -> list[str]:
    lines = [
        f"book {name}: {look['cancelled']} orders cancelled, {look['open']} still open"
        + "".join(f"; account {account}: {why}" for account, why in look.get("away", {}).items())
        for name, look in cancelling["books"].items()
    ]
    if problem := cancelling.get("problem"):
        lines.append(f"orders could not be cancelled: {problem}")
    if not cancelling["done"]:
        lines.append("the wish stands: `trading orders watch --once` or the DAG order_watch goes on with it")
    return lines or ["no order works at a real broker"]


@kill_switch_app.command("off")
def kill_switch_off(as_json: Annotated[bool, JSON_OPTION] = False) -> None:
    """Allow trading again.

    Example: trading kill-switch off
    """
    from trading_lib.workflows.books.kill_switch import kill_switch

    switch = kill_switch()
    switch.turn_off()
    state = switch.describe()
    show(state, as_json, [_line(state)])


@kill_switch_app.command("status")
def kill_switch_status(as_json: Annotated[bool, JSON_OPTION] = False) -> None:
    """Say whether trading is halted, since when and why.

    Example: trading kill-switch status --json
    """
    from trading_lib.workflows.books.kill_switch import kill_switch

    state = kill_switch().describe()
    show(state, as_json, [_line(state)])


def _line(state: dict[str, Any]) -> str:
    if not state["on"]:
        return "the kill switch is off: orders are sent"
    since = f" since {state['since']}" if "since" in state else ""
    sent = "only orders that reduce risk are sent" if state["allow_reducing"] else "no order is sent"
    wish = "; what works at brokers is cancelled" if state["cancel_working"] else ""
    why = state["reason"] or "no reason given"
    return f"the kill switch is ON{since}: {sent} ({why}){wish}; `trading kill-switch off` ends it"
