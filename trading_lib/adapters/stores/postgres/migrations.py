"""Bringing the database to the schema this version needs, and refusing to work on any other.

All steps of an upgrade run in one transaction under an advisory lock: two upgrades at once wait for each other,
and a failure leaves the schema as it was.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from alembic import command
from alembic.config import Config
from alembic.script import ScriptDirectory
from alembic.util import CommandError
from sqlalchemy import Connection, Engine, inspect, text
from sqlalchemy.exc import DBAPIError, OperationalError

from trading_lib.adapters.files.include_folder import include_folder
from trading_lib.adapters.stores.postgres.database import connect, describe
from trading_lib.adapters.stores.postgres.schema import metadata
from trading_lib.domain.errors import StorageUnavailableError

VERSION_TABLE = "alembic_version"
# Any number that nothing else in the database uses.
UPGRADE_LOCK = 7_208_310_441
LOCK_WAIT = "60s"
UPGRADE = "run `trading db upgrade`"
REPLACE = "restore a backup, or point TRADING_DATABASE_URL at an empty database and run `trading db upgrade`"


def upgrade(url: str, revision: str = "head") -> str:
    """Migrate the database to ``revision`` and return the revision it has then.

    Raises
    ------
    StorageUnavailableError
        When the database cannot be reached, is half-migrated, or is newer than this version; it is unchanged then.
    """
    with _engine(url) as engine:
        try:
            with engine.begin() as connection:
                _lock_schema(connection)
                problem = schema_problem(connection)
                if problem is not None and problem.remedy != UPGRADE:
                    raise problem
                command.upgrade(_configuration(connection), revision)
                reached = _stored_revisions(connection)
        except CommandError as error:
            raise StorageUnavailableError(
                f"cannot migrate {describe(engine.url)} to revision {revision!r}: {error}",
                "use a revision of include/alembic/versions",
            ) from error
        except DBAPIError as error:
            reason = str(error.orig).strip().splitlines()[0]
            raise StorageUnavailableError(
                f"migrating {describe(engine.url)} failed and was rolled back: {reason}", REPLACE
            ) from error
        if revision == "head":
            require_current_revision(engine)
        return reached[0] if reached else ""


def current_revision(url: str) -> str | None:
    """Return the revision the database is at, None when it has no schema."""
    with _engine(url) as engine, engine.connect() as connection:
        stored = _stored_revisions(connection)
        return stored[0] if stored else None


def head_revision() -> str:
    """Return the revision this version of the software works with."""
    head = _scripts().get_current_head()
    if head is None:
        raise StorageUnavailableError(f"{include_folder() / 'alembic'} holds no migrations", "check TRADING_INCLUDE")
    return head


def known_revisions() -> set[str]:
    """Return every revision this version can start from."""
    return {str(script.revision) for script in _scripts().walk_revisions()}


def create_when_empty(engine: Engine, url: str) -> bool:
    """Create the schema in a database that holds no table at all; return whether that was so."""
    with engine.connect() as connection:
        empty = not inspect(connection).get_table_names()
    if empty:
        upgrade(url)
    return empty


def require_current_revision(engine: Engine) -> None:
    """Raise `StorageUnavailableError` unless the schema is exactly the one this version needs."""
    with engine.connect() as connection:
        problem = schema_problem(connection)
    if problem is not None:
        raise problem


def schema_problem(connection: Connection) -> StorageUnavailableError | None:
    """Say what is wrong with the schema: absent, behind, ahead or half-migrated; None when it is right."""
    name = describe(connection.engine.url)
    present = set(inspect(connection).get_table_names())
    missing = sorted(set(metadata.tables) - present)
    stored = _stored_revisions(connection) if VERSION_TABLE in present else []
    if not stored:
        if len(missing) == len(metadata.tables):
            return StorageUnavailableError(f"database {name} has no tables yet", UPGRADE)
        names = ", ".join(sorted(set(metadata.tables) & present)[:3])
        return StorageUnavailableError(
            f"database {name} is half-migrated: it has tables ({names}) but no recorded revision", REPLACE
        )
    revisions = known_revisions()
    unknown = [revision for revision in stored if revision not in revisions]
    if unknown or len(stored) > 1:
        return StorageUnavailableError(
            f"database {name} is at revision {', '.join(unknown or stored)}, which this version does not know",
            f"install the version that made it, or {REPLACE}",
        )
    if stored[0] != head_revision():
        return StorageUnavailableError(
            f"database {name} is at revision {stored[0]}, this version needs {head_revision()}", UPGRADE
        )
    if missing:
        return StorageUnavailableError(
            f"database {name} is half-migrated: at revision {stored[0]} but without {', '.join(missing[:3])}", REPLACE
        )
    return None


def _stored_revisions(connection: Connection) -> list[str]:
    if not inspect(connection).has_table(VERSION_TABLE):
        return []
    rows = connection.execute(text(f"SELECT version_num FROM {VERSION_TABLE} ORDER BY version_num"))  # noqa: S608
    return [str(row[0]) for row in rows]


def _lock_schema(connection: Connection) -> None:
    """Wait for other upgrades; the lock goes with the transaction."""
    connection.execute(text(f"SET LOCAL lock_timeout = '{LOCK_WAIT}'"))
    try:
        connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": UPGRADE_LOCK})
    except OperationalError as error:
        raise StorageUnavailableError(
            f"another upgrade of {describe(connection.engine.url)} has been running for {LOCK_WAIT}",
            "wait for it, or end its database session",
        ) from error


def _configuration(connection: Connection | None = None) -> Config:
    configuration = Config()
    # A percent sign in the path would be read as interpolation.
    configuration.set_main_option("script_location", str(include_folder() / "alembic").replace("%", "%%"))
    configuration.set_main_option("path_separator", "os")
    configuration.attributes["connection"] = connection
    return configuration


def _scripts() -> ScriptDirectory:
    return ScriptDirectory.from_config(_configuration())


@contextmanager
def _engine(url: str) -> Iterator[Engine]:
    engine = connect(url, application_name="trading-migrations")
    try:
        yield engine
    finally:
        engine.dispose()
