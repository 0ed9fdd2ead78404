"""Builds a cluster of a base backup and the log behind it, as it was at a certain time.

Everything happens in a folder beside the target, which is renamed when the cluster has proved itself: it started, the
log was read as far as it had to be, and the tables can be read.
"""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from sqlalchemy import make_url, text

from trading_lib.adapters.backups.wal.archive import Line
from trading_lib.adapters.backups.wal.base import unpack_base
from trading_lib.adapters.stores.postgres.database import connect
from trading_lib.adapters.stores.postgres.embedded_postgres import EmbeddedPostgres
from trading_lib.adapters.stores.postgres.server import postmaster
from trading_lib.domain.errors import FileTroubleError, InputError, StorageUnavailableError, TradingError
from trading_lib.monitoring.backup.manifest import BackupDamagedError
from trading_lib.monitoring.backup.wal import SEGMENT, BaseBackup, first_gap

TRADING, BOOKS = "trading", "books"
SETTINGS_FILE = "postgresql.auto.conf"
SIGNAL_FILE = "recovery.signal"
TABLES = text("""
    SELECT n.nspname, c.relname FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
    WHERE c.relkind = 'r' AND c.relpersistence <> 't'
        AND n.nspname NOT LIKE 'pg\\_%' AND n.nspname <> 'information_schema'
    ORDER BY 1, 2
""")


@dataclass(frozen=True, slots=True)
class Recovered:
    """What a restore built.

    Attributes
    ----------
    into
        Folder of the cluster.
    base
        The base backup it started from.
    asked_for
        The time; None for everything there is.
    recovered_to
        When the last transaction in it was committed, by the server's clock; None where none was replayed.
    position
        Of the log, behind which nothing was replayed.
    rows
        Database -> table -> number of rows.
    books
        Names of the books of the trading database.
    """

    into: str
    base: str
    asked_for: datetime | None
    recovered_to: datetime | None
    position: str
    rows: Mapping[str, Mapping[str, int]]
    books: tuple[str, ...]
    seconds: float = 0.0

    def as_record(self) -> dict[str, Any]:
        """Return it for JSON."""
        return asdict(self)


def recover(
    line: Line, base: BaseBackup, moment: datetime | None, target: Path, ready: Callable[[Recovered], None]
) -> Recovered:
    """Build the cluster in ``target``, which must not exist or be empty; on any failure it is as before.

    Parameters
    ----------
    ready
        Called when the cluster is whole, before it gets its name.

    Raises
    ------
    InputError
        When the target is in use, or the archive does not reach the time.
    BackupDamagedError
        When the base backup or the log is damaged.
    """
    refuse_target(target)
    with _draft(target) as draft:
        unpack_base(line.base_folder(base), base, draft)
        # Before the log is copied: a receiver at work goes on.
        noted = line.received()
        complete = noted.complete_at if noted else None
        _lay_out_log(line, base, draft)
        settings = (draft / SETTINGS_FILE).read_bytes()
        (draft / SETTINGS_FILE).write_bytes(settings + _settings(moment).encode())
        (draft / SIGNAL_FILE).touch(mode=0o600)
        server = EmbeddedPostgres(draft)
        try:
            server.start()
            recovered_to, reached = _recovery_point(server)
            if moment is None:
                _require_all(line, base, complete, recovered_to)
            rows = {name: _row_counts(server.url(name)) for name in _databases(server)}
            books = _books(server.url(TRADING)) if BOOKS in rows.get(TRADING, {}) else ()
        except StorageUnavailableError as error:
            raise _not_reached(draft, line, moment, complete, error) from None
        finally:
            server.stop()
        (draft / SETTINGS_FILE).write_bytes(settings)
        refuse_target(target)
        done = Recovered(str(target), base.id, moment, recovered_to, reached, rows, books)
        ready(done)
        if target.exists():
            target.rmdir()
        draft.rename(target)
    return done


def refuse_target(target: Path) -> None:
    """Raise `InputError` unless a cluster may be built there."""
    if postmaster.running(target) is not None or postmaster.family(target):
        raise InputError(f"a PostgreSQL server runs in {target}", "name a new folder; nothing was touched")
    if target.is_symlink() or (target.exists() and not target.is_dir()):
        raise InputError(f"{target} is no folder", "name a new folder; nothing was touched")
    if target.is_dir() and any(target.iterdir()):
        raise InputError(f"{target} is not empty", "name a new folder; nothing was touched")


@contextmanager
def _draft(target: Path) -> Iterator[Path]:
    draft = target.with_name(f".{target.name}.restoring")
    try:
        target.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        # Of a restore that was killed; a second one at the same moment would find its server running.
        if postmaster.running(draft) is not None:
            raise InputError(f"another restore into {target} is running", "wait for it")
        shutil.rmtree(draft, ignore_errors=True)
        draft.mkdir(mode=0o700)
    except OSError as error:
        raise FileTroubleError(error, target) from error
    try:
        yield draft
    except OSError as error:
        raise FileTroubleError(error, draft) from error
    finally:
        shutil.rmtree(draft, ignore_errors=True)
        draft.with_name(f".{draft.name}.lock").unlink(missing_ok=True)


def _lay_out_log(line: Line, base: BaseBackup, draft: Path) -> None:
    """Put the archive's log files where the server reads them."""
    folder = draft / "pg_wal"
    folder.mkdir(mode=0o700, exist_ok=True)
    files = line.segments()
    for name, path in files.items():
        if name >= base.first_segment:
            shutil.copyfile(path, folder / name)
            (folder / name).chmod(0o600)
    present = sorted(path.name for path in folder.iterdir() if SEGMENT.fullmatch(path.name))
    gap = first_gap(present, base.first_segment)
    if gap == "":
        raise BackupDamagedError(
            f"the archive lacks {base.first_segment}, which base backup {base.id} begins with", "name another archive"
        )
    if gap is not None:
        # Whether the time lies before it the server will tell; what lies behind could never be read.
        for name in present[present.index(gap) + 1 :]:
            (folder / name).unlink()


def _settings(moment: datetime | None) -> str:
    """Read the log from pg_wal alone, up to the time, and become a server of its own there.

    Nobody is let in before: a server that answers has read all it should.
    """
    target = f"recovery_target_time = '{moment.astimezone(UTC).isoformat(sep=' ')}'\n" if moment else ""
    return f"\nhot_standby = off\nrestore_command = 'false'\nrecovery_target_action = 'promote'\n{target}"


def _recovery_point(server: EmbeddedPostgres) -> tuple[datetime | None, str]:
    engine = connect(server.url("postgres"))
    try:
        with engine.connect() as connection:
            row = connection.execute(
                text("SELECT pg_last_xact_replay_timestamp(), pg_last_wal_replay_lsn()::text")
            ).one()
    finally:
        engine.dispose()
    return row[0].astimezone(UTC) if row[0] else None, str(row[1] or "")


def _require_all(line: Line, base: BaseBackup, complete: datetime | None, recovered_to: datetime | None) -> None:
    """Raise `BackupDamagedError` when reading ended before the end: a damaged log reads like one that is over.

    Parameters
    ----------
    complete
        What the receiver had noted before the log was copied.
    """
    if complete is not None and (recovered_to or base.ended_at) < complete:
        raise BackupDamagedError(
            f"the log in {line.segments_folder} can be read up to {_shown(recovered_to or base.ended_at)} only, "
            f"it had reached {_shown(complete)}",
            "one of its files is damaged or missing: restore with --at to a time before that",
        )


def _databases(server: EmbeddedPostgres) -> list[str]:
    engine = connect(server.url("postgres"))
    try:
        with engine.connect() as connection:
            names = connection.execute(
                text("SELECT datname FROM pg_database WHERE datallowconn AND NOT datistemplate ORDER BY 1")
            ).scalars()
            return [str(name) for name in names if name != "postgres"]
    finally:
        engine.dispose()


def _row_counts(url: str) -> dict[str, int]:
    counts = {}
    engine = connect(make_url(url).render_as_string(hide_password=False))
    try:
        with engine.connect() as connection:
            for schema, name in connection.execute(TABLES).all():
                quoted = ".".join('"' + part.replace('"', '""').replace(":", "\\:") + '"' for part in (schema, name))
                count = connection.execute(text(f"SELECT count(*) FROM ONLY {quoted}")).scalar_one()  # noqa: S608
                counts[name if schema == "public" else f"{schema}.{name}"] = int(count)
    finally:
        engine.dispose()
    return counts


def _books(url: str) -> tuple[str, ...]:
    engine = connect(url)
    try:
        with engine.connect() as connection:
            return tuple(connection.execute(text("SELECT name FROM books ORDER BY 1")).scalars())
    finally:
        engine.dispose()


def _not_reached(
    draft: Path,
    line: Line,
    moment: datetime | None,
    complete: datetime | None,
    error: StorageUnavailableError,
) -> TradingError:
    """Say in one line why the server did not come up: most often the log ends before the time."""
    try:
        log = (draft / "log").read_text(errors="replace")
    except OSError:
        return error
    if "recovery ended before configured recovery target was reached" in log and moment is not None:
        found = re.findall(r"last completed transaction was at log time ([^\n]+)", log)
        end = datetime.fromisoformat(_iso(found[-1])).astimezone(UTC) if found else None
        reach = f"ends at {_shown(end)}" if end else "holds no transaction behind the base backup"
        if complete is not None and complete >= moment:
            return BackupDamagedError(
                f"the log in {line.segments_folder} {reach}, though it had reached {_shown(complete)}",
                "one of its files is damaged or missing: restore to a time before that",
            )
        return InputError(
            f"the archive {reach}, before {_shown(moment)}",
            "choose an earlier time, or leave out --at to restore everything there is",
        )
    return error


def _shown(moment: datetime) -> str:
    return f"{moment.astimezone(UTC):%Y-%m-%d %H:%M:%S.%f} UTC"


def _iso(text_of_log: str) -> str:
    """PostgreSQL writes ``2026-11-27 06:00:00.123456+00``."""
    return re.sub(r"([+-]\d\d)$", r"\1:00", text_of_log.strip())
