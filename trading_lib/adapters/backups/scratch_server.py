"""A server of its own to restore backups into, thrown away afterwards.

The server in use would write every restored row into its own log, which is archived: a backup each hour would fill the
archive with copies of the database. This one keeps no log worth anything and never waits for the disk.
"""

from __future__ import annotations

import shutil
import signal
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import psutil
from sqlalchemy import URL, make_url

from trading_lib.adapters.stores.postgres.embedded_postgres import EmbeddedPostgres
from trading_lib.adapters.stores.postgres.server import postmaster
from trading_lib.adapters.stores.postgres.server.account import account_for, reaching
from trading_lib.adapters.stores.postgres.server.launch import create_cluster

NAME = "server"
INITDB = ("--no-sync", "--no-instructions")
SETTINGS = """
fsync = off
full_page_writes = off
synchronous_commit = off
wal_level = minimal
max_wal_senders = 0
max_wal_size = 4GB
autovacuum = off
maintenance_work_mem = 128MB
"""


class ScratchServer:
    """A running server; see `scratch_server`."""

    def __init__(self, server: EmbeddedPostgres) -> None:
        self._server = server
        self._number = 0

    def new_database(self) -> URL:
        """Create an empty database."""
        self._number += 1
        name = f"scratch_{self._number}"
        self._server.create_databases([name])
        return make_url(self._server.url(name))


@contextmanager
def scratch_server(folder: Path) -> Iterator[ScratchServer]:
    """Run a server below ``folder``, and remove it with everything in it at the end."""
    place = Path(tempfile.mkdtemp(prefix="scratch-", dir=folder))
    server = EmbeddedPostgres(place / NAME)
    try:
        account = account_for(server.folder)
        # The server's account has to pass the folder; it is closed to everybody else.
        account.own(place)
        create_cluster(server.folder, reaching(account, place), INITDB)
        with (server.folder / "postgresql.auto.conf").open("a") as settings:
            settings.write(SETTINGS)
        server.start()
        yield ScratchServer(server)
    finally:
        _end(server)
        shutil.rmtree(place, ignore_errors=True)


def _end(server: EmbeddedPostgres) -> None:
    """End it at once: nobody needs what a clean shutdown would write."""
    running = postmaster.running(server.folder)
    if running is not None:
        with suppress(psutil.Error):
            running.process.send_signal(signal.SIGQUIT)
    server.stop()


def clear_scratch(folder: Path) -> None:
    """End and remove the servers below ``folder`` that a killed process left behind."""
    for place in folder.glob("scratch-*"):
        EmbeddedPostgres(place / NAME).stop()
        shutil.rmtree(place, ignore_errors=True)
