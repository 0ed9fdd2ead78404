"""Receives the log for as long as it is let: a slot that is bounded, base backups when they are due, alerts."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path

from trading_lib.adapters.backups.wal.archive import Line
from trading_lib.adapters.backups.wal.receiver import Receiver
from trading_lib.adapters.backups.wal.server import LOST, SlotState, WalServer
from trading_lib.adapters.files.exclusive_lock import alone
from trading_lib.adapters.stores.postgres.embedded_postgres import EmbeddedPostgres
from trading_lib.domain.errors import FileTroubleError, InputError, StorageUnavailableError
from trading_lib.monitoring.alert import Alert, AlertLevel
from trading_lib.monitoring.backup.wal import PARTIAL, segment_number
from trading_lib.workflows.backups.place import BackupPlace
from trading_lib.workflows.backups.wal.archive import WAIT, archive_folder, back_up_base, embedded_server
from trading_lib.workflows.operations.alerting import raise_alert

LOG = logging.getLogger(__name__)
SOURCE = "wal"
PAUSE_SECONDS = 1.0
TROUBLE_SECONDS = 10.0
# After a failed base backup.
AGAIN = timedelta(minutes=10)
Progress = Callable[[str], None]


@dataclass
class Receiving:
    """One command that receives; `run` goes on until it is told to end.

    Parameters
    ----------
    sleep
        Waits so many seconds, or until the command is to end.
    ended
        Whether it is to end.
    """

    place: BackupPlace
    folder: Path
    server: EmbeddedPostgres
    sleep: Callable[[float], object]
    ended: Callable[[], bool]
    progress: Progress = LOG.info
    _faults: set[str] = field(default_factory=set)
    _base: threading.Thread | None = None
    _base_again: datetime | None = None

    def run(self) -> None:
        """Receive; where the database is away it is waited for, as its own watch starts it again."""
        said = ""
        while not self.ended():
            try:
                self._receive()
            except StorageUnavailableError as error:
                if error.problem != said:
                    said = error.problem
                    self.progress(f"waiting for the database: {said}")
                self.sleep(PAUSE_SECONDS)
            except (FileTroubleError, OSError) as error:
                # A disk that is full or no longer mounted may come back; until then the slot keeps the log.
                self._fault("wal:archive", "The log's archive cannot be written", f"{error}. Nothing is received.")
                self.sleep(TROUBLE_SECONDS)
        if self._base is not None:
            self._base.join()

    def _receive(self) -> None:
        asked = WalServer(self.server)
        receiver = None
        try:
            asked.bound_slots(self.place.config.wal.slot_megabytes)
            line = Line(self.folder / asked.line_name())
            self._set_aside_if_lost(asked, line)
            asked.create_slot()
            line.create()
            receiver = Receiver(self.server, line)
            self.progress(f"receiving the log into {line.folder}")
            began = time.monotonic()
            while not self.ended():
                receiver.start()
                slot = receiver.look(asked)
                self._over("wal:archive", "The log's archive can be written again", str(line.folder))
                if slot.state == LOST:
                    return
                self._judge(slot, receiver, asked.now(), time.monotonic() - began)
                self._take_base_if_due(line, asked.now())
                self.sleep(self.place.config.wal.tick_seconds)
        finally:
            if receiver is not None:
                receiver.stop()
            asked.close()

    def _set_aside_if_lost(self, asked: WalServer, line: Line) -> None:
        """Begin a new line where the server no longer has what follows the archive; the old one can be restored."""
        if asked.slot().state == LOST:
            reason = "the receiver was away for longer than the server keeps its log for it"
            asked.drop_slot()
        elif needed := _missing_on_server(asked, line):
            reason = f"the server no longer has {needed}, which follows what was received"
            asked.drop_slot()
        else:
            return
        aside = line.folder.with_name(f"{line.name}-until-{self.place.clock():%Y%m%dT%H%M%S}")
        if line.folder.exists():
            line.folder.rename(aside)
        self._alert(
            AlertLevel.CRITICAL,
            "wal:lost",
            "The log's archive has a gap",
            f"{reason}. What was received before lies in {aside} and can be restored; a new base backup is being "
            "taken, and a restore reaches no time between the two.",
        )

    def _judge(self, slot: SlotState, receiver: Receiver, now: datetime, running: float) -> None:
        limit = self.place.config.wal.lag_seconds
        complete = receiver.complete_at
        behind = (now - complete).total_seconds() if complete else running
        if min(behind, running) > limit:
            state = "connected" if slot.active else "not connected"
            self._fault(
                "wal:lag",
                "The log's archive is behind",
                f"The archive {receiver.line.folder} is {behind:.0f} s and {slot.lag_bytes:,} bytes behind; the "
                f"receiver is {state}. What is not in it would be lost with the database's disk.",
            )
        elif behind <= limit:
            self._over("wal:lag", "The log's archive has caught up", f"It is {behind:.0f} s behind.")

    def _take_base_if_due(self, line: Line, now: datetime) -> None:
        if self._base is not None and self._base.is_alive():
            return
        newest = max((base.ended_at for base in line.bases()), default=None)
        age = timedelta(hours=self.place.config.wal.base_hours)
        if (newest is not None and now - newest < age) or (self._base_again is not None and now < self._base_again):
            return
        self._base_again = now + AGAIN
        # Beside the receiving, which goes on: of a large database it takes minutes.
        self._base = threading.Thread(target=self._take_base, daemon=True)
        self._base.start()

    def _take_base(self) -> None:
        try:
            taken = back_up_base(self.place, str(self.folder))
        except Exception as error:
            self._fault("wal:base", "A base backup failed", str(error))
            return
        self.progress(f"base backup {taken.base.id}: {taken.base.size:,} bytes in {taken.seconds} s")
        self._over("wal:base", "A base backup succeeded again", taken.base.id)

    def _fault(self, key: str, title: str, text: str) -> None:
        """Tell of a fault once, until it is over."""
        if key not in self._faults:
            self._faults.add(key)
            self._alert(AlertLevel.CRITICAL, key, title, text)

    def _over(self, key: str, title: str, text: str) -> None:
        if key in self._faults:
            self._faults.discard(key)
            self._alert(AlertLevel.INFO, f"{key}:over", title, text)

    def _alert(self, level: AlertLevel, key: str, title: str, text: str) -> None:
        self.progress(f"{title}: {text}")
        raise_alert(Alert(level, title, text, SOURCE, key), variables=self.place.environment)


def receive_wal(
    place: BackupPlace,
    given: str | None = None,
    stop: threading.Event | None = None,
    progress: Progress = LOG.info,
) -> None:
    """Receive the embedded server's log until ``stop`` is set.

    Raises
    ------
    InputError
        When the server is somebody else's, no archive is named, or another command receives into it.
    """
    ending = stop or threading.Event()
    server = embedded_server(place)
    folder = archive_folder(place, given)
    with alone(folder / "receiver.lock", InputError(f"another receiver fills {folder}", WAIT)):
        Receiving(place, folder, server, ending.wait, ending.is_set, progress).run()


def _missing_on_server(asked: WalServer, line: Line) -> str:
    """Return the log file that would have to follow the archive and that the server no longer has; "" when it has."""
    files = line.segments()
    if not files:
        return ""
    newest = max(files)
    number = segment_number(newest) + (not files[newest].name.endswith(PARTIAL))
    present = asked.log_files()
    if number in {segment_number(name) for name in present} or number > max(map(segment_number, present)):
        return ""
    return newest
