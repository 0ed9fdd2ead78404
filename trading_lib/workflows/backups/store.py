"""From a folder of files to a backup: packed, encrypted, stored, read back, and the manifest last."""

from __future__ import annotations

import re
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from hashlib import sha256
from pathlib import Path

from trading_lib.adapters.backups.destination import (
    Destination,
    DestinationUnavailableError,
    fetch,
    measure,
    read_all,
)
from trading_lib.adapters.backups.packing import pack, unpack
from trading_lib.domain.errors import InputError
from trading_lib.monitoring.backup.manifest import (
    LARGEST_BYTES,
    BackupClass,
    BackupDamagedError,
    Manifest,
    contents_hash,
)
from trading_lib.workflows.backups.place import IDENTITY_VARIABLE, BackupPlace
from trading_lib.workflows.setup.code_version import code_version

PACKED = "content.tar"


@dataclass(frozen=True)
class Draft:
    """What is to become a backup; see `Manifest`."""

    kind: BackupClass
    started_at: datetime
    database: str = ""
    pg_version: str = ""
    schema_revision: str = ""
    audit_head: str = ""
    state_hash: str = ""
    tables: Mapping[str, int] = field(default_factory=dict)
    sums: Mapping[str, str] = field(default_factory=dict)

    def new_id(self) -> str:
        """Name that sorts by time within its class and is nobody else's."""
        about = f"-{plain_name(self.database)}" if self.database else ""
        return f"{self.kind}-{self.started_at:%Y%m%dT%H%M%S.%fZ}{about}-{secrets.token_hex(3)}"


def plain_name(name: str) -> str:
    """Return a name that means nothing to a path or a bucket; a database may be called anything."""
    return re.sub(r"[^A-Za-z0-9_-]", "_", name)


def store(place: BackupPlace, destination: Destination, draft: Draft, content: Path, work: Path) -> Manifest:
    """Store the files below ``content`` as one backup; it counts from the moment its manifest is there.

    Raises
    ------
    DestinationUnavailableError
        Also when what is read back is not what was sent.
    """
    name = draft.new_id()
    packed = work / f"{name}.tar"
    contents = pack(content, packed, label(name, draft.kind, draft.database))
    stored, file = packed, PACKED
    recipients = place.config.recipients
    try:
        if recipients:
            from trading_lib.adapters.backups.encryption import SUFFIX, encrypt

            stored, file = packed.with_name(packed.name + SUFFIX), PACKED + SUFFIX
            encrypt(packed, stored, recipients)
            packed.unlink()
        size, digest = _measured(stored)
        key = f"{draft.kind}/{name}/{file}"
        _put(destination, key, stored, size, digest)
    finally:
        packed.unlink(missing_ok=True)
        stored.unlink(missing_ok=True)
    now = place.clock()
    manifest = Manifest(
        id=name,
        kind=draft.kind,
        database=draft.database,
        started_at=draft.started_at,
        ended_at=now,
        file=file,
        size=size,
        sha256=digest,
        contents=contents,
        pg_version=draft.pg_version,
        schema_revision=draft.schema_revision,
        tables=draft.tables,
        sums=draft.sums,
        state_hash=draft.state_hash or contents_hash(contents),
        audit_head=draft.audit_head,
        config_hash=place.config_hash(),
        code_version=code_version(),
        encrypted_to=tuple(recipients),
        verified_at=now,
    )
    written = manifest.written()
    draft_manifest = work / f"{name}.json"
    draft_manifest.write_bytes(written)
    try:
        destination.put(manifest.manifest_key, draft_manifest)
        if read_all(destination, manifest.manifest_key, LARGEST_BYTES) != written:
            destination.delete(manifest.manifest_key)
            raise _not_kept(destination, manifest.manifest_key)
    except FileNotFoundError:
        raise _not_kept(destination, manifest.manifest_key) from None
    finally:
        draft_manifest.unlink()
    return manifest


def proven_content(
    place: BackupPlace, destination: Destination, manifest: Manifest, work: Path, identity: Path | None = None
) -> Path:
    """Fetch a backup, check, decrypt and unpack it; return the folder of exactly the files its manifest names.

    Raises
    ------
    BackupDamagedError
        When anything is not as the manifest says.
    InputError
        When it is encrypted and no key, or a wrong one, is named.
    """
    key = place.identity(identity)
    if manifest.encrypted_to and key is None:
        raise InputError(
            f"{manifest.id} is encrypted to {', '.join(manifest.encrypted_to)}",
            f"name the file of its private key with --identity or {IDENTITY_VARIABLE}",
        )
    fetched = work / manifest.file
    with fetched.open("wb") as file:
        found = _found(lambda: fetch(destination, manifest.file_key, file), manifest)
    refuse_other_file(manifest, *found)
    packed = fetched
    if manifest.encrypted_to:
        from trading_lib.adapters.backups.encryption import decrypt

        assert key is not None
        packed = work / PACKED
        decrypt(fetched, packed, key, manifest.file_key)
        fetched.unlink()
    folder = work / "content"
    folder.mkdir()
    unpack(packed, folder, label(manifest.id, manifest.kind, manifest.database), manifest.contents, manifest.file_key)
    packed.unlink()
    return folder


def check_stored(destination: Destination, manifest: Manifest) -> None:
    """Read a backup's file where it is stored and raise `BackupDamagedError` when it is not as the manifest says."""
    refuse_other_file(manifest, *_found(lambda: measure(destination, manifest.file_key), manifest))


def refuse_other_file(manifest: Manifest, size: int, digest: str) -> None:
    """Raise `BackupDamagedError` when a file of this size and hash is not the one of the manifest."""
    what = ""
    if size < manifest.size:
        what = f"is cut off: {size:,} of {manifest.size:,} bytes"
    elif size > manifest.size:
        what = f"is another file: {size:,} bytes, not {manifest.size:,}"
    elif digest != manifest.sha256:
        what = "was changed, or belongs to another backup: its SHA-256 is not that of its manifest"
    if what:
        raise _damaged(manifest, what)


def label(name: str, kind: BackupClass, database: str) -> dict[str, str]:
    """Return what a packed file says about itself."""
    return {"id": name, "class": str(kind), "database": database}


def _found(read: object, manifest: Manifest) -> tuple[int, str]:
    assert callable(read)
    try:
        size, digest = read()
    except FileNotFoundError:
        raise _damaged(manifest, "is gone") from None
    return int(size), str(digest)


def _put(destination: Destination, key: str, stored: Path, size: int, digest: str) -> None:
    destination.put(key, stored)
    try:
        same = measure(destination, key) == (size, digest)
    except FileNotFoundError:
        same = False
    if not same:
        destination.delete(key)
        raise _not_kept(destination, key)


def _measured(path: Path) -> tuple[int, str]:
    digest = sha256()
    with path.open("rb") as file:
        while chunk := file.read(1024**2):
            digest.update(chunk)
    return path.stat().st_size, digest.hexdigest()


def _damaged(manifest: Manifest, what: str) -> BackupDamagedError:
    return BackupDamagedError(
        f"{manifest.file_key} {what}", "use another backup (`trading backup list`); nothing was restored"
    )


def _not_kept(destination: Destination, key: str) -> DestinationUnavailableError:
    return DestinationUnavailableError(
        f"{destination.address} gives back {key} otherwise than it was sent", "this backup does not count; try again"
    )


def content_hashes(folder: Path) -> dict[str, str]:
    """SHA-256 of every file below ``folder``, by its name there: what a manifest would say of them."""
    files = (path for path in sorted(folder.rglob("*")) if path.is_file() and not path.is_symlink())
    return {path.relative_to(folder).as_posix(): _measured(path)[1] for path in files}
