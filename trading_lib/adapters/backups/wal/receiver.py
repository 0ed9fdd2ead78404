"""The process that receives the log, pg_receivewal, and one step of looking after it."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
from collections import deque
from dataclasses import dataclass, field
from datetime import datetime

from trading_lib.adapters.backups.wal.archive import Line, Received
from trading_lib.adapters.backups.wal.base import connection_arguments, environment
from trading_lib.adapters.backups.wal.server import SLOT, SlotState, WalServer
from trading_lib.adapters.stores.postgres.embedded_postgres import EmbeddedPostgres
from trading_lib.adapters.stores.postgres.server.programs import program
from trading_lib.domain.errors import FileTroubleError
from trading_lib.monitoring.backup.wal import position

STOP_SECONDS = 10.0
# Ticks that are remembered until the archive has reached them.
REMEMBERED = 10_000


@dataclass
class Receiver:
    """pg_receivewal for one line, and how far the archive reaches."""

    server: EmbeddedPostgres
    line: Line
    ticks: deque[tuple[int, datetime]] = field(default_factory=lambda: deque(maxlen=REMEMBERED))
    complete_at: datetime | None = None
    _process: subprocess.Popen[str] | None = None

    def start(self) -> None:
        """Start the process unless it lives; what it says is in the log of the caller."""
        if self.is_alive():
            return
        command = [
            *_ends_with_us(),
            *(str(program("pg_receivewal")), f"--directory={self.line.segments_folder}", f"--slot={SLOT}"),
            *("--synchronous", "--no-loop", *connection_arguments(self.server)),
        ]
        try:
            self._process = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, env=environment(), cwd="/", text=True, umask=0o077
            )
        except OSError as error:
            raise FileTroubleError(error, self.line.segments_folder) from error

    def is_alive(self) -> bool:
        """Whether the process lives."""
        return self._process is not None and self._process.poll() is None

    def stop(self) -> None:
        """End the process; it writes down what it has."""
        if self._process is None or self._process.poll() is not None:
            return
        self._process.send_signal(signal.SIGINT)
        try:
            self._process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    def look(self, server: WalServer) -> SlotState:
        """Write the time into the log, see how far the archive is, and note that in it."""
        behind, moment = server.tick()
        self.ticks.append((position(behind), moment))
        slot = server.slot()
        if slot.active and slot.flushed:
            reached = position(slot.flushed)
            while self.ticks and self.ticks[0][0] <= reached:
                self.complete_at = self.ticks.popleft()[1]
        if self.complete_at is None:
            noted = self.line.received()
            self.complete_at = noted.complete_at if noted else None
        self.line.write_received(Received(moment, os.getpid(), slot.flushed, self.complete_at))
        return slot


def _ends_with_us() -> list[str]:
    """Let the process end when this one is killed: left behind, it would keep the slot from its successor."""
    return ["setpriv", "--pdeathsig=INT"] if shutil.which("setpriv") else []
