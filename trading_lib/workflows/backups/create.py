"""A backup of every database: dumped from one instant, restored, compared, and only then encrypted and stored."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from pathlib import Path

from sqlalchemy import URL

from trading_lib.adapters.backups.content import DatabaseContent, content_of, database_content, difference, snapshot
from trading_lib.adapters.backups.destination import Destination
from trading_lib.adapters.backups.postgres_tools import (
    DumpFailedError,
    finish,
    restore,
    server_version,
    start_dump,
    stop,
)
from trading_lib.adapters.backups.scratch_server import ScratchServer, scratch_server
from trading_lib.domain.errors import InputError, one_of
from trading_lib.monitoring.backup.manifest import BackupClass, Manifest
from trading_lib.workflows.backups.place import BackupPlace
from trading_lib.workflows.backups.store import Draft, plain_name, store

LOG = logging.getLogger(__name__)
Progress = Callable[[str], None]


def back_up_databases(
    place: BackupPlace,
    destination: Destination,
    names: Sequence[str] = (),
    progress: Progress = LOG.info,
) -> list[Manifest]:
    """Back up the databases of the server, or those of ``names``, and return a manifest of each.

    Raises
    ------
    TradingError
        At the first that cannot be dumped, restored to the same content, or stored. Those before it count.
    """
    # Refused credentials and an absent bucket are found before minutes are spent.
    next(iter(destination.objects("database/")), None)
    databases = place.databases()
    for name in names:
        if name not in databases:
            raise InputError(f"there is no database {name!r} to back up", one_of(name, databases))
    chosen = {name: url for name, url in databases.items() if not names or name in names}
    with place.one_at_a_time(), place.work_folder() as work, scratch_server(work) as scratch:
        return [_back_up(place, destination, name, url, scratch, work, progress) for name, url in chosen.items()]


def _back_up(
    place: BackupPlace,
    destination: Destination,
    name: str,
    url: URL,
    scratch: ScratchServer,
    work: Path,
    progress: Progress,
) -> Manifest:
    version = server_version(url)
    started = place.clock()
    dump = work / f"dump-{plain_name(name)}"
    content = dump_database(url, dump, place.config.jobs)
    progress(f"{name}: {sum(content.tables.values()):,} rows of {len(content.tables)} tables dumped")
    prove(dump, content, scratch.new_database(), name, place.config.jobs)
    draft = Draft(
        BackupClass.DATABASE,
        started,
        name,
        version,
        content.schema_revision,
        content.audit_head,
        content.state_hash,
        content.tables,
        content.sums,
    )
    manifest = store(place, destination, draft, dump, work)
    progress(f"{name}: restored, compared, stored as {manifest.id} ({manifest.size:,} bytes)")
    return manifest


def dump_database(url: URL, folder: Path, jobs: int) -> DatabaseContent:
    """Dump a database and return what it held at that instant, whatever is written meanwhile."""
    with snapshot(url) as (connection, seen):
        process = start_dump(url, seen, folder, jobs)
        try:
            content = content_of(connection)
        except BaseException:
            stop(process)
            raise
        # The snapshot lives as long as its connection.
        finish(process, url)
    return content


def prove(dump: Path, content: DatabaseContent, scratch: URL, name: str, jobs: int) -> None:
    """Restore a dump into an empty database and raise `DumpFailedError` unless it holds the same, row for row."""
    restore(dump, scratch, jobs)
    problem = difference(content, database_content(scratch))
    if problem:
        raise DumpFailedError(
            f"the dump of {name} does not hold what the database held ({problem})", "nothing was stored; look into it"
        )
