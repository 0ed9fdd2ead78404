"""The ledger: events, one JSON line each, never changed once they are there.

Every event is on disk before the answer that tells of it leaves; a line that a kill cut short never counted.
"""

from __future__ import annotations

import fcntl
import json
import os
from collections.abc import Iterable
from pathlib import Path
from typing import BinaryIO

from trading_lib.adapters.broker_simulator.ledger.records import Event
from trading_lib.domain.errors import DataFileError


class Ledger:
    """Events in the order in which they happened.

    Parameters
    ----------
    path
        File of the events; None keeps them in memory.

    Raises
    ------
    DataFileError
        When the file holds something else than a ledger, or another simulator uses it.
    """

    def __init__(self, path: Path | None = None) -> None:
        self.path = path
        self.events: list[Event] = []
        self._file: BinaryIO | None = None
        self._written = 0
        if path is not None:
            path.parent.mkdir(parents=True, exist_ok=True)
            self._file = _locked(path)
            self.events = _cut_to_whole_lines(path)
            self._written = len(self.events)

    def append(self, event: Event) -> Event:
        """Add an event; `commit` makes it durable."""
        self.events.append(event)
        return event

    def commit(self) -> None:
        """Return when everything that was appended is on disk."""
        if self._file is None or self._written == len(self.events):
            return
        self._file.write(_lines(self.events[self._written :]))
        self._file.flush()
        os.fsync(self._file.fileno())
        self._written = len(self.events)

    def close(self) -> None:
        """Commit, and close the file."""
        self.commit()
        if self._file is not None:
            self._file.close()
            self._file = None


def read_events(path: Path) -> list[Event]:
    """Read a ledger that another process may be writing; a last line without its end is left out.

    Raises
    ------
    DataFileError
        When it is no ledger.
    """
    found: list[Event] = []
    for number, line in enumerate(_whole_lines(path.read_bytes()), 1):
        try:
            event = json.loads(line)
            if not isinstance(event, dict) or not isinstance(event["kind"], str):
                raise ValueError
        except (ValueError, KeyError):
            raise DataFileError(
                f"{path}, line {number} is no event of a broker simulator", "name another file, or move this one away"
            ) from None
        found.append(event)
    return found


def _locked(path: Path) -> BinaryIO:
    """Open a ledger to append to it, for this process alone; the lock ends with the process, however it ends."""
    file = path.open("ab")
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        file.close()
        raise DataFileError(f"{path} is the ledger of another broker simulator that runs", "name another") from None
    return file


def _cut_to_whole_lines(path: Path) -> list[Event]:
    """Read the events, and cut off what a kill left of a last line, so that the next one starts at a line's start."""
    events = read_events(path)
    content = path.read_bytes()
    whole = content.rfind(b"\n") + 1
    if whole < len(content):
        os.truncate(path, whole)
    return events


def _whole_lines(content: bytes) -> list[bytes]:
    return content[: content.rfind(b"\n") + 1].splitlines()


def _lines(events: Iterable[Event]) -> bytes:
    return b"".join(json.dumps(event, separators=(",", ":")).encode() + b"\n" for event in events)
