import os
import signal
import subprocess
import sys
from pathlib import Path

import psutil
import psycopg2
import pytest
from sqlalchemy import create_engine, text

from tests.environment.database import lives, processes_in
from trading_lib.adapters.stores.postgres.embedded_postgres import EmbeddedPostgres
from trading_lib.domain.errors import StorageUnavailableError

pytestmark = pytest.mark.postgres


def postmaster(server: EmbeddedPostgres) -> psutil.Process:
    return psutil.Process(int((server.folder / "postmaster.pid").read_text().splitlines()[0]))


def query(server: EmbeddedPostgres, statement: str, database: str = "postgres") -> list[tuple[object, ...]]:
    engine = create_engine(server.url(database))
    with engine.begin() as connection:
        result = connection.execute(text(statement))
        rows = [tuple(row) for row in result] if result.returns_rows else []
    engine.dispose()
    return rows


def test_starting_twice_keeps_the_server_and_stopping_ends_every_process(short_folder: Path) -> None:
    server = EmbeddedPostgres(short_folder / "data")
    assert not server.is_running()
    server.start()
    first = postmaster(server).pid
    family = processes_in(server.folder)
    server.start()
    assert postmaster(server).pid == first
    assert server.is_running()
    assert len(family) > 1

    server.stop()
    assert not server.is_running()
    assert not any(map(lives, family))
    server.stop()


def test_commits_are_durable_and_no_port_is_open(short_folder: Path) -> None:
    server = EmbeddedPostgres(short_folder / "data")
    server.start()
    assert query(server, "SHOW synchronous_commit") == [("on",)]
    assert query(server, "SHOW fsync") == [("on",)]
    assert query(server, "SHOW listen_addresses") == [("",)]


def test_server_outlives_the_process_that_started_it(short_folder: Path) -> None:
    program = (
        "import sys; from pathlib import Path;"
        "from trading_lib.adapters.stores.postgres.embedded_postgres import EmbeddedPostgres;"
        "EmbeddedPostgres(Path(sys.argv[1])).start()"
    )
    subprocess.run([sys.executable, "-c", program, str(short_folder / "data")], check=True, cwd=Path.cwd())
    server = EmbeddedPostgres(short_folder / "data")
    assert server.is_running()
    assert query(server, "SELECT 1") == [(1,)]


def test_kill_minus_nine_loses_no_commit(short_folder: Path) -> None:
    server = EmbeddedPostgres(short_folder / "data")
    server.start()
    query(server, "CREATE TABLE kept AS SELECT 42 AS answer")
    killed = postmaster(server)
    killed.send_signal(signal.SIGKILL)
    psutil.wait_procs([killed], timeout=30)
    assert not server.is_running()

    server.start()
    assert query(server, "SELECT answer FROM kept") == [(42,)]


@pytest.mark.parametrize("leftover", ["{own_pid}\n/somewhere\n1\n5432\n/tmp\n\n0 0\nready   \n", "99", ""])
def test_pid_file_of_a_crash_is_not_believed(short_folder: Path, leftover: str) -> None:
    """The number of a dead server may belong to another program, and the file may be cut off."""
    server = EmbeddedPostgres(short_folder / "data")
    server.start()
    server.stop()
    (server.folder / "postmaster.pid").write_text(leftover.format(own_pid=os.getpid()))
    assert not server.is_running()
    server.stop()
    server.start()
    assert query(server, "SELECT 1") == [(1,)]


def test_killed_creation_leaves_nothing_that_hinders_the_next(short_folder: Path) -> None:
    draft = short_folder / ".data.new"
    draft.mkdir()
    (draft / "PG_VERSION").write_text("18\n")
    server = EmbeddedPostgres(short_folder / "data")
    server.start()
    assert query(server, "SELECT 1") == [(1,)]
    assert not draft.exists()


def test_path_too_long_for_a_socket_still_works(short_folder: Path) -> None:
    server = EmbeddedPostgres(short_folder / ("long" * 25) / ("path" * 10) / "data")
    assert len(str(server.folder)) > 108
    server.start()
    try:
        assert query(server, "SELECT 1") == [(1,)]
        socket_folder = Path((server.folder / "postmaster.pid").read_text().splitlines()[4])
    finally:
        server.stop()
    assert processes_in(server.folder) == []
    assert socket_folder != server.folder
    assert not socket_folder.exists()


def test_create_databases_twice_and_with_any_name(postgres_server: EmbeddedPostgres) -> None:
    names = ["twice", 'quote " and space', "Robert'); DROP DATABASE postgres;--"]
    postgres_server.create_databases(names)
    query(postgres_server, "CREATE TABLE kept (answer integer)", database="twice")
    postgres_server.create_databases(names)
    assert query(postgres_server, "SELECT count(*) FROM kept", database="twice") == [(0,)]
    for name in names:
        connection = psycopg2.connect(
            create_engine(postgres_server.url(name)).url.render_as_string().replace("postgresql+psycopg2", "postgresql")
        )
        connection.close()


def test_folder_of_something_else_is_refused_untouched(short_folder: Path) -> None:
    folder = short_folder / "data"
    folder.mkdir()
    (folder / "thesis.txt").write_text("precious")
    with pytest.raises(StorageUnavailableError, match="holds files that are no PostgreSQL data") as caught:
        EmbeddedPostgres(folder).start()
    assert str(folder) in str(caught.value)
    assert [path.name for path in folder.iterdir()] == ["thesis.txt"]


def test_file_instead_of_a_folder_is_refused(short_folder: Path) -> None:
    (short_folder / "file").write_text("")
    with pytest.raises(StorageUnavailableError, match="is a file"):
        EmbeddedPostgres(short_folder / "file").start()


def test_damaged_cluster_is_one_line_with_the_servers_last_message(short_folder: Path) -> None:
    server = EmbeddedPostgres(short_folder / "data")
    server.start()
    server.stop()
    with (server.folder / "postgresql.conf").open("a") as settings:
        settings.write("\nno_such_setting = 1\n")
    with pytest.raises(StorageUnavailableError, match="does not start") as caught:
        server.start()
    assert "\n" not in str(caught.value)
    assert str(server.folder) in str(caught.value)


def test_cluster_of_another_version_is_refused(short_folder: Path) -> None:
    folder = short_folder / "data"
    folder.mkdir()
    (folder / "PG_VERSION").write_text("16\n")
    with pytest.raises(StorageUnavailableError, match="another version of PostgreSQL"):
        EmbeddedPostgres(folder).start()


def test_url_of_a_stopped_server_says_how_to_start_it(short_folder: Path) -> None:
    server = EmbeddedPostgres(short_folder / "data")
    with pytest.raises(StorageUnavailableError, match="make up"):
        server.url("trading")
    with pytest.raises(StorageUnavailableError, match="make up"):
        server.create_databases(["trading"])
