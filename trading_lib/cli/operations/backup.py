"""``trading backup``: make, verify, list, restore and remove backups."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from trading_lib.cli.output import JSON_OPTION, progress, show

if TYPE_CHECKING:
    from trading_lib.monitoring.backup.manifest import Manifest

app = typer.Typer(no_args_is_help=True, help="Make, verify, list, restore and remove backups.")

FromOption = Annotated[
    str | None,
    typer.Option(
        "--from", help="A folder or s3://bucket/prefix; without it the one of backup.yaml.", show_default=False
    ),
]
IdentityOption = Annotated[
    Path | None,
    typer.Option("--identity", help="File of the private key; else TRADING_BACKUP_IDENTITY_FILE.", show_default=False),
]


@app.command()
def create(
    to: Annotated[
        str | None,
        typer.Option(
            "--to", help="A folder or s3://bucket/prefix; without it the one of backup.yaml.", show_default=False
        ),
    ] = None,
    kind: Annotated[str, typer.Option("--class", help="database, state, config or logs.")] = "database",
    database: Annotated[
        list[str] | None, typer.Option("--database", help="Only this one; may be repeated.", show_default=False)
    ] = None,
    as_json: Annotated[bool, JSON_OPTION] = False,
) -> None:
    """Back up every database: dump, restore elsewhere, compare, encrypt, store, read back.

    Example: trading backup create --to /mnt/backups
    """
    from trading_lib.domain.errors import InputError
    from trading_lib.workflows.backups.jobs import create_backups
    from trading_lib.workflows.backups.place import load_place

    wanted = _class(kind)
    if database and wanted != "database":
        raise InputError(f"--database says nothing about class {kind}", "leave it out")
    made = create_backups(load_place(), to, wanted, database or (), progress)
    lines = [_line(manifest) for manifest in made.manifests] or ["nothing has changed since the last one"]
    show(_created(made.manifests) | {"unchanged": made.unchanged}, as_json, lines)


@app.command()
def verify(
    source: FromOption = None,
    name: Annotated[
        list[str] | None, typer.Option("--id", help="Only this one; may be repeated.", show_default=False)
    ] = None,
    restored: Annotated[
        bool, typer.Option("--restore", help="Also decrypt and restore each elsewhere, and compare every table.")
    ] = False,
    identity: IdentityOption = None,
    as_json: Annotated[bool, JSON_OPTION] = False,
) -> None:
    """Read stored backups again and say which are damaged; exit code 1 if any is, or there is none.

    Example: trading backup verify --from s3://mine/trading
    """
    from trading_lib.workflows.backups.place import load_place
    from trading_lib.workflows.backups.verify import verify_backups

    place = load_place()
    found = verify_backups(place, place.destination(source), name or (), restored=restored, identity=identity)
    damaged = [one for one in found if one.problem]
    lines = [f"{'damaged' if one.problem else 'ok':<8} {one.name}  {one.problem}".rstrip() for one in found]
    record = {"ok": bool(found) and not damaged, "restored": restored, "backups": [one.as_record() for one in found]}
    show(record, as_json, lines or ["there are no backups"])
    if not record["ok"]:
        raise typer.Exit(1)


@app.command("list")
def list_backups(
    source: FromOption = None,
    kind: Annotated[
        str | None, typer.Option("--class", help="Only database, state, config or logs.", show_default=False)
    ] = None,
    as_json: Annotated[bool, JSON_OPTION] = False,
) -> None:
    """List backups, oldest first, and what is wrong with manifests; files are not read.

    Example: trading backup list --class database
    """
    from trading_lib.workflows.backups.catalogue import read_catalogue
    from trading_lib.workflows.backups.place import load_place

    wanted = _class(kind) if kind else None
    catalogue = read_catalogue(load_place().destination(source), wanted)
    manifests = catalogue.manifests
    record = {
        "from": catalogue.address,
        "backups": [manifest.as_record() for manifest in manifests],
        "damaged": catalogue.problems,
        "unfinished": [found.key for found in catalogue.unclaimed],
    }
    lines = [_line(manifest) for manifest in manifests] or [f"{catalogue.address} holds no backups"]
    lines += [f"damaged: {problem}" for problem in catalogue.problems.values()]
    lines += [f"unfinished: {found.key}" for found in catalogue.unclaimed]
    show(record, as_json, lines)


@app.command()
def restore(
    into: Annotated[
        str,
        typer.Option(
            "--into", help="An empty database: its URL, or a name on this installation's server.", show_default=False
        ),
    ],
    source: FromOption = None,
    at: Annotated[
        str | None,
        typer.Option("--at", help="The newest one not after this time (UTC): YYYY-MM-DDTHH:MM.", show_default=False),
    ] = None,
    name: Annotated[str | None, typer.Option("--id", help="This one.", show_default=False)] = None,
    database: Annotated[str, typer.Option("--database", help="Of which database.")] = "trading",
    identity: IdentityOption = None,
    as_json: Annotated[bool, JSON_OPTION] = False,
) -> None:
    """Restore a backup into an empty database, all or nothing; the newest one without --at and --id.

    Example: trading backup restore --from /mnt/backups --into trading_restored --at 2026-11-20T21:00
    """
    from trading_lib.domain.errors import InputError
    from trading_lib.workflows.backups.place import load_place
    from trading_lib.workflows.backups.restore import restore_backup

    if at and name:
        raise InputError("--at and --id exclude each other", "give one of them")
    place = load_place()
    done = restore_backup(
        place,
        place.destination(source),
        into,
        name=name,
        moment=moment_of(at) if at else None,
        database=database,
        identity=identity,
    )
    rows = sum(done.manifest.tables.values())
    line = (
        f"{done.manifest.id}: {rows:,} rows of {len(done.manifest.tables)} tables are in {done.into}, "
        f"as of {done.manifest.started_at:%Y-%m-%d %H:%M:%S} UTC ({done.seconds:.1f} s)"
    )
    show(done.as_record(), as_json, [line])


@app.command()
def unpack(
    name: Annotated[str, typer.Option("--id", help="Of which backup; see `trading backup list`.", show_default=False)],
    out: Annotated[Path, typer.Option("--out", help="A new or empty folder.", show_default=False)],
    source: FromOption = None,
    identity: IdentityOption = None,
    as_json: Annotated[bool, JSON_OPTION] = False,
) -> None:
    """Put the files of a backup into a folder: a configuration, logs, a book's state, or a dump for pg_restore.

    Example: trading backup unpack --id config-20261120T220000.000000Z-0a1b2c --out old-configuration
    """
    from trading_lib.workflows.backups.place import load_place
    from trading_lib.workflows.backups.restore import unpack_backup

    place = load_place()
    manifest = unpack_backup(place, place.destination(source), name, out, identity)
    files = sorted(manifest.contents)
    show({"id": manifest.id, "folder": str(out), "files": files}, as_json, [f"{len(files)} files are in {out}"])


@app.command()
def prune(
    source: FromOption = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say what would be removed.")] = False,
    as_json: Annotated[bool, JSON_OPTION] = False,
) -> None:
    """Remove backups that are older than backup.yaml keeps their class; never the newest ones.

    Example: trading backup prune --dry-run
    """
    from trading_lib.workflows.backups.place import load_place
    from trading_lib.workflows.backups.prune import prune_backups

    place = load_place()
    pruned = prune_backups(place, place.destination(source), dry_run)
    verb = "would remove" if dry_run else "removed"
    lines = [f"{verb} {manifest.id}" for manifest in pruned.backups]
    lines += [f"{verb} unfinished {key}" for key in pruned.unclaimed]
    show(pruned.as_record(), as_json, [*lines, f"{pruned.kept} backups stay; {pruned.freed:,} bytes {verb}"])


@app.command()
def drill(source: FromOption = None, as_json: Annotated[bool, JSON_OPTION] = False) -> None:
    """Restore the newest backups elsewhere and decide the last sessions again; exit code 1 if anything differs.

    Example: trading backup drill --json
    """
    from trading_lib.workflows.backups.drill.hold import hold_drill
    from trading_lib.workflows.backups.place import load_place

    held = hold_drill(load_place(), source)
    show(held.as_record(), as_json, held.lines())


@app.command("new-key")
def new_key(
    out: Annotated[Path, typer.Option("--out", help="A new file for the private key.", show_default=False)],
    as_json: Annotated[bool, JSON_OPTION] = False,
) -> None:
    """Make a key pair: the private key into a file, which belongs elsewhere; the public one into backup.yaml.

    Example: trading backup new-key --out backup-key.txt
    """
    from trading_lib.adapters.backups.encryption import new_identity

    public = new_identity(out)
    lines = [public, f"put it under recipients in backup.yaml, and keep {out} away from this machine"]
    show({"public_key": public, "file": str(out)}, as_json, lines)


def _created(manifests: Sequence[Manifest]) -> dict[str, Any]:
    """Return the first manifest, the trading database's, with all of them below it."""
    first = manifests[0].as_record() if manifests else {}
    return {**first, "backups": [manifest.as_record() for manifest in manifests]}


def _line(manifest: Manifest) -> str:
    closed = "encrypted" if manifest.encrypted_to else "NOT ENCRYPTED"
    about = f" {sum(manifest.tables.values()):,} rows" if manifest.tables else ""
    return f"{manifest.id}  {manifest.size:,} bytes {closed}{about}, verified {manifest.verified_at:%Y-%m-%d %H:%M} UTC"


def _class(text: str) -> Any:
    from trading_lib.domain.errors import InputError, one_of
    from trading_lib.monitoring.backup.manifest import BackupClass

    if text not in list(BackupClass):
        raise InputError(f"there is no class {text!r} of backups", one_of(text, list(BackupClass)))
    return BackupClass(text)


def moment_of(text: str) -> Any:
    """Read ``--at``: a time in UTC unless it says otherwise."""
    from datetime import UTC, datetime

    from trading_lib.domain.errors import InputError

    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise InputError(f"--at {text!r} is no time", "write YYYY-MM-DDTHH:MM, in UTC") from None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
