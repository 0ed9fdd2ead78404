"""``trading alerts``: what a person was told, and that it is known."""

from __future__ import annotations

import getpass
from typing import Annotated, Any

import typer

from trading_lib.cli.output import JSON_OPTION, show

app = typer.Typer(no_args_is_help=True, help="Alerts: list, acknowledge, test, send.")


@app.command("list")
def list_(
    unacknowledged: Annotated[
        bool, typer.Option("--open", help="Only critical ones and emergencies that nobody has acknowledged.")
    ] = False,
    limit: Annotated[int, typer.Option("--limit", min=1, max=10_000, help="So many, the newest first.")] = 50,
    as_json: Annotated[bool, JSON_OPTION] = False,
) -> None:
    """List alerts, where they went and who knows of them.

    Example: trading alerts list --open
    """
    from trading_lib.workflows.alerts.commands import list_alerts

    result = list_alerts(unacknowledged, limit)
    show(result, as_json, [_line(entry) for entry in result["alerts"]] or ["no alerts"])


@app.command("ack")
def acknowledge(
    numbers: Annotated[list[int] | None, typer.Argument(help="Numbers of alerts.", show_default=False)] = None,
    everything: Annotated[bool, typer.Option("--all", help="All that nobody has acknowledged.")] = False,
    by: Annotated[str, typer.Option("--by", help="Who acknowledges; the user of this session by default.")] = "",
    note: Annotated[str, typer.Option("--note", help="What is being done, for the record.")] = "",
    as_json: Annotated[bool, JSON_OPTION] = False,
) -> None:
    """Acknowledge alerts, so that they escalate no further.

    Example: trading alerts ack 17 --note "broker is informed"
    """
    from trading_lib.workflows.alerts.commands import acknowledge as run

    result = run(numbers or [], everything, by or getpass.getuser(), note)
    done = ", ".join(map(str, result["acknowledged"])) or "nothing: all of them were before"
    show(result, as_json, [f"acknowledged by {result['by']}: {done}"])


@app.command("test")
def send_test_message(
    level: Annotated[str, typer.Option("--level", help="info, warning, critical or emergency.")] = "info",
    channel: Annotated[list[str] | None, typer.Option("--channel", help="Only this one; may be repeated.")] = None,
    as_json: Annotated[bool, JSON_OPTION] = False,
) -> None:
    """Send a test message to every channel that is set up; exit code 1 when one did not take it.

    Example: trading alerts test --channel mail
    """
    from trading_lib.workflows.alerts.commands import send_test

    result = send_test(level, channel or [])
    show(result, as_json, [f"{entry['channel']}: {entry['problem'] or 'sent'}" for entry in result["deliveries"]])
    if any(entry["problem"] for entry in result["deliveries"]):
        raise typer.Exit(1)


@app.command("send")
def send(
    watch: Annotated[bool, typer.Option("--watch", help="Go on for ever, as the stack's own sender does.")] = False,
    as_json: Annotated[bool, JSON_OPTION] = False,
) -> None:
    """Send what waits, and stay until it is sent and needs no escalation any more. The stack runs this by itself.

    Example: trading alerts send
    """
    from trading_lib.workflows.alerts.commands import send_alerts

    result = send_alerts(watch)
    show(result, as_json, ["sent" if result["served"] else "another sender serves these alerts already"])


def _line(entry: dict[str, Any]) -> str:
    times = f" ({entry['occurrences']} times)" if entry["occurrences"] > 1 else ""
    known = [f"acknowledged by {entry['acknowledged']['by']}"] if entry["acknowledged"] else []
    start = f"{entry['number']:>5}  {entry['raised_at'][:19]}  {entry['level']:<9}  {entry['title']}{times}"
    return "; ".join([start, *known, *_told(entry["deliveries"])])


def _told(deliveries: list[dict[str, Any]]) -> list[str]:
    """Say which channels have taken it, which have not, and which come next."""
    groups: dict[str, list[str]] = {}
    for delivery in deliveries:
        what = str(delivery["state"])
        if what == "waiting":
            what = f"{'failed' if delivery['problem'] else 'due'} {delivery['due_at'][11:16]}"
        problem = f" ({delivery['problem']})" if delivery["problem"] else ""
        groups.setdefault(what, []).append(f"{delivery['channel']}{problem}")
    groups.pop("not needed", None)
    return [f"{what}: {', '.join(dict.fromkeys(channels))}" for what, channels in groups.items()]
