"""The embedded server's log outside the server: what is there, base backups, and a cluster as it was at any time."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from trading_lib.adapters.backups.wal.archive import Line, lines_of
from trading_lib.adapters.backups.wal.base import take_base
from trading_lib.adapters.backups.wal.recovery import Recovered, recover, refuse_target
from trading_lib.adapters.backups.wal.server import LOST, SlotState, WalServer
from trading_lib.adapters.files.disarmed_books import DisarmedBooks
from trading_lib.adapters.files.exclusive_lock import alone
from trading_lib.adapters.stores.postgres.database import URL_VARIABLE, parse_url
from trading_lib.adapters.stores.postgres.embedded_postgres import EmbeddedPostgres
from trading_lib.adapters.stores.postgres.server import postmaster
from trading_lib.domain.errors import InputError, TradingError
from trading_lib.monitoring.backup.wal import BaseBackup, base_for, expired, first_gap
from trading_lib.workflows.backups.place import BackupPlace

EXTERNAL = (
    f"{URL_VARIABLE} names a server of its own: its own archiving is responsible for its log "
    "(pgBackRest, Barman, or the vendor's point-in-time recovery)"
)
SEE = "see docs/operations/backup.md"
WAIT = "wait for it to end"


class ExternalServerError(InputError):
    """The database server is not the embedded one, whose log this is about."""


@dataclass(frozen=True, slots=True)
class WalStatus:
    """What there is of the log outside the server.

    Attributes
    ----------
    enabled
        Whether an archive is configured or was named.
    external
        Whether the server is somebody else's, so that nothing of this applies.
    same_disk
        Whether the archive lies on the disk of the database, and so is lost with it.
    slot
        None where the server does not run.
    lag_seconds
        Age of what the archive lacks; None where it never received anything.
    newest_received, oldest_restorable
        A restore reaches any time between them; None where it reaches none.
    problems
        What is wrong, each with a line; empty when all is well.
    """

    enabled: bool
    external: bool = False
    folder: str = ""
    same_disk: bool = False
    line: str = ""
    slot: SlotState | None = None
    lag_bytes: int | None = None
    lag_seconds: float | None = None
    newest_received: datetime | None = None
    oldest_restorable: datetime | None = None
    segments: int = 0
    size: int = 0
    bases: tuple[BaseBackup, ...] = ()
    problems: tuple[str, ...] = ()

    def as_record(self) -> dict[str, Any]:
        """Return it for JSON."""
        return {**asdict(self), "bases": [asdict(base) for base in self.bases]}


@dataclass(frozen=True, slots=True)
class TakenBase:
    """A new base backup, and what it made superfluous."""

    base: BaseBackup
    removed_bases: tuple[str, ...]
    removed_segments: int
    freed: int
    seconds: float

    def as_record(self) -> dict[str, Any]:
        """Return it for JSON."""
        return asdict(self)


def embedded_server(place: BackupPlace) -> EmbeddedPostgres:
    """Return the embedded server, which need not run.

    Services and tasks have its address in the same variable that names a server of somebody else's.

    Raises
    ------
    ExternalServerError
    """
    server = EmbeddedPostgres(place.folders.postgres)
    named = place.environment.get(URL_VARIABLE)
    if not named:
        return server
    host = parse_url(named).query.get("host", "")
    running = postmaster.running(server.folder)
    ours = {str(server.folder), str(running.socket_folder) if running else ""}
    if host and host in ours:
        return server
    raise ExternalServerError(EXTERNAL, SEE)


def archive_folder(place: BackupPlace, given: str | None = None) -> Path:
    """Return the archive's folder.

    Raises
    ------
    InputError
        When none is configured, or it lies in the database's own folder.
    """
    named = given or place.config.wal.folder
    if not named:
        raise InputError("no archive of the log is configured", "set wal.folder in backup.yaml, or name one")
    if "://" in named:
        raise InputError(f"{named} is no folder", "the log is received into a folder: mount the other machine's")
    folder = Path(named).expanduser().resolve()
    if folder.is_relative_to(place.folders.postgres):
        raise InputError(f"{folder} lies in the database's own folder", "name one on another machine")
    return folder


def current_line(server: EmbeddedPostgres, folder: Path) -> Line:
    """Return the line of the running server in the archive."""
    asked = WalServer(server)
    try:
        return Line(folder / asked.line_name())
    finally:
        asked.close()


def back_up_base(place: BackupPlace, given: str | None = None) -> TakenBase:
    """Take a base backup of the running embedded server, check it, and remove what is older than is kept.

    Raises
    ------
    TradingError
        When it is not finished: what was there before is still there.
    """
    server = embedded_server(place)
    folder = archive_folder(place, given)
    began = time.monotonic()
    with alone(folder / "base.lock", InputError("another base backup is being taken", WAIT)):
        line = current_line(server, folder)
        base = take_base(server, line)
        removed = prune(place, folder, line)
    return replace(removed, base=base, seconds=round(time.monotonic() - began, 1))


def prune(place: BackupPlace, folder: Path, current: Line) -> TakenBase:
    """Remove what no restore of the last days needs, in every line of the archive."""
    bases: list[str] = []
    segments = freed = 0
    for line in lines_of(folder):
        gone = expired(
            line.bases(), line.segments(), place.clock(), place.config.wal.keep_days, line.name == current.name
        )
        freed += line.remove(gone.bases, gone.segments)
        bases += [base.id for base in gone.bases]
        segments += len(gone.segments)
    nothing = BaseBackup("", "", place.clock(), place.clock(), "", 0, "", {})
    return TakenBase(nothing, tuple(bases), segments, freed, 0.0)


def wal_status(place: BackupPlace, given: str | None = None) -> WalStatus:
    """Say what there is and what is wrong, without starting or changing anything."""
    try:
        server = embedded_server(place)
    except ExternalServerError as error:
        return WalStatus(enabled=False, external=True, problems=() if not given else (str(error),))
    if not (given or place.config.wal.folder):
        return WalStatus(enabled=False)
    folder = archive_folder(place, given)
    status = WalStatus(enabled=True, folder=str(folder), same_disk=_same_disk(folder, place.folders.home))
    slot, name, now = _ask(server)
    try:
        lines = lines_of(folder)
    except InputError:
        return replace(status, slot=slot, problems=("nothing has been received yet: run `trading wal receive`",))
    line = next((line for line in lines if line.name == name), lines[-1])
    noted, files = line.received(), line.segments()
    complete = noted.complete_at if noted else None
    moment = now or place.clock()
    behind = round(max(0.0, (moment - complete).total_seconds()), 1) if complete else None
    bases = tuple(base for each in lines for base in each.bases())
    reachable = [base.ended_at for base in line.bases() if first_gap(files, base.first_segment) is None]
    status = replace(
        status,
        line=line.name,
        slot=slot,
        lag_bytes=slot.lag_bytes if slot else None,
        lag_seconds=behind,
        newest_received=complete,
        oldest_restorable=min(reachable, default=None),
        segments=len(files),
        size=sum(_size(path) for path in files.values()) + sum(base.size for base in bases),
        bases=bases,
    )
    return replace(status, problems=tuple(_problems(place, status)))


def restore_to(place: BackupPlace, source: str | None, into: Path, moment: datetime | None) -> Recovered:
    """Build a cluster in a new folder as it was at ``moment``, or with everything there is.

    A folder called postgres is taken for that of a home, in which every book is then disarmed: what the brokers did
    after ``moment`` is unknown there.

    Raises
    ------
    TradingError
        In one line; the target is untouched then.
    """
    target = Path(os.path.abspath(into.expanduser()))
    refuse_target(target)
    folder = archive_folder(place, source)
    if target.is_relative_to(folder):
        raise InputError(f"{target} lies in the archive", "name a folder elsewhere; nothing was touched")
    if moment is not None and moment.astimezone(UTC) > place.clock():
        raise InputError(f"{moment.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC has not come yet", "choose an earlier time")
    lines = {line.name: line for line in lines_of(folder)}
    bases = [base for line in lines.values() for base in line.bases()]
    base = base_for(bases, moment)
    if base is None:
        oldest = min((base.ended_at for base in bases), default=None)
        remedy = f"the oldest time is {oldest:%Y-%m-%d %H:%M:%S.%f} UTC" if oldest else "take one: `trading wal base`"
        raise InputError("the archive holds no base backup from before that time", remedy)
    began = time.monotonic()

    def disarm(restored: Recovered) -> None:
        if target.name == place.folders.postgres.name:
            point = restored.recovered_to or base.ended_at
            reason = f"restored from the log as of {point.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC"
            DisarmedBooks(target.parent).name_them(restored.books, reason, place.clock())

    done = recover(lines[base.line], base, moment, target, disarm)
    return replace(done, seconds=round(time.monotonic() - began, 1))


def _ask(server: EmbeddedPostgres) -> tuple[SlotState | None, str, datetime | None]:
    """Ask the server; nothing where it does not run."""
    try:
        asked = WalServer(server)
    except TradingError:
        return None, "", None
    try:
        return asked.slot(), asked.line_name(), asked.now()
    except TradingError:
        return None, "", None
    finally:
        asked.close()


def _problems(place: BackupPlace, status: WalStatus) -> Iterator[str]:
    limit = place.config.wal.lag_seconds
    slot = status.slot
    if slot is None:
        yield "the database does not run"
    elif slot.state == LOST:
        yield "the slot was lost: the server no longer has what the receiver lacks"
    elif not slot.active:
        yield "no receiver is connected: run `trading wal receive`, or `make up`"
    if status.lag_seconds is None:
        yield "nothing has been received yet"
    elif slot is not None and status.lag_seconds > limit:
        yield f"the archive is {status.lag_seconds:.0f} s behind, more than {limit:.0f}"
    if status.oldest_restorable is None:
        yield "no base backup has all of its log: nothing can be restored to a time; take one with `trading wal base`"


def _size(path: Path) -> int:
    """Size of a file of the log; 0 where the receiver has just given it its final name."""
    try:
        return path.stat().st_size
    except FileNotFoundError:
        return 0


def _same_disk(folder: Path, home: Path) -> bool:
    """Whether both lie on one disk, as far as the system tells."""
    found = [next(path for path in (place, *place.parents) if path.exists()).stat().st_dev for place in (folder, home)]
    return found[0] == found[1]
