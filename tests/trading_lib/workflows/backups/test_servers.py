"""Servers and disks as they are: the embedded one with all its databases, a plain user's, a full disk, a kill."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest
from sqlalchemy import make_url, text

from tests.environment.backup_place import execute, fill, make_place
from tests.environment.database import MakeDatabase, lives
from trading_lib.adapters.backups.content import database_content
from trading_lib.adapters.backups.destination import DestinationUnavailableError
from trading_lib.adapters.stores.postgres.database import connect
from trading_lib.adapters.stores.postgres.embedded_postgres import EmbeddedPostgres
from trading_lib.adapters.stores.postgres.migrations import upgrade
from trading_lib.adapters.stores.postgres.server import doors, postmaster
from trading_lib.domain.errors import InputError, StorageUnavailableError, TradingError
from trading_lib.workflows.backups.catalogue import read_catalogue
from trading_lib.workflows.backups.create import back_up_databases
from trading_lib.workflows.backups.place import WORK, BackupPlace
from trading_lib.workflows.backups.restore import restore_backup

pytestmark = pytest.mark.postgres


@pytest.fixture(scope="module")
def own_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[BackupPlace]:
    """An installation with the embedded server."""
    place = make_place(tmp_path_factory.mktemp("own") / "home", "")
    server = EmbeddedPostgres(place.folders.postgres)
    server.start()
    server.create_databases(["trading", "airflow", "mlflow", 'Other "one"'])
    upgrade(server.url("trading"))
    fill(server.url("trading"))
    execute(server.url("airflow"), 'CREATE TABLE dag (dag_id text, "whole row" int, "a:b" text)')
    execute(server.url("airflow"), "INSERT INTO dag VALUES ('backup', 1, 'x'), ('backup', 1, 'x'), (NULL, NULL, NULL)")
    execute(server.url("mlflow"), 'CREATE SCHEMA "my:own" CREATE TABLE runs (id serial primary key, at timestamptz)')
    execute(server.url("mlflow"), "INSERT INTO \"my:own\".runs (at) VALUES (now()), ('infinity')")
    yield place
    server.stop()


def test_every_database_of_the_embedded_server_is_backed_up(own_server: BackupPlace) -> None:
    manifests = back_up_databases(own_server, own_server.destination())
    assert [manifest.database for manifest in manifests] == ["trading", 'Other "one"', "airflow", "mlflow"]
    tables = {manifest.database: manifest.tables for manifest in manifests}
    assert tables["airflow"] == {"dag": 3}
    assert tables["mlflow"] == {"my:own.runs": 2}
    done = restore_backup(own_server, own_server.destination(), "airflow_again", database="airflow")
    assert done.into == f"'airflow_again' at {own_server.folders.postgres}"
    # What a killed restore left is no database of anybody's, and goes with the next restore.
    server = EmbeddedPostgres(own_server.folders.postgres)
    server.create_databases(["restore_draft_000000000000"])
    assert "restore_draft_000000000000" not in own_server.databases()
    restore_backup(own_server, own_server.destination(), "airflow_third", database="airflow")
    assert own_server.databases().keys() >= {"airflow_again", "airflow_third"}
    assert "restore_draft_000000000000" not in names_of(own_server)
    with pytest.raises(InputError, match="is not empty"):
        restore_backup(own_server, own_server.destination(), "airflow_again", database="airflow")
    with pytest.raises(InputError, match="belongs to the server itself"):
        restore_backup(own_server, own_server.destination(), "postgres", database="airflow")


def names_of(place: BackupPlace) -> set[str]:
    engine = connect(EmbeddedPostgres(place.folders.postgres).url("postgres"))
    with engine.connect() as connection:
        names = set(connection.execute(text("SELECT datname FROM pg_database")).scalars())
    engine.dispose()
    return names


def test_a_user_without_any_privilege_backs_up_and_restores(own_server: BackupPlace, tmp_path: Path) -> None:
    """As on a managed server: the owner of a database, who may create others, and nothing more."""
    server = EmbeddedPostgres(own_server.folders.postgres)
    for statement in ("CREATE ROLE plain LOGIN CREATEDB PASSWORD 'hunter2'", "CREATE ROLE poor LOGIN"):
        execute(server.url("postgres"), statement)
    access = server.folder / "pg_hba.conf"
    access.write_text("local all plain scram-sha-256\nlocal all poor trust\n" + access.read_text())
    running = postmaster.running(server.folder)
    assert running is not None
    running.process.send_signal(doors.RELOAD)
    admin = make_url(server.url("plains"))
    engine_url = admin.set(username="plain", password="hunter2")
    server.create_databases(["plains"])
    execute(server.url("postgres"), "ALTER DATABASE plains OWNER TO plain")
    plain = engine_url.render_as_string(hide_password=False)
    upgrade(plain)
    fill(plain)
    place = make_place(tmp_path / "home", plain)
    (manifest,) = back_up_databases(place, place.destination(), ["trading"])
    into = engine_url.set(database="plains_again").render_as_string(hide_password=False)
    restore_backup(place, place.destination(), into)
    assert database_content(make_url(into)).state_hash == manifest.state_hash
    # One who may not create databases is told so, and nothing is left behind.
    poor = engine_url.set(database="poors", username="poor", password=None).render_as_string()
    with pytest.raises(StorageUnavailableError, match=r"permission denied .* the right to create databases"):
        restore_backup(place, place.destination(), poor)
    wrong = engine_url.set(password="wrong-password").render_as_string(hide_password=False)
    with pytest.raises(TradingError) as caught:
        back_up_databases(make_place(tmp_path / "other", wrong), place.destination())
    assert "wrong-password" not in str(caught.value)


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of a megabyte; skipped where this user may mount none."""
    folder = tmp_path / "small"
    folder.mkdir()
    options = ("-t", "tmpfs", "-o", "size=1m,mode=0700", "tmpfs")
    mounted = subprocess.run(["mount", *options, str(folder)], check=False, capture_output=True)
    if mounted.returncode:
        pytest.skip("no disk can be mounted here")
    yield folder
    subprocess.run(["umount", str(folder)], check=True)


def test_a_full_disk_leaves_no_backup_and_an_older_one_whole(
    small_disk: Path, tmp_path: Path, make_database: MakeDatabase
) -> None:
    url = make_database()
    fill(url, rows=20)
    place = make_place(tmp_path / "home", url)
    destination = place.destination(str(small_disk / "backups"))
    back_up_databases(place, destination, ["trading"])
    fill_random(url)
    with pytest.raises(DestinationUnavailableError, match="No space left on device"):
        back_up_databases(place, destination, ["trading"])
    catalogue = read_catalogue(destination)
    assert (len(catalogue.manifests), catalogue.unclaimed, catalogue.problems) == (1, (), {})
    # The same where the dump itself finds no room.
    crowded = make_place(small_disk / "home", url)
    with pytest.raises((StorageUnavailableError, OSError), match=r"full|space"):
        back_up_databases(crowded, place.destination(str(tmp_path / "elsewhere")), ["trading"])
    assert not (tmp_path / "elsewhere").exists()
    assert [path.name for path in (small_disk / "home" / WORK).iterdir()] == ["databases.lock"]


def fill_random(url: str) -> None:
    execute(
        url,
        """
        INSERT INTO raw_responses
        SELECT 'r' || n, now(), now(), decode(string_agg(md5(random()::text || m), ''), 'hex')
        FROM generate_series(1, 2000) n, generate_series(1, 60) m GROUP BY n
        """,
    )


def test_a_backup_that_is_killed_leaves_nothing_that_counts_and_the_next_cleans_up(
    make_database: MakeDatabase, tmp_path: Path, repository_root: Path
) -> None:
    url = make_database()
    fill_random(url)
    place = make_place(tmp_path / "home", url)
    command = [sys.executable, "-m", "trading_lib.cli", "backup", "create", "--to", str(tmp_path / "backups")]
    program = [sys.executable, "-c", "from trading_lib.cli import main; main()", *command[3:]]
    process = subprocess.Popen(
        program, env={**os.environ, **place.environment, "PYTHONPATH": str(repository_root)}, cwd=repository_root
    )
    work = place.folders.home / WORK
    deadline = time.monotonic() + 60
    while not list(work.glob("job-*/dump-trading")) and time.monotonic() < deadline:
        time.sleep(0.02)
    process.send_signal(signal.SIGKILL)
    process.wait()
    left = [one for one in psutil.process_iter() if str(work) in " ".join(_words(one))]
    assert any(lives(one) for one in left), "the scratch server outlives its starter"
    assert read_catalogue(place.destination(str(tmp_path / "backups"))).manifests == ()
    (manifest,) = back_up_databases(place, place.destination(str(tmp_path / "backups")), ["trading"])
    assert manifest.tables["raw_responses"] == 2000
    assert [path.name for path in work.iterdir()] == ["databases.lock"]
    psutil.wait_procs(left, timeout=10)
    assert not any(lives(one) for one in left)


def test_two_backups_at_a_time_are_refused(make_database: MakeDatabase, tmp_path: Path) -> None:
    place = make_place(tmp_path / "home", make_database())
    with place.one_at_a_time(), pytest.raises(InputError, match="another backup of the databases is running"):
        back_up_databases(place, place.destination(), ["trading"])


def _words(process: psutil.Process) -> list[str]:
    try:
        return list(process.cmdline())
    except psutil.Error:
        return []


def test_a_server_that_is_newer_than_the_programs_is_named(
    make_database: MakeDatabase, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("trading_lib.adapters.backups.postgres_tools.VERSION", "17")
    place = make_place(tmp_path / "home", make_database())
    with pytest.raises(InputError, match=r"is PostgreSQL 18\.\d, newer than the backup programs here \(17\)"):
        back_up_databases(place, place.destination(str(tmp_path / "none")), ["trading"])
    assert not (tmp_path / "none").exists()
