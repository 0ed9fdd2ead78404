"""``trading heartbeat``: notice from outside Airflow that something did not happen."""

from __future__ import annotations

from typing import Annotated

import typer

from trading_lib.cli.output import JSON_OPTION, show

app = typer.Typer()


@app.command("heartbeat")
def heartbeat(
    watch: Annotated[bool, typer.Option("--watch", help="Look again and again, as the stack does.")] = False,
    as_json: Annotated[bool, JSON_OPTION] = False,
) -> None:
    """Look whether the daily run happened and all is well, and alert where not; exit code 1 while a fault is open.

    Example: * * * * * trading heartbeat    (as a line of crontab)
    """
    import signal
    import threading

    from trading_lib.workflows.operations import heartbeat as workflow

    place = workflow.load_heartbeat()
    if watch:
        ending = threading.Event()
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: ending.set())
        workflow.watch(place, ending)
        return
    beat = workflow.look(place)
    lines = [f"{fault.title} (since {fault.since[:19]} UTC)" for fault in beat.faults.values()]
    lines += [f"over: {key}" for key in beat.over]
    lines += [f"{probe} could not tell: {reason}" for probe, reason in beat.unknown.items()]
    show(beat.as_record(), as_json, lines or ["all is well"])
    if beat.faults:
        raise typer.Exit(1)
