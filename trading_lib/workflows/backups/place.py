"""What every job about backups needs: configuration, folders, databases and clock; a broken strategy stops none."""

from __future__ import annotations

import fcntl
import os
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from trading_lib.adapters.backups.destination import Destination, open_destination
from trading_lib.adapters.files.exclusive_lock import alone
from trading_lib.adapters.services.folders import StackFolders
from trading_lib.domain.errors import StorageUnavailableError, TradingError
from trading_lib.monitoring.backup.config import BackupConfig
from trading_lib.workflows.setup.configuration import load_configuration
from trading_lib.workflows.setup.configuration_file import load_file
from trading_lib.workflows.setup.settings import Clock, configuration_folder, system_clock

if TYPE_CHECKING:
    from sqlalchemy import URL

FILE = "backup.yaml"
WORK = "backup-work"
DEFAULT_FOLDER = "backups"
IDENTITY_VARIABLE = "TRADING_BACKUP_IDENTITY_FILE"
DRILL_IDENTITY_VARIABLE = "TRADING_BACKUP_DRILL_IDENTITY_FILE"
TRADING = "trading"
# A server's own, which hold nothing of anybody's.
SYSTEM_DATABASES = ("postgres",)


@dataclass(frozen=True)
class BackupPlace:
    """Settings of one process.

    Attributes
    ----------
    environment
        Names the database server, the destination's credentials and the files of private keys.
    """

    config: BackupConfig
    folders: StackFolders
    environment: Mapping[str, str]
    clock: Clock = system_clock

    @property
    def default_address(self) -> str:
        """The configured destination, else a folder beside the database."""
        return self.config.destination or str(self.folders.home / DEFAULT_FOLDER)

    @property
    def on_this_machine(self) -> bool:
        """Whether backups lie on the disk that they are to save from."""
        return not self.config.destination

    def destination(self, address: str | None = None) -> Destination:
        """Open a destination, the configured one without an address."""
        return open_destination(address or self.default_address, self.environment)

    def identity(self, given: Path | None = None) -> Path | None:
        """File of the private keys that open backups; None where none is named."""
        named = self.environment.get(IDENTITY_VARIABLE)
        return given or (Path(named) if named else None)

    def drill_identity(self) -> Path | None:
        """File of the drill's own private key; None where none is named."""
        named = self.environment.get(DRILL_IDENTITY_VARIABLE)
        return Path(named) if named else None

    def databases(self) -> dict[str, URL]:
        """Return the databases to back up by name; the embedded server is started when it is ours.

        Of the embedded server every database counts; of another one those of this project.
        """
        from trading_lib.adapters.backups.restore_target import PASSING
        from trading_lib.adapters.services.databases import DATABASES, SIBLINGS, DatabaseServer
        from trading_lib.adapters.stores.postgres.embedded_postgres import EmbeddedPostgres

        server = DatabaseServer(self.folders.postgres, self.environment)
        if server.embedded:
            embedded = EmbeddedPostgres(self.folders.postgres)
            embedded.start()
            embedded.create_databases(DATABASES)
        trading = server.urls().trading
        present = _database_names(trading)
        kept = {name for name in present - {TRADING, *SYSTEM_DATABASES} if not name.startswith(PASSING)}
        others = SIBLINGS if not server.embedded else sorted(kept)
        return {TRADING: trading, **{name: trading.set(database=name) for name in others if name in present}}

    def config_hash(self) -> str:
        """Name of the configuration decisions are made under; "" where its files cannot be read."""
        try:
            return load_configuration(configuration_folder(self.environment), self.environment).config_hash
        except TradingError:
            return ""

    @contextmanager
    def work_folder(self) -> Iterator[Path]:
        """Yield an empty folder that others cannot enter, and remove it at the end.

        What killed processes left in theirs is removed first.
        """
        above = self.folders.closed(WORK)
        _clear(above)
        folder = Path(tempfile.mkdtemp(prefix="job-", dir=above))
        lock = os.open(folder / "lock", os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield folder
        finally:
            os.close(lock)
            shutil.rmtree(folder, ignore_errors=True)

    @contextmanager
    def one_at_a_time(self) -> Iterator[None]:
        """Refuse to dump and restore beside another backup of databases."""
        busy = StorageUnavailableError("another backup of the databases is running", "wait for it")
        with alone(self.folders.closed(WORK) / "databases.lock", busy):
            yield


def load_place(environment: Mapping[str, str] | None = None, clock: Clock = system_clock) -> BackupPlace:
    """Assemble it from backup.yaml and the environment; a folder without that file has the built-in values."""
    variables = os.environ if environment is None else environment
    path = configuration_folder(variables) / FILE
    config = load_file(path, BackupConfig, variables) if path.exists() else BackupConfig()
    return BackupPlace(config, StackFolders.locate(variables), variables, clock)


def _database_names(url: URL) -> set[str]:
    from sqlalchemy import text

    from trading_lib.adapters.stores.postgres.database import connect

    engine = connect(url.render_as_string(hide_password=False), application_name="trading-backup")
    try:
        with engine.connect() as connection:
            return set(connection.execute(text("SELECT datname FROM pg_database WHERE NOT datistemplate")).scalars())
    finally:
        engine.dispose()


def _clear(above: Path) -> None:
    """Remove the folders of jobs whose process is gone: nobody holds their lock any more."""
    from trading_lib.adapters.backups.scratch_server import clear_scratch

    for folder in above.glob("job-*"):
        try:
            lock = os.open(folder / "lock", os.O_RDWR | os.O_CLOEXEC)
        except OSError:
            continue  # made or removed at this moment
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            clear_scratch(folder)
            shutil.rmtree(folder, ignore_errors=True)
        except BlockingIOError:
            continue
        finally:
            os.close(lock)
