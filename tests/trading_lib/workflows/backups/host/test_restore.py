"""A lost machine: everything back into an empty home, killed and gone on with, and nothing over what is there."""

from __future__ import annotations

import json
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import make_url

from tests.environment.backup_place import NOW, execute, fill, make_place
from tests.environment.command_line import run
from tests.environment.database import MakeDatabase, memory_folder
from trading_lib.adapters.backups.content import database_content
from trading_lib.adapters.backups.encryption import new_identity
from trading_lib.adapters.files.disarmed_books import DisarmedBooks
from trading_lib.adapters.logs import structured
from trading_lib.adapters.services.credentials import load_or_create
from trading_lib.adapters.stores.postgres.embedded_postgres import EmbeddedPostgres
from trading_lib.adapters.stores.postgres.migrations import head_revision
from trading_lib.domain.errors import InputError
from trading_lib.monitoring.backup.manifest import Manifest
from trading_lib.workflows.backups.create import back_up_databases
from trading_lib.workflows.backups.files import back_up_configuration
from trading_lib.workflows.backups.host import restore as restoring
from trading_lib.workflows.backups.host.restore import MARK, RestoredHost, restore_host
from trading_lib.workflows.backups.place import BackupPlace

pytestmark = pytest.mark.postgres


class Lost:
    """What is left of a machine: its backups and the key to them."""

    def __init__(self, folder: Path, identity: Path, manifests: list[Manifest], keys: str) -> None:
        self.folder, self.identity, self.manifests, self.keys = folder, identity, manifests, keys

    def place(self, home: Path, **variables: str) -> BackupPlace:
        return make_place(home, "", variables=variables)

    def restore(self, place: BackupPlace, folder: Path | None = None, **options: Any) -> RestoredHost:
        return restore_host(place, place.destination(str(folder or self.folder)), identity=self.identity, **options)


@pytest.fixture(scope="module")
def lost(make_database: MakeDatabase, tmp_path_factory: pytest.TempPathFactory) -> Lost:
    base = tmp_path_factory.mktemp("lost")
    trading, airflow = make_database(), make_database(migrated=False)
    fill(trading)
    execute(airflow, "CREATE TABLE connection (id serial primary key, is_encrypted boolean)")
    execute(airflow, "INSERT INTO connection (is_encrypted) VALUES (true), (true), (false)")
    identity = base / "key.txt"
    place = make_place(base / "home", trading, recipients=(new_identity(identity),))
    keys = load_or_create(place.folders.credentials).encryption_key
    destination = place.destination(str(base / "backups"))
    with pytest.MonkeyPatch.context() as patch:
        urls = {"trading": make_url(trading), "airflow": make_url(airflow)}
        patch.setattr(BackupPlace, "databases", lambda self: urls)
        manifests = back_up_databases(place, destination)
    manifests.append(back_up_configuration(place, destination)[0])
    return Lost(base / "backups", identity, manifests, keys)


@pytest.fixture
def home() -> Iterator[Path]:
    """The home of a new machine; in memory, as nobody cares how fast the disk is."""
    folder = Path(tempfile.mkdtemp(prefix="itshome", dir=memory_folder()))
    yield folder / "home"
    EmbeddedPostgres(folder / "home" / "postgres").stop()
    shutil.rmtree(folder)


def everything(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def states(home: Path) -> list[str]:
    server = EmbeddedPostgres(home / "postgres")
    return [database_content(make_url(server.url(name))).state_hash for name in ("trading", "airflow")]


def test_a_lost_machine_comes_back_with_every_book_disarmed(lost: Lost, home: Path) -> None:
    place = lost.place(home)
    done = lost.restore(place)
    record = json.loads(json.dumps(done.as_record()))
    assert states(home) == [one.state_hash for one in lost.manifests[:2]]
    assert (record["databases"][0]["id"], record["without_backup"]) == (lost.manifests[0].id, ["mlflow"])
    assert record["schema"] == {"restored": head_revision(), "now": head_revision()}
    assert record["configuration"] == {"backup": lost.manifests[2].id, "differing": [], "written_to": ""}
    assert (record["credentials"], record["same_configuration"]) == ("restored", True)
    assert load_or_create(place.folders.credentials).encryption_key == lost.keys
    assert place.folders.credentials.stat().st_mode & 0o077 == 0
    assert [book["book"] for book in record["books"]] == ["book 1", "book 2"]
    assert all(DisarmedBooks(home).reason(book["book"]) for book in record["books"])
    assert not DisarmedBooks(home).is_unfinished
    assert not (home / MARK).exists()
    assert set(record["steps"]) >= {"fetch and check", "restore trading", "restore airflow", "migrate", "reconcile"}
    assert record["seconds"] < 300
    assert done.lines()[-1] == "no book sends anything until `trading book arm --book BOOK --by NAME`"
    # It runs now: nothing is restored over it.
    before = states(home)
    with pytest.raises(InputError, match=r"home is not empty \(it has .*\): move it away"):
        lost.restore(place)
    assert states(home) == before


def test_a_restore_that_is_killed_goes_on_and_no_book_can_send_meanwhile(
    lost: Lost, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = lost.place(home)
    into, write, restored = restoring.restore_into, restoring._write_mark, list[str]()

    def killed(*given: Any, **named: Any) -> Any:
        raise KeyboardInterrupt

    def killed_after_its_name_was_given(mark: Path, report: RestoredHost, done: list[str]) -> None:
        if done:
            raise KeyboardInterrupt
        write(mark, report, done)

    def only_trading(target: Any, content: Path, manifest: Manifest, jobs: int) -> None:
        if manifest.database != "trading":
            raise KeyboardInterrupt
        restored.append(manifest.database)
        into(target, content, manifest, jobs)

    monkeypatch.setattr(restoring, "restore_into", only_trading)
    for name, instead in (
        ("restore_into", killed),
        ("_write_mark", killed_after_its_name_was_given),
        ("restore_into", only_trading),
        ("restore_into", into),
        ("restore_configuration", killed),
        ("upgrade", killed),
    ):
        with monkeypatch.context() as patch:
            patch.setattr(restoring, name, instead)
            patch.setattr(restoring, "check_books", killed)
            with pytest.raises(KeyboardInterrupt):
                lost.restore(place)
        assert DisarmedBooks(home).reason("book 1")
        assert (home / MARK).exists()
    assert json.loads((home / MARK).read_text())["done"] == [one.id for one in lost.manifests[:2]]
    done = lost.restore(place)
    assert restored == ["trading"], "what is there already, whole, is kept"
    assert done.again
    assert not {"restore trading", "restore airflow"} & set(done.steps)
    assert states(home) == [one.state_hash for one in lost.manifests[:2]]
    assert not (home / MARK).exists()


def test_a_full_disk_is_one_line_and_with_room_the_restore_goes_on(
    lost: Lost, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """First nothing can be fetched, then there is no room for the server's own files."""
    disk = tmp_path / "disk"
    disk.mkdir()
    home = disk / "home"
    mounting = ("mount", "-t", "tmpfs", "-o", "size=1m,mode=0700", "tmpfs", str(disk))
    if subprocess.run(mounting, check=False, capture_output=True).returncode:
        pytest.skip("no disk can be mounted here")
    try:
        monkeypatch.setenv("TRADING_HOME", str(home))
        monkeypatch.setenv("TRADING_BACKUP_IDENTITY_FILE", str(lost.identity))
        for size, left in (("64k", False), ("40m", True)):
            subprocess.run(["mount", "-o", f"remount,size={size}", str(disk)], check=True)
            assert run("restore-host", "--from", str(lost.folder)) == 2
            last = capsys.readouterr().err.strip().splitlines()[-1]
            assert last.startswith("error: ")
            assert (home / MARK).exists() == DisarmedBooks(home).is_unfinished == left
            assert list((home / "backup-work").glob("job-*")) == []
        subprocess.run(["mount", "-o", "remount,size=400m", str(disk)], check=True)
        assert run("restore-host", "--from", str(lost.folder), "--json") == 0
        assert json.loads(capsys.readouterr().out)["continued"] is True
        assert states(home) == [one.state_hash for one in lost.manifests[:2]]
    finally:
        EmbeddedPostgres(home / "postgres").stop()
        structured.stop()
        subprocess.run(["umount", "--lazy", str(disk)], check=True)


def test_a_used_home_is_refused_untouched(lost: Lost, home: Path) -> None:
    place = lost.place(home)
    (home / "postgres").mkdir()
    (home / "postgres" / "PG_VERSION").write_text("18\n")
    before = everything(home)
    with pytest.raises(InputError, match=r"is not empty \(it has postgres\)"):
        lost.restore(place)
    assert everything(home) == before


def test_a_used_database_of_another_server_is_refused_before_anything_is_fetched(
    lost: Lost, home: Path, make_database: MakeDatabase
) -> None:
    url = make_database()
    place = make_place(home, url)
    before = database_content(make_url(url))
    with pytest.raises(InputError, match="is not empty"):
        lost.restore(place)
    assert (database_content(make_url(url)), everything(home)) == (before, {})


@pytest.mark.parametrize("kind", ["database", "config"])
def test_a_damaged_backup_is_refused_before_anything_is_made(lost: Lost, home: Path, tmp_path: Path, kind: str) -> None:
    folder = tmp_path / "damaged"
    shutil.copytree(lost.folder, folder)
    for file in (folder / kind).rglob("content.tar.age"):
        content = bytearray(file.read_bytes())
        content[len(content) // 3] ^= 4
        file.write_bytes(content)
    place = lost.place(home)
    for options in ({"dry_run": True}, {}):
        with pytest.raises(InputError, match="was changed, or belongs to another backup"):
            lost.restore(place, folder, **options)
        assert not {path.name for path in home.iterdir()} & {"postgres", MARK, "disarmed-books", "credentials.json"}


def test_a_dry_run_changes_nothing(lost: Lost, home: Path) -> None:
    done = lost.restore(lost.place(home), dry_run=True)
    assert list(home.iterdir()) == []
    assert done.lines()[-1] == "nothing was changed"
    assert done.as_record()["databases"][0]["state_hash"] == lost.manifests[0].state_hash


def test_nothing_fits(lost: Lost, home: Path, tmp_path: Path) -> None:
    place = lost.place(home)
    with pytest.raises(InputError, match="holds no verified backup of trading"):
        lost.restore(place, tmp_path / "nothing")
    with pytest.raises(InputError, match=r"holds no verified backup of trading .* not after 2026-11-19"):
        lost.restore(place, moment=NOW - timedelta(days=1))
    with pytest.raises(InputError, match=r"is encrypted to age1.* --identity"):
        restore_host(place, place.destination(str(lost.folder)))
    (home / MARK).write_text(json.dumps({"from": "x", "at": "2026-01-01", "chosen": ["database-1"], "done": []}))
    with pytest.raises(InputError, match=r"restore of other backups was not finished here \(database-1\): go on with"):
        lost.restore(place)
    (home / MARK).write_text("{")
    with pytest.raises(InputError, match="cannot be read"):
        lost.restore(place)


def test_other_configuration_is_written_beside_and_lost_keys_are_told(lost: Lost, home: Path, tmp_path: Path) -> None:
    include, folder = tmp_path / "include", tmp_path / "backups"
    place = lost.place(home, TRADING_INCLUDE=str(include), TRADING_CONFIG=str(include / "config"))
    shutil.copytree(place.folders.project / "include", include)
    changed = include / "config" / "risk.yaml"
    mine = b"# mine\n" + changed.read_bytes()
    changed.write_bytes(mine)
    shutil.copytree(lost.folder, folder)
    shutil.rmtree(folder / "config")
    # Not encrypted, so without credentials.
    stranger = make_place(tmp_path / "stranger", "")
    manifest, _ = back_up_configuration(stranger, stranger.destination(str(folder)))
    done = lost.restore(place, folder)
    beside = home / "restored-configuration"
    assert done.configuration == {
        "backup": manifest.id,
        "differing": ["include/config/risk.yaml"],
        "written_to": str(beside),
    }
    assert changed.read_bytes() == mine == b"# mine\n" + (beside / "include" / "config" / "risk.yaml").read_bytes()
    assert (done.credentials, done.unreadable) == ("generated", {"connections": 2})
    assert any("enter 2 connections of Airflow again" in line for line in done.lines())
    assert any("1 files differ from those here" in line and "yours stay" in line for line in done.lines())
