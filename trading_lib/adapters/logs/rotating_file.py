"""A log file that several processes write and any of them rotates: no line is lost, torn or written twice."""

from __future__ import annotations

import errno
import fcntl
import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

from trading_lib.adapters.files.private_folder import others_may_write

NAME = "trading.jsonl"
ASIDE = "trading.*.jsonl"
# How long a line waits for another process that holds the lock; one that is stopped must not stop everybody.
LONGEST_WAIT = 2.0
PAUSE = 0.002

Clock = Callable[[], datetime]


def _now() -> datetime:
    return datetime.now(UTC)


class RotatingFile:
    """Appends lines to ``trading.jsonl`` of a folder; when it is full, it is put aside under the time of that moment.

    A writer holds a lock for one line. Under the lock it looks whether the file it has open still is the current one,
    as another process may have put it aside; so only one process rotates, and nobody goes on writing to an old file.

    Parameters
    ----------
    max_bytes
        Size the file never exceeds, unless a single line does.
    keep_files, keep_days
        What is kept of the files put aside.
    clock
        Names and ages files; injected by tests.
    """

    def __init__(self, folder: Path, max_bytes: int, keep_files: int, keep_days: int, clock: Clock = _now) -> None:
        self._folder, self._path = folder, folder / NAME
        self._max_bytes, self._keep_files, self._keep_days = max_bytes, keep_files, keep_days
        self._clock = clock
        self._descriptor: int | None = None
        self._lock: int | None = None
        self._process = os.getpid()
        self._patience = LONGEST_WAIT

    def append(self, line: bytes) -> None:
        """Write one line, which ends with a line feed; `OSError` when the disk or the folder does not take it."""
        self._after_fork()
        # A new home is closed to other users, too. In one that is not, the file could be a link of somebody else's.
        if self._descriptor is None and others_may_write(self._folder.parent):
            raise PermissionError(errno.EPERM, f"other users may write to {self._folder.parent}")
        self._folder.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._folder.mkdir(mode=0o700, exist_ok=True)
        with self._locked() as alone:
            self._open_current()
            if alone and self._size() and self._size() + len(line) > self._max_bytes:
                self._rotate()
            self._write(line, alone)

    def close(self) -> None:
        """Let go of the file."""
        for descriptor in (self._descriptor, self._lock):
            if descriptor is not None:
                os.close(descriptor)
        self._descriptor = self._lock = None

    def _after_fork(self) -> None:
        # Locks belong to open files: a forked child that shared its parent's would never wait for it.
        if self._process != os.getpid():
            self.close()
            self._process = os.getpid()

    @contextmanager
    def _locked(self) -> Iterator[bool]:
        """Hold the lock; False when it could not be had, and only appending is safe."""
        if self._lock is None:
            self._lock = os.open(self._folder / ".lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        alone = self._acquire(self._lock)
        try:
            yield alone
        finally:
            if alone:
                fcntl.flock(self._lock, fcntl.LOCK_UN)

    def _acquire(self, lock: int) -> bool:
        end = time.monotonic() + self._patience
        while True:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                if time.monotonic() >= end:
                    # Whoever holds it is stuck: the lines that follow do not wait as long again.
                    self._patience = PAUSE
                    return False
                time.sleep(PAUSE)
            except OSError:
                return False  # a file system without locks
            else:
                self._patience = LONGEST_WAIT
                return True

    def _open_current(self) -> None:
        if self._descriptor is not None and self._is_current(self._descriptor):
            return
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None
        self._descriptor = os.open(self._path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o600)

    def _is_current(self, descriptor: int) -> bool:
        try:
            return os.path.samestat(os.fstat(descriptor), os.stat(self._path))
        except FileNotFoundError:
            return False

    def _size(self) -> int:
        return os.fstat(self._open).st_size

    @property
    def _open(self) -> int:
        assert self._descriptor is not None
        return self._descriptor

    def _write(self, line: bytes, alone: bool) -> None:
        before = self._size()
        written = os.write(self._open, line)
        if written == len(line):
            return
        # The disk is full: half a line would spoil the next one.
        if alone:
            os.ftruncate(self._open, before)
        raise OSError(28, os.strerror(28), str(self._path))

    def _rotate(self) -> None:
        now = self._clock()
        aside = self._folder / f"trading.{now:%Y%m%dT%H%M%S.%f}Z.jsonl"
        while aside.exists():
            now += timedelta(microseconds=1)
            aside = self._folder / f"trading.{now:%Y%m%dT%H%M%S.%f}Z.jsonl"
        os.rename(self._path, aside)
        self._open_current()
        self._delete_old(now)

    def _delete_old(self, now: datetime) -> None:
        kept = sorted(self._folder.glob(ASIDE), reverse=True)
        oldest = (now - timedelta(days=self._keep_days)).timestamp()
        for number, path in enumerate(kept):
            if number >= self._keep_files or path.stat().st_mtime < oldest:
                path.unlink(missing_ok=True)


def log_files(folder: Path) -> list[Path]:
    """Return the files of a log, oldest first."""
    current = folder / NAME
    return [*sorted(folder.glob(ASIDE)), *([current] if current.exists() else [])]
