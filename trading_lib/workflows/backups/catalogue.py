"""The backups of a destination: those whose manifest is whole, and what is wrong with the others."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial

from trading_lib.adapters.backups.destination import Destination, StoredObject, read_all
from trading_lib.domain.errors import InputError, one_of
from trading_lib.monitoring.backup.manifest import (
    LARGEST_BYTES,
    MANIFEST,
    BackupClass,
    BackupDamagedError,
    Manifest,
    read_manifest,
)
from trading_lib.monitoring.backup.retention import at_or_before

READERS = 8
# Clocks of different machines agree better than this.
SKEW = timedelta(hours=1)


@dataclass(frozen=True)
class Catalogue:
    """What lies at a destination.

    Attributes
    ----------
    manifests
        Oldest first.
    problems
        Key of a manifest that cannot be used -> why, in one line.
    unclaimed
        Files that no manifest names: backups that were never finished.
    """

    address: str
    manifests: tuple[Manifest, ...]
    problems: dict[str, str]
    unclaimed: tuple[StoredObject, ...]

    def find(self, name: str) -> Manifest:
        """Return the backup of this id; raises `InputError` where there is none, or its manifest is damaged."""
        for manifest in self.manifests:
            if manifest.id == name:
                return manifest
        for key, problem in self.problems.items():
            if f"/{name}/" in key:
                raise BackupDamagedError(problem)
        raise InputError(
            f"there is no backup {name!r} in {self.address}",
            one_of(name, [manifest.id for manifest in self.manifests]),
        )

    def refuse_future(self, now: datetime, remedy: str) -> None:
        """Raise `InputError` when a backup is from the future: this clock, or the one it was made by, is wrong."""
        future = [manifest for manifest in self.manifests if manifest.started_at > now + SKEW]
        if future:
            here = now.isoformat(timespec="seconds")
            raise InputError(f"{future[-1].id} is from the future: it is {here} here", remedy)

    def newest(
        self, kind: BackupClass = BackupClass.DATABASE, database: str = "", moment: datetime | None = None
    ) -> Manifest:
        """Return the newest one of its kind that is not after ``moment``; raises `InputError` where there is none."""
        same = [manifest for manifest in self.manifests if (manifest.kind, manifest.database) == (kind, database)]
        found = at_or_before(same, moment)
        if found is None:
            when = f" not after {moment.isoformat()}" if moment else ""
            about = f" of {database}" if database else ""
            damaged = next(iter(self.problems.values()), "")
            remedy = damaged or "make one: `trading backup create`"
            raise InputError(f"{self.address} holds no verified backup{about} (class {kind}){when}", remedy)
        self._refuse_damaged_since(found, moment)
        return found

    def _refuse_damaged_since(self, found: Manifest, moment: datetime | None) -> None:
        """Refuse to take an older one in silence where the manifest of a newer one is damaged."""
        about = f"-{found.database}-" if found.database else "-"
        last = f"{found.kind}-{moment.astimezone(UTC):%Y%m%dT%H%M%S.%fZ}~" if moment else "~"
        for key, problem in self.problems.items():
            name = key.split("/")[1]
            if name.startswith(f"{found.kind}-") and about in name and found.id < name < last:
                # Its own remedy, to use another one, is what is asked for by name.
                raise BackupDamagedError(problem, f"the newest before it is {found.id}: name it with --id, or use --at")


def read_catalogue(destination: Destination, kind: BackupClass | None = None) -> Catalogue:
    """Read every manifest of a destination, or those of one class."""
    objects = list(destination.objects(f"{kind}/" if kind else ""))
    keys = [found.key for found in objects if _is_manifest(found.key)]
    # A month of hourly backups is two thousand manifests, and a bucket answers after some hundredths of a second.
    with ThreadPoolExecutor(READERS) as readers:
        read = list(readers.map(partial(_read, destination), keys))
    manifests = [found for found in read if isinstance(found, Manifest)]
    problems = {key: str(found) for key, found in zip(keys, read, strict=True) if isinstance(found, BackupDamagedError)}
    claimed = {manifest.file_key for manifest in manifests}
    # The files of a damaged manifest stay: a person may repair it.
    kept = tuple(key.rpartition("/")[0] + "/" for key in problems)
    unclaimed = tuple(
        found
        for found in objects
        if _is_backup_file(found.key) and found.key not in claimed and not (kept and found.key.startswith(kept))
    )
    ordered = sorted(manifests, key=lambda manifest: (manifest.started_at, manifest.id))
    return Catalogue(destination.address, tuple(ordered), problems, unclaimed)


def _read(destination: Destination, key: str) -> Manifest | BackupDamagedError | None:
    try:
        return read_manifest(read_all(destination, key, LARGEST_BYTES), key)
    except BackupDamagedError as error:
        return error
    except FileNotFoundError:
        return None  # removed at this moment


def _is_manifest(key: str) -> bool:
    return _in_a_class(key) and key.endswith(f"/{MANIFEST}")


def _is_backup_file(key: str) -> bool:
    # Other files of a folder or bucket are somebody else's.
    return _in_a_class(key) and not key.endswith(f"/{MANIFEST}")


def _in_a_class(key: str) -> bool:
    parts = key.split("/")
    return len(parts) == 3 and parts[0] in list(BackupClass) and parts[1].startswith(f"{parts[0]}-")
