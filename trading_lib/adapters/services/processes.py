"""A service as a group of processes that can be found again and stopped completely.

A pid file alone is not enough: Airflow's parent may die while its children go on, children may leave the process
group, and a pid may be reused after a crash. Members are therefore found in three ways: the session the service
was started in, their descendants, and a marker in their environment.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import psutil

from trading_lib.adapters.services.waiting import Patience
from trading_lib.domain.errors import TradingError

MARKER_VARIABLE = "TRADING_SERVICE"
# Seconds two readings of one process's creation time may differ by.
CREATION_TOLERANCE = 2.0

Progress = Callable[[str], None]


class ServiceError(TradingError):
    """A service did not start, died, or could not be stopped."""


@dataclass(frozen=True, slots=True)
class _Record:
    """What the pid file says: the first process and when it was created (seconds since the epoch)."""

    pid: int
    created: float


class ServiceProcess:
    """A service started in a session of its own.

    Parameters
    ----------
    name
        Shown to people, e.g. "airflow".
    folder
        Working folder of the service; its pid file lies there. Two services never share one.
    log
        File that gets the service's output.
    """

    def __init__(self, name: str, folder: Path, log: Path) -> None:
        self.name = name
        self.folder = folder
        self.log = log
        self._pid_file = folder / f"{name}.pid"
        self._marker = f"{name}:{folder}"
        self._started: subprocess.Popen[bytes] | None = None

    def start(self, command: Sequence[str], environment: Mapping[str, str]) -> None:
        """Start ``command`` in a new session; returns at once. A service that already runs is left alone."""
        if self.members():
            return
        self.folder.mkdir(parents=True, exist_ok=True)
        self.log.parent.mkdir(parents=True, exist_ok=True)
        with self.log.open("ab") as output:
            self._started = subprocess.Popen(
                list(command),
                cwd=self.folder,
                env={**environment, MARKER_VARIABLE: self._marker},
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                # What services write is for their owner only.
                umask=0o077,
            )
        created = psutil.Process(self._started.pid).create_time()
        self._pid_file.write_text(json.dumps({"pid": self._started.pid, "created": created}) + "\n")

    def members(self) -> list[psutil.Process]:
        """Return every living process of the service, the first one first; empty when it does not run."""
        record = self._record()
        processes: dict[int, psutil.Process] = {}
        for process in psutil.process_iter():
            with suppress(psutil.Error, OSError):
                if process.status() != psutil.STATUS_ZOMBIE and self._belongs(process, record):
                    processes[process.pid] = process
        for process in list(processes.values()):
            with suppress(psutil.Error):
                processes.update({child.pid: child for child in process.children(recursive=True)})
        first = record.pid if record else -1
        return sorted(processes.values(), key=lambda process: (process.pid != first, process.pid))

    def is_running(self) -> bool:
        """Whether the first process of the service lives; stragglers alone do not count."""
        record = self._record()
        return record is not None and any(process.pid == record.pid for process in self.members())

    def require_alive(self) -> None:
        """Raise `ServiceError` with the end of the log when the service has died."""
        if not self.is_running():
            raise ServiceError(
                f"{self.name} stopped while starting: {last_error(self.log)}", f"the whole log is {self.log}"
            )

    def stop(self, patience: Patience) -> int:
        """End every process of the service, politely first; return how many there were.

        Processes that are left after TERM get KILL. One that survives even that raises `ServiceError`.
        """
        members = self.members()
        count = len(members)
        for name, limit in ((signal.SIGTERM, patience.limit), (signal.SIGKILL, 5.0)):
            if not members:
                break
            for process in members:
                with suppress(psutil.Error):
                    process.send_signal(name)
            psutil.wait_procs(members, timeout=limit)
            members = self.members()
        if members:
            left = ", ".join(str(process.pid) for process in members)
            raise ServiceError(f"{self.name} left processes behind: {left}", f"end them with: kill -9 {left}")
        self._pid_file.unlink(missing_ok=True)
        return count

    def _record(self) -> _Record | None:
        try:
            content = json.loads(self._pid_file.read_text())
            return _Record(pid=int(content["pid"]), created=float(content["created"]))
        except (OSError, ValueError, KeyError, TypeError):
            return None

    def _belongs(self, process: psutil.Process, record: _Record | None) -> bool:
        if record is not None and os.getsid(process.pid) == record.pid:
            if process.pid == record.pid:
                return bool(abs(process.create_time() - record.created) < CREATION_TOLERANCE)
            # The first process may be gone and its number reused since: the working folder tells ours apart.
            if process.create_time() > record.created - CREATION_TOLERANCE and process.cwd() == str(self.folder):
                return True
        return bool(process.environ().get(MARKER_VARIABLE) == self._marker)


def last_error(log: Path, length: int = 300) -> str:
    """Return the most telling line near the end of a log, cut to ``length`` characters."""
    try:
        lines = [line.strip() for line in log.read_text(errors="replace").splitlines()[-200:] if line.strip()]
    except OSError:
        return "it wrote no log"
    errors = [line for line in lines if "Error" in line or "error:" in line.lower()]
    return (errors or lines or ["it wrote nothing"])[-1][:length]
