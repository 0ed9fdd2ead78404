"""The manifest of a backup: what was stored, what it holds, and how that was proved. Written last, it alone counts.

Input: the content of ``manifest.json``. Output: a `Manifest`, or a `BackupDamagedError` with the file and the reason.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, fields
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any

from trading_lib.domain.errors import InputError

FORMAT = 1
MANIFEST = "manifest.json"
# Nobody's manifest is longer; a file that is was never one.
LARGEST_BYTES = 16 * 1024**2
TEXTS = {
    *("id", "database", "file", "sha256", "pg_version", "schema_revision", "state_hash", "audit_head"),
    *("config_hash", "code_version"),
}


class BackupClass(StrEnum):
    """What a backup holds; each class has its own occasion and retention."""

    DATABASE = "database"
    STATE = "state"
    CONFIG = "config"
    LOGS = "logs"


class BackupDamagedError(InputError):
    """A backup is not what it says it is, or not what was asked for; nothing was restored from it."""


@dataclass(frozen=True, slots=True)
class Manifest:
    """One backup.

    Attributes
    ----------
    id
        Names its folder and begins with class and time, so that the names of a class sort by time.
    kind
        "class" in the file.
    database
        Which of ours: trading, airflow, mlflow; "" for other classes.
    file
        Its name beside the manifest.
    size, sha256
        Of the file as it is stored: encrypted, where it is.
    contents
        Name -> SHA-256 of everything packed into it, before encryption.
    tables, sums
        Table -> number of rows, and the sum of their hashes, in the snapshot that was dumped.
    state_hash
        Of tables and sums, or of the contents where there are no tables: equal states have equal hashes.
    audit_head
        Hash over the newest rows of the tables that only grow; "" where there are none.
    encrypted_to
        Public keys.
    verified_at
        When it had been restored and compared, stored and read back.
    """

    id: str
    kind: BackupClass
    database: str
    started_at: datetime
    ended_at: datetime
    file: str
    size: int
    sha256: str
    contents: Mapping[str, str]
    pg_version: str
    schema_revision: str
    tables: Mapping[str, int]
    sums: Mapping[str, str]
    state_hash: str
    audit_head: str
    config_hash: str
    code_version: str
    encrypted_to: tuple[str, ...]
    verified_at: datetime

    @property
    def folder(self) -> str:
        """Where manifest and file lie, below the destination."""
        return f"{self.kind}/{self.id}"

    @property
    def file_key(self) -> str:
        """Where the file lies, below the destination."""
        return f"{self.folder}/{self.file}"

    @property
    def manifest_key(self) -> str:
        """Where the manifest lies, below the destination."""
        return f"{self.folder}/{MANIFEST}"

    def as_record(self) -> dict[str, Any]:
        """Return it for JSON, under the names of the file."""
        record: dict[str, Any] = {"format": FORMAT}
        for field in fields(self):
            value = getattr(self, field.name)
            name = "class" if field.name == "kind" else field.name
            if isinstance(value, datetime):
                value = value.astimezone(UTC).isoformat()
            elif isinstance(value, Mapping):
                value = dict(value)
            record[name] = list(value) if isinstance(value, tuple) else value
        return record

    def written(self) -> bytes:
        """Return the content of ``manifest.json``, which carries its own hash."""
        record = self.as_record()
        return json.dumps({**record, "manifest_sha256": _digest(record)}, indent=1, sort_keys=True).encode()


def read_manifest(content: bytes, where: str) -> Manifest:
    """Read ``manifest.json``.

    Parameters
    ----------
    where
        Its key below the destination, ``class/id/manifest.json``.

    Raises
    ------
    BackupDamagedError
        When it is cut off, changed, of another version, or another backup's.
    """
    try:
        record = json.loads(content)
    except (ValueError, UnicodeDecodeError):
        raise _damaged(where, "is no complete manifest") from None
    if not isinstance(record, dict):
        raise _damaged(where, "is no complete manifest")
    stated = record.pop("manifest_sha256", None)
    if stated != _digest(record):
        raise _damaged(where, "was changed after it was written: its own hash does not fit")
    if record.get("format") != FORMAT:
        raise BackupDamagedError(
            f"{where} has format {record.get('format')!r}, this version reads {FORMAT}",
            "restore it with the version of the software that made it",
        )
    try:
        manifest = _built(record)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise _damaged(where, f"lacks a field or has a wrong one ({error})") from None
    if where != manifest.manifest_key:
        raise _damaged(where, f"belongs to another backup, {manifest.id}")
    return manifest


def state_hash(tables: Mapping[str, int], sums: Mapping[str, str]) -> str:
    """SHA-256 that is equal for equal contents of all tables, whatever the order of their rows."""
    return _digest({name: [rows, sums[name]] for name, rows in tables.items()})


def contents_hash(contents: Mapping[str, str]) -> str:
    """SHA-256 of names and contents of files."""
    return _digest(dict(contents))


def _built(record: Mapping[str, Any]) -> Manifest:
    values = {field.name: record["class" if field.name == "kind" else field.name] for field in fields(Manifest)}
    values["kind"] = BackupClass(values["kind"])
    values["encrypted_to"] = tuple(values["encrypted_to"])
    for name in ("started_at", "ended_at", "verified_at"):
        moment = datetime.fromisoformat(values[name])
        if moment.tzinfo is None:
            raise ValueError(f"{name} has no time zone")
        values[name] = moment
    for name in ("tables", "contents", "sums"):
        if not isinstance(values[name], dict):
            raise TypeError(f"{name} is no mapping")
    wrong = [name for name, value in values.items() if name in TEXTS and not isinstance(value, str)]
    numbers = [values["size"], *values["tables"].values()]
    if wrong or any(type(number) is not int for number in numbers):
        raise TypeError(f"{wrong[0]} is no text" if wrong else "a number is none")
    if any("/" in values[name] or values[name].startswith(".") for name in ("file", "id")):
        raise ValueError("a name has a slash in it, or begins with a dot")
    return Manifest(**values)


def _digest(record: Mapping[str, Any]) -> str:
    return hashlib.sha256(json.dumps(record, sort_keys=True, separators=(",", ":")).encode()).hexdigest()


def _damaged(where: str, what: str) -> BackupDamagedError:
    return BackupDamagedError(f"{where} {what}", "use another backup (`trading backup list`); nothing was restored")
