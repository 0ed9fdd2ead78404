"""Old backups go: by class and age, never the newest ones, never a file that another backup's manifest names."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from trading_lib.adapters.backups.destination import Destination
from trading_lib.monitoring.backup.manifest import Manifest
from trading_lib.monitoring.backup.retention import expired
from trading_lib.workflows.backups.catalogue import read_catalogue
from trading_lib.workflows.backups.place import BackupPlace

# No backup takes longer: a file without a manifest that is older was left by one that was killed.
UNFINISHED_AGE = timedelta(days=1)


@dataclass(frozen=True)
class Pruned:
    """What was removed, or would have been.

    Attributes
    ----------
    unclaimed
        Files of backups that were never finished.
    freed
        Bytes.
    """

    backups: tuple[Manifest, ...]
    unclaimed: tuple[str, ...]
    kept: int
    freed: int
    dry_run: bool

    def as_record(self) -> dict[str, Any]:
        """Return it for JSON."""
        return {
            "removed": [manifest.id for manifest in self.backups],
            "unclaimed_files": list(self.unclaimed),
            "kept": self.kept,
            "freed_bytes": self.freed,
            "dry_run": self.dry_run,
        }


def prune_backups(place: BackupPlace, destination: Destination, dry_run: bool = False) -> Pruned:
    """Remove what is older than its class is kept, and what killed backups left behind.

    Raises
    ------
    InputError
        When a backup is from the future: this clock, or the one it was made by, is wrong, and so is every age.
    """
    now = place.clock()
    catalogue = read_catalogue(destination)
    catalogue.refuse_future(
        now, "set the clock; where this one is right, remove that backup by hand: nothing is removed by a wrong clock"
    )
    old = expired(catalogue.manifests, now, place.config.retention)
    gone = {manifest.id for manifest in old}
    needed = {manifest.file_key for manifest in catalogue.manifests if manifest.id not in gone}
    unfinished = [found for found in catalogue.unclaimed if now - found.written_at > UNFINISHED_AGE]
    if not dry_run:
        for manifest in old:
            # The manifest first: what is half removed is no backup any more.
            destination.delete(manifest.manifest_key)
            if manifest.file_key not in needed:
                destination.delete(manifest.file_key)
        for found in unfinished:
            destination.delete(found.key)
        destination.delete_unfinished(now - UNFINISHED_AGE)
    return Pruned(
        backups=tuple(old),
        unclaimed=tuple(found.key for found in unfinished),
        kept=len(catalogue.manifests) - len(old),
        freed=sum(manifest.size for manifest in old) + sum(found.size for found in unfinished),
        dry_run=dry_run,
    )
