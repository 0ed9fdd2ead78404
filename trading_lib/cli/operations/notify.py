"""Command that sends a message to the notifiers of one's own: ``trading notify``."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Annotated

import typer

from trading_lib.cli.output import JSON_OPTION, show

if TYPE_CHECKING:
    from trading_lib.monitoring.notifier import Notifier

app = typer.Typer()


@app.command("notify")
def notify(
    title: Annotated[str, typer.Argument(help="What it is about, in one line.", show_default=False)],
    text: Annotated[str, typer.Option("--text", help="The rest of it.")] = "",
    level: Annotated[str, typer.Option("--level", help="info, warning, critical or emergency.")] = "info",
    as_json: Annotated[bool, JSON_OPTION] = False,
) -> None:
    """Send a message to every notifier of monitoring.yaml, and say what became of it.

    Exit code 1 when one did not take it, 2 when one cannot be created.

    Example: trading notify "is anybody there" --level warning
    """
    from trading_lib.adapters.alerts.delivery import deliver
    from trading_lib.domain.errors import InputError, one_of
    from trading_lib.monitoring.alert import AlertLevel
    from trading_lib.monitoring.notifier import Message
    from trading_lib.workflows.operations.notifications import load_monitoring, own_notifiers

    if level not in list(AlertLevel):
        raise InputError(f"there is no level {level!r}", one_of(level, list(AlertLevel)))
    notifiers = own_notifiers()
    message = Message(AlertLevel(level), title, text or title)
    # All of them were created before any is asked: one that cannot be is bad input.
    makers = {name: partial(_created, notifier) for name, notifier in notifiers.items()}
    deliveries = deliver(message, makers, load_monitoring().send_seconds)
    result = {"deliveries": [{"notifier": delivery.notifier, "problem": delivery.problem} for delivery in deliveries]}
    lines = [f"{delivery.notifier}: {delivery.problem or 'sent'}" for delivery in deliveries]
    show(
        result,
        as_json,
        lines or ["no notifier is configured: name one in monitoring.yaml (docs/operations/notifiers.md)"],
    )
    if any(delivery.problem for delivery in deliveries):
        raise typer.Exit(1)


def _created(notifier: Notifier) -> Notifier:
    return notifier
