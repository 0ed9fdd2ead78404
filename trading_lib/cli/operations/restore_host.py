"""``trading restore-host``: a lost machine from its backups."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from trading_lib.cli.operations.backup import moment_of
from trading_lib.cli.output import JSON_OPTION, progress, show

app = typer.Typer()


@app.command("restore-host")
def restore_host(
    source: Annotated[
        str, typer.Option("--from", help="A folder or s3://bucket/prefix that holds backups.", show_default=False)
    ],
    at: Annotated[
        str | None,
        typer.Option("--at", help="The newest ones not after this time (UTC): YYYY-MM-DDTHH:MM.", show_default=False),
    ] = None,
    identity: Annotated[
        Path | None,
        typer.Option(
            "--identity", help="File of the private key; else TRADING_BACKUP_IDENTITY_FILE.", show_default=False
        ),
    ] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Only say what would be restored, and check the stored files.")
    ] = False,
    as_json: Annotated[bool, JSON_OPTION] = False,
) -> None:
    """Bring everything back into an empty TRADING_HOME: databases, configuration, credentials; no book sends orders.

    A restore that was killed is run again and goes on. Exit code 1 when a book does not reconcile.

    Example: TRADING_HOME=/srv/trading trading restore-host --from s3://mine/trading --identity backup-key.txt
    """
    from trading_lib.workflows.backups.host.restore import restore_host as run
    from trading_lib.workflows.backups.place import load_place

    place = load_place()
    done = run(
        place,
        place.destination(source),
        moment=moment_of(at) if at else None,
        identity=identity,
        dry_run=dry_run,
        progress=progress,
    )
    show(done.as_record(), as_json, done.lines())
    if not done.sound:
        raise typer.Exit(1)
