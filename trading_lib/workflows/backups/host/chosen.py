"""What a lost machine comes back from: the newest backup of each database, and of the configuration."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

from trading_lib.adapters.backups.postgres_tools import major
from trading_lib.adapters.services.databases import DATABASES
from trading_lib.adapters.stores.postgres.server.programs import VERSION
from trading_lib.domain.errors import InputError
from trading_lib.monitoring.backup.manifest import BackupClass, Manifest
from trading_lib.monitoring.backup.retention import at_or_before
from trading_lib.workflows.backups.catalogue import Catalogue
from trading_lib.workflows.backups.place import TRADING
from trading_lib.workflows.backups.restore import refuse_unfit


@dataclass(frozen=True)
class HostSet:
    """The backups that are restored.

    Attributes
    ----------
    databases
        The trading database's first.
    configuration
        None where there is no backup of that class.
    missing
        Databases of the stack that have no backup: their service begins with an empty one.
    """

    databases: tuple[Manifest, ...]
    configuration: Manifest | None
    missing: tuple[str, ...]

    def __iter__(self) -> Iterator[Manifest]:
        """All of them."""
        yield from self.databases
        if self.configuration is not None:
            yield self.configuration


def choose_set(catalogue: Catalogue, moment: datetime | None) -> HostSet:
    """Choose the newest backup of each database that is not after ``moment``.

    Raises
    ------
    InputError
        When there is none of the trading database, or this version cannot restore one of them.
    """
    stored = [one for one in catalogue.manifests if one.kind is BackupClass.DATABASE]
    names = [TRADING, *sorted({one.database for one in stored} - {TRADING})]
    databases = tuple(
        catalogue.newest(BackupClass.DATABASE, name, moment)
        for name in names
        if name == TRADING or at_or_before((one for one in stored if one.database == name), moment)
    )
    for manifest in databases:
        refuse_unfit(manifest, manifest.database)
        if major(manifest.pg_version) > int(VERSION):
            raise InputError(
                f"{manifest.id} comes from PostgreSQL {manifest.pg_version}, newer than the one here ({VERSION})",
                "restore it with the version of this software that made it",
            )
    stored_files = [one for one in catalogue.manifests if one.kind is BackupClass.CONFIG]
    configuration = at_or_before(stored_files, moment) and catalogue.newest(BackupClass.CONFIG, moment=moment)
    missing = tuple(sorted(set(DATABASES) - {one.database for one in databases}))
    return HostSet(databases, configuration, missing)
