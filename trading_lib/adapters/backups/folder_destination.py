"""Backups in a folder, closed to other users; a file appears under its name when it is whole and on the disk."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

from trading_lib.adapters.backups.destination import CHUNK, DestinationUnavailableError, StoredObject
from trading_lib.domain.errors import InputError

UNFINISHED = ".unfinished"


class FolderDestination:
    """A folder; created when the first backup is stored."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder.resolve()
        if self._folder.exists() and not self._folder.is_dir():
            raise InputError(f"{self._folder} is a file", "name a folder for backups")

    @property
    def address(self) -> str:
        """Its path."""
        return str(self._folder)

    def put(self, key: str, source: Path) -> None:
        """Store a file; see `Destination.put`."""
        target = self._folder / key
        draft = target.with_name(target.name + UNFINISHED)
        try:
            self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            target.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            try:
                with source.open("rb") as content, draft.open("wb") as file:
                    os.fchmod(file.fileno(), 0o600)
                    shutil.copyfileobj(content, file, CHUNK)
                    file.flush()
                    os.fsync(file.fileno())
                draft.replace(target)
                _sync(target.parent)
            except BaseException:
                draft.unlink(missing_ok=True)
                raise
        except OSError as error:
            raise self._unavailable(error) from error

    def objects(self, prefix: str = "") -> Iterator[StoredObject]:
        """All files but unfinished ones; see `Destination.objects`."""
        try:
            for path in sorted(self._folder.rglob("*")):
                key = path.relative_to(self._folder).as_posix()
                if key.startswith(prefix) and path.is_file() and not key.endswith(UNFINISHED):
                    status = path.stat()
                    yield StoredObject(key, status.st_size, datetime.fromtimestamp(status.st_mtime, UTC))
        except OSError as error:
            raise self._unavailable(error) from error

    def chunks(self, key: str) -> Iterator[bytes]:
        """Yield the content of a file; see `Destination.chunks`."""
        try:
            with (self._folder / key).open("rb") as file:
                while chunk := file.read(CHUNK):
                    yield chunk
        except FileNotFoundError:
            raise
        except OSError as error:
            raise self._unavailable(error) from error

    def delete(self, key: str) -> None:
        """Remove a file, and the folders that it leaves empty."""
        path = self._folder / key
        try:
            path.unlink(missing_ok=True)
            for folder in path.parents:
                if folder == self._folder or not folder.is_dir() or any(folder.iterdir()):
                    break
                folder.rmdir()
        except OSError as error:
            raise self._unavailable(error) from error

    def delete_unfinished(self, before: datetime) -> int:
        """Remove old unfinished files; see `Destination.delete_unfinished`."""
        try:
            old = [path for path in self._folder.rglob(f"*{UNFINISHED}") if path.stat().st_mtime < before.timestamp()]
        except OSError as error:
            raise self._unavailable(error) from error
        for path in old:
            self.delete(path.relative_to(self._folder).as_posix())
        return len(old)

    def _unavailable(self, error: OSError) -> DestinationUnavailableError:
        reason = error.strerror or type(error).__name__
        return DestinationUnavailableError(
            f"the backup folder {self._folder} cannot be used ({reason})", "check its disk, its rights and its space"
        )


def _sync(folder: Path) -> None:
    """Write the folder's entries: a file whose name is lost with the power is none."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
