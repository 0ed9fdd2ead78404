"""A backup back into an empty database: proved first, restored beside it, compared, and moved into place at the end."""

from __future__ import annotations

import logging
import time
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from sqlalchemy import URL

from trading_lib.adapters.backups.content import database_content, first_difference
from trading_lib.adapters.backups.destination import Destination
from trading_lib.adapters.backups.postgres_tools import DumpFailedError, major, restore, server_version
from trading_lib.adapters.backups.restore_target import RestoreTarget
from trading_lib.adapters.stores.postgres.database import parse_url
from trading_lib.adapters.stores.postgres.migrations import known_revisions
from trading_lib.domain.errors import FileTroubleError, InputError
from trading_lib.monitoring.backup.manifest import BackupClass, BackupDamagedError, Manifest
from trading_lib.workflows.backups.catalogue import read_catalogue
from trading_lib.workflows.backups.place import TRADING, BackupPlace
from trading_lib.workflows.backups.store import proven_content

LOG = logging.getLogger(__name__)


NO_NEWEST = "which is the newest is unknown then: name a time with --at"


@dataclass(frozen=True)
class Restored:
    """What was restored where, and how long it took."""

    manifest: Manifest
    into: str
    seconds: float

    def as_record(self) -> dict[str, Any]:
        """Return it for JSON."""
        return {
            "id": self.manifest.id,
            "database": self.manifest.database,
            "into": self.into,
            "state_of": self.manifest.started_at.isoformat(),
            "tables": dict(self.manifest.tables),
            "state_hash": self.manifest.state_hash,
            "schema_revision": self.manifest.schema_revision,
            "seconds": round(self.seconds, 2),
        }


def restore_backup(
    place: BackupPlace,
    destination: Destination,
    into: str,
    *,
    name: str | None = None,
    moment: datetime | None = None,
    database: str = TRADING,
    identity: Path | None = None,
) -> Restored:
    """Restore the newest backup of ``database`` that is not after ``moment``, or the one of id ``name``.

    Parameters
    ----------
    into
        URL of a database that is empty or does not exist yet; a name alone is one of this installation's server.

    Raises
    ------
    InputError
        Before the target is touched: nothing fits, the backup is damaged or encrypted to another key, or the target
        is in use or not empty.
    """
    began = time.monotonic()
    catalogue = read_catalogue(destination, None if name else BackupClass.DATABASE)
    if not name and not moment:
        catalogue.refuse_future(place.clock(), NO_NEWEST)
    manifest = catalogue.find(name) if name else catalogue.newest(BackupClass.DATABASE, database, moment)
    refuse_unfit(manifest, database)
    target = RestoreTarget(target_url(place, into))
    target.refuse_unless_empty()
    refuse_newer_server(manifest, target.url)
    with place.work_folder() as work:
        content = proven_content(place, destination, manifest, work, identity)
        restore_into(target, content, manifest, place.config.jobs)
    return Restored(manifest, target.shown, time.monotonic() - began)


def unpack_backup(
    place: BackupPlace, destination: Destination, name: str, folder: Path, identity: Path | None = None
) -> Manifest:
    """Put the files of a backup of any class into a new or empty folder, all or none.

    Raises
    ------
    InputError
        When the folder holds anything, or the backup is damaged or encrypted to another key.
    """
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise InputError(f"{folder} is no empty folder", "name a new one: nothing is ever written over anything")
    manifest = read_catalogue(destination).find(name)
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        # Beside its place, so that moving it there is one step.
        with TemporaryDirectory(prefix=f".{folder.name}.", dir=folder.parent) as work:
            content = proven_content(place, destination, manifest, Path(work), identity)
            content.chmod(0o700)
            content.replace(folder)
    except OSError as error:
        raise FileTroubleError(error, folder) from error
    return manifest


def restore_into(target: RestoreTarget, content: Path, manifest: Manifest, jobs: int) -> None:
    """Restore proven files: into a database beside the target, which takes its place when it holds the same."""
    with target.draft() as draft:
        try:
            restore(content, draft, jobs)
        except DumpFailedError as error:
            raise BackupDamagedError(
                f"{manifest.id} cannot be restored ({error.problem})", "use another backup; the target is as it was"
            ) from error
        refuse_difference(draft, manifest)
        target.replace_by(draft)


def refuse_difference(url: URL, manifest: Manifest) -> None:
    """Raise `BackupDamagedError` unless the database holds what the manifest says."""
    problem = first_difference(dict(manifest.tables), dict(manifest.sums), database_content(url))
    if problem:
        raise BackupDamagedError(
            f"{manifest.id} was restored and is not what its manifest says ({problem})", "use another backup"
        )


def refuse_unfit(manifest: Manifest, database: str) -> None:
    """Refuse another class, another database, or a schema that this version does not know."""
    if manifest.kind is not BackupClass.DATABASE:
        raise InputError(f"{manifest.id} is no backup of a database", "choose one of class database")
    if manifest.database != database:
        raise InputError(
            f"{manifest.id} holds the database {manifest.database!r}, not {database!r}",
            f"choose another one, or say --database {manifest.database}",
        )
    if database == TRADING and manifest.schema_revision and manifest.schema_revision not in known_revisions():
        raise InputError(
            f"{manifest.id} has schema revision {manifest.schema_revision}, which this version does not know",
            f"restore it with the version that made it ({manifest.code_version})",
        )


def refuse_newer_server(manifest: Manifest, url: URL) -> None:
    """Refuse a server that is older than the one the backup comes from."""
    version = server_version(url.set(database="postgres"))
    if major(version) < major(manifest.pg_version):
        raise InputError(
            f"{manifest.id} comes from PostgreSQL {manifest.pg_version}, the target is {version}",
            "restore it on a server that is at least as new",
        )


def target_url(place: BackupPlace, into: str) -> URL:
    """Read ``--into``: a URL, or the name of a database of this installation's server."""
    if "://" in into:
        try:
            return parse_url(into)
        except InputError as error:
            raise InputError("--into is no URL of a PostgreSQL database", error.remedy) from None
    if not into.replace("_", "").isalnum() or not into.isascii():
        raise InputError(f"--into {into!r} is no name of a database", "use letters, digits and underscores, or a URL")
    return place.databases()[TRADING].set(database=into)
