import socket
from collections.abc import Callable
from pathlib import Path

import pytest
from sqlalchemy import Connection, make_url, text
from sqlalchemy.exc import ProgrammingError

from trading_lib.adapters.stores.postgres.bulk_copy import Kind, copy_out
from trading_lib.adapters.stores.postgres.database import connect, describe, parse_url
from trading_lib.adapters.stores.postgres.embedded_postgres import EmbeddedPostgres
from trading_lib.domain.errors import ConfigurationError, StorageUnavailableError

SECRET = "hunter2-secret"


def closed_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def assert_one_line(error: BaseException, *fragments: str) -> None:
    message = str(error)
    assert "\n" not in message
    assert SECRET not in message
    for fragment in fragments:
        assert fragment in message


def test_closed_port_names_host_port_database_and_remedy() -> None:
    port = closed_port()
    with pytest.raises(StorageUnavailableError) as caught:
        connect(f"postgresql://me:{SECRET}@127.0.0.1:{port}/trading")
    assert_one_line(caught.value, "127.0.0.1", str(port), "'trading'", "refused", "make up")
    assert caught.value.exit_code == 2


def test_unknown_host_is_named() -> None:
    with pytest.raises(StorageUnavailableError) as caught:
        connect(f"postgresql://me:{SECRET}@no-such-host.invalid/trading")
    assert_one_line(caught.value, "no-such-host.invalid:5432", "'trading'", "host name")


def test_missing_socket_folder_is_named(tmp_path: Path) -> None:
    with pytest.raises(StorageUnavailableError) as caught:
        connect(f"postgresql://me:{SECRET}@/trading?host={tmp_path}")
    assert_one_line(caught.value, str(tmp_path), "make up")


@pytest.mark.postgres
def test_unknown_database_is_named(postgres_server: EmbeddedPostgres) -> None:
    with pytest.raises(StorageUnavailableError) as caught:
        connect(postgres_server.url("nowhere"))
    assert_one_line(caught.value, "'nowhere'", "does not exist", "create the database")


@pytest.mark.postgres
def test_wrong_password_is_not_repeated(short_folder: Path) -> None:
    server = EmbeddedPostgres(short_folder / "data")
    server.start()
    administration = connect(server.url("postgres"))
    with administration.begin() as connection:
        connection.execute(text("CREATE ROLE guarded LOGIN PASSWORD 'right'"))
    hba = server.folder / "pg_hba.conf"
    hba.write_text(f"local all guarded scram-sha-256\n{hba.read_text()}")
    with administration.begin() as connection:
        connection.execute(text("SELECT pg_reload_conf()"))
    administration.dispose()

    guarded = make_url(server.url("postgres")).set(username="guarded")
    connect(guarded.set(password="right").render_as_string(hide_password=False)).dispose()
    with pytest.raises(StorageUnavailableError) as caught:
        connect(guarded.set(password=SECRET).render_as_string(hide_password=False))
    assert_one_line(caught.value, "password authentication failed", "check user and password")


@pytest.mark.parametrize(
    ("url", "problem"),
    [
        (f"me:{SECRET}@host", "no database URL"),
        (f"mysql://me:{SECRET}@host/trading", "'mysql'"),
        (f"postgresql://me:{SECRET}@host", "names no database"),
        (f"postgresql://me:{SECRET}@host:port/trading", "no database URL"),
    ],
)
def test_unusable_url_is_a_configuration_error_without_its_password(url: str, problem: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        parse_url(url)
    assert_one_line(caught.value, problem, "TRADING_DATABASE_URL", "postgresql://user:password@host:port/database")


@pytest.mark.parametrize("scheme", ["postgres", "postgresql", "postgresql+psycopg2"])
def test_usual_spellings_of_the_scheme_are_accepted(scheme: str) -> None:
    url = parse_url(f"{scheme}://me:{SECRET}@db.example:6543/trading")
    assert url.drivername == "postgresql+psycopg2"
    assert describe(url) == "'trading' at db.example:6543"


@pytest.mark.postgres
def test_sessions_are_in_utc_and_carry_a_name(database_url: str) -> None:
    engine = connect(database_url, application_name="its-test")
    with engine.connect() as connection:
        assert connection.execute(text("SHOW timezone")).scalar_one() == "UTC"
        assert connection.execute(text("SHOW application_name")).scalar_one() == "its-test"
    engine.dispose()


@pytest.mark.postgres
def test_own_options_of_the_url_are_kept(database_url: str) -> None:
    url = make_url(database_url).update_query_dict({"options": "-c statement_timeout=4321"})
    engine = connect(url.render_as_string(hide_password=False))
    with engine.connect() as connection:
        assert connection.execute(text("SHOW statement_timeout")).scalar_one() == "4321ms"
        assert connection.execute(text("SHOW timezone")).scalar_one() == "UTC"
    engine.dispose()


@pytest.mark.postgres
def test_engine_reports_a_stopped_server_and_recovers_with_it(short_folder: Path) -> None:
    server = EmbeddedPostgres(short_folder / "data")
    server.start()
    engine = connect(server.url("postgres"))
    server.stop()
    with pytest.raises(StorageUnavailableError) as caught, engine.connect():
        pass
    assert_one_line(caught.value, "'postgres'", "make up")
    server.start()
    with engine.connect() as connection:
        assert connection.execute(text("SELECT 1")).scalar_one() == 1
    engine.dispose()


@pytest.mark.postgres
def test_a_statement_that_found_no_room_is_one_line(database_url: str) -> None:
    engine = connect(database_url)
    full = "DO $$ BEGIN RAISE disk_full USING MESSAGE = 'could not extend file: No space left on device'; END $$"
    with pytest.raises(StorageUnavailableError) as caught, engine.begin() as connection:
        connection.execute(text(full))
    assert_one_line(caught.value, "No space left on device", "free some space")
    with engine.connect() as connection:
        assert connection.execute(text("SELECT 1")).scalar_one() == 1
    engine.dispose()


def select_normally(connection: Connection) -> None:
    connection.execute(text("SELECT 1"))


def select_by_copy(connection: Connection) -> None:
    copy_out(connection, "SELECT 1::float8", {"x": Kind.FLOAT}, {})


@pytest.mark.postgres
@pytest.mark.parametrize("use", [select_normally, select_by_copy])
def test_connection_lost_in_a_transaction_is_reported(database_url: str, use: Callable[[Connection], None]) -> None:
    engine = connect(database_url)
    with engine.connect() as connection:
        own = connection.execute(text("SELECT pg_backend_pid()")).scalar_one()
        with engine.connect() as other:
            # Waits until the backend is gone, at most 10 s.
            assert other.execute(text("SELECT pg_terminate_backend(:pid, 10000)"), {"pid": own}).scalar_one()
        with pytest.raises(StorageUnavailableError) as caught:
            use(connection)
        assert_one_line(caught.value, "cannot use database")
    with engine.connect() as connection:
        use(connection)
    engine.dispose()


@pytest.mark.postgres
def test_errors_of_statements_stay_what_they_are(database_url: str) -> None:
    engine = connect(database_url)
    with engine.connect() as connection, pytest.raises(ProgrammingError, match="no_such_table"):
        connection.execute(text("SELECT * FROM no_such_table"))
    engine.dispose()
