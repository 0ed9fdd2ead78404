"""A database with something in it, and a place to back it up from, without reading the environment."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from sqlalchemy import text

from tests.environment.moving_clock import MovingClock
from trading_lib.adapters.files.include_folder import include_folder
from trading_lib.adapters.services.folders import StackFolders
from trading_lib.adapters.stores.postgres.database import connect
from trading_lib.monitoring.backup.config import BackupConfig
from trading_lib.workflows.backups.place import BackupPlace

NOW = datetime(2026, 11, 20, 22, 0, tzinfo=UTC)


def make_place(home: Path, database_url: str, clock: Any = None, variables: Any = None, **config: Any) -> BackupPlace:
    """A home of its own, which must be a new folder, and the databases of another server."""
    home.mkdir(mode=0o700, exist_ok=True)
    environment = {
        "TRADING_HOME": str(home),
        "TRADING_DATABASE_URL": database_url,
        "TRADING_CONFIG": str(include_folder() / "config"),
        **(variables or {}),
    }
    return BackupPlace(
        config=BackupConfig(**config),
        folders=StackFolders(home=home, project=include_folder().parent),
        environment=environment,
        clock=clock or MovingClock(NOW),
    )


def fill(url: str, books: int = 2, rows: int = 200) -> None:
    """Books, bars with every kind of number, and a gate result: all types that tables of ours have."""
    engine = connect(url)
    try:
        with engine.begin() as connection:
            connection.execute(
                text("""
                    INSERT INTO books SELECT 'book ' || n, 'paper', 'file', 'a:b ''"', date '2026-01-02', 100000.10 + n,
                        'c0ffee', timestamptz '2026-01-02 10:00+02' FROM generate_series(1, :books) n
                """),
                {"books": books},
            )
            connection.execute(
                text("""
                    INSERT INTO bars SELECT 'file', 'S' || n, date '2020-01-01' + n, n / 3.0, 'NaN', NULL, 1e-300 * n,
                        n, n, 0, 1, 'none', timestamptz '2020-01-01 00:00Z' + n * interval '1 second', now()
                    FROM generate_series(1, :rows) n
                """),
                {"rows": rows},
            )
            connection.execute(
                text("""
                    INSERT INTO raw_responses VALUES ('q', '2026-01-02Z', '2026-01-02Z', '\\x00ff')
                """)
            )
            connection.execute(
                text("""
                    INSERT INTO gate_results VALUES (1, 'backtest', true, '{"a": 1.10}', 'c', 'v', 's', 'd', '{}',
                        '2026-01-02Z', 'p', 'r')
                """)
            )
    finally:
        engine.dispose()


def execute(url: str, statement: str) -> None:
    """Run one statement."""
    engine = connect(url)
    try:
        with engine.begin() as connection:
            connection.execute(text(statement))
    finally:
        engine.dispose()
