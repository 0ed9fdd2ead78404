"""The database a backup is restored to: empty or absent before, whole afterwards, and never anything between."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from sqlalchemy import URL, Connection, Engine, text
from sqlalchemy.exc import DBAPIError

from trading_lib.adapters.stores.postgres.database import connect, describe
from trading_lib.domain.errors import InputError, StorageUnavailableError

MAINTENANCE = "postgres"
DRAFT = "restore_draft_"
REPLACED = "restore_replaced_"
LOOKS = 20
# Of a restore that is under way or was killed; nothing to back up.
PASSING = (DRAFT, REPLACED)
# Tables, functions, types and large objects; what extensions bring along, and the server itself, is nobody's.
HELD = text("""
    SELECT name FROM (
        SELECT c.relname AS name, c.relnamespace AS place FROM pg_catalog.pg_class c
        WHERE c.relkind IN ('r', 'p', 'v', 'm', 'S', 'f')
        UNION ALL SELECT proname, pronamespace FROM pg_catalog.pg_proc p
        WHERE NOT EXISTS (SELECT FROM pg_catalog.pg_depend d WHERE d.objid = p.oid AND d.deptype = 'e')
        UNION ALL SELECT typname, typnamespace FROM pg_catalog.pg_type t WHERE typtype IN ('d', 'e')
            AND NOT EXISTS (SELECT FROM pg_catalog.pg_depend d WHERE d.objid = t.oid AND d.deptype = 'e')
    ) AS found JOIN pg_catalog.pg_namespace n ON n.oid = found.place
    WHERE n.nspname NOT LIKE 'pg\\_%' AND n.nspname <> 'information_schema'
    UNION ALL SELECT 'large objects' WHERE EXISTS (SELECT FROM pg_catalog.pg_largeobject_metadata)
    ORDER BY 1 LIMIT 1
""")
LOCK = text("SELECT pg_advisory_lock(hashtextextended(:name, 0))")
LEFT = text("""
    SELECT datname FROM pg_database
    WHERE datname LIKE :drafts AND pg_try_advisory_lock(hashtextextended(datname, 0))
""")


class RestoreTarget:
    """A database by its URL; its server must be there, it need not be."""

    def __init__(self, url: URL) -> None:
        if not url.database or url.database in (MAINTENANCE, "template0", "template1"):
            raise InputError(f"the database {url.database!r} belongs to the server itself", "name another one")
        self.url = url

    @property
    def shown(self) -> str:
        """Where it is, without the password."""
        return describe(self.url)

    def is_there(self) -> bool:
        """Whether the server has a database of this name."""
        with self._server() as connection:
            return _exists(connection, self._name)

    def refuse_unless_empty(self) -> None:
        """Raise `InputError` when somebody is connected to it or it holds anything."""
        with self._server() as connection:
            if not _exists(connection, self._name):
                return
            users = _users(connection, self._name)
            template = connection.execute(
                text("SELECT datistemplate FROM pg_database WHERE datname = :name"), {"name": self._name}
            ).scalar()
        if template:
            # The server does not let it be dropped at the end.
            raise InputError(f"{self.shown} is a template of databases", "restore into another database")
        if users:
            raise InputError(
                f"{self.shown} is in use ({users} connections)",
                "stop the stack first, or restore into another database",
            )
        found = _first_held(self.url)
        if found:
            raise InputError(
                f"{self.shown} is not empty (it has {found})",
                "restore into a new database: nothing is ever restored over anything",
            )

    @contextmanager
    def draft(self) -> Iterator[URL]:
        """Create an empty database beside the target; it is dropped at the end unless it has become the target.

        Those that killed processes left behind are dropped first.
        """
        name = f"{DRAFT}{secrets.token_hex(6)}"
        # The connection holds a lock of the draft's name: a draft whose lock nobody holds is nobody's.
        with self._server() as connection:
            connection.execute(LOCK, {"name": name})
            for left in connection.execute(LEFT, {"drafts": f"{DRAFT}%"}).scalars().all():
                with suppress(StorageUnavailableError):
                    _run(connection, f'DROP DATABASE IF EXISTS "{left}"', self.shown)
            owner = connection.execute(
                text("SELECT pg_get_userbyid(datdba) FROM pg_database WHERE datname = :name"), {"name": self._name}
            ).scalar()
            owned = f' OWNER "{_escaped(str(owner))}"' if owner else ""
            _run(connection, f'CREATE DATABASE "{name}"{owned} TEMPLATE template0', self.shown)
            try:
                yield self.url.set(database=name)
            finally:
                with suppress(StorageUnavailableError):
                    _run(connection, f'DROP DATABASE IF EXISTS "{name}"', self.shown)

    def replace_by(self, draft: URL) -> None:
        """Give the target's name to ``draft``, in one transaction; an empty database of that name is dropped."""
        self.refuse_unless_empty()
        aside = f"{REPLACED}{secrets.token_hex(6)}"
        name = _escaped(self._name)
        with self._server() as connection:
            existed = _exists(connection, self._name)
            steps = [f'ALTER DATABASE "{name}" RENAME TO "{aside}"'] if existed else []
            _run(
                connection,
                ";".join(("BEGIN", *steps, f'ALTER DATABASE "{draft.database}" RENAME TO "{name}"', "COMMIT")),
                self.shown,
            )
            if not existed:
                return
            # Somebody may have written into it at the last moment.
            if _first_held(self.url.set(database=aside)):
                raise StorageUnavailableError(
                    f"{self.shown} was written to while it was replaced", f"what was written is in {aside}"
                )
            _run(connection, f'DROP DATABASE "{aside}"', self.shown)

    @property
    def _name(self) -> str:
        return str(self.url.database)

    @contextmanager
    def _server(self) -> Iterator[Connection]:
        engine = _engine(self.url.set(database=MAINTENANCE))
        try:
            with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
                yield connection
        finally:
            engine.dispose()


def _engine(url: URL) -> Engine:
    return connect(url.render_as_string(hide_password=False), application_name="trading-backup")


def _users(connection: Connection, name: str) -> int:
    """How many are connected to a database; the server sees some time later that a connection was closed."""
    for _ in range(LOOKS):
        users = connection.execute(
            text("SELECT count(*) FROM pg_stat_activity WHERE datname = :name"), {"name": name}
        ).scalar_one()
        if not users:
            return 0
        connection.execute(text("SELECT pg_sleep(0.05)"))
    return int(users)


def _exists(connection: Connection, name: str) -> bool:
    found = connection.execute(text("SELECT 1 FROM pg_database WHERE datname = :name"), {"name": name})
    return found.first() is not None


def _first_held(url: URL) -> str:
    engine = _engine(url)
    try:
        with engine.connect() as connection:
            return str(connection.execute(HELD).scalar() or "")
    finally:
        engine.dispose()


def _run(connection: Connection, statement: str, shown: str) -> None:
    try:
        connection.exec_driver_sql(statement.replace("%", "%%"))
    except DBAPIError as error:
        with suppress(DBAPIError):
            connection.exec_driver_sql("ROLLBACK")
        reason = str(error.orig).strip().splitlines()[0]
        raise StorageUnavailableError(
            f"the server of {shown} refuses to make the database ({reason})",
            "the user needs the right to create databases, and nobody may be connected to it",
        ) from None


def _escaped(name: str) -> str:
    return name.replace('"', '""')
