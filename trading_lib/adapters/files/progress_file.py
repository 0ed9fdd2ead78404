"""A progress file, written as work gets done, so that an interrupted run loses only what was in progress."""

from __future__ import annotations

import fcntl
import json
import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from trading_lib.domain.errors import InputError


class ProgressFile:
    """JSON objects, one a line: first what the work is, then what is done of it.

    Held open under a lock, so that two processes cannot note their work in the same file.

    Parameters
    ----------
    identity
        What the work is. A file about other work is begun anew.
    """

    def __init__(self, path: Path, identity: Mapping[str, Any]) -> None:
        self.path = path
        self.found: list[dict[str, Any]] = []
        self._descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o644)
        try:
            fcntl.flock(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(self._descriptor)
            raise InputError(f"another process is writing {path}", "wait for it, or name another file") from None
        lines = list(_whole_lines(path))
        self.is_other = bool(lines) and lines[0] != dict(identity)
        if lines and not self.is_other:
            self.found = lines[1:]
            self._end_torn_line()
        else:
            os.ftruncate(self._descriptor, 0)
            self.add(identity)

    def add(self, record: Mapping[str, Any]) -> None:
        """Note one thing done; `OSError` when the disk does not take it."""
        line = json.dumps(record).encode() + b"\n"
        before = os.fstat(self._descriptor).st_size
        if os.write(self._descriptor, line) != len(line):
            os.ftruncate(self._descriptor, before)
            raise OSError(28, os.strerror(28), str(self.path))

    def close(self) -> None:
        """Let go of the file."""
        os.close(self._descriptor)

    def _end_torn_line(self) -> None:
        # A process that was killed while it wrote leaves half a line, which must not spoil the next one.
        content = self.path.read_bytes()
        os.ftruncate(self._descriptor, content.rfind(b"\n") + 1)


def _whole_lines(path: Path) -> Iterator[dict[str, Any]]:
    with path.open("rb") as file:
        for line in file:
            try:
                record = json.loads(line) if line.endswith(b"\n") else None
            except ValueError:
                record = None
            if isinstance(record, dict):
                yield record
