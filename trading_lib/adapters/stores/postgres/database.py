"""Connecting to the state database, with every failure to reach it as one readable line."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager

import psycopg2
from sqlalchemy import URL, Connection, Engine, create_engine, event, make_url
from sqlalchemy.engine import ExceptionContext
from sqlalchemy.exc import ArgumentError

from trading_lib.domain.errors import ConfigurationError, StorageUnavailableError

DRIVER = "postgresql+psycopg2"
DIALECTS = ("postgres", "postgresql", DRIVER)
CONNECT_SECONDS = 5
APPLICATION_NAME = "trading"
URL_VARIABLE = "TRADING_DATABASE_URL"

# What libpq says when a connection fails, and what to do about it; it gives no error codes for these.
REMEDIES = (
    ("password", f"check user and password in {URL_VARIABLE}"),
    ("no pg_hba.conf entry", f"allow this user and address on the server, or change {URL_VARIABLE}"),
    ("No space left on device", "free some space on the database's disk"),
    ("role", f"check the user in {URL_VARIABLE}"),
    ("database", f"create the database, or check its name in {URL_VARIABLE}"),
    ("translate host name", f"check the host name in {URL_VARIABLE}"),
)
# Classes of PostgreSQL's codes for what no statement is to blame for: no resources left, an error of the system.
EXHAUSTED = ("53", "58")
DEFAULT_REMEDY = f"start the database with `make up`, or check {URL_VARIABLE}"


def connect(url: str, application_name: str = APPLICATION_NAME) -> Engine:
    """Return an engine for the state database after one connection has succeeded.

    Sessions run in UTC. Whenever the server cannot be reached, now or later, the engine raises
    `StorageUnavailableError` instead of the driver's error.

    Parameters
    ----------
    url
        ``postgresql://user:password@host:port/database``; a Unix socket is ``?host=/folder``.

    Raises
    ------
    ConfigurationError
        When ``url`` is no PostgreSQL URL.
    StorageUnavailableError
        When the server refuses, does not answer in 5 seconds, or has no such user, password or database.
    """
    parsed = parse_url(url)
    existing_options = parsed.query.get("options", "")
    engine = create_engine(
        parsed,
        pool_pre_ping=True,
        connect_args={
            "connect_timeout": CONNECT_SECONDS,
            "application_name": application_name,
            "options": f"{existing_options} -c timezone=UTC".strip(),
        },
    )
    event.listen(engine, "handle_error", _raise_unavailable)
    try:
        with engine.connect():
            return engine
    except BaseException:
        engine.dispose()
        raise


def parse_url(text: str) -> URL:
    """Parse a database URL; the message of the error never repeats it, as it may hold a password."""
    remedy = "write it as postgresql://user:password@host:port/database"
    try:
        url = make_url(text)
    except (ArgumentError, ValueError):
        raise ConfigurationError(f"{URL_VARIABLE} is no database URL", remedy) from None
    if url.drivername not in DIALECTS:
        raise ConfigurationError(f"{URL_VARIABLE} is a URL of {url.drivername!r}, not of PostgreSQL", remedy)
    if not url.database:
        raise ConfigurationError(f"{URL_VARIABLE} names no database", remedy)
    return url.set(drivername=DRIVER)


def describe(url: URL) -> str:
    """Name a database by host, port and name, without user or password."""
    hosts = url.query.get("host", ())
    host = url.host or (hosts if isinstance(hosts, str) else ",".join(hosts)) or "localhost"
    port = url.port or url.query.get("port") or 5432
    return f"{url.database!r} at {host}" if host.startswith("/") else f"{url.database!r} at {host}:{port}"


@contextmanager
def reporting_lost_connections(connection: Connection) -> Iterator[None]:
    """Translate driver errors of a block that uses the raw psycopg2 connection, as COPY does."""
    try:
        yield
    except (psycopg2.OperationalError, psycopg2.InterfaceError) as error:
        # SQLAlchemy has not seen the error; without this its rollback would fail on the dead connection.
        connection.invalidate(error)
        raise unavailable(connection.engine.url, error) from error


def unavailable(url: URL, error: BaseException) -> StorageUnavailableError:
    """Build the one-line error for a database that cannot be used."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    # libpq names the server first; we do so ourselves and more readably.
    cause = re.sub(r'^connection to server (at|on socket) ".*?"(, port \d+)? failed: ', "", lines[0] if lines else "")
    cause = cause.removeprefix("FATAL:").strip() or type(error).__name__
    for secret in (url.password, url.query.get("password")):
        if isinstance(secret, str) and secret:
            cause = cause.replace(secret, "***")
    remedy = next((remedy for fragment, remedy in REMEDIES if fragment in cause), DEFAULT_REMEDY)
    return StorageUnavailableError(f"cannot use database {describe(url)}: {cause}", remedy)


def _raise_unavailable(context: ExceptionContext) -> None:
    """SQLAlchemy's error hook: replace failed and lost connections, leave errors of statements alone."""
    if context.is_pre_ping or context.engine is None:
        return
    # SQLAlchemy counts an interruption (Ctrl-C, an exit) as a lost connection; it is none of the database's making.
    if not isinstance(context.original_exception, Exception):
        return
    full = str(getattr(context.original_exception, "pgcode", "") or "").startswith(EXHAUSTED)
    if context.connection is None or context.is_disconnect or full:
        raise unavailable(context.engine.url, context.original_exception) from context.original_exception
