"""Which backups were made and which restore drills were held; rows are only added."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Engine, Table, inspect, select
from sqlalchemy.dialects.postgresql import distinct_on, insert

from trading_lib.adapters.stores.postgres.schema import backups, restore_drills
from trading_lib.domain.errors import StorageUnavailableError
from trading_lib.monitoring.backup.manifest import Manifest

Row = dict[str, Any]


class BackupRecords:
    """The records of one trading database."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def add_backup(self, manifest: Manifest, destination: str) -> None:
        """Record a backup; the same again changes nothing."""
        self._add(
            backups,
            {
                "id": manifest.id,
                "kind": str(manifest.kind),
                "database": manifest.database,
                "destination": destination,
                "started_at": manifest.started_at,
                "ended_at": manifest.ended_at,
                "verified_at": manifest.verified_at,
                "size": manifest.size,
                "sha256": manifest.sha256,
                "state_hash": manifest.state_hash,
                "audit_head": manifest.audit_head,
                "schema_revision": manifest.schema_revision,
                "encrypted": bool(manifest.encrypted_to),
            },
        )

    def add_drill(self, drill: Row) -> None:
        """Record a drill by the columns of restore_drills."""
        self._add(restore_drills, drill)

    def newest_backups(self) -> list[Row]:
        """Return the newest backup of each class and database."""
        query = (
            select(backups)
            .ext(distinct_on(backups.c.kind, backups.c.database))
            .order_by(backups.c.kind, backups.c.database, backups.c.started_at.desc())
        )
        with self._engine.connect() as connection:
            return [dict(row) for row in connection.execute(query).mappings()]

    def drills(self) -> list[Row]:
        """All drills, oldest first."""
        with self._engine.connect() as connection:
            rows = connection.execute(select(restore_drills).order_by(restore_drills.c.started_at)).mappings()
            return [dict(row) for row in rows]

    def _add(self, table: Table, row: Row) -> None:
        with self._engine.begin() as connection:
            if not inspect(connection).has_table(table.name):
                raise StorageUnavailableError(f"the database has no table {table.name}", "run `trading db upgrade`")
            connection.execute(insert(table).values(row).on_conflict_do_nothing())
