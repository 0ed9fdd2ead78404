"""The archive's folder: one line for each cluster and timeline, each with its log files and base backups.

``LINE/segments/0000000100000000000000A3[.partial]``, ``LINE/base/ID/{base.json, backup_manifest, *.tar.gz}``,
``LINE/receiver.json``. A base backup without ``base.json``, which is written last, does not count.
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import yaml

from trading_lib.adapters.files.include_folder import include_folder
from trading_lib.adapters.services.credentials import write_private
from trading_lib.domain.errors import FileTroubleError, InputError
from trading_lib.monitoring.backup.wal import PARTIAL, SEGMENT, BaseBackup

SEGMENTS, BASES, RECORD, RECEIVER = "segments", "base", "base.json", "receiver.json"


@dataclass(frozen=True, slots=True)
class Received:
    """What the receiver notes about itself.

    Attributes
    ----------
    at
        When it wrote this.
    pid
        Its process.
    position
        Of the log, up to which everything lies in the archive, synchronised to its disk.
    complete_at
        Everything that was committed by this time is in the archive.
    """

    at: datetime
    pid: int
    position: str
    complete_at: datetime | None


class Line:
    """What belongs to one cluster and timeline."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.name = folder.name
        self.segments_folder = folder / SEGMENTS
        self.bases_folder = folder / BASES

    def create(self) -> None:
        """Create its folders, closed to others: the log holds every value of the database."""
        for path in (self.folder.parent, self.folder, self.segments_folder, self.bases_folder):
            try:
                path.mkdir(mode=0o700, parents=True, exist_ok=True)
            except OSError as error:
                raise FileTroubleError(error, path) from error

    def segments(self) -> dict[str, Path]:
        """Name -> file, of the log files; the one that is being received has its final name here."""
        found: dict[str, Path] = {}
        for path in sorted(self.segments_folder.glob("*")):
            name = path.name.removesuffix(PARTIAL)
            # Sorted, the whole file comes before the partial one that a crash may have left beside it.
            if SEGMENT.fullmatch(name):
                found.setdefault(name, path)
        return found

    def bases(self) -> list[BaseBackup]:
        """Return the base backups, oldest first; one whose record cannot be read does not count."""
        found = []
        for path in self.bases_folder.glob(f"*/{RECORD}"):
            try:
                content = json.loads(path.read_text())
                moments = {name: datetime.fromisoformat(content[name]) for name in ("started_at", "ended_at")}
                found.append(BaseBackup(**{**content, **moments, "line": self.name, "id": path.parent.name}))
            except (OSError, ValueError, KeyError, TypeError):
                continue
        return sorted(found, key=lambda base: (base.ended_at, base.id))

    def base_folder(self, base: BaseBackup) -> Path:
        """Where a base backup lies."""
        return self.bases_folder / base.id

    def write_base(self, folder: Path, base: BaseBackup) -> None:
        """Make a finished base backup count."""
        write_private(folder / RECORD, json.dumps(_plain(asdict(base)), indent=1) + "\n")
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)

    def received(self) -> Received | None:
        """Return what the receiver noted last; None where it never did."""
        try:
            content = json.loads((self.folder / RECEIVER).read_text())
            complete = content["complete_at"]
            return Received(
                datetime.fromisoformat(content["at"]),
                int(content["pid"]),
                str(content["position"]),
                datetime.fromisoformat(complete) if complete else None,
            )
        except (OSError, ValueError, KeyError, TypeError):
            return None

    def write_received(self, received: Received) -> None:
        """Note how far the archive reaches."""
        write_private(self.folder / RECEIVER, json.dumps(_plain(asdict(received))) + "\n")

    def remove(self, bases: tuple[BaseBackup, ...], segments: tuple[str, ...]) -> int:
        """Remove base backups and log files; return the bytes that are free again."""
        freed = 0
        for base in bases:
            folder = self.base_folder(base)
            freed += sum(path.stat().st_size for path in folder.glob("*"))
            # From now on it does not count, whatever interrupts the rest.
            (folder / RECORD).unlink(missing_ok=True)
            shutil.rmtree(folder, ignore_errors=True)
        files = self.segments()
        for name in segments:
            freed += files[name].stat().st_size
            files[name].unlink(missing_ok=True)
        return freed


def lines_of(folder: Path) -> list[Line]:
    """Return the lines of an archive.

    Raises
    ------
    InputError
        When the folder is none.
    """
    if not folder.is_dir():
        raise InputError(f"{folder} is no folder", "name the archive that `trading wal receive` fills")
    lines = [Line(path.parent) for path in sorted(folder.glob(f"*/{SEGMENTS}"))]
    if not lines:
        raise InputError(f"{folder} is no archive of the log", "name the one that `trading wal receive` fills")
    return lines


def archive_is_configured(environment: Mapping[str, str]) -> bool:
    """Whether ``wal.folder`` of backup.yaml names one; a file that cannot be read is told of by who needs it."""
    variable = environment.get("TRADING_BACKUP__WAL__FOLDER")
    if variable is not None:
        return bool(variable)
    named = environment.get("TRADING_CONFIG")
    path = (Path(named).expanduser() if named else include_folder() / "config") / "backup.yaml"
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
        return bool(content["wal"]["folder"])
    except (OSError, ValueError, KeyError, TypeError, yaml.YAMLError):
        return False


def _plain(record: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value.isoformat() if isinstance(value, datetime) else value for name, value in record.items()}
