"""Settings of a process: configuration, folders, database address and clock, assembled once."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from trading_lib.adapters.files.include_folder import include_folder
from trading_lib.adapters.services.folders import StackFolders
from trading_lib.domain.market.sessions import SessionCalendar, exchange_sessions
from trading_lib.workflows.setup.configuration import SystemConfiguration, load_configuration

if TYPE_CHECKING:
    from sqlalchemy import Engine

DATABASE_VARIABLE = "TRADING_DATABASE_URL"
# As of `simulator_mount`, which is not loaded for it: most processes have nothing to do with brokers.
SIMULATOR_VARIABLE = "TRADING_BROKER_SIMULATOR"
DATABASES = ("trading", "airflow", "mlflow")

Clock = Callable[[], datetime]


def system_clock() -> datetime:
    """Return the present time in UTC."""
    return datetime.now(UTC)


@dataclass(frozen=True)
class Settings:
    """What every workflow needs.

    Attributes
    ----------
    database_url
        SQLAlchemy URL of the trading database, None for the embedded server.
    clock
        Returns the present time; injected by tests.
    """

    configuration: SystemConfiguration
    folders: StackFolders
    database_url: str | None
    clock: Clock = system_clock

    @property
    def calendar(self) -> SessionCalendar:
        """The exchange calendar."""
        return exchange_sessions()

    def trading_database_url(self) -> str:
        """URL of the trading database; the embedded server is started when it is the one in use."""
        if self.database_url:
            return self.database_url
        # Database libraries are imported where one is used: a backtest on files needs none.
        from trading_lib.adapters.stores.postgres.embedded_postgres import EmbeddedPostgres

        server = EmbeddedPostgres(self.folders.postgres)
        server.start()
        server.create_databases(DATABASES)
        return server.url("trading")

    def engine(self) -> Engine:
        """Connect to the trading database and insist on the expected schema revision.

        The embedded server belongs to this installation, so a database that is still empty gets its tables at once; on
        any other server that is left to ``trading db upgrade``.
        """
        from trading_lib.adapters.stores.postgres.database import connect
        from trading_lib.adapters.stores.postgres.migrations import create_when_empty, require_current_revision

        url = self.trading_database_url()
        engine = connect(url)
        if self.database_url is None:
            create_when_empty(engine, url)
        require_current_revision(engine)
        return engine


def load_settings(environment: Mapping[str, str] | None = None, clock: Clock | None = None) -> Settings:
    """Assemble settings from the configuration files and the environment.

    Parameters
    ----------
    clock
        Default that of this computer, or of the broker simulator where the environment names one.
    """
    variables = os.environ if environment is None else environment
    return Settings(
        configuration=load_configuration(configuration_folder(variables), variables),
        folders=StackFolders.locate(variables),
        database_url=variables.get(DATABASE_VARIABLE) or None,
        clock=clock or _clock(variables),
    )


def _clock(environment: Mapping[str, str]) -> Clock:
    if not environment.get(SIMULATOR_VARIABLE, "").strip():
        return system_clock
    # Loaded where the simulator is used: it speaks HTTP.
    from trading_lib.adapters.brokers.shared.simulator_clock import simulator_clock

    return simulator_clock(environment)


def configuration_folder(environment: Mapping[str, str]) -> Path:
    """Folder of the configuration files: ``TRADING_CONFIG``, else ``include/config``."""
    named = environment.get("TRADING_CONFIG")
    return Path(named).expanduser() if named else include_folder() / "config"
