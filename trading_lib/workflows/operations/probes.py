"""The probes that come with the program: daily run, database, clock, disk, the log's archive, age of backups."""

from __future__ import annotations

import shutil
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

from trading_lib.domain.errors import TradingError
from trading_lib.monitoring.alert import AlertLevel
from trading_lib.monitoring.heartbeat import Reading, clock_problem, decided_in_time, due, future_problem
from trading_lib.monitoring.probe import Finding, Probe, ProbeContext

BOOT_ID = Path("/proc/sys/kernel/random/boot_id")
GIB = 1024**3
DATA = "SELECT count(*) FROM ingestions WHERE last_day >= :session AND fetched_at >= :known"
DECIDED = "SELECT count(*) FROM decisions WHERE book = :book AND session = :session"
# A book's newest decisions suffice to see whether one was made on its day.
BOOKS = """
    SELECT book, session, created_at FROM (
        SELECT book, session, created_at, row_number() OVER (PARTITION BY book ORDER BY created_at DESC) place
        FROM decisions) newest
    WHERE place <= 20 ORDER BY book
"""
SETTLED_MINUTES = 5
SETTLED = "SELECT clock_timestamp() - pg_postmaster_start_time() > make_interval(mins => :minutes)"
STORED = (
    ("stored decision", "SELECT max(created_at) FROM decisions"),
    ("fetched price", "SELECT max(fetched_at) FROM ingestions"),
    ("alert", "SELECT max(raised_at) FROM alerts"),
    ("backup", "SELECT max(started_at) FROM backups"),
)
BACKUP = "SELECT max(started_at) FROM backups WHERE kind = 'database'"


class DailyRun:
    """Whether the newest due session's market data was stored, and whether every book that trades decided it.

    Whatever kept it from happening, a dead scheduler, a paused DAG, a machine that slept, looks the same here.
    """

    def check(self, context: ProbeContext) -> Iterator[Finding]:
        """Look for what is absent, in the trading database alone; Airflow only adds a line."""
        expected = due(context.calendar, context.now, context.config)
        books = self._books(context)
        if not books:
            return
        absent = []
        if expected.data_session is not None and expected.data_by is not None:
            session = expected.data_session
            known = context.calendar.data_time(session)
            if self._traded_before(books, session) and not context.query(DATA, session=session, known=known)[0][0]:
                title = f"market_data did not run for session {session}"
                absent.append(("heartbeat:market_data", title, session, "", expected.data_by))
        if expected.trade_session is not None and expected.trade_by is not None:
            session = expected.trade_session
            for book, first in books.items():
                if first <= session and not context.query(DECIDED, book=book, session=session)[0][0]:
                    title = f"trade_daily did not decide session {session} of book {book}"
                    absent.append((f"heartbeat:trade_daily:{book}", title, session, book, expected.trade_by))
        said = _airflow(context) if absent else ""
        for key, title, session, book, by in absent:
            text = f"It had to be there by {by:%Y-%m-%d %H:%M} UTC. {said}"
            yield Finding(key, title, text, AlertLevel.CRITICAL, session, book)

    def _books(self, context: ProbeContext) -> dict[str, date]:
        """Book -> first session that is expected of it."""
        config = context.config
        if config.books:
            opened: dict[str, date] = {
                row[0]: row[1] for row in context.query("SELECT name, opened_session FROM books")
            }
            return {book: opened.get(book, date.min) for book in config.books if book not in config.resting_books}
        found: dict[str, date] = {}
        for book, session, created_at in context.query(BOOKS):
            if decided_in_time(context.calendar, session, created_at) and book not in config.resting_books:
                found[book] = min(found.get(book, session), session)
        return found

    @staticmethod
    def _traded_before(books: dict[str, date], session: date) -> bool:
        return any(first <= session for first in books.values())


class Database:
    """Whether the trading database answers."""

    def check(self, context: ProbeContext) -> Iterator[Finding]:
        """Ask it for nothing."""
        try:
            context.query("SELECT 1")
        except TradingError as error:
            yield Finding(
                "heartbeat:database",
                "The trading database does not answer",
                f"{error}. Nothing is decided or traded until it is back.",
                AlertLevel.EMERGENCY,
            )


@dataclass
class Clock:
    """Whether this machine's clock agrees with the database server's, with a counter, and with what was stored.

    Attributes
    ----------
    before
        Of the last look.
    reading
        Of this one.
    """

    before: Reading | None
    reading: Reading

    def check(self, context: ProbeContext) -> Iterator[Finding]:
        """Compare."""
        tolerance = context.config.clock_seconds
        problem = clock_problem(self.before, self.reading, tolerance)
        if problem:
            yield self._finding(problem)
            return
        server: datetime = context.query("SELECT clock_timestamp()")[0][0]
        apart = (context.now - server).total_seconds()
        if abs(apart) > tolerance:
            ahead = "ahead of" if apart > 0 else "behind"
            yield self._finding(f"this machine's clock is {abs(apart):.0f} s {ahead} the database server's")
            return
        stored = ((what, context.query(statement)[0][0]) for what, statement in STORED)
        problem = future_problem(stored, context.now, tolerance)
        if problem:
            yield self._finding(problem)

    @staticmethod
    def _finding(problem: str) -> Finding:
        return Finding(
            "heartbeat:clock",
            "The clock is off",
            f"{problem}. Sessions are decided by it: set it (chrony, systemd-timesyncd) before the next close.",
        )


class Disk:
    """Whether the home's disk has room."""

    def check(self, context: ProbeContext) -> Iterator[Finding]:
        """Ask the system."""
        place = next(folder for folder in (context.home, *context.home.parents) if folder.exists())
        free = shutil.disk_usage(place).free / GIB
        if free < context.config.disk_gigabytes:
            yield Finding(
                "heartbeat:disk",
                f"The disk of {context.home} is nearly full",
                f"{free:.1f} GiB are free, less than {context.config.disk_gigabytes:g}. PostgreSQL stops without room.",
            )


class LogArchive:
    """Whether the log's archive keeps up, where there is one and the server has had time to start its receiver."""

    def check(self, context: ProbeContext) -> Iterator[Finding]:
        """Ask `trading wal status`."""
        from trading_lib.workflows.backups.place import load_place
        from trading_lib.workflows.backups.wal.archive import wal_status

        if not context.query(SETTLED, minutes=SETTLED_MINUTES)[0][0]:
            return
        status = wal_status(load_place(context.environment))
        if status.enabled and status.slot is not None and status.problems:
            yield Finding(
                "heartbeat:wal",
                "The log's archive does not keep up",
                "; ".join(status.problems) + ". See `trading wal status`.",
            )


class BackupAge:
    """Whether the newest backup of the database is young, once there was one."""

    def check(self, context: ProbeContext) -> Iterator[Finding]:
        """Look into the table of backups."""
        newest: datetime | None = context.query(BACKUP)[0][0]
        limit = timedelta(hours=context.config.backup_hours)
        if newest is not None and context.now - newest > limit:
            yield Finding(
                "heartbeat:backup",
                "The newest backup is old",
                f"It is of {newest.astimezone(UTC):%Y-%m-%d %H:%M} UTC, older than {context.config.backup_hours:g} "
                "hours. See the DAG backup, and `trading backup list`.",
            )


def built_in(before: Reading | None, reading: Reading) -> dict[str, Probe]:
    """Name -> probe."""
    return {
        "database": Database(),
        "daily run": DailyRun(),
        "clock": Clock(before, reading),
        "disk": Disk(),
        "log archive": LogArchive(),
        "backups": BackupAge(),
    }


def take_reading(now: datetime) -> Reading:
    """Read the counter of this machine, which runs on while it sleeps and which nobody can set."""
    clock = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)
    boot = BOOT_ID.read_text().strip() if BOOT_ID.exists() else ""
    return Reading(now, boot, time.clock_gettime(clock))


def _airflow(context: ProbeContext) -> str:
    """Return what Airflow says of itself, one sentence; it decides nothing."""
    from trading_lib.adapters.services.airflow.rest import AirflowClient
    from trading_lib.adapters.services.ports import HOST, ServicePorts

    try:
        port = ServicePorts.configured(context.environment).airflow.number
        missing = AirflowClient(f"http://{HOST}:{port}", "", "").missing_components()
    except TradingError as error:
        return f"Airflow cannot be asked ({error.problem})."
    if missing:
        return f"Airflow: {', '.join(missing)} does not answer or is not healthy."
    return "Airflow's parts are healthy: the DAG is paused, or a task waits or failed."
