"""The server's processes: which run, which are left over, and how they are ended."""

from __future__ import annotations

import signal
import time
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import psutil

PID_FILE = "postmaster.pid"
POLL_SECONDS = 0.02
SOCKET_SETTING = "unix_socket_directories"
# Sent one after the other until all are gone: close connections and write everything; leave at once; be ended.
# Seconds each may take.
ENDINGS = ((signal.SIGINT, 60.0), (signal.SIGQUIT, 10.0), (signal.SIGKILL, 10.0))


@dataclass(frozen=True, slots=True)
class Postmaster:
    """The running server as its ``postmaster.pid`` describes it."""

    process: psutil.Process
    port: int
    socket_folder: Path
    ready: bool


def running(folder: Path) -> Postmaster | None:
    """Read ``postmaster.pid``; None when it is absent, cut off, or names a process that is not the server's."""
    try:
        lines = (folder / PID_FILE).read_text().splitlines()
        process = psutil.Process(int(lines[0]))
        # After a crash the number may belong to anything by now, or to a dead process nobody has buried.
        if not belongs(process, folder):
            return None
        ready = len(lines) > 7 and lines[7].strip() == "ready"
        return Postmaster(process, int(lines[3]), Path(lines[4].strip()), ready)
    except (OSError, ValueError, IndexError, psutil.Error):
        return None


def belongs(process: psutil.Process, folder: Path) -> bool:
    """Whether ``process`` lives and was started on ``folder`` or works in it."""
    try:
        if not process.name().startswith("postgres") or process.status() == psutil.STATUS_ZOMBIE:
            return False
        return str(folder) in process.cmdline() or Path(process.cwd()) == folder
    except (psutil.Error, OSError):
        return False


def alive(pid: int) -> bool:
    """Whether a process with this number runs; a zombie does not."""
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.Error:
        return False


def family(folder: Path) -> list[psutil.Process]:
    """Every process of a server on ``folder``, also of one whose folder was deleted or moved while it ran.

    Servers are known by their command line, their helpers by the folder they work in or by their parent.
    """
    processes = {process.pid: process for process in psutil.process_iter() if belongs(process, folder)}
    for process in list(processes.values()):
        with suppress(psutil.Error):
            processes.update({child.pid: child for child in process.children(recursive=True)})
    return list(processes.values())


def socket_folders(processes: Iterable[psutil.Process]) -> set[Path]:
    """Folders that the servers among ``processes`` were given for their sockets: they know them when no file does."""
    folders = set()
    for process in processes:
        with suppress(psutil.Error):
            for argument in process.cmdline():
                setting, _, value = argument.partition("=")
                if setting == SOCKET_SETTING:
                    folders.add(Path(value.strip('"')))
    return folders


def end(processes: Iterable[psutil.Process]) -> list[psutil.Process]:
    """End the servers among ``processes``, cleanly where they let us, and return what is left of all of them.

    Helpers leave with their server, or soon after it was killed; a signal of ours would mean something else to them.
    """
    left = list(processes)
    for number, seconds in ENDINGS:
        for process in left:
            with suppress(psutil.NoSuchProcess):
                if number == signal.SIGKILL or "-D" in process.cmdline():
                    process.send_signal(number)
        left = _left_after(seconds, left)
        if not left:
            break
    return left


def _left_after(seconds: float, processes: list[psutil.Process]) -> list[psutil.Process]:
    """Wait until all have ended. Dead ones that nobody buries stay in the system's list for good and do no harm."""
    deadline = time.monotonic() + seconds
    left = processes
    while left := [process for process in left if process.is_running() and alive(process.pid)]:
        if time.monotonic() > deadline:
            break
        time.sleep(POLL_SECONDS)
    return left
