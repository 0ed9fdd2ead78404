"""A small file per program: when it started, how often, and what it waits for."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import psutil

from trading_lib.adapters.services.credentials import write_private

# Starts that are remembered, for the pause before the next one.
REMEMBERED = 20
# Seconds two readings of one process's creation time may differ by.
CREATION_TOLERANCE = 2.0


@dataclass(frozen=True, slots=True)
class Record:
    """One program since the stack was brought up.

    Attributes
    ----------
    pid, created
        The process and when it was created (seconds since the epoch); 0 where none was started.
    restarts
        Starts after the first.
    started
        Times of the newest starts, seconds since the epoch, oldest first.
    waiting_for
        What it waits for before it starts its work; "" once that has begun.
    """

    pid: int
    created: float
    restarts: int
    started: tuple[float, ...]
    waiting_for: str = ""

    @property
    def since(self) -> float:
        """When it last started, seconds since the epoch."""
        return self.started[-1] if self.started else self.created

    def is_alive(self) -> bool:
        """Whether the process lives; another one with its number does not count."""
        try:
            process = psutil.Process(self.pid)
            same = abs(process.create_time() - self.created) < CREATION_TOLERANCE
            return same and process.status() != psutil.STATUS_ZOMBIE
        except (psutil.Error, ValueError):
            return False


class Records:
    """The records below one folder, readable by their owner only."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def read(self, name: str) -> Record | None:
        """Return the record; None when there is none or it cannot be read."""
        try:
            content = json.loads(self._path(name).read_text())
            return Record(**{**content, "started": tuple(map(float, content["started"]))})
        except (OSError, ValueError, KeyError, TypeError):
            return None

    def note_start(self, name: str, now: float) -> Record:
        """Note that the calling process starts as this program."""
        process = psutil.Process()
        before = self.read(name)
        started = (*(before.started if before else ()), now)[-REMEMBERED:]
        record = Record(process.pid, process.create_time(), before.restarts + 1 if before else 0, started)
        self._write(name, record)
        return record

    def note_restart(self, name: str, now: float) -> None:
        """Count a restart of something that has no process of its own here."""
        before = self.read(name) or Record(0, 0.0, 0, ())
        started = (*before.started, now)[-REMEMBERED:]
        self._write(name, replace(before, restarts=before.restarts + 1, started=started))

    def note_waiting(self, name: str, waiting_for: str) -> None:
        """Note what the program waits for, or with "" that it goes on."""
        before = self.read(name)
        if before is not None and before.waiting_for != waiting_for:
            self._write(name, replace(before, waiting_for=waiting_for))

    def forget(self) -> None:
        """Forget everything, as a new supervisor starts."""
        for path in self._folder.glob("*.record.json"):
            path.unlink(missing_ok=True)

    def _write(self, name: str, record: Record) -> None:
        write_private(self._path(name), json.dumps(asdict(record)) + "\n")

    def _path(self, name: str) -> Path:
        return self._folder / f"{name}.record.json"
