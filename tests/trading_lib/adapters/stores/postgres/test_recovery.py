"""Whatever ended the database, or moved its files about: the next command brings it back, quietly."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest
from sqlalchemy import text

from tests.environment.database import lives, memory_folder, processes_in
from tests.environment.other_user import needs_root
from trading_lib.adapters.stores.postgres.database import connect
from trading_lib.adapters.stores.postgres.embedded_postgres import EmbeddedPostgres
from trading_lib.adapters.stores.postgres.server import doors, launch, postmaster
from trading_lib.domain.errors import FileTroubleError, StorageUnavailableError

pytestmark = pytest.mark.postgres


@pytest.fixture(scope="module", name="template")
def fixture_template() -> Iterator[Path]:
    """A stopped cluster with one commit that must never be lost; each test works on a copy."""
    folder = Path(tempfile.mkdtemp(prefix="itspg", dir=memory_folder()))
    server = EmbeddedPostgres(folder / "data")
    server.start()
    query(server, "CREATE TABLE kept AS SELECT 42 AS answer")
    server.stop()
    yield server.folder
    shutil.rmtree(folder)


@pytest.fixture(name="server")
def fixture_server(template: Path, short_folder: Path) -> EmbeddedPostgres:
    """A running server with that commit."""
    server = EmbeddedPostgres(short_folder / "data")
    shutil.copytree(template, server.folder)
    server.start()
    return server


@pytest.fixture(name="small_disk")
def fixture_small_disk(short_folder: Path) -> Iterator[Path]:
    """A disk of 3 MB, room for no cluster."""
    disk = short_folder / "disk"
    disk.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=3m,mode=755", "small", str(disk)]
    if subprocess.run(mount, check=False, capture_output=True).returncode != 0:
        pytest.skip("no file system can be mounted here")
    yield disk
    subprocess.run(["umount", str(disk)], check=True)


def query(server: EmbeddedPostgres, statement: str) -> list[tuple[object, ...]]:
    engine = connect(server.url("postgres"))
    with engine.begin() as connection:
        result = connection.execute(text(statement))
        rows = [tuple(row) for row in result] if result.returns_rows else []
    engine.dispose()
    return rows


def kept(server: EmbeddedPostgres) -> object:
    return query(server, "SELECT answer FROM kept")[0][0]


def kill(processes: list[psutil.Process]) -> None:
    for process in processes:
        process.send_signal(signal.SIGKILL)
    psutil.wait_procs(processes, timeout=30)


def process_of(server: EmbeddedPostgres) -> psutil.Process:
    return psutil.Process(int((server.folder / postmaster.PID_FILE).read_text().splitlines()[0]))


def zombie() -> subprocess.Popen[bytes]:
    """A process that has ended and that nobody has buried, as in a container without an init."""
    process = subprocess.Popen(["/bin/true"])
    while psutil.Process(process.pid).status() != psutil.STATUS_ZOMBIE:
        time.sleep(0)
    return process


@pytest.mark.parametrize("victims", ["server", "all"])
def test_a_killed_server_comes_back_with_one_line(
    server: EmbeddedPostgres, victims: str, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    kill([process_of(server)] if victims == "server" else processes_in(server.folder))
    assert not server.is_running()
    server.start()
    assert kept(server) == 42
    assert caplog.messages == [f"PostgreSQL in {server.folder} had stopped without being asked; it has recovered"]
    assert capfd.readouterr() == ("", "")


def test_the_locks_of_an_unburied_server_are_not_believed(server: EmbeddedPostgres) -> None:
    server.stop()
    dead = zombie()
    try:
        owner = server.folder.stat()
        for name in (postmaster.PID_FILE, doors.SOCKET, f"{doors.SOCKET}.lock"):
            lock = server.folder / name
            lock.write_text(f"{dead.pid}\n{server.folder}\n1\n5432\n{server.folder}\n\n0 0\nready   \n")
            os.chown(lock, owner.st_uid, owner.st_gid)
        assert not server.is_running()
        server.start()
        assert kept(server) == 42
    finally:
        dead.wait()


@pytest.mark.skipif(sys.platform != "linux", reason="the parent of orphans is chosen by a call of Linux")
def test_dead_processes_that_nobody_buries_hold_nothing_up(server: EmbeddedPostgres) -> None:
    """As in a container whose first process buries none of the orphans it is given: here the program itself."""
    server.stop()
    program = (
        "import ctypes, sys; from pathlib import Path; import psutil;"
        "from trading_lib.adapters.stores.postgres.embedded_postgres import EmbeddedPostgres;"
        "become_parent_of_orphans = 36; ctypes.CDLL(None).prctl(become_parent_of_orphans, 1, 0, 0, 0);"
        "server = EmbeddedPostgres(Path(sys.argv[1])); server.start();"
        "psutil.Process(int((server.folder / 'postmaster.pid').read_text().splitlines()[0])).kill();"
        "[None for _ in iter(server.is_running, False)];"
        "server.start(); print(server.is_running(), server.stop(), server.stop());"
        "print(sum(child.status() == 'zombie' for child in psutil.Process().children()) > 1)"
    )
    # The limit is far below what waiting for the dead would take.
    done = subprocess.run(
        [sys.executable, "-c", program, str(server.folder)], capture_output=True, text=True, timeout=75, check=False
    )
    assert done.stdout.split() == ["True", "True", "False", "True"]
    assert done.stderr == ""


@pytest.mark.parametrize("loss", [postmaster.PID_FILE, doors.SOCKET])
def test_a_running_server_that_nobody_can_find_any_more_is_replaced(server: EmbeddedPostgres, loss: str) -> None:
    old = process_of(server)
    (server.folder / loss).unlink()
    assert not server.is_running()
    server.start()
    assert not lives(old)
    assert kept(server) == 42


def test_a_server_whose_folder_was_deleted_is_ended_before_its_successor_starts(server: EmbeddedPostgres) -> None:
    """It would otherwise remove the socket of its successor when it notices."""
    old = processes_in(server.folder)
    engine = connect(server.url("postgres"))
    with engine.connect() as connection:
        connection.execute(text("SELECT 1"))
        shutil.rmtree(server.folder)
        server.start()
        connection.invalidate()
    engine.dispose()
    assert not any(map(lives, old))
    assert query(server, "SELECT to_regclass('kept')") == [(None,)]
    assert process_of(server).is_running()


def test_a_copy_runs_beside_its_original(server: EmbeddedPostgres, short_folder: Path) -> None:
    """Made while the server was stopped; and one made while it ran, whose pid file names the original."""
    for name in ("copy", "hasty copy"):
        if name == "copy":
            server.stop()
        subprocess.run(["cp", "-r", str(server.folder), str(short_folder / name)], check=True)
        copy = EmbeddedPostgres(short_folder / name)
        server.start()
        original = process_of(server)
        copy.start()
        try:
            query(copy, "UPDATE kept SET answer = 1")
            assert kept(server) == 42
        finally:
            copy.stop()
        assert original.is_running()
        assert kept(server) == 42


def test_commands_that_start_it_at_the_same_moment_find_the_same_server(short_folder: Path) -> None:
    program = (
        "import sys; from pathlib import Path;"
        "from trading_lib.adapters.stores.postgres.embedded_postgres import EmbeddedPostgres;"
        "server = EmbeddedPostgres(Path(sys.argv[1])); server.start(); server.create_databases(['one', 'two']);"
        "print((server.folder / 'postmaster.pid').read_text().splitlines()[0])"
    )
    command = [sys.executable, "-c", program, str(short_folder / "data")]
    starters = [
        subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) for _ in range(3)
    ]
    answers = [starter.communicate()[0] for starter in starters]
    assert len(set(answers)) == 1
    assert answers[0].strip().isdigit()


def test_a_server_that_another_command_has_just_started_is_waited_for(
    server: EmbeddedPostgres, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = process_of(server)
    states = iter([False, False, True])
    found = postmaster.running(server.folder)
    assert found is not None

    def running(_folder: Path) -> postmaster.Postmaster:
        ready = next(states, True)
        return postmaster.Postmaster(found.process, found.port, found.socket_folder, ready)

    monkeypatch.setattr(postmaster, "running", running)
    server.start()
    assert next(states, None) is None
    assert process_of(server) == first


def test_waiting_for_a_long_repair_ends_with_a_line_that_says_so(
    server: EmbeddedPostgres, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(launch, "START_SECONDS", 0.0)
    with pytest.raises(StorageUnavailableError, match="still repairs itself after 0 s: wait"):
        launch.await_ready(server.folder, process_of(server).pid)


def test_stopping_says_whether_anything_ran(server: EmbeddedPostgres) -> None:
    assert server.stop()
    assert not server.stop()


@needs_root
def test_a_full_disk_is_one_line(small_disk: Path) -> None:
    with pytest.raises(StorageUnavailableError, match="cannot be created: its disk is full: free some space") as caught:
        EmbeddedPostgres(small_disk / "data").start()
    assert "\n" not in str(caught.value)
    assert [path.name for path in small_disk.iterdir() if path.is_dir()] == []


@needs_root
def test_a_read_only_disk_is_one_line(small_disk: Path) -> None:
    subprocess.run(["mount", "-o", "remount,ro", str(small_disk)], check=True)
    with pytest.raises(FileTroubleError, match="Read-only file system") as caught:
        EmbeddedPostgres(small_disk / "home" / "data").start()
    assert str(small_disk / "home") in str(caught.value)


@needs_root
def test_a_disk_that_fills_up_later_is_one_line(server: EmbeddedPostgres) -> None:
    server.stop()
    # Nothing can be written to the folder of the log ahead: the server says so and does not come up.
    log_ahead = server.folder / "pg_wal"
    aside = server.folder.parent / "aside"
    log_ahead.rename(aside)
    log_ahead.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=4k,mode=777", "small", str(log_ahead)]
    if subprocess.run(mount, check=False, capture_output=True).returncode != 0:
        pytest.skip("no file system can be mounted here")
    try:
        with pytest.raises(StorageUnavailableError, match="does not start") as caught:
            server.start()
        assert "\n" not in str(caught.value)
    finally:
        subprocess.run(["umount", str(log_ahead)], check=True)
        log_ahead.rmdir()
        aside.rename(log_ahead)
    server.start()
    assert kept(server) == 42
