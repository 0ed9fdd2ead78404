"""What the running server is asked and told about its log: the slot, its bound, positions and the time."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import psycopg2
from sqlalchemy import Connection, Engine, text

from trading_lib.adapters.stores.postgres.database import connect, unavailable
from trading_lib.adapters.stores.postgres.embedded_postgres import EmbeddedPostgres

SLOT = "trading_wal"
APPLICATION = "trading-wal"
LOST = "lost"
BOUND = "max_slot_wal_keep_size"


@dataclass(frozen=True, slots=True)
class SlotState:
    """The slot as the server sees it.

    Attributes
    ----------
    state
        ``reserved``, ``extended``, ``unreserved`` or ``lost``, as PostgreSQL calls it; "" where there is no slot.
    active
        Whether a receiver is connected.
    flushed
        Position up to which the receiver has everything on its disk; "" where that is not known.
    lag_bytes
        How much log the receiver lacks.
    """

    state: str
    active: bool
    flushed: str
    lag_bytes: int


class WalServer:
    """A running embedded server, asked over one connection at a time."""

    def __init__(self, server: EmbeddedPostgres) -> None:
        self._server = server
        self.engine: Engine = connect(server.url("postgres"), application_name=APPLICATION).execution_options(
            isolation_level="AUTOCOMMIT"
        )

    def close(self) -> None:
        """Give back the connections."""
        self.engine.dispose()

    def line_name(self) -> str:
        """Name of the line: the cluster's own number, and its timeline, which a restored cluster begins anew."""
        return str(
            self._one("""
                SELECT system_identifier || '-' || substr(pg_walfile_name(pg_current_wal_lsn()), 1, 8)
                FROM pg_control_system()
            """)
        )

    def version(self) -> str:
        """Version of the server."""
        return str(self._one("SHOW server_version")).split()[0]

    def now(self) -> datetime:
        """Time by the server's clock."""
        moment: datetime = self._one("SELECT clock_timestamp()")
        return moment.astimezone(UTC)

    def log_files(self) -> list[str]:
        """Names of the log files that the server has of its own timeline."""
        with self._connected() as connection:
            names = connection.execute(
                text("""
                    SELECT name FROM pg_ls_waldir()
                    WHERE name ~ '^[0-9A-F]{24}$' AND name >= substr(pg_walfile_name(pg_current_wal_lsn()), 1, 8)
                """)
            ).scalars()
            return sorted(map(str, names))

    def bound_slots(self, megabytes: int) -> None:
        """Bound what slots may keep, before there is one: the server's disk comes before the archive."""
        wanted = f"{megabytes}MB"
        stored = self._one("SELECT setting FROM pg_settings WHERE name = :name", name=BOUND)
        if str(stored) != str(megabytes):
            self._do(f"ALTER SYSTEM SET {BOUND} = '{wanted}'")
            self._do("SELECT pg_reload_conf()")

    def create_slot(self) -> None:
        """Create the slot, which keeps the log from now on; nothing happens when it is there."""
        if self.slot().state == "":
            self._do("SELECT pg_create_physical_replication_slot(:slot, true)", slot=SLOT)

    def drop_slot(self) -> None:
        """Drop the slot if nobody is connected to it."""
        self._do("SELECT pg_drop_replication_slot(slot_name) FROM pg_replication_slots WHERE slot_name = :s", s=SLOT)

    def slot(self) -> SlotState:
        """Describe the slot."""
        with self._connected() as connection:
            row = connection.execute(
                text("""
                    SELECT s.wal_status, s.active, coalesce(r.flush_lsn, s.restart_lsn)::text,
                        pg_wal_lsn_diff(pg_current_wal_flush_lsn(), coalesce(r.flush_lsn, s.restart_lsn))
                    FROM pg_replication_slots s LEFT JOIN pg_stat_replication r ON r.pid = s.active_pid
                    WHERE s.slot_name = :slot
                """),
                {"slot": SLOT},
            ).one_or_none()
        if row is None:
            return SlotState("", False, "", 0)
        return SlotState(str(row[0] or ""), bool(row[1]), str(row[2] or ""), max(0, int(row[3] or 0)))

    def tick(self) -> tuple[str, datetime]:
        """Write the time into the log; return the position behind it and that time.

        What was committed before lies before it. A log without an entry would not say that nothing had happened.
        """
        with self._connected() as connection:
            moment: datetime = connection.execute(
                text("SELECT clock_timestamp() FROM pg_logical_emit_message(true, 'trading-wal', '')")
            ).scalar_one()
            behind = str(connection.execute(text("SELECT pg_current_wal_flush_lsn()")).scalar_one())
        return behind, moment.astimezone(UTC)

    @contextmanager
    def _connected(self) -> Iterator[Connection]:
        """Yield a connection; a server that dies at any moment is `StorageUnavailableError`.

        Also when the connection is given back, where the driver's own error would come through.
        """
        try:
            with self.engine.connect() as connection:
                yield connection
        except (psycopg2.OperationalError, psycopg2.InterfaceError) as error:
            raise unavailable(self.engine.url, error) from error

    def _one(self, statement: str, **values: Any) -> Any:
        with self._connected() as connection:
            return connection.execute(text(statement), values).scalar_one()

    def _do(self, statement: str, **values: Any) -> None:
        with self._connected() as connection:
            connection.execute(text(statement), values)
