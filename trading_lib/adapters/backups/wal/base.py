"""Base backups: taken by pg_basebackup, checked and unpacked by the manifest that it writes.

The embedded build's own pg_verifybackup crashes, so its work is done here: every file has the size and the SHA-256 that
the server stated, and none is missing.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
import tarfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO

from sqlalchemy import make_url

from trading_lib.adapters.backups.wal.archive import Line
from trading_lib.adapters.backups.wal.server import APPLICATION, WalServer
from trading_lib.adapters.stores.postgres.embedded_postgres import SUPERUSER, EmbeddedPostgres
from trading_lib.adapters.stores.postgres.server.programs import program
from trading_lib.domain.errors import FileTroubleError, StorageUnavailableError, TradingError
from trading_lib.monitoring.backup.manifest import BackupDamagedError
from trading_lib.monitoring.backup.wal import BaseBackup

MANIFEST, DATA, LOG = "backup_manifest", "base.tar.gz", "pg_wal.tar.gz"
DRAFT = "unfinished-"
# Compressed for speed; see postgres_tools.
COMPRESSION = 1
PIECE = 1024**2
ANOTHER = "restore from another one (`trading wal status`)"


class BaseBackupError(TradingError):
    """A base backup was not finished; nothing counts of it."""


def connection_arguments(server: EmbeddedPostgres) -> list[str]:
    """Options by which PostgreSQL's programs find the embedded server: its socket, never a password."""
    url = make_url(server.url("postgres"))
    host, port = url.query["host"], url.query.get("port", "5432")
    return [f"--host={host}", f"--port={port}", f"--username={SUPERUSER}", "--no-password"]


def environment() -> dict[str, str]:
    """Return what PostgreSQL's programs get of the environment: nothing that leads them to another server."""
    return {
        **{name: os.environ[name] for name in ("PATH", "LD_LIBRARY_PATH") if name in os.environ},
        "LC_ALL": "C",
        "PGAPPNAME": APPLICATION,
    }


def take_base(server: EmbeddedPostgres, line: Line) -> BaseBackup:
    """Take a base backup, check it against its manifest and make it count.

    Raises
    ------
    BaseBackupError, BackupDamagedError, StorageUnavailableError, FileTroubleError
    """
    line.create()
    _clear(line)
    asked = WalServer(server)
    try:
        started = asked.now()
        name = f"{started:%Y%m%dT%H%M%S.%fZ}"
        folder = line.bases_folder / f"{DRAFT}{name}"
        try:
            _run_basebackup(server, folder)
            ended = asked.now()
            base = BaseBackup(
                id=name,
                line=line.name,
                started_at=started,
                ended_at=ended,
                first_segment=_first_segment(folder, line.name),
                size=sum(path.stat().st_size for path in folder.iterdir()),
                pg_version=asked.version(),
                files={path.name: _file_hash(path) for path in sorted(folder.iterdir())},
            )
            # Proves what was stored, by reading it back from the disk, before it counts.
            verify_base(folder, base)
            folder.rename(line.bases_folder / name)
        except BaseException:
            shutil.rmtree(folder, ignore_errors=True)
            raise
        line.write_base(line.bases_folder / name, base)
        return base
    finally:
        asked.close()


def verify_base(folder: Path, base: BaseBackup) -> None:
    """Raise `BackupDamagedError` unless every file of a base backup is what the server sent."""
    for _ in _checked_files(folder, base):
        pass


def unpack_base(folder: Path, base: BaseBackup, target: Path) -> None:
    """Check a base backup and unpack it into ``target``, which must be empty.

    Raises
    ------
    BackupDamagedError
        Before the file it names is complete there.
    """
    for member, source in _checked_files(folder, base):
        path = target / member.name
        if member.isdir():
            path.mkdir(mode=0o700, parents=True, exist_ok=True)
        elif source is not None:
            path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            with path.open("xb") as file:
                path.chmod(0o600)
                shutil.copyfileobj(source, file, PIECE)


class _Hashed:
    """A file that is hashed as it is read."""

    def __init__(self, file: BinaryIO) -> None:
        self._file, self._digest = file, hashlib.sha256()

    def read(self, size: int = -1) -> bytes:
        piece = self._file.read(size)
        self._digest.update(piece)
        return piece

    def finish(self) -> str:
        while self.read(PIECE):
            pass
        return self._digest.hexdigest()


def _checked_files(folder: Path, base: BaseBackup) -> Iterator[tuple[tarfile.TarInfo, Any]]:
    """Yield what a base backup holds; the hash of each file is compared behind the reader's back."""
    for name, stated in base.files.items():
        path = folder / name
        if not path.is_file() or _file_hash(path) != stated:
            raise BackupDamagedError(f"base backup {base.id}: {name} is not what was stored", ANOTHER)
    expected = _manifest_files(folder / MANIFEST, base)
    for archive, below in ((DATA, ""), (LOG, "pg_wal/")):
        try:
            with tarfile.open(folder / archive) as tar:
                for member in tar:
                    member.name = below + member.name.removeprefix("./")
                    if member.name.startswith("/") or ".." in Path(member.name).parts:
                        raise BackupDamagedError(f"base backup {base.id} has a file outside its folder", ANOTHER)
                    opened = tar.extractfile(member) if member.isfile() else None
                    hashed = _Hashed(opened) if opened is not None else None  # type: ignore[arg-type]
                    yield member, hashed
                    found = hashed.finish() if hashed else ""
                    if hashed and not below and member.name != MANIFEST:
                        stated = expected.pop(member.name, "")
                        # Two files the server writes for the copy alone; the manifest names them too.
                        if stated != f"{member.size} {found}":
                            raise BackupDamagedError(
                                f"base backup {base.id}: {member.name} is not what the server sent", ANOTHER
                            )
        except (tarfile.TarError, EOFError, OSError, ValueError) as error:
            raise BackupDamagedError(f"base backup {base.id}: {archive} cannot be read ({error})", ANOTHER) from None
    if expected:
        raise BackupDamagedError(f"base backup {base.id} lacks {min(expected)}", ANOTHER)


def _manifest_files(path: Path, base: BaseBackup) -> dict[str, str]:
    """Name -> size and hash, as the server stated them."""
    try:
        record = json.loads(path.read_text())
        files = record["Files"]
        found = {}
        for entry in files:
            name = entry["Path"] if "Path" in entry else bytes.fromhex(entry["Encoded-Path"]).decode()
            if entry["Checksum-Algorithm"] != "SHA256":
                raise ValueError(entry["Checksum-Algorithm"])
            found[name] = f"{entry['Size']} {entry['Checksum']}"
    except (OSError, ValueError, KeyError, TypeError):
        raise BackupDamagedError(f"base backup {base.id}: {MANIFEST} cannot be read", ANOTHER) from None
    return found


def _first_segment(folder: Path, line: str) -> str:
    """Name of the log file in which the base backup begins."""
    ranges = json.loads((folder / MANIFEST).read_text())["WAL-Ranges"]
    start = str(ranges[0]["Start-LSN"])
    high, _, low = start.partition("/")
    return f"{int(ranges[0]['Timeline']):08X}{int(high, 16):08X}{int(low, 16) >> 24:08X}"


def _run_basebackup(server: EmbeddedPostgres, folder: Path) -> None:
    command = [
        *(str(program("pg_basebackup")), f"--pgdata={folder}", "--format=tar", f"--compress=gzip:{COMPRESSION}"),
        *("--wal-method=stream", "--checkpoint=fast", "--manifest-checksums=SHA256", "--no-clean"),
        *connection_arguments(server),
    ]
    try:
        done = subprocess.run(
            command, check=False, capture_output=True, text=True, errors="replace", env=environment(), cwd="/"
        )
    except OSError as error:
        raise FileTroubleError(error, folder) from error
    if done.returncode != 0:
        lines = [line for line in done.stderr.splitlines() if "error:" in line or "FATAL" in line]
        said = (lines or [done.stderr.strip() or "nothing"])[0].removeprefix("pg_basebackup: ")
        if "No space left on device" in done.stderr:
            raise StorageUnavailableError(f"the disk of {folder.parent} is full", "free some space there")
        raise BaseBackupError(f"a base backup into {folder.parent} failed ({said})", "see the server's log")


def _file_hash(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _clear(line: Line) -> None:
    """Remove what killed processes left: what they were at work on, and what lacks its record."""
    for folder in line.bases_folder.glob(f"{DRAFT}*"):
        shutil.rmtree(folder, ignore_errors=True)
