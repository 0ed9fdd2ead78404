"""Backups of what lies outside the databases: the book's state after a trade, the configuration, the logs."""

from __future__ import annotations

import gzip
import logging
import shutil
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path

from trading_lib.adapters.backups.destination import Destination
from trading_lib.adapters.files.include_folder import INCLUDE_VARIABLE
from trading_lib.domain.errors import InputError, one_of
from trading_lib.monitoring.backup.manifest import BackupClass, Manifest
from trading_lib.workflows.backups.catalogue import read_catalogue
from trading_lib.workflows.backups.place import TRADING, BackupPlace
from trading_lib.workflows.backups.store import Draft, content_hashes, store
from trading_lib.workflows.setup.settings import configuration_folder

LOG = logging.getLogger(__name__)
# Made by running, not written by anybody.
LEFT_OUT = ("__pycache__", "*.pyc", ".*")
CREDENTIALS = "credentials.json"
COMPRESSION = 6


def back_up_state(place: BackupPlace, destination: Destination, books: Sequence[str] = ()) -> Manifest:
    """Back up the newest state of every book, or of those named, from one instant."""
    from trading_lib.adapters.backups.book_state import book_names, revision_and_head, write_book_state
    from trading_lib.adapters.backups.content import snapshot
    from trading_lib.adapters.backups.postgres_tools import server_version

    url = place.databases()[TRADING]
    version = server_version(url)
    with place.work_folder() as work:
        folder = work / "state"
        folder.mkdir()
        started = place.clock()
        with snapshot(url) as (connection, _):
            present = book_names(connection)
            for book in books:
                if book not in present:
                    raise InputError(f"there is no book {book!r} to back up", one_of(book, present))
            tables = write_book_state(connection, books or present, folder)
            revision, head = revision_and_head(connection)
        draft = Draft(BackupClass.STATE, started, TRADING, version, revision, head, tables=tables)
        return store(place, destination, draft, folder, work)


def back_up_configuration(place: BackupPlace, destination: Destination) -> tuple[Manifest, bool]:
    """Back up the include folder when it is another than in the newest backup; return that one, and whether it is new.

    Generated passwords and keys go along where backups are encrypted, and nowhere else: without them what Airflow keeps
    encrypted in its database could not be read again.
    """
    with place.work_folder() as work:
        folder, started = work / "config", place.clock()
        _copy_configuration(place, folder)
        stored = read_catalogue(destination, BackupClass.CONFIG).manifests
        same_keys = bool(stored) and stored[-1].encrypted_to == tuple(place.config.recipients)
        if same_keys and dict(stored[-1].contents) == content_hashes(folder):
            return stored[-1], False
        return store(place, destination, Draft(BackupClass.CONFIG, started), folder, work), True


def back_up_logs(place: BackupPlace, destination: Destination) -> Manifest | None:
    """Back up the log files that were written to since the newest backup of logs; None when there are none."""
    stored = read_catalogue(destination, BackupClass.LOGS).manifests
    since = stored[-1].started_at.timestamp() if stored else 0.0
    with place.work_folder() as work:
        folder, started = work / "logs", place.clock()
        folder.mkdir()
        for path in sorted(place.folders.logs.rglob("*")) if place.folders.logs.is_dir() else ():
            # Closed and open again between the two, a file may be rotated away: then it is in the next backup.
            if path.is_file() and not path.is_symlink() and path.stat().st_mtime >= since:
                _compress(path, folder / f"{path.relative_to(place.folders.logs).as_posix()}.gz")
        if not any(folder.rglob("*.gz")):
            return None
        return store(place, destination, Draft(BackupClass.LOGS, started), folder, work)


def newest_logs(destination: Destination) -> datetime | None:
    """When logs were backed up last."""
    stored = read_catalogue(destination, BackupClass.LOGS).manifests
    return stored[-1].started_at if stored else None


def _copy_configuration(place: BackupPlace, folder: Path) -> None:
    ignored = shutil.ignore_patterns(*LEFT_OUT)
    named = place.environment.get(INCLUDE_VARIABLE, "").strip()
    include = Path(named).expanduser() if named else place.folders.project / "include"
    shutil.copytree(include, folder / "include", ignore=ignored)
    config = configuration_folder(place.environment).resolve()
    if config != (include / "config").resolve():
        shutil.copytree(config, folder / "config", ignore=ignored)
    if place.config.recipients and place.folders.credentials.is_file():
        shutil.copyfile(place.folders.credentials, folder / CREDENTIALS)


def _compress(source: Path, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    try:
        with source.open("rb") as content, gzip.open(target, "wb", COMPRESSION) as file:
            shutil.copyfileobj(content, file)
    except FileNotFoundError:
        target.unlink(missing_ok=True)
