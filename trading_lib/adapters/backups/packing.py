"""One file of many: a plain tar whose first member says whose backup it is, with the SHA-256 of every member."""

from __future__ import annotations

import hashlib
import io
import json
import tarfile
from collections.abc import Mapping
from pathlib import Path, PurePosixPath

from trading_lib.monitoring.backup.manifest import BackupDamagedError

LABEL = "backup.json"
CHUNK = 1024**2


def pack(folder: Path, target: Path, label: Mapping[str, str]) -> dict[str, str]:
    """Pack every file below ``folder`` into ``target`` and return the SHA-256 of each, by its name there.

    Parameters
    ----------
    label
        Id, class and database; packed first, so that a file says whose it is when its manifest is lost.
    """
    contents: dict[str, str] = {}
    with tarfile.open(target, "w", format=tarfile.PAX_FORMAT) as archive:
        content = _written(label)
        archive.addfile(_member(LABEL, len(content)), io.BytesIO(content))
        for path in sorted(folder.rglob("*")):
            if not path.is_file() or path.is_symlink():
                continue
            name = path.relative_to(folder).as_posix()
            with path.open("rb") as file:
                reader = _Hashing(file)
                archive.addfile(_member(name, path.stat().st_size), reader)
                contents[name] = reader.digest.hexdigest()
    return contents


def unpack(source: Path, folder: Path, label: Mapping[str, str], contents: Mapping[str, str], where: str) -> None:
    """Unpack ``source`` into ``folder``, and refuse anything that is not exactly what ``contents`` says.

    Parameters
    ----------
    where
        What the file is called in errors.

    Raises
    ------
    BackupDamagedError
    """
    found: dict[str, str] = {}
    try:
        with tarfile.open(source, "r:") as archive:
            for member in archive:
                if member.name == LABEL:
                    stored = archive.extractfile(member)
                    if stored is None or stored.read() != _written(label):
                        raise _damaged(where, "holds another backup than its manifest says")
                    found[LABEL] = ""
                    continue
                if member.name not in contents or not member.isfile() or not _inside(member.name):
                    raise _damaged(where, f"holds a file {member.name!r} that its manifest does not name")
                found[member.name] = _extract(archive, member, folder / member.name)
    except (tarfile.TarError, EOFError) as error:
        raise _damaged(where, f"cannot be unpacked ({error})") from None
    if LABEL not in found:
        raise _damaged(where, "does not say whose backup it is")
    for name, digest in contents.items():
        if found.get(name) != digest:
            raise _damaged(where, f"lacks {name}" if name not in found else f"holds a changed {name}")


def _extract(archive: tarfile.TarFile, member: tarfile.TarInfo, target: Path) -> str:
    target.parent.mkdir(parents=True, exist_ok=True)
    stored = archive.extractfile(member)
    assert stored is not None
    digest = hashlib.sha256()
    with target.open("wb") as file:
        while chunk := stored.read(CHUNK):
            digest.update(chunk)
            file.write(chunk)
    return digest.hexdigest()


class _Hashing(io.RawIOBase):
    """A reader that hashes what is read."""

    def __init__(self, file: io.BufferedReader) -> None:
        self._file = file
        self.digest = hashlib.sha256()

    def read(self, size: int = -1) -> bytes:
        chunk = self._file.read(size)
        self.digest.update(chunk)
        return chunk


def _member(name: str, size: int) -> tarfile.TarInfo:
    member = tarfile.TarInfo(name)
    member.size, member.mode = size, 0o600
    return member


def _written(label: Mapping[str, str]) -> bytes:
    return json.dumps(dict(label), sort_keys=True).encode()


def _inside(name: str) -> bool:
    parts = PurePosixPath(name).parts
    return bool(parts) and not name.startswith("/") and ".." not in parts


def _damaged(where: str, what: str) -> BackupDamagedError:
    return BackupDamagedError(f"{where} {what}", "use another backup (`trading backup list`); nothing was restored")
