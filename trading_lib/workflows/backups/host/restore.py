"""A lost machine from its backups: databases, configuration, credentials, every book checked and disarmed.

Everything is fetched and proved before anything is touched. A restore that was killed goes on where it was: until it
is done, a mark in the home says so and no book can send.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

from sqlalchemy import URL

from trading_lib.adapters.backups.content import database_content, first_difference
from trading_lib.adapters.backups.destination import Destination
from trading_lib.adapters.backups.restore_target import RestoreTarget
from trading_lib.adapters.files.disarmed_books import DisarmedBooks
from trading_lib.adapters.files.exclusive_lock import alone
from trading_lib.adapters.files.output_file import write_whole
from trading_lib.adapters.services.databases import DatabaseServer
from trading_lib.adapters.stores.postgres.database import connect
from trading_lib.adapters.stores.postgres.migrations import upgrade
from trading_lib.domain.errors import InputError
from trading_lib.monitoring.backup.manifest import Manifest
from trading_lib.workflows.backups.catalogue import read_catalogue
from trading_lib.workflows.backups.host.books import CheckedBook, check_books
from trading_lib.workflows.backups.host.chosen import HostSet, choose_set
from trading_lib.workflows.backups.host.files import count_unreadable, restore_configuration, restore_credentials
from trading_lib.workflows.backups.place import DEFAULT_FOLDER, TRADING, WORK, BackupPlace
from trading_lib.workflows.backups.restore import NO_NEWEST, restore_into
from trading_lib.workflows.backups.store import check_stored, proven_content
from trading_lib.workflows.books.kill_switch import KILL_SWITCH_FILE
from trading_lib.workflows.setup.settings import load_settings
from trading_lib.workflows.trade.stage_log import logged

Progress = Callable[[str], None]
MARK = "restore-host.json"
LOCK = ".restore-host.lock"
# What an empty home may hold: what commands leave, what an operator puts there first, and backups beside it.
HARMLESS = ("logs", WORK, "credentials.json", KILL_SWITCH_FILE, DEFAULT_FOLDER, LOCK, "stack.lock", ".postgres.lock")


@dataclass
class RestoredHost:
    """What came back, and how long each step took.

    Attributes
    ----------
    schema
        Revision that was restored, and the one the database has now.
    unreadable
        What Airflow's database holds that was encrypted with a key that is lost, by kind.
    """

    source: str
    chosen: HostSet
    dry_run: bool
    again: bool = False
    schema: tuple[str, str] = ("", "")
    configuration: dict[str, Any] = field(default_factory=dict)
    credentials: str = ""
    unreadable: dict[str, int] = field(default_factory=dict)
    same_configuration: bool = True
    books: list[CheckedBook] = field(default_factory=list)
    steps: dict[str, float] = field(default_factory=dict)

    @property
    def sound(self) -> bool:
        """Whether every book reconciles."""
        return not any(book.problem for book in self.books)

    def as_record(self) -> dict[str, Any]:
        """Return it for JSON."""
        return {
            "from": self.source,
            "dry_run": self.dry_run,
            "continued": self.again,
            "databases": [
                {
                    "id": one.id,
                    "database": one.database,
                    "state_of": one.started_at.isoformat(),
                    "state_hash": one.state_hash,
                    "rows": sum(one.tables.values()),
                }
                for one in self.chosen.databases
            ],
            "without_backup": list(self.chosen.missing),
            "schema": {"restored": self.schema[0], "now": self.schema[1]},
            "same_configuration": self.same_configuration,
            "configuration": self.configuration,
            "credentials": self.credentials,
            "unreadable": self.unreadable,
            "books": [book.as_record() for book in self.books],
            "reconciled": self.sound,
            "steps": {name: round(seconds, 2) for name, seconds in self.steps.items()},
            "seconds": round(sum(self.steps.values()), 2),
        }

    def lines(self) -> list[str]:
        """Return it for a person."""
        verb = "would be restored" if self.dry_run else "restored"
        found = [
            f"{one.database}: {verb} as of {one.started_at:%Y-%m-%d %H:%M:%S} UTC ({one.id})"
            for one in self.chosen.databases
        ]
        found += [f"{name}: no backup, begins empty" for name in self.chosen.missing]
        if self.dry_run:
            return [*found, "nothing was changed"]
        before, now = self.schema
        found.append(f"schema: revision {now}" + (f", migrated from {before}" if before != now else ""))
        found.append(_configuration_line(self))
        found.append(_credentials_line(self))
        for book in self.books:
            state = book.problem or (f"reconciles at {book.session}, {book.nav}" if book.session else "never settled")
            waiting = f"; {book.unfinished} orders unfinished: ask the broker" if book.unfinished else ""
            found.append(f"book {book.name}: {state}{waiting}; DISARMED")
        found.append(f"done in {sum(self.steps.values()):.1f} s; start it with `make up`")
        if self.books:
            found.append("no book sends anything until `trading book arm --book BOOK --by NAME`")
        return found


@logged("restore host")
def restore_host(
    place: BackupPlace,
    destination: Destination,
    *,
    moment: datetime | None = None,
    identity: Path | None = None,
    dry_run: bool = False,
    progress: Progress = lambda line: None,
) -> RestoredHost:
    """Restore a machine's state into an empty home.

    Parameters
    ----------
    moment
        The newest backups not after it.
    dry_run
        Only choose the backups and check their stored files.

    Raises
    ------
    InputError
        Before anything is touched: the home or a database of the server is not empty or in use, a backup is damaged,
        lacks its key or does not fit.
    """
    home, mark = place.folders.home, place.folders.home / MARK
    refuse_used(home)
    catalogue = read_catalogue(destination)
    if not moment:
        catalogue.refuse_future(place.clock(), NO_NEWEST)
    chosen = choose_set(catalogue, moment)
    done = _done(mark, destination.address, chosen)
    report = RestoredHost(destination.address, chosen, dry_run, again=mark.exists())
    if dry_run:
        with _timed(report, "check"):
            for manifest in chosen:
                check_stored(destination, manifest)
        return report
    server = DatabaseServer(place.folders.postgres, place.environment)
    if not server.embedded:
        _refuse_used_server(server, chosen, done)
    with ExitStack() as stack:
        busy = InputError("another restore into this home is running", "wait for it")
        stack.enter_context(alone(place.folders.closed(WORK).parent / LOCK, busy))
        work = stack.enter_context(place.work_folder())
        contents = {}
        with _timed(report, "fetch and check"):
            for manifest in chosen:
                if manifest.id in done:
                    continue
                folder = work / manifest.id
                folder.mkdir()
                contents[manifest.id] = proven_content(place, destination, manifest, folder, identity)
                progress(f"{manifest.id}: fetched, whole")
        _restore_databases(place, server, report, contents, done, mark, progress)
        with _timed(report, "configuration and credentials"):
            _restore_files(place, report, contents)
    _check(place, report, mark, progress)
    return report


def refuse_used(home: Path) -> None:
    """Raise `InputError` when a home holds anything that a restore could meet; one that was killed left its mark."""
    if not home.is_dir() or (home / MARK).exists():
        return
    found = sorted(entry.name for entry in home.iterdir() if entry.name not in HARMLESS)
    if found:
        raise InputError(
            f"{home} is not empty (it has {', '.join(found[:3])})",
            "move it away, or set TRADING_HOME to a new folder: nothing is ever restored over anything",
        )


def _restore_databases(
    place: BackupPlace,
    server: DatabaseServer,
    report: RestoredHost,
    contents: dict[str, Path],
    done: list[str],
    mark: Path,
    progress: Progress,
) -> None:
    """Restore what is not done yet; before there is a server, no book can send."""
    chosen = report.chosen
    with _timed(report, "start PostgreSQL"):
        DisarmedBooks(place.folders.home).disarm_all(_reason(report), place.clock())
        _write_mark(mark, report, done)
        server.start()
        urls = _targets(server, chosen)
    for manifest in chosen.databases:
        if manifest.id in done:
            continue
        with _timed(report, f"restore {manifest.database}"):
            target = RestoreTarget(urls[manifest.database])
            if not _holds(target, manifest):
                restore_into(target, contents[manifest.id], manifest, place.config.jobs)
        done.append(manifest.id)
        _write_mark(mark, report, done)
        progress(f"{manifest.database}: restored, compared")


def _refuse_used_server(server: DatabaseServer, chosen: HostSet, done: list[str]) -> None:
    urls = _targets(server, chosen)
    for manifest in chosen.databases:
        target = RestoreTarget(urls[manifest.database])
        if manifest.id not in done and not _holds(target, manifest):
            target.refuse_unless_empty()


def _targets(server: DatabaseServer, chosen: HostSet) -> dict[str, URL]:
    trading = server.urls().trading
    others = (one.database for one in chosen.databases if one.database != TRADING)
    return {TRADING: trading} | {name: trading.set(database=name) for name in others}


def _holds(target: RestoreTarget, manifest: Manifest) -> bool:
    """Whether the database is there already, whole: its name was given to it a moment before the restore was killed."""
    if not target.is_there():
        return False
    content = database_content(target.url)
    return bool(content.tables) and not first_difference(dict(manifest.tables), dict(manifest.sums), content)


def _restore_files(place: BackupPlace, report: RestoredHost, contents: dict[str, Path]) -> None:
    config = report.chosen.configuration
    content = contents.get(config.id) if config else None
    restored = restore_configuration(config.id if config else None, content, place.folders, place.environment)
    report.configuration = restored.as_record()
    report.credentials = restore_credentials(content, place.folders)
    trading = report.chosen.databases[0]
    report.same_configuration = not trading.config_hash or place.config_hash() == trading.config_hash


def _check(place: BackupPlace, report: RestoredHost, mark: Path, progress: Progress) -> None:
    """Migrate the schema, reconcile the books, and disarm each by its name."""
    urls = DatabaseServer(place.folders.postgres, place.environment).urls()
    url = urls.trading.render_as_string(hide_password=False)
    with _timed(report, "migrate"):
        report.schema = (report.chosen.databases[0].schema_revision, upgrade(url))
    if report.credentials == "generated" and "airflow" not in report.chosen.missing:
        report.unreadable = count_unreadable(urls.airflow)
    with _timed(report, "reconcile"):
        engine = connect(url)
        try:
            report.books = check_books(load_settings(place.environment, place.clock), engine)
        finally:
            engine.dispose()
    DisarmedBooks(place.folders.home).name_them([one.name for one in report.books], _reason(report), place.clock())
    mark.unlink()
    progress("every book is disarmed")


def _reason(report: RestoredHost) -> str:
    return f"restored as of {report.chosen.databases[0].started_at:%Y-%m-%d %H:%M:%S} UTC"


def _done(mark: Path, address: str, chosen: HostSet) -> list[str]:
    """Ids that a killed restore had finished; the same ones have to be chosen again."""
    try:
        content = json.loads(mark.read_text(encoding="utf-8"))
        before, done = list(content["chosen"]), list(content["done"])
    except FileNotFoundError:
        return []
    except (OSError, ValueError, KeyError, TypeError):
        raise InputError(f"{mark} cannot be read", "empty the home folder and begin again") from None
    wanted = [one.id for one in chosen]
    if before != wanted:
        moment = content.get("at", "")
        raise InputError(
            f"a restore of other backups was not finished here ({', '.join(before)})",
            f"go on with it (--from {content.get('from')} --at {moment}), or empty the home folder",
        )
    return done


def _write_mark(mark: Path, report: RestoredHost, done: list[str]) -> None:
    newest = max(one.started_at for one in report.chosen)
    record = {
        "from": report.source,
        # Chooses the same backups again when newer ones have come meanwhile.
        "at": newest.isoformat(),
        "chosen": [one.id for one in report.chosen],
        "done": done,
    }
    write_whole(mark, json.dumps(record, indent=1).encode())


@contextmanager
def _timed(report: RestoredHost, step: str) -> Iterator[None]:
    began = time.monotonic()
    try:
        yield
    finally:
        report.steps[step] = report.steps.get(step, 0.0) + time.monotonic() - began


def _configuration_line(report: RestoredHost) -> str:
    files, folder = report.configuration["differing"], report.configuration["written_to"]
    if files:
        return f"configuration: {len(files)} files differ from those here; the backup's are in {folder}, yours stay"
    if report.configuration["backup"]:
        return "configuration: as in the backup"
    if report.same_configuration:
        return "configuration: the one here is what the books were decided under"
    return "configuration: NOT the one the books were decided under, and there is no backup of it: bring include/ back"


def _credentials_line(report: RestoredHost) -> str:
    if report.credentials != "generated":
        return f"credentials: {report.credentials}"
    lost = " and ".join(f"{count} {kind}" for kind, count in report.unreadable.items())
    again = f"; enter {lost} of Airflow again, the key they were encrypted with is lost" if lost else ""
    return f"credentials: generated anew, logins of Airflow and MLflow are new{again}"
