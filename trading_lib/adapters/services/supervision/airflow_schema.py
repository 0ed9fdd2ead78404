"""Airflow's tables: created and migrated only when needed, because checking costs 10 s of imports."""

from __future__ import annotations

import fcntl
import json
import os
import subprocess
import sys
from collections.abc import Callable
from importlib import metadata
from pathlib import Path

from sqlalchemy import text
from sqlalchemy.exc import ProgrammingError

from trading_lib.adapters.services.credentials import write_private
from trading_lib.adapters.stores.postgres.database import connect

DATABASE_VARIABLE = "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN"
MARKER = "airflow-schema.json"


def ensure_current(url: str, folder: Path, note: Callable[[str], None]) -> None:
    """Migrate unless this version of Airflow has done so; of several programs that ask at once, one does it.

    A migration that fails ends the process: the supervisor starts it again after a pause.
    """
    if is_current(url, folder):
        return
    note("the migration of Airflow's tables")
    lock = os.open(folder / "airflow-schema.lock", os.O_CREAT | os.O_RDWR, 0o600)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if is_current(url, folder):
            return
        subprocess.run([str(Path(sys.executable).parent / "airflow"), "db", "migrate"], check=True)
        content = {"airflow": installed_version(), "revision": stored_revision(url)}
        write_private(folder / MARKER, json.dumps(content) + "\n")
    except subprocess.CalledProcessError as error:
        raise SystemExit(f"Error: `airflow db migrate` failed with exit code {error.returncode}") from None
    finally:
        os.close(lock)


def is_current(url: str, folder: Path) -> bool:
    """Whether this version of Airflow has migrated the tables to the revision that they have now."""
    try:
        content = json.loads((folder / MARKER).read_text())
    except (OSError, ValueError):
        return False
    expected = {"airflow": installed_version(), "revision": stored_revision(url)}
    return bool(content == expected and expected["revision"])


def installed_version() -> str:
    """Version of the Airflow that is installed."""
    return metadata.version("apache-airflow-core")


def stored_revision(url: str) -> str | None:
    """Revision that the tables have; None when there are none."""
    engine = connect(url)
    try:
        with engine.connect() as connection:
            revision = connection.execute(text("SELECT version_num FROM alembic_version")).scalar()
    except ProgrammingError:
        return None
    finally:
        engine.dispose()
    return str(revision) if revision else None
