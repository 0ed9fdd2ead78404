"""The three databases of the stack: on a server named by URL, or on the embedded PostgreSQL."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import text
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ProgrammingError

from trading_lib.adapters.stores.postgres.database import connect, describe, parse_url
from trading_lib.adapters.stores.postgres.embedded_postgres import EmbeddedPostgres
from trading_lib.domain.errors import ConfigurationError, StorageUnavailableError

URL_VARIABLE = "TRADING_DATABASE_URL"
SIBLINGS = ("airflow", "mlflow")
DATABASES = ("trading", *SIBLINGS)
# How the description of a server that is ours begins.
EMBEDDED = "embedded "


@dataclass(frozen=True, slots=True)
class DatabaseUrls:
    """SQLAlchemy URLs of the trading state, Airflow's metadata and MLflow's backend.

    They hold a password: pass them on by environment, never on a command line or in a log; `description` is
    what may be shown.
    """

    trading: URL
    airflow: URL
    mlflow: URL
    embedded: bool

    @property
    def description(self) -> str:
        """Where the server is, without the password."""
        return f"{EMBEDDED if self.embedded else ''}PostgreSQL, database {describe(self.trading)}"


class DatabaseServer:
    """The PostgreSQL server of the stack.

    Parameters
    ----------
    folder
        Data folder of the embedded server; unused when ``TRADING_DATABASE_URL`` names another one.
    """

    def __init__(self, folder: Path, environment: Mapping[str, str]) -> None:
        self._server_url = _external_url(environment)
        self._embedded = EmbeddedPostgres(folder) if self._server_url is None else None

    @property
    def embedded(self) -> bool:
        """Whether this project runs the server itself."""
        return self._embedded is not None

    def start(self) -> DatabaseUrls:
        """Start the embedded server if it is ours to start, create missing databases, return their URLs."""
        if self._embedded is not None:
            self._embedded.start()
            self._embedded.create_databases(DATABASES)
        urls = self.urls()
        if not urls.embedded:
            _create_missing(urls)
        return urls

    def urls(self) -> DatabaseUrls:
        """Return the URLs; the embedded server must be running, as its socket is part of them."""
        if self._embedded is not None:
            trading, airflow, mlflow = (make_url(self._embedded.url(name)) for name in DATABASES)
            return DatabaseUrls(trading, airflow, mlflow, embedded=True)
        url = self._server_url
        assert url is not None
        return DatabaseUrls(url, url.set(database="airflow"), url.set(database="mlflow"), embedded=False)

    def is_running(self) -> bool:
        """Whether the server answers."""
        if self._embedded is not None:
            return self._embedded.is_running()
        try:
            connect(self.urls().trading.render_as_string(hide_password=False)).dispose()
        except StorageUnavailableError:
            return False
        return True

    def stop(self) -> bool:
        """Stop the embedded server; another server is left alone. Return whether something was stopped."""
        return self._embedded is not None and self._embedded.stop()


def _external_url(environment: Mapping[str, str]) -> URL | None:
    text = environment.get(URL_VARIABLE)
    if not text:
        return None
    url = parse_url(text)
    if url.database in SIBLINGS:
        raise ConfigurationError(
            f"{URL_VARIABLE} names the database {url.database!r}",
            "name the trading database; airflow and mlflow are created beside it",
        )
    return url


def _create_missing(urls: DatabaseUrls) -> None:
    """Create the sibling databases that the server lacks; needs the right to create databases only then."""
    engine = connect(urls.trading.render_as_string(hide_password=False))
    try:
        with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            present = set(connection.execute(text("SELECT datname FROM pg_database")).scalars())
            for name in SIBLINGS:
                if name not in present:
                    connection.execute(text(f'CREATE DATABASE "{name}"'))
    except ProgrammingError as error:
        reason = str(error.orig).strip().splitlines()[0]
        raise StorageUnavailableError(
            f"cannot create the databases {' and '.join(SIBLINGS)} beside {describe(urls.trading)}: {reason}",
            "create them, or give the user the right to",
        ) from None
    finally:
        engine.dispose()
