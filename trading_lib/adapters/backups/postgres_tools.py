"""pg_dump and pg_restore of the embedded server, for any server that is not newer than they are."""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from psycopg2.extensions import make_dsn
from sqlalchemy import URL, text

from trading_lib.adapters.logs.redaction import secret_values, without_secrets
from trading_lib.adapters.stores.postgres.database import connect, describe
from trading_lib.adapters.stores.postgres.server.programs import VERSION, program
from trading_lib.domain.errors import FileTroubleError, InputError, StorageUnavailableError, TradingError

# Compressed for speed: better compression takes twice as long and saves a fifteenth.
COMPRESSION = 1
LOCK_WAIT_MS = 60_000
FULL = "No space left on device"
# What is said when the server, or the way to it, went away: it usually comes back.
AWAY = ("connection to server", "server closed the connection", "terminating connection", "the database system is")


class DumpFailedError(TradingError):
    """A dump or a restore failed for a reason of its own; the line is PostgreSQL's first complaint."""


def server_version(url: URL) -> str:
    """Version of the server, e.g. ``18.4``; a server newer than our programs is refused.

    Raises
    ------
    InputError
    """
    engine = connect(url.render_as_string(hide_password=False), application_name="trading-backup")
    try:
        with engine.connect() as connection:
            version = str(connection.execute(text("SHOW server_version")).scalar_one()).split()[0]
    finally:
        engine.dispose()
    if major(version) > int(VERSION):
        raise InputError(
            f"{describe(url)} is PostgreSQL {version}, newer than the backup programs here ({VERSION})",
            "update this software, or use the server's own backups",
        )
    return version


def major(version: str) -> int:
    """Return the first number of a version."""
    found = re.match(r"\d+", version)
    return int(found[0]) if found else 0


def start_dump(url: URL, snapshot: str, folder: Path, jobs: int) -> subprocess.Popen[str]:
    """Start dumping what ``snapshot`` sees into the new folder; `finish` waits for the end."""
    arguments = ("--format=directory", f"--jobs={jobs}", f"--compress={COMPRESSION}", f"--snapshot={snapshot}")
    return _start("pg_dump", url, (*arguments, f"--lock-wait-timeout={LOCK_WAIT_MS}", f"--file={folder}"))


def restore(folder: Path, url: URL, jobs: int) -> None:
    """Restore a dump into an empty database, as its owner's; ends at the first error.

    Raises
    ------
    DumpFailedError
    """
    arguments = ("--exit-on-error", "--no-owner", "--no-privileges", f"--jobs={jobs}", str(folder))
    finish(_start("pg_restore", url, arguments), url)


def finish(process: subprocess.Popen[str], url: URL) -> None:
    """Wait for a program and raise one line when it failed; it is ended when the wait is."""
    try:
        _, complaints = process.communicate()
    except BaseException:
        stop(process)
        raise
    if process.returncode == 0:
        return
    lines = [line.strip() for line in complaints.splitlines() if "error:" in line.lower() or "FATAL" in line]
    said = re.sub(r"^\S*pg_(dump|restore): (error: )?", "", (lines or [complaints.strip() or "nothing"])[0])
    said = without_secrets(said, {*secret_values(), *_password(url)})
    name = Path(str(process.args[0] if isinstance(process.args, list) else process.args)).name
    if FULL in complaints:
        raise StorageUnavailableError(f"{name} of {describe(url)} stopped: a disk is full", "free some space")
    if any(sign in complaints for sign in AWAY):
        raise StorageUnavailableError(
            f"{name} of {describe(url)} lost the server ({said})", "try again when it is back"
        )
    raise DumpFailedError(f"{name} of {describe(url)} failed ({said})", "see the server's log; nothing was stored")


def stop(process: subprocess.Popen[str]) -> None:
    """End a program that still runs, and wait for it."""
    if process.poll() is None:
        process.terminate()
        process.wait()


def _start(name: str, url: URL, arguments: Sequence[str]) -> subprocess.Popen[str]:
    # The password travels in the environment, where other users cannot read it.
    environment = {key: value for key, value in os.environ.items() if not key.startswith("PG")}
    for password in _password(url):
        environment["PGPASSWORD"] = password
    try:
        return subprocess.Popen(
            [str(program(name)), f"--dbname={_address(url)}", "--no-password", *arguments],
            env={**environment, "LC_ALL": "C"},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
            errors="replace",
        )
    except OSError as error:
        raise FileTroubleError(error, program(name)) from error


def _address(url: URL) -> str:
    if "sslpassword" in url.query:
        raise InputError(
            f"the address of {describe(url)} holds sslpassword, which would stand in the list of processes",
            "use a client key without a password that only its owner can read",
        )
    parts: dict[str, Any] = {
        "host": url.host,
        "port": url.port,
        "user": url.username,
        "dbname": url.database,
        **{key: value for key, value in url.query.items() if key != "password" and isinstance(value, str)},
        "application_name": "trading-backup",
    }
    return str(make_dsn(**{key: value for key, value in parts.items() if value is not None}))


def _password(url: URL) -> list[str]:
    given = (url.password, url.query.get("password"))
    return [value for value in given if isinstance(value, str) and value]
