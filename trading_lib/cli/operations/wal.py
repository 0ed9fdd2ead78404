"""``trading wal``: receive the embedded server's log, take base backups, restore to any time."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from trading_lib.cli.output import JSON_OPTION, progress, show

if TYPE_CHECKING:
    from trading_lib.workflows.backups.wal.archive import WalStatus

app = typer.Typer(no_args_is_help=True, help="Receive the embedded server's log, and restore to any time.")

FolderOption = Annotated[
    str | None,
    typer.Option("--to", help="Folder of the archive; without it wal.folder of backup.yaml.", show_default=False),
]


@app.command()
def receive(to: FolderOption = None, as_json: Annotated[bool, JSON_OPTION] = False) -> None:
    """Receive the log until the command is ended; the stack does that when wal.folder is set.

    Example: trading wal receive --to /mnt/other-machine/wal
    """
    import signal
    import threading

    from trading_lib.workflows.backups.place import load_place
    from trading_lib.workflows.backups.wal.receive import receive_wal

    ending = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: ending.set())
    receive_wal(load_place(), to, ending, progress)
    show({"ended": True}, as_json, [])


@app.command()
def status(to: FolderOption = None, as_json: Annotated[bool, JSON_OPTION] = False) -> None:
    """Say how far the archive is behind, and to which times a restore reaches; exit code 1 if something is wrong.

    Example: trading wal status --json
    """
    from trading_lib.workflows.backups.place import load_place
    from trading_lib.workflows.backups.wal.archive import wal_status

    found = wal_status(load_place(), to)
    show(found.as_record(), as_json, _lines(found))
    if found.problems:
        raise typer.Exit(1)


@app.command()
def base(to: FolderOption = None, as_json: Annotated[bool, JSON_OPTION] = False) -> None:
    """Take a base backup now, check it, and remove what is older than wal.keep_days.

    Example: trading wal base
    """
    from trading_lib.workflows.backups.place import load_place
    from trading_lib.workflows.backups.wal.archive import back_up_base

    done = back_up_base(load_place(), to)
    lines = [f"base backup {done.base.id}: {done.base.size:,} bytes, checked ({done.seconds} s)"]
    if done.freed:
        lines.append(
            f"removed {len(done.removed_bases)} base backups, {done.removed_segments} log files: {done.freed:,} bytes"
        )
    show(done.as_record(), as_json, lines)


@app.command()
def restore(
    into: Annotated[Path, typer.Option("--into", help="A folder that is new or empty.", show_default=False)],
    source: Annotated[
        str | None,
        typer.Option("--from", help="Folder of the archive; without it wal.folder of backup.yaml.", show_default=False),
    ] = None,
    at: Annotated[
        str | None,
        typer.Option("--at", help="The time (UTC): YYYY-MM-DDTHH:MM:SS; all there is without it.", show_default=False),
    ] = None,
    as_json: Annotated[bool, JSON_OPTION] = False,
) -> None:
    """Build a cluster in a new folder as it was at a time: what was committed by then, and nothing later.

    Example: trading wal restore --from /mnt/other-machine/wal --into /srv/restored/postgres --at 2026-11-20T21:00:05
    """
    from trading_lib.workflows.backups.place import load_place
    from trading_lib.workflows.backups.wal.archive import restore_to

    done = restore_to(load_place(), source, into, _moment(at) if at else None)
    point = f"{done.recovered_to:%Y-%m-%d %H:%M:%S.%f} UTC" if done.recovered_to else "the base backup itself"
    lines = [f"{done.into}: recovered to {point}, position {done.position} ({done.seconds} s)"]
    lines += [f"  {name}: {sum(tables.values()):,} rows in {len(tables)} tables" for name, tables in done.rows.items()]
    lines.append("to use it: stop the stack, set TRADING_HOME to a home whose folder postgres it is, and start again")
    show(done.as_record(), as_json, lines)


def _lines(found: WalStatus) -> list[str]:
    from trading_lib.workflows.backups.wal.archive import EXTERNAL, SEE

    if found.external:
        return [f"{EXTERNAL}: {SEE}"]
    if not found.enabled:
        return ["the log is not received: set wal.folder in backup.yaml to a folder on another machine"]
    lines = [
        f"archive            {found.folder} ({found.segments} log files, {found.size:,} bytes)",
        f"slot               {_slot(found)}",
        f"behind             {_behind(found)}",
        f"restorable         from {_time(found.oldest_restorable)} to {_time(found.newest_received)}",
        f"base backups       {len(found.bases)}",
    ]
    lines += [f"  {one.id}  {one.size:,} bytes" for one in found.bases]
    if found.same_disk:
        lines.append("the archive lies on the database's own disk, and is lost with it: it counts on another machine")
    return [*lines, *(f"problem: {problem}" for problem in found.problems)]


def _slot(found: WalStatus) -> str:
    if found.slot is None:
        return "the database does not run"
    if not found.slot.state:
        return "none"
    return f"{found.slot.state}, {'receiver connected' if found.slot.active else 'no receiver'}"


def _behind(found: WalStatus) -> str:
    if found.lag_seconds is None:
        return "nothing has been received"
    size = "" if found.lag_bytes is None else f", {found.lag_bytes:,} bytes"
    return f"{found.lag_seconds:.1f} s{size}"


def _time(moment: Any) -> str:
    return f"{moment:%Y-%m-%d %H:%M:%S.%f} UTC" if moment else "-"


def _moment(text: str) -> Any:
    from datetime import UTC, datetime

    from trading_lib.domain.errors import InputError

    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise InputError(f"--at {text!r} is no time", "write YYYY-MM-DDTHH:MM:SS, in UTC") from None
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).astimezone(UTC)
