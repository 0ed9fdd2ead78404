"""``trading logs``: what happened, from the structured log."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated, Any

import typer

from trading_lib.cli.output import JSON_OPTION, show

app = typer.Typer()


@app.command()
def logs(
    book: Annotated[str | None, typer.Option("--book", help="Only lines about this book.")] = None,
    session: Annotated[str | None, typer.Option("--session", help="Only lines about this session.")] = None,
    run: Annotated[str | None, typer.Option("--run", help="Only of this run: its name, or how it begins.")] = None,
    stage: Annotated[str | None, typer.Option("--stage", help="Only of this stage, e.g. settle.")] = None,
    level: Annotated[
        str | None, typer.Option("--level", help="At least DEBUG, INFO, WARNING, ERROR or CRITICAL.")
    ] = None,
    since: Annotated[
        str | None, typer.Option("--since", help="A time (YYYY-MM-DD, with THH:MM in UTC), or an age: 30m, 12h, 7d.")
    ] = None,
    lines: Annotated[int, typer.Option("--lines", min=1, help="At most so many, the newest.")] = 200,
    as_json: Annotated[bool, JSON_OPTION] = False,
) -> None:
    """Show what commands and Airflow's tasks logged, oldest first; times are UTC.

    Example: trading logs --book paper --level WARNING --since 7d
    """
    from trading_lib.domain.market.sessions import parse_session
    from trading_lib.workflows.operations.logs import read_log, since_when

    log = read_log(
        {"book": book, "session": parse_session(session).isoformat() if session else None, "stage": stage},
        run=run,
        level=level,
        since=since_when(since, datetime.now(UTC)) if since else None,
        newest=lines,
    )
    show(log, as_json, [_line(record) for record in log["lines"]] or [f"nothing in {log['folder']} matches"])


def _line(record: dict[str, Any]) -> str:
    about = " ".join(str(record[name]) for name in ("book", "session", "stage") if record.get(name))
    kind = f" ({record['exception']})" if record.get("exception") else ""
    return f"{str(record['time'])[:19].replace('T', ' ')} {record['level']:<8} {about:<30} {record['message']}{kind}"
