"""A real PostgreSQL server for tests: one per test session, a fresh database per test."""

from __future__ import annotations

import gc
import itertools
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest
from sqlalchemy import Engine, make_url, text

from trading_lib.adapters.stores.postgres.database import connect
from trading_lib.adapters.stores.postgres.embedded_postgres import EmbeddedPostgres
from trading_lib.adapters.stores.postgres.migrations import upgrade

TEMPLATE = "migrated_template"
# What the databases of all tests take, with room to spare, in bytes.
ROOM = 8 * 1024**3

MakeDatabase = Callable[..., str]


def processes_in(folder: Path) -> list[psutil.Process]:
    """Processes of the server whose data lies in ``folder``, found without asking the code under test."""
    found = []
    for process in psutil.process_iter():
        try:
            if process.name().startswith("postgres") and Path(process.cwd()) == folder:
                found.append(process)
        except (psutil.Error, OSError):
            continue
    return found


def lives(process: psutil.Process) -> bool:
    """Whether the process has not ended; a dead one may wait a moment for the system to bury it."""
    try:
        return bool(process.is_running() and process.status() != psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return False


def memory_folder() -> Path | None:
    """A folder in memory with room for the databases of a test session; None where there is no such thing."""
    folder = Path("/dev/shm")
    roomy = folder.is_dir() and os.access(folder, os.W_OK) and shutil.disk_usage(folder).free > ROOM
    return folder if roomy else None


@pytest.fixture
def short_folder() -> Iterator[Path]:
    """A folder with a short path, for a server of the test's own; nothing may run in it afterwards."""
    folder = Path(tempfile.mkdtemp(prefix="itspg", dir=memory_folder())).resolve()
    yield folder
    server = EmbeddedPostgres(folder / "data")
    server.stop()
    assert processes_in(server.folder) == []
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[EmbeddedPostgres]:
    """The running server of this test session."""
    folder = Path(tempfile.mkdtemp(prefix="itspg", dir=memory_folder())).resolve()
    server = EmbeddedPostgres(folder / "data")
    server.start()
    assert processes_in(server.folder)
    # Dozens of test databases would spend their time waiting for the disk; tests of durability use their own server.
    administration = connect(server.url("postgres")).execution_options(isolation_level="AUTOCOMMIT")
    with administration.connect() as connection:
        connection.execute(text("ALTER SYSTEM SET fsync = off"))
        connection.execute(text("SELECT pg_reload_conf()"))
    administration.dispose()
    yield server
    server.stop()
    assert processes_in(server.folder) == []
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="session")
def make_database(postgres_server: EmbeddedPostgres) -> MakeDatabase:
    """Return a function that creates a database and returns its URL.

    It has the tables of the newest schema; ``migrated=False`` leaves it empty, and ``of`` makes it a copy of the
    database of that URL, which nothing is connected to afterwards.
    """
    postgres_server.create_databases([TEMPLATE])
    upgrade(postgres_server.url(TEMPLATE))
    numbers = itertools.count(1)

    def make(migrated: bool = True, of: str | None = None) -> str:
        number = next(numbers)
        name = f"test_{number}"
        # Engines of earlier tests that nothing refers to any more hold their connections until they are collected.
        if number % 10 == 0:
            gc.collect()
        administration = connect(postgres_server.url("postgres")).execution_options(isolation_level="AUTOCOMMIT")
        with administration.connect() as connection:
            template = TEMPLATE if migrated else "template1"
            if of is not None:
                template = str(make_url(of).database)
                connected = text("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = :name")
                connection.execute(connected, {"name": template})
            connection.execute(text(f"CREATE DATABASE {name} TEMPLATE {template}"))
        administration.dispose()
        return postgres_server.url(name)

    return make


@pytest.fixture
def empty_database_url(make_database: MakeDatabase) -> str:
    """URL of a fresh database without tables."""
    return make_database(migrated=False)


@pytest.fixture
def database_url(make_database: MakeDatabase) -> str:
    """URL of a fresh database at the newest schema."""
    return make_database()


@pytest.fixture
def engine(database_url: str) -> Iterator[Engine]:
    """Engine on a fresh database at the newest schema."""
    engine = connect(database_url)
    yield engine
    engine.dispose()


@pytest.fixture(scope="module")
def shared_engine(make_database: MakeDatabase) -> Iterator[Engine]:
    """Engine on a database that the tests of a module share, for properties with many examples."""
    engine = connect(make_database())
    yield engine
    engine.dispose()


def table_contents(engine: Engine, *tables: str) -> dict[str, list[str]]:
    """Every row with the transaction that wrote it: equal contents mean that nothing was written."""
    contents = {}
    with engine.connect() as connection:
        for table in tables:
            rows = connection.execute(text(f"SELECT xmin::text || ctid::text || t::text FROM {table} t"))
            contents[table] = sorted(row[0] for row in rows)
    return contents
