"""A database there and back: what is stored is proved, what is damaged is refused, and a target is never half."""

from __future__ import annotations

import shutil
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import numpy as np
import pytest
from sqlalchemy import make_url

from tests.builders.settings import make_settings
from tests.environment.backup_place import NOW, execute, fill, make_place
from tests.environment.database import MakeDatabase
from tests.environment.finished_training import finished_training
from trading_lib.adapters.backups.content import database_content
from trading_lib.adapters.backups.encryption import new_identity
from trading_lib.adapters.backups.postgres_tools import DumpFailedError, start_dump
from trading_lib.adapters.stores.learning.model_store import ModelStore
from trading_lib.adapters.stores.postgres.database import connect
from trading_lib.adapters.stores.postgres.embedded_postgres import EmbeddedPostgres
from trading_lib.domain.errors import InputError
from trading_lib.monitoring.backup.manifest import BackupDamagedError, Manifest
from trading_lib.workflows.backups import create as creating
from trading_lib.workflows.backups.catalogue import read_catalogue
from trading_lib.workflows.backups.create import back_up_databases
from trading_lib.workflows.backups.host.restore import restore_host
from trading_lib.workflows.backups.place import BackupPlace
from trading_lib.workflows.backups.restore import restore_backup
from trading_lib.workflows.backups.verify import verify_backups
from trading_lib.workflows.learning.registry import champion, open_model, promote, register

pytestmark = pytest.mark.postgres


class Stored:
    """One encrypted backup of one database, which the tests of this module share and copy."""

    def __init__(self, place: BackupPlace, url: str, folder: Path, manifest: Manifest, identity: Path) -> None:
        self.place, self.url, self.folder, self.manifest, self.identity = place, url, folder, manifest, identity

    def copy(self, to: Path) -> Path:
        shutil.copytree(self.folder, to)
        return to


@pytest.fixture(scope="module")
def stored(make_database: MakeDatabase, tmp_path_factory: pytest.TempPathFactory) -> Stored:
    base = tmp_path_factory.mktemp("stored")
    url = make_database()
    fill(url)
    identity = base / "key.txt"
    place = make_place(base / "home", url, recipients=(new_identity(identity),))
    folder = base / "backups"
    (manifest,) = back_up_databases(place, place.destination(str(folder)), ["trading"])
    return Stored(place, url, folder, manifest, identity)


def target(server: EmbeddedPostgres, name: str) -> str:
    return server.url(name)


def databases(server: EmbeddedPostgres) -> set[str]:
    from sqlalchemy import text

    from trading_lib.adapters.stores.postgres.database import connect

    engine = connect(server.url("postgres"))
    with engine.connect() as connection:
        names = set(connection.execute(text("SELECT datname FROM pg_database")).scalars())
    engine.dispose()
    return names


def test_the_newest_is_not_one_from_the_future(stored: Stored, postgres_server: EmbeddedPostgres) -> None:
    """It would be restored for ever instead of those that are made."""
    early = replace(stored.place, clock=lambda: stored.manifest.started_at - timedelta(days=1))
    destination = stored.place.destination(str(stored.folder))
    with pytest.raises(InputError, match=f"{stored.manifest.id} is from the future.*name a time with --at"):
        restore_backup(early, destination, target(postgres_server, "future"), identity=stored.identity)
    assert "future" not in databases(postgres_server)
    home = make_place(stored.folder.parent / "lost", stored.url)
    with pytest.raises(InputError, match="is from the future"):
        restore_host(replace(home, clock=early.clock), destination)


def test_a_password_of_a_client_key_stands_in_no_list_of_processes(stored: Stored) -> None:
    url = make_url(stored.url).update_query_dict({"sslpassword": "planted"})
    with pytest.raises(InputError, match="holds sslpassword") as caught:
        start_dump(url, "", stored.folder.parent / "none", 1)
    assert "planted" not in str(caught.value)


def test_the_manifest_says_what_the_database_held(stored: Stored) -> None:
    content = database_content(make_url(stored.url))
    assert stored.manifest.tables == content.tables
    assert stored.manifest.tables["bars"] == 200
    assert stored.manifest.state_hash == content.state_hash
    assert stored.manifest.audit_head == content.audit_head != ""
    assert stored.manifest.schema_revision == content.schema_revision != ""
    assert stored.manifest.pg_version.startswith("18")
    assert len(stored.manifest.config_hash) == 16
    assert stored.manifest.encrypted_to == stored.place.config.recipients


def test_nothing_readable_is_stored_and_nothing_is_left_behind(stored: Stored) -> None:
    files = [path for path in stored.folder.rglob("*") if path.is_file()]
    assert sorted(path.name for path in files) == ["content.tar.age", "manifest.json"]
    assert all(path.stat().st_mode & 0o077 == 0 for path in (*files, stored.folder))
    (encrypted,) = (path for path in files if path.suffix == ".age")
    assert encrypted.read_bytes().startswith(b"age-encryption.org/v1")
    assert [path.name for path in (stored.place.folders.home / "backup-work").iterdir()] == ["databases.lock"]


def test_a_restored_database_has_the_same_state(stored: Stored, postgres_server: EmbeddedPostgres) -> None:
    into = target(postgres_server, "restored_new")
    done = restore_backup(stored.place, stored.place.destination(str(stored.folder)), into, identity=stored.identity)
    content = database_content(make_url(into))
    assert (content.state_hash, content.audit_head) == (stored.manifest.state_hash, stored.manifest.audit_head)
    assert done.as_record()["state_hash"] == content.state_hash
    assert not {name for name in databases(postgres_server) if name.startswith("restore_")}


def test_a_champion_survives_a_restore_and_opens_with_its_registered_hashes(
    make_database: MakeDatabase, postgres_server: EmbeddedPostgres, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    url, into = make_database(), target(postgres_server, "restored_models")
    settings, run = make_settings(url, tmp_path / "models"), finished_training()
    register(settings, run)
    promote(settings, 1, "Ada")
    before = champion(settings.engine())
    place = make_place(tmp_path / "home", url)
    destination = place.destination(str(tmp_path / "backups"))
    back_up_databases(place, destination, ["trading"])
    restore_backup(place, destination, into)
    engine = connect(into)
    restored = champion(engine)
    history = ModelStore(engine).aliases()
    engine.dispose()
    assert restored is not None
    assert before is not None
    assert (restored.version, restored.sha256, restored.contents) == (1, before.sha256, before.contents)
    assert history == ModelStore(settings.engine()).aliases()
    x, features = run.dataset.x[:50], run.dataset.features
    assert np.array_equal(open_model(restored).predict(x, features), run.models["ridge"].predict(x, features))


def test_an_empty_database_is_replaced_and_keeps_its_name(
    stored: Stored, make_database: MakeDatabase, postgres_server: EmbeddedPostgres
) -> None:
    into = make_database(migrated=False)
    restore_backup(stored.place, stored.place.destination(str(stored.folder)), into, identity=stored.identity)
    assert database_content(make_url(into)).state_hash == stored.manifest.state_hash
    assert not {name for name in databases(postgres_server) if name.startswith("restore_")}


def test_a_database_that_holds_anything_is_never_restored_over(stored: Stored, make_database: MakeDatabase) -> None:
    into = make_database()
    before = database_content(make_url(into))
    with pytest.raises(InputError, match=r"is not empty .* nothing is ever restored over anything"):
        restore_backup(stored.place, stored.place.destination(str(stored.folder)), into, identity=stored.identity)
    assert database_content(make_url(into)) == before


@pytest.mark.parametrize(
    ("statement", "held"),
    [
        ("CREATE FUNCTION mine() RETURNS int LANGUAGE sql AS 'select 1'", "it has mine"),
        ("CREATE TYPE kind AS ENUM ('a')", "it has kind"),
        ("SELECT lo_create(0)", "it has large objects"),
        ("CREATE DOMAIN shares AS int", "it has shares"),
    ],
)
def test_a_target_without_tables_may_hold_something_too(
    stored: Stored, make_database: MakeDatabase, statement: str, held: str
) -> None:
    into = make_database(migrated=False)
    execute(into, statement)
    with pytest.raises(InputError, match=held):
        restore_backup(stored.place, stored.place.destination(str(stored.folder)), into, identity=stored.identity)


def test_a_template_of_databases_is_refused(stored: Stored, make_database: MakeDatabase) -> None:
    into = make_database(migrated=False)
    name = into.rpartition("/")[2].partition("?")[0]
    execute(into, f'ALTER DATABASE "{name}" IS_TEMPLATE true')
    try:
        with pytest.raises(InputError, match="is a template of databases"):
            restore_backup(stored.place, stored.place.destination(str(stored.folder)), into, identity=stored.identity)
    finally:
        execute(into, f'ALTER DATABASE "{name}" IS_TEMPLATE false')


def test_a_database_in_use_is_refused(stored: Stored, make_database: MakeDatabase) -> None:
    from trading_lib.adapters.stores.postgres.database import connect

    into = make_database(migrated=False)
    engine = connect(into)
    with engine.connect(), pytest.raises(InputError, match=r"is in use \(\d+ connections\): stop the stack first"):
        restore_backup(stored.place, stored.place.destination(str(stored.folder)), into, identity=stored.identity)
    engine.dispose()


def flip(folder: Path, other: Path) -> None:
    file = next(folder.rglob("content.tar.age"))
    content = bytearray(file.read_bytes())
    content[len(content) // 2] ^= 1
    file.write_bytes(bytes(content))


def truncate(folder: Path, other: Path) -> None:
    file = next(folder.rglob("content.tar.age"))
    file.write_bytes(file.read_bytes()[:-1])


def append(folder: Path, other: Path) -> None:
    with next(folder.rglob("content.tar.age")).open("ab") as file:
        file.write(b"x")


def remove(folder: Path, other: Path) -> None:
    next(folder.rglob("content.tar.age")).unlink()


def swap(folder: Path, other: Path) -> None:
    shutil.copy(next(other.rglob("content.tar.age")), next(folder.rglob("content.tar.age")))


def swap_manifest(folder: Path, other: Path) -> None:
    shutil.copy(next(other.rglob("manifest.json")), next(folder.rglob("manifest.json")))


def cut_manifest(folder: Path, other: Path) -> None:
    file = next(folder.rglob("manifest.json"))
    file.write_bytes(file.read_bytes()[:-20])


def edit_manifest(folder: Path, other: Path) -> None:
    file = next(folder.rglob("manifest.json"))
    file.write_text(file.read_text().replace('"bars": 200', '"bars": 201'))


DAMAGES = {
    "flipped": (flip, "was changed, or belongs to another backup"),
    "truncated": (truncate, "is cut off"),
    "longer": (append, "is another file"),
    "gone": (remove, "is gone"),
    "swapped": (swap, r"is another file|is cut off|was changed, or belongs to another backup"),
    "manifest swapped": (swap_manifest, "belongs to another backup, database-"),
    "manifest cut": (cut_manifest, "is no complete manifest"),
    "manifest edited": (edit_manifest, "was changed after it was written"),
}


@pytest.fixture(scope="module")
def other(stored: Stored, make_database: MakeDatabase) -> Path:
    """A backup of another database, at another time, to the same key."""
    url = make_database()
    fill(url, books=1, rows=50)
    folder = stored.folder.with_name("other")
    place = replace(
        stored.place,
        environment={**stored.place.environment, "TRADING_DATABASE_URL": url},
        clock=lambda: NOW + timedelta(hours=1),
    )
    back_up_databases(place, place.destination(str(folder)), ["trading"])
    return folder


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_backup_is_refused_before_the_target_is_touched(
    stored: Stored, other: Path, tmp_path: Path, postgres_server: EmbeddedPostgres, damage: str
) -> None:
    harm, said = DAMAGES[damage]
    folder = stored.copy(tmp_path / "damaged")
    harm(folder, other)
    destination = stored.place.destination(str(folder))
    before = databases(postgres_server)
    with pytest.raises(InputError, match=said) as caught:
        restore_backup(stored.place, destination, target(postgres_server, "untouched"), identity=stored.identity)
    assert "\n" not in str(caught.value)
    assert stored.manifest.id in str(caught.value)
    assert databases(postgres_server) == before
    problems = [one for one in verify_backups(stored.place, destination) if one.problem]
    assert len(problems) == 1


def test_a_swap_with_corrected_checksums_is_refused_by_what_the_file_says(
    stored: Stored, other: Path, tmp_path: Path, postgres_server: EmbeddedPostgres
) -> None:
    folder = stored.copy(tmp_path / "forged")
    (theirs,) = read_catalogue(stored.place.destination(str(other))).manifests
    forged = replace(stored.manifest, size=theirs.size, sha256=theirs.sha256, contents=theirs.contents)
    swap(folder, other)
    next(folder.rglob("manifest.json")).write_bytes(forged.written())
    with pytest.raises(BackupDamagedError, match="holds another backup than its manifest says"):
        restore_backup(
            stored.place,
            stored.place.destination(str(folder)),
            target(postgres_server, "untouched"),
            identity=stored.identity,
        )


def test_a_manifest_with_other_rows_is_noticed_by_the_comparison(
    stored: Stored, tmp_path: Path, postgres_server: EmbeddedPostgres
) -> None:
    folder = stored.copy(tmp_path / "forged")
    forged = replace(stored.manifest, tables={**stored.manifest.tables, "bars": 201})
    next(folder.rglob("manifest.json")).write_bytes(forged.written())
    before = databases(postgres_server)
    with pytest.raises(BackupDamagedError, match="table bars has 200 rows, not 201"):
        restore_backup(
            stored.place,
            stored.place.destination(str(folder)),
            target(postgres_server, "untouched"),
            identity=stored.identity,
        )
    assert databases(postgres_server) == before


def test_a_wrong_key_and_no_key_are_refused(stored: Stored, tmp_path: Path, postgres_server: EmbeddedPostgres) -> None:
    destination = stored.place.destination(str(stored.folder))
    into = target(postgres_server, "untouched")
    new_identity(tmp_path / "wrong.txt")
    with pytest.raises(InputError, match=r"is encrypted to age1.* --identity or TRADING_BACKUP_IDENTITY_FILE"):
        restore_backup(stored.place, destination, into)
    with pytest.raises(InputError, match=r"wrong\.txt does not open database/"):
        restore_backup(stored.place, destination, into, identity=tmp_path / "wrong.txt")
    assert "untouched" not in databases(postgres_server)


def test_another_database_and_an_unknown_schema_are_refused(
    stored: Stored, tmp_path: Path, postgres_server: EmbeddedPostgres
) -> None:
    into = target(postgres_server, "untouched")
    destination = stored.place.destination(str(stored.folder))
    with pytest.raises(InputError, match=r"holds the database 'trading', not 'airflow': .* --database trading"):
        restore_backup(
            stored.place, destination, into, name=stored.manifest.id, database="airflow", identity=stored.identity
        )
    with pytest.raises(InputError, match="holds no verified backup of airflow"):
        restore_backup(stored.place, destination, into, database="airflow", identity=stored.identity)
    folder = stored.copy(tmp_path / "newer")
    newer = replace(stored.manifest, schema_revision="9999")
    next(folder.rglob("manifest.json")).write_bytes(newer.written())
    with pytest.raises(InputError, match="has schema revision 9999, which this version does not know"):
        restore_backup(stored.place, stored.place.destination(str(folder)), into, identity=stored.identity)
    newer = replace(stored.manifest, pg_version="19.1")
    next(folder.rglob("manifest.json")).write_bytes(newer.written())
    with pytest.raises(InputError, match=r"comes from PostgreSQL 19\.1, the target is 18"):
        restore_backup(stored.place, stored.place.destination(str(folder)), into, identity=stored.identity)


def test_a_dump_that_lacks_a_row_is_never_stored(
    stored: Stored, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The comparison is with the instant of the dump: a row that the restored database lacks stops everything."""
    restore = creating.restore

    def restore_all_but_one(folder: Path, url: object, jobs: int) -> None:
        restore(folder, url, jobs)  # type: ignore[arg-type]
        execute(url.render_as_string(hide_password=False), "DELETE FROM bars WHERE symbol = 'S7'")  # type: ignore[attr-defined]

    monkeypatch.setattr(creating, "restore", restore_all_but_one)
    with pytest.raises(DumpFailedError, match="table bars has 199 rows, not 200"):
        back_up_databases(stored.place, stored.place.destination(str(tmp_path / "none")), ["trading"])
    assert not (tmp_path / "none").exists()


def test_rows_written_during_the_dump_do_not_count(
    make_database: MakeDatabase, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    url = make_database()
    fill(url, rows=20)
    place = make_place(tmp_path / "home", url)
    start = creating.start_dump

    def start_late(*arguments: object) -> object:
        execute(url, "DELETE FROM bars WHERE symbol = 'S7'")
        execute(url, "INSERT INTO raw_responses VALUES ('late', now(), now(), '')")
        return start(*arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(creating, "start_dump", start_late)
    (manifest,) = back_up_databases(place, place.destination(str(tmp_path / "backups")), ["trading"])
    assert (manifest.tables["bars"], manifest.tables["raw_responses"]) == (20, 1)
    assert manifest.encrypted_to == ()


def test_verify_with_restore_proves_every_table(stored: Stored) -> None:
    destination = stored.place.destination(str(stored.folder))
    (found,) = verify_backups(stored.place, destination, restored=True, identity=stored.identity)
    assert found.as_record() == {"id": stored.manifest.id, "ok": True, "problem": ""}
    (found,) = verify_backups(stored.place, destination, restored=True)
    assert "is encrypted to" in found.problem
