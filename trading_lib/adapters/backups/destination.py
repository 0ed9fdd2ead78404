"""Where backups are stored: a folder, or a bucket of an S3 server. Nothing counts before its manifest is there."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import IO, Protocol

from trading_lib.domain.errors import InputError, StorageUnavailableError

CHUNK = 1024**2
SCHEME = "s3://"


class DestinationUnavailableError(StorageUnavailableError):
    """A folder or bucket cannot be reached, read or written at this moment."""


class DestinationRefusedError(InputError):
    """A bucket refuses the credentials, or does not exist: the same again would end the same."""


@dataclass(frozen=True, slots=True)
class StoredObject:
    """One object: its key below the destination, its bytes, and when it was written."""

    key: str
    size: int
    written_at: datetime


class Destination(Protocol):
    """A store of objects by key, ``class/id/file``. Everything raises one of the two errors above."""

    @property
    def address(self) -> str:
        """What a person calls it."""
        ...

    def put(self, key: str, source: Path) -> None:
        """Store a file; nobody ever sees a part of it under ``key``."""
        ...

    def objects(self, prefix: str = "") -> Iterator[StoredObject]:
        """All objects below ``prefix``, by key."""
        ...

    def chunks(self, key: str) -> Iterator[bytes]:
        """Yield the content of an object; raises `FileNotFoundError` where there is none."""
        ...

    def delete(self, key: str) -> None:
        """Remove an object; one that is gone already is no error."""
        ...

    def delete_unfinished(self, before: datetime) -> int:
        """Remove what uploads that were killed before ``before`` left behind; return how many."""
        ...


def open_destination(address: str, environment: Mapping[str, str] | None = None) -> Destination:
    """Return the destination of an address: ``s3://bucket/prefix``, or the path of a folder."""
    if address.startswith(SCHEME):
        from trading_lib.adapters.backups.s3_destination import S3Destination

        return S3Destination(address, environment)
    if "://" in address:
        raise InputError(f"{address.split('://')[0]}:// is no kind of backup destination", "name a folder or s3://...")
    from trading_lib.adapters.backups.folder_destination import FolderDestination

    return FolderDestination(Path(address).expanduser())


def read_all(destination: Destination, key: str, largest: int) -> bytes:
    """Read a small object; one that is larger than ``largest`` is cut there."""
    content = bytearray()
    for chunk in destination.chunks(key):
        content += chunk
        if len(content) > largest:
            break
    return bytes(content[:largest])


def fetch(destination: Destination, key: str, file: IO[bytes]) -> tuple[int, str]:
    """Copy an object into ``file`` and return its size and SHA-256, computed on the way."""
    digest, size = hashlib.sha256(), 0
    for chunk in destination.chunks(key):
        file.write(chunk)
        digest.update(chunk)
        size += len(chunk)
    return size, digest.hexdigest()


def measure(destination: Destination, key: str) -> tuple[int, str]:
    """Read an object back and return its size and SHA-256."""
    digest, size = hashlib.sha256(), 0
    for chunk in destination.chunks(key):
        digest.update(chunk)
        size += len(chunk)
    return size, digest.hexdigest()
