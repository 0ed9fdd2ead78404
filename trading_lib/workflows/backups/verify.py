"""Whether stored backups are still what they were: every file read again, and restored where that is asked for."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from trading_lib.adapters.backups.destination import Destination
from trading_lib.adapters.backups.postgres_tools import restore
from trading_lib.adapters.backups.scratch_server import ScratchServer, scratch_server
from trading_lib.domain.errors import TradingError
from trading_lib.monitoring.backup.manifest import BackupClass, Manifest
from trading_lib.workflows.backups.catalogue import read_catalogue
from trading_lib.workflows.backups.place import BackupPlace
from trading_lib.workflows.backups.restore import refuse_difference
from trading_lib.workflows.backups.store import check_stored, proven_content


@dataclass(frozen=True)
class Verified:
    """What was found of one backup.

    Attributes
    ----------
    problem
        One line; "" where there is none.
    """

    name: str
    problem: str

    def as_record(self) -> dict[str, Any]:
        """Return it for JSON."""
        return {"id": self.name, "ok": not self.problem, "problem": self.problem}


def verify_backups(
    place: BackupPlace,
    destination: Destination,
    ids: Sequence[str] = (),
    *,
    restored: bool = False,
    identity: Path | None = None,
) -> list[Verified]:
    """Check all backups of a destination, or those of ``ids``; the damaged ones are named, whatever their number.

    Parameters
    ----------
    restored
        Also decrypt each, restore databases into a server of their own, and compare every table.
    """
    catalogue = read_catalogue(destination)
    chosen = [catalogue.find(name) for name in ids] if ids else list(catalogue.manifests)
    found = [] if ids else [Verified(key.split("/")[1], problem) for key, problem in catalogue.problems.items()]
    with ExitStack() as stack:
        work = stack.enter_context(place.work_folder())
        needed = restored and any(manifest.kind is BackupClass.DATABASE for manifest in chosen)
        scratch = stack.enter_context(scratch_server(work)) if needed else None
        for manifest in chosen:
            try:
                if restored:
                    with TemporaryDirectory(dir=work) as folder:
                        _restored(place, destination, manifest, Path(folder), identity, scratch)
                else:
                    check_stored(destination, manifest)
            except TradingError as error:
                found.append(Verified(manifest.id, str(error)))
            else:
                found.append(Verified(manifest.id, ""))
    return found


def _restored(
    place: BackupPlace,
    destination: Destination,
    manifest: Manifest,
    work: Path,
    identity: Path | None,
    scratch: ScratchServer | None,
) -> None:
    content = proven_content(place, destination, manifest, work, identity)
    if manifest.kind is BackupClass.DATABASE and scratch is not None:
        url = scratch.new_database()
        restore(content, url, place.config.jobs)
        refuse_difference(url, manifest)
