"""Nobody but its own account, and root, gets to the embedded database; folders above it keep their modes."""

from __future__ import annotations

import os
import pwd
import shutil
import stat
from pathlib import Path

import psutil
import pytest
from sqlalchemy import text

from tests.environment.other_user import intrude, needs_root
from trading_lib.adapters.stores.postgres.database import connect
from trading_lib.adapters.stores.postgres.embedded_postgres import EmbeddedPostgres
from trading_lib.adapters.stores.postgres.server import account as accounts
from trading_lib.adapters.stores.postgres.server import doors
from trading_lib.adapters.stores.postgres.server.account import Account, account_for
from trading_lib.domain.errors import StorageUnavailableError

TRUSTING = "local all all trust\nhost all all 127.0.0.1/32 trust\n"
LONG = "a long name " * 12


@pytest.fixture(name="me")
def fixture_me() -> Account:
    """The account of this process, whether or not a server could run under it."""
    entry = pwd.getpwuid(os.geteuid())
    return Account(entry.pw_name, entry.pw_uid, entry.pw_gid)


def socket_of(server: EmbeddedPostgres) -> Path:
    return Path((server.folder / "postmaster.pid").read_text().splitlines()[4])


def methods(server: EmbeddedPostgres) -> set[str]:
    engine = connect(server.url("postgres"))
    with engine.connect() as connection:
        found = set(connection.execute(text("SELECT auth_method FROM pg_hba_file_rules")).scalars())
        assert str(connection.execute(text("SELECT system_user")).scalar_one()).startswith("peer:")
    engine.dispose()
    return found


@needs_root
@pytest.mark.postgres
@pytest.mark.parametrize(("name", "mode"), [("home", 0o755), ("home", 0o700), (LONG, 0o755)])
def test_another_user_gets_no_file_and_no_connection(short_folder: Path, name: str, mode: int) -> None:
    """Also as root, whose closed folders the server's own account could not pass: they are not opened for it."""
    short_folder.chmod(mode)
    home = short_folder / name
    home.mkdir(mode=mode)
    server = EmbeddedPostgres(home / "postgres")
    server.start()
    try:
        socket = socket_of(server) / doors.SOCKET
        assert socket.is_socket()
        loot = intrude([short_folder, socket.parent], sockets=[socket], ports=[doors.PORT])
        assert (loot.read, loot.written, loot.connected) == ((), (), ())
        assert doors.is_closed(socket.parent, server.folder.stat().st_uid)
        assert [stat.S_IMODE(folder.stat().st_mode) for folder in (short_folder, home)] == [mode, mode]
    finally:
        server.stop()
    assert server.folder == socket.parent or not socket.parent.exists()


@needs_root
def test_the_probe_finds_what_is_open(short_folder: Path) -> None:
    short_folder.chmod(0o755)
    (short_folder / "letter").write_text("dear")
    (short_folder / "letter").chmod(0o644)
    (short_folder / "box").mkdir()
    (short_folder / "box").chmod(0o777)
    loot = intrude([short_folder])
    assert loot.read == (str(short_folder / "letter"),)
    assert loot.written == (str(short_folder / "box"),)
    assert list((short_folder / "box").iterdir()) == []


@pytest.mark.postgres
def test_a_trusting_cluster_is_closed_at_its_next_start_and_while_it_runs(short_folder: Path) -> None:
    server = EmbeddedPostgres(short_folder / "data")
    server.start()
    assert methods(server) == {"peer"}
    server.stop()
    (server.folder / "pg_hba.conf").write_text(TRUSTING)
    (server.folder / "pg_ident.conf").unlink()
    server.start()
    assert methods(server) == {"peer"}

    running = psutil.Process(int((server.folder / "postmaster.pid").read_text().splitlines()[0]))
    (server.folder / "pg_hba.conf").write_text(TRUSTING)
    server.start()
    assert methods(server) == {"peer"}
    assert running.is_running()
    assert "trust" not in (server.folder / "pg_hba.conf").read_text()


@pytest.mark.postgres
def test_any_character_may_be_in_the_path(short_folder: Path) -> None:
    server = EmbeddedPostgres(short_folder / 'it\'s a "home", $HOME `id` é' / "data")
    server.start()
    try:
        server.create_databases(["trading"])
        connect(server.url("trading")).dispose()
    finally:
        server.stop()


def test_a_plain_short_path_holds_its_own_socket(short_folder: Path, me: Account) -> None:
    assert doors.socket_folder(short_folder, me) == short_folder


@pytest.mark.parametrize("name", ["with space", "with,comma", "l" * 100])
def test_other_paths_get_a_closed_short_folder_that_stays_the_same(short_folder: Path, me: Account, name: str) -> None:
    data, copy = short_folder / name, short_folder / "copy" / name
    for folder in (data, copy):
        folder.mkdir(parents=True)
    first, other = doors.socket_folder(data, me), doors.socket_folder(copy, me)
    try:
        assert doors.is_closed(first, me.uid)
        assert doors.socket_folder(data, me) == first
        assert doors.PLAIN_PATH.fullmatch(str(first))
        assert first != other, "a copy is another server"
        first.rmdir()
        assert doors.socket_folder(data, me) == first
    finally:
        for folder in (first, other):
            folder.rmdir()


@pytest.mark.parametrize("trap", ["open", "link"])
def test_a_short_folder_that_somebody_laid_out_is_not_used(short_folder: Path, me: Account, trap: str) -> None:
    data = short_folder / "with space"
    data.mkdir()
    expected = doors.socket_folder(data, me)
    expected.rmdir()
    bait = short_folder / "bait"
    bait.mkdir(mode=0o700)
    if trap == "link":
        expected.symlink_to(bait)
    else:
        expected.mkdir()
        expected.chmod(0o777)
    chosen = doors.socket_folder(data, me)
    try:
        assert chosen not in (expected, bait)
        assert doors.is_closed(chosen, me.uid)
        assert doors.socket_folder(data, me) == chosen, "services keep their address over a restart"
        assert list(bait.iterdir()) == []
    finally:
        chosen.rmdir()
        expected.unlink() if trap == "link" else expected.rmdir()


def test_the_short_folder_of_a_killed_server_is_removed_with_its_socket(short_folder: Path, me: Account) -> None:
    data = short_folder / "with space"
    data.mkdir()
    short = doors.socket_folder(data, me)
    for name in (doors.SOCKET, f"{doors.SOCKET}.lock"):
        (short / name).write_text("")
        (data / name).write_text("")
    doors.remove_short_folder(short)
    doors.remove_short_folder(data)
    assert not short.exists()
    assert len(list(data.iterdir())) == 2, "a data folder is never emptied"


def test_a_folder_of_another_users_is_named_with_its_owner(short_folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    owner = pwd.getpwuid(short_folder.stat().st_uid).pw_name
    monkeypatch.setattr(accounts.os, "geteuid", lambda: 54321)
    with pytest.raises(StorageUnavailableError, match=f"{short_folder} belongs to {owner}: work as that user"):
        account_for(short_folder)


def test_a_user_without_a_name_is_told_so(short_folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(accounts.os, "geteuid", lambda: 54321)
    with pytest.raises(StorageUnavailableError, match="user number 54321, which has no name"):
        account_for(short_folder / "new")


@needs_root
@pytest.mark.postgres
def test_root_runs_the_server_as_the_owner_of_the_folder_and_takes_over_its_own_copies(short_folder: Path) -> None:
    short_folder.chmod(0o755)
    daemon = pwd.getpwnam("daemon")
    data = short_folder / "data"
    data.mkdir()
    os.chown(data, daemon.pw_uid, daemon.pw_gid)
    server = EmbeddedPostgres(data)
    server.start()
    assert psutil.Process(int((data / "postmaster.pid").read_text().splitlines()[0])).username() == "daemon"
    server.stop()

    shutil.copytree(data, short_folder / "copy")
    copy = EmbeddedPostgres(short_folder / "copy")
    copy.start()
    try:
        assert methods(copy) == {"peer"}
    finally:
        copy.stop()
