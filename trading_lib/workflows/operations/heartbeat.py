"""One look at everything that has to be well, from outside Airflow: absences become alerts, once each."""

from __future__ import annotations

import fcntl
import json
import logging
import os
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

from trading_lib.adapters.alerts.own_probes import create_probe
from trading_lib.adapters.services.credentials import write_private
from trading_lib.adapters.services.folders import StackFolders
from trading_lib.adapters.user_code.error_place import kind_and_line
from trading_lib.adapters.user_code.guard import NoExit
from trading_lib.domain.errors import StorageUnavailableError, TradingError
from trading_lib.domain.market.sessions import exchange_sessions
from trading_lib.monitoring.alert import Alert, AlertLevel
from trading_lib.monitoring.config import MonitoringConfig
from trading_lib.monitoring.heartbeat import Reading
from trading_lib.monitoring.probe import Finding, Probe, ProbeContext
from trading_lib.workflows.operations.alerting import raise_alert
from trading_lib.workflows.operations.notifications import load_monitoring
from trading_lib.workflows.operations.probes import built_in, take_reading
from trading_lib.workflows.setup.settings import DATABASE_VARIABLE, Clock, configuration_folder, system_clock

LOG = logging.getLogger(__name__)
SOURCE = "heartbeat"
FOLDER, FILE = "heartbeat", "heartbeat.json"
PROBES = "probes"
# A heartbeat that has missed so many looks, and is at least so old, has stopped.
MISSED, LEAST_STALE = 5, timedelta(minutes=5)
APPLICATION = "trading-heartbeat"

Tell = Callable[[Alert], None]


@dataclass(frozen=True, slots=True)
class OpenFault:
    """A fault that was told of and is not over."""

    probe: str
    title: str
    since: str


@dataclass(frozen=True, slots=True)
class Beat:
    """The heartbeat's own sign of life: what the last look found.

    Attributes
    ----------
    reading
        Of clock and counter at the last look.
    faults
        Key -> fault.
    unknown
        Probes that could not tell, with the reason.
    """

    reading: Reading | None = None
    faults: Mapping[str, OpenFault] = field(default_factory=dict)
    unknown: Mapping[str, str] = field(default_factory=dict)
    new: tuple[str, ...] = ()
    over: tuple[str, ...] = ()

    def as_record(self) -> dict[str, Any]:
        """Return it for JSON."""
        return {
            "at": self.reading.at.isoformat() if self.reading else None,
            "boot": self.reading.boot if self.reading else "",
            "counter": self.reading.counter if self.reading else 0.0,
            "faults": {key: asdict(fault) for key, fault in self.faults.items()},
            "unknown": dict(self.unknown),
            "new": list(self.new),
            "over": list(self.over),
        }


@dataclass(frozen=True)
class HeartbeatPlace:
    """Settings of one process."""

    config: MonitoringConfig
    folders: StackFolders
    environment: Mapping[str, str]
    clock: Clock = system_clock

    @property
    def file(self) -> Path:
        """Where the heartbeat writes its own."""
        return self.folders.home / FOLDER / FILE

    def own_probes(self) -> dict[str, Callable[[], Probe]]:
        """Name -> what creates it, of users' probes."""
        folder = configuration_folder(self.environment).parent / PROBES
        return {entry.probe: partial(create_probe, entry, folder) for entry in self.config.probes}


def load_heartbeat(environment: Mapping[str, str] | None = None, clock: Clock = system_clock) -> HeartbeatPlace:
    """Assemble it from monitoring.yaml and the environment."""
    variables = os.environ if environment is None else environment
    return HeartbeatPlace(load_monitoring(variables), StackFolders.locate(variables), variables, clock)


def look(place: HeartbeatPlace, tell: Tell | None = None) -> Beat:
    """Ask every probe, tell of what is new and of what is over, and write the heartbeat.

    Parameters
    ----------
    tell
        Takes the alerts; by default they are stored, or spooled where the database is away.
    """
    say = tell or (lambda alert: raise_alert(alert, variables=place.environment))
    place.folders.closed(FOLDER)
    with _alone(place.file.with_name("heartbeat.lock")):
        before = read_beat(place.file)
        now = place.clock()
        reading = take_reading(now)
        found, unknown = _ask_all(place, now, before.reading, reading)
        open_before = dict(before.faults)
        faults: dict[str, OpenFault] = {}
        new, over = [], []
        for probe, findings in found.items():
            for finding in findings:
                known = open_before.get(finding.key)
                faults[finding.key] = known or OpenFault(probe, finding.title, now.isoformat())
                if known is None:
                    new.append(finding)
        for key, fault in open_before.items():
            if key in faults:
                continue
            if fault.probe in unknown:
                # Who could not look cannot say that it is over.
                faults[key] = fault
            else:
                over.append((key, fault))
        for finding in new:
            say(_alert(finding))
        for key, fault in over:
            text = f"It was told of at {fault.since[:19]} UTC and is no longer found."
            say(Alert(AlertLevel.INFO, f"Over: {fault.title}", text, SOURCE, f"{key}:over:{fault.since}"))
        beat = Beat(reading, faults, unknown, tuple(finding.key for finding in new), tuple(key for key, _ in over))
        record = {**beat.as_record(), "stale_after": stale_after(place.config).total_seconds()}
        write_private(place.file, json.dumps(record, indent=1) + "\n")
    return beat


def watch(place: HeartbeatPlace, stop: threading.Event) -> None:
    """Look again and again until ``stop`` is set; one look that fails ends nothing."""
    while not stop.is_set():
        try:
            look(place)
        except (TradingError, OSError) as error:
            LOG.error("a look failed: %s", error)
        stop.wait(place.config.heartbeat.every_seconds)


def read_beat(path: Path) -> Beat:
    """Return what the last look wrote; nothing where none did."""
    try:
        content = json.loads(path.read_text())
        reading = Reading(datetime.fromisoformat(content["at"]), str(content["boot"]), float(content["counter"]))
        faults = {str(key): OpenFault(**fault) for key, fault in content["faults"].items()}
        return Beat(reading, faults, dict(content["unknown"]))
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return Beat()


def stale_after(config: MonitoringConfig) -> timedelta:
    """Return the age at which a heartbeat has stopped."""
    return max(LEAST_STALE, timedelta(seconds=MISSED * config.heartbeat.every_seconds))


def _ask_all(
    place: HeartbeatPlace, now: datetime, before: Reading | None, reading: Reading
) -> tuple[dict[str, Sequence[Finding]], dict[str, str]]:
    """Probe -> what it found; and probe -> why it could not tell."""
    limit = place.config.heartbeat.probe_seconds
    context = ProbeContext(
        now=now,
        calendar=exchange_sessions(),
        query=_Questions(place),
        home=place.folders.home,
        environment=place.environment,
        config=place.config.heartbeat,
    )
    makers: dict[str, Callable[[], Probe]] = {
        name: lambda probe=probe: probe  # type: ignore[misc]
        for name, probe in built_in(before, reading).items()
    }
    asked = {name: _Asked(make, context) for name, make in {**makers, **place.own_probes()}.items()}
    for one in asked.values():
        one.start()
    until = time.monotonic() + limit
    found: dict[str, Sequence[Finding]] = {}
    unknown: dict[str, str] = {}
    for name, one in asked.items():
        one.join(max(0.0, until - time.monotonic()))
        if one.is_alive():
            unknown[name] = f"no answer within {limit:g} s"
        elif one.problem:
            unknown[name] = one.problem
        else:
            found[name] = one.found
        if name in unknown and not one.without_database:
            # A probe that cannot look sees nothing: that is a fault of its own.
            found[f"{name} itself"] = [
                Finding(
                    f"heartbeat:probe:{name}",
                    f"The probe {name} cannot tell",
                    f"{unknown[name]}. What it looks after is unwatched until then.",
                    AlertLevel.WARNING,
                )
            ]
    return found, unknown


class _Asked(threading.Thread):
    """One probe at work; what does not end is left behind."""

    def __init__(self, make: Callable[[], Probe], context: ProbeContext) -> None:
        super().__init__(daemon=True)
        self._make, self._context = make, context
        self.found: Sequence[Finding] = ()
        self.problem = ""
        self.without_database = False

    def run(self) -> None:
        try:
            with NoExit():
                found = list(self._make().check(self._context))
            wrong = next((entry for entry in found if not isinstance(entry, Finding)), None)
            if wrong is not None:
                self.problem = f"it returned {type(wrong).__name__}, no Finding"
            else:
                self.found = found
        except StorageUnavailableError as error:
            # The probe of the database tells of that.
            self.problem, self.without_database = error.problem, True
        except TradingError as error:
            self.problem = str(error)
        except BaseException as error:
            # Not its text, which could hold a key.
            self.problem = kind_and_line(error)


class _Questions:
    """Runs queries in the trading database, which is never started for them."""

    def __init__(self, place: HeartbeatPlace) -> None:
        self._place = place

    def __call__(self, statement: str, **values: Any) -> list[tuple[Any, ...]]:
        from sqlalchemy import text

        from trading_lib.adapters.stores.postgres.database import connect

        engine = connect(self._url(), application_name=APPLICATION)
        try:
            with engine.connect() as connection:
                connection.execute(text("SET TRANSACTION READ ONLY"))
                milliseconds = int(self._place.config.heartbeat.probe_seconds * 1000)
                connection.execute(text(f"SET LOCAL statement_timeout = {milliseconds}"))
                return [tuple(row) for row in connection.execute(text(statement), values)]
        finally:
            engine.dispose()

    def _url(self) -> str:
        from trading_lib.adapters.stores.postgres.embedded_postgres import EmbeddedPostgres

        named = self._place.environment.get(DATABASE_VARIABLE)
        return named or EmbeddedPostgres(self._place.folders.postgres).url("trading")


def _alert(finding: Finding) -> Alert:
    return Alert(
        finding.level, finding.title, finding.text, SOURCE, finding.key, session=finding.session, book=finding.book
    )


@contextmanager
def _alone(path: Path) -> Iterator[None]:
    """Let one look at a time tell of faults: cron and the supervisor may both look."""
    lock = os.open(path, os.O_CREAT | os.O_RDWR | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
    finally:
        os.close(lock)
