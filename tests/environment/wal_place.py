"""An embedded server of a test's own whose log is received into a folder beside it."""

from __future__ import annotations

import shutil
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any

import psycopg2
from sqlalchemy import make_url

from tests.environment.database import memory_folder, processes_in
from trading_lib.adapters.files.include_folder import include_folder
from trading_lib.adapters.services.folders import StackFolders
from trading_lib.adapters.services.waiting import Patience
from trading_lib.adapters.stores.postgres.embedded_postgres import EmbeddedPostgres
from trading_lib.monitoring.backup.config import BackupConfig
from trading_lib.workflows.backups.place import BackupPlace
from trading_lib.workflows.backups.wal.archive import WalStatus, wal_status
from trading_lib.workflows.backups.wal.receive import receive_wal

SOON = Patience(limit=60.0, interval=0.05)


class WalPlace:
    """A home with a running server, and a receiver that tests start and stop."""

    def __init__(self, home: Path, **config: Any) -> None:
        self.home, self.archive = home, home / "wal"
        settings = {"folder": str(self.archive), "tick_seconds": 0.1, **config}
        environment = {"TRADING_HOME": str(home), "TRADING_CONFIG": str(include_folder() / "config")}
        folders = StackFolders(home=home, project=include_folder().parent)
        self.place = BackupPlace(BackupConfig.model_validate({"wal": settings}), folders, environment)
        self.server = EmbeddedPostgres(folders.postgres)
        self.said: list[str] = []
        self._ending = threading.Event()
        self._thread: threading.Thread | None = None

    def start_receiver(self) -> None:
        """Receive until `stop_receiver`."""
        self._ending = threading.Event()
        self._thread = threading.Thread(target=receive_wal, args=(self.place, None, self._ending, self.said.append))
        self._thread.start()

    def stop_receiver(self) -> None:
        """End the receiver and wait for it."""
        self._ending.set()
        if self._thread is not None:
            self._thread.join()

    def run(self, *statements: str) -> list[tuple[Any, ...]]:
        """Run statements in the trading database, each a transaction of its own; return the rows of the last."""
        connection = self.connect()
        try:
            with connection.cursor() as cursor:
                for statement in statements:
                    cursor.execute(statement)
                return list(cursor.fetchall()) if cursor.description else []
        finally:
            connection.close()

    def connect(self) -> Any:
        """Open a connection that commits each statement."""
        url = make_url(self.server.url("trading"))
        connection = psycopg2.connect(host=url.query["host"], user=url.username, dbname=url.database)
        connection.autocommit = True
        return connection

    def now(self) -> datetime:
        """Time by the server's clock."""
        moment: datetime = self.run("SELECT clock_timestamp()")[0][0]
        return moment

    def await_base(self, count: int = 1) -> WalStatus:
        """Wait for base backups that have all their log."""

        def attempt() -> WalStatus | None:
            status = wal_status(self.place)
            return status if len(status.bases) >= count and status.oldest_restorable else None

        found = SOON.wait_for(attempt)
        assert found is not None, self.said
        return found

    def await_received(self, moment: datetime) -> WalStatus:
        """Wait until everything that was committed by then is in the archive."""

        def attempt() -> WalStatus | None:
            status = wal_status(self.place)
            return status if status.newest_received and status.newest_received >= moment else None

        found = SOON.wait_for(attempt)
        assert found is not None, self.said
        return found


@contextmanager
def wal_place(receiving: bool = True, in_memory: bool = True, **config: Any) -> Iterator[WalPlace]:
    """Yield a home with a running server and, unless told otherwise, a receiver and a first base backup."""
    home = Path(tempfile.mkdtemp(prefix="itswal", dir=memory_folder() if in_memory else None)).resolve()
    made = WalPlace(home, **config)
    try:
        made.server.start()
        made.server.create_databases(["trading"])
        if receiving:
            made.start_receiver()
            made.await_base()
        yield made
    finally:
        made.stop_receiver()
        made.server.stop()
        assert processes_in(made.server.folder) == []
        shutil.rmtree(home, ignore_errors=True)
