"""Health checks of the installation: each reports its state and, when something is wrong, what to do."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from importlib import metadata
from pathlib import Path
from typing import Literal

from packaging.requirements import InvalidRequirement, Requirement

from trading_lib.adapters.files.disarmed_books import DisarmedBooks
from trading_lib.adapters.logs.rotating_file import NAME
from trading_lib.adapters.services.folders import StackFolders
from trading_lib.adapters.services.ports import ServicePorts, require_free
from trading_lib.adapters.services.stack import Stack
from trading_lib.adapters.services.stack_status import ServiceStatus
from trading_lib.adapters.stores.postgres.database import connect
from trading_lib.adapters.stores.postgres.migrations import require_current_revision
from trading_lib.domain.errors import TradingError
from trading_lib.workflows.alerts.commands import channel_states
from trading_lib.workflows.backups.place import load_place
from trading_lib.workflows.operations.alerting import Place

SUPPORTED_PYTHON = ((3, 11), (3, 13))
# Airflow's log and PostgreSQL's write-ahead log stop everything when the disk is full.
LEAST_FREE_BYTES = 2 * 1024**3

State = Literal["ok", "stopped", "failed"]


@dataclass(frozen=True, slots=True)
class Check:
    """One finding; ``stopped`` means not running on purpose, which is no fault."""

    name: str
    state: State
    detail: str
    remedy: str = ""


def run_checks(environment: Mapping[str, str]) -> tuple[Check, ...]:
    """Run every check; a problem in one never hides the others."""
    folders = StackFolders.locate(environment)
    checks = [check_python(sys.version_info[:2]), check_packages(folders.project / "requirements.txt")]
    try:
        stack = Stack(folders, environment, progress=_silent)
        status = stack.status()
        checks.append(_check_database(stack, status.services[0]))
        checks += [_check_service(service, status.stopped) for service in status.services[1:]]
        for name, service in (("MLflow", status.services[1]), ("Airflow", status.services[2])):
            if not service.running and not service.processes:
                checks.append(_check_port(name, environment))
    except TradingError as error:
        checks.append(Check("stack", "failed", error.problem, error.remedy))
    checks += check_channels(environment)
    checks.append(check_backups(environment))
    checks.append(check_wal(environment))
    checks += check_armed(folders.home)
    checks += check_brokers(environment)
    checks.append(check_heartbeat(environment))
    checks.append(check_log(folders.logs))
    return (*checks, check_disk(folders.home, shutil.disk_usage(_existing(folders.home)).free))


def check_python(version: tuple[int, int]) -> Check:
    """Check the interpreter's version."""
    lowest, highest = SUPPORTED_PYTHON
    shown = ".".join(map(str, version))
    if lowest <= version <= highest:
        return Check("python", "ok", shown)
    return Check("python", "failed", f"{shown} is not supported", "use Python 3.11, 3.12 or 3.13")


def check_packages(lock: Path) -> Check:
    """Check that exactly the versions of ``lock`` are installed."""
    if not lock.is_file():
        return Check("packages", "stopped", f"{lock} is absent, so nothing to compare with")
    requirements = list(_requirements(lock))
    wrong = [problem for requirement in requirements if (problem := _mismatch(requirement))]
    if wrong:
        shown = ", ".join(wrong[:3]) + (f" and {len(wrong) - 3} more" if len(wrong) > 3 else "")
        return Check("packages", "failed", shown, f"install them again: pip install -r {lock}")
    return Check("packages", "ok", f"{len(requirements)} packages as locked")


def check_disk(home: Path, free_bytes: int) -> Check:
    """Check the free space of the disk that holds ``home``."""
    detail = f"{free_bytes / 1024**3:.1f} GiB free for {home}"
    if free_bytes < LEAST_FREE_BYTES:
        return Check("disk", "failed", detail, "free some space, or move TRADING_HOME to another disk")
    return Check("disk", "ok", detail)


def check_channels(environment: Mapping[str, str]) -> list[Check]:
    """Say whether an alert reaches somebody; nothing is sent for that."""
    place = Place.locate(variables=environment)
    try:
        states = channel_states(place)
    except TradingError as error:
        return [Check("alerts", "failed", error.problem, error.remedy)]
    broken = [state for state in states if state["problem"]]
    if broken:
        remedy = "correct it, and send a test: trading alerts test"
        return [Check("alerts", "failed", f"{state['channel']}: {state['problem']}", remedy) for state in broken]
    if not states:
        return [
            Check(
                "alerts",
                "stopped",
                f"no channel is set up: alerts are told in {place.folders.mail} only",
                "set up mail, Slack or another channel, see docs/operations/alerts.md",
            )
        ]
    named = ", ".join(f"{state['channel']} ({state['kind']})" for state in states)
    return [Check("alerts", "ok", f"{named}; send a test with `trading alerts test`")]


def check_backups(environment: Mapping[str, str]) -> Check:
    """Say where backups go and who can read them; a bucket is not asked."""
    try:
        place = load_place(environment)
        # Another server's address is not looked at here: whether it answers is a matter of minutes, not of settings.
        where = place.destination().address
    except TradingError as error:
        return Check("backups", "failed", error.problem, error.remedy)
    readers = len(place.config.recipients)
    closed = f"encrypted to {readers} key{'s' if readers > 1 else ''}" if readers else "NOT ENCRYPTED"
    if place.on_this_machine:
        return Check(
            "backups",
            "stopped",
            f"{where}, {closed}: on the same machine, lost with its disk",
            "name a destination in backup.yaml, see docs/operations/backup.md",
        )
    if not readers:
        remedy = "name a public key under recipients in backup.yaml (`trading backup new-key`)"
        return Check("backups", "stopped", f"{where}, {closed}: whoever reads it reads everything", remedy)
    return Check("backups", "ok", f"{where}, {closed}; see `trading backup list`")


def check_wal(environment: Mapping[str, str]) -> Check:
    """Say how much would be lost with the database's disk, and whether the log's archive keeps up."""
    from trading_lib.workflows.backups.wal.archive import wal_status

    try:
        found = wal_status(load_place(environment))
    except TradingError as error:
        return Check("log archive", "failed", error.problem, error.remedy)
    if found.external:
        return Check("log archive", "ok", "the database is a server of its own, with its own archiving")
    if not found.enabled:
        remedy = "set wal.folder in backup.yaml to a folder on another machine (docs/operations/backup.md)"
        return Check("log archive", "stopped", "off: what came after the newest backup would be lost", remedy)
    if found.slot is None:
        return Check("log archive", "stopped", "the database does not run")
    where = f"{found.folder}, {found.lag_seconds or 0:.0f} s behind"
    if found.problems:
        return Check("log archive", "failed", found.problems[0], "see `trading wal status`")
    if found.same_disk:
        return Check("log archive", "stopped", f"{where}, on the database's own disk", "use another machine's folder")
    return Check("log archive", "ok", where)


def check_armed(home: Path) -> tuple[Check, ...]:
    """Name the books that were restored and send nothing; no line where there are none."""
    disarmed = DisarmedBooks(home)
    if disarmed.is_unfinished:
        return (Check("restore", "failed", "a restore of this home has not ended", "run `trading restore-host` again"),)
    names = disarmed.names()
    if not names:
        return ()
    remedy = "compare each with its broker, then `trading book arm --book BOOK --by NAME`"
    return (Check("books", "stopped", f"disarmed, so they send nothing: {', '.join(names)}", remedy),)


def check_brokers(environment: Mapping[str, str]) -> tuple[Check, ...]:
    """Name the accounts at real brokers, which `trading preflight` asks; no line where there are none."""
    from trading_lib.workflows.setup.settings import load_settings

    try:
        accounts = load_settings(environment).configuration.accounts.accounts
    except TradingError as error:
        return (Check("brokers", "failed", error.problem, error.remedy),)
    real = [f"{one.name} ({one.broker}, {one.endpoint})" for one in accounts if one.endpoint is not None]
    if not real:
        return ()
    return (Check("brokers", "ok", f"{', '.join(real)}; `trading preflight --book BOOK` asks them"),)


def check_heartbeat(environment: Mapping[str, str], now: datetime | None = None) -> Check:
    """Say whether somebody looks from outside Airflow, and what the last look found."""
    from trading_lib.workflows.operations.heartbeat import load_heartbeat, read_beat, stale_after

    try:
        place = load_heartbeat(environment)
    except TradingError as error:
        return Check("heartbeat", "failed", error.problem, error.remedy)
    beat = read_beat(place.file)
    if beat.reading is None:
        remedy = "start the stack, or let cron run it: * * * * * trading heartbeat"
        return Check("heartbeat", "stopped", "it has never looked: a run that does not happen is not noticed", remedy)
    age = (now or place.clock()) - beat.reading.at
    if age > stale_after(place.config):
        minutes = age.total_seconds() / 60
        return Check("heartbeat", "failed", f"its last look was {minutes:.0f} minutes ago", "see logs/heartbeat.log")
    if beat.faults:
        titles = "; ".join(fault.title for fault in beat.faults.values())
        return Check("heartbeat", "failed", titles, "see `trading alerts list --open`")
    return Check("heartbeat", "ok", f"looked {age.total_seconds():.0f} s ago, all is well")


def check_log(folder: Path) -> Check:
    """Check that the log can be written."""
    place = _existing(folder)
    if os.access(place, os.W_OK | os.X_OK):
        return Check("log", "ok", f"{folder / NAME}; read it with `trading logs`")
    return Check("log", "failed", f"{place} is not writable", "give it back to this user, or move TRADING_HOME")


def _requirements(lock: Path) -> Iterator[Requirement]:
    for line in lock.read_text().splitlines():
        try:
            requirement = Requirement(line.split("#")[0].strip())
        except InvalidRequirement:
            continue
        if requirement.marker is None or requirement.marker.evaluate():
            yield requirement


def _mismatch(requirement: Requirement) -> str | None:
    try:
        installed = metadata.version(requirement.name)
    except metadata.PackageNotFoundError:
        return f"{requirement.name} is not installed"
    if requirement.specifier.contains(installed, prereleases=True):
        return None
    return f"{requirement.name} is {installed}, locked is {str(requirement.specifier).removeprefix('==')}"


def _check_database(stack: Stack, service: ServiceStatus) -> Check:
    if not service.running and stack.database.embedded:
        return Check("database", "stopped", "the embedded PostgreSQL is not running", "start it with `make up`")
    # Of a server that is not ours, connecting says why it cannot be reached.
    try:
        engine = connect(stack.database.urls().trading.render_as_string(hide_password=False))
        try:
            require_current_revision(engine)
        finally:
            engine.dispose()
    except TradingError as error:
        return Check("database", "failed", error.problem, error.remedy)
    return Check("database", "ok", service.address)


def _check_service(service: ServiceStatus, all_stopped: bool) -> Check:
    name = service.name.lower().replace(" ", "-")
    detail = ", ".join(filter(None, [service.state, service.describe()]))
    if service.healthy:
        return Check(name, "ok", detail)
    if all_stopped:
        return Check(name, "stopped", "not running", "start it with `make up`")
    if service.running:
        return Check(name, "failed", detail, "wait for it, or see its log in TRADING_HOME/logs")
    return Check(name, "failed", detail or "not running while the rest of the stack is", "start it with `make up`")


def _check_port(service: str, environment: Mapping[str, str]) -> Check:
    ports = ServicePorts.configured(environment)
    port = ports.airflow if service == "Airflow" else ports.mlflow
    try:
        require_free(port)
    except TradingError as error:
        return Check(f"{service.lower()} port", "failed", error.problem, error.remedy)
    return Check(f"{service.lower()} port", "ok", f"{port.number} is free")


def _existing(path: Path) -> Path:
    return next(folder for folder in (path, *path.parents) if folder.exists())


def _silent(line: str) -> None:
    """Drop progress: checks report by their results."""
