"""State, configuration and logs; the record in the database; what goes by age; and an end to end over S3."""

from __future__ import annotations

import gzip
import json
import os
import tarfile
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from tests.environment.backup_place import NOW, execute, fill, make_place
from tests.environment.database import MakeDatabase
from tests.environment.moving_clock import MovingClock
from trading_lib.adapters.backups.encryption import new_identity
from trading_lib.adapters.stores.operations.backup_records import BackupRecords
from trading_lib.adapters.stores.postgres.database import connect
from trading_lib.domain.errors import InputError
from trading_lib.monitoring.backup.config import RetentionConfig
from trading_lib.monitoring.backup.manifest import BackupClass
from trading_lib.workflows.backups import jobs
from trading_lib.workflows.backups.catalogue import read_catalogue
from trading_lib.workflows.backups.files import CREDENTIALS, back_up_configuration, back_up_logs
from trading_lib.workflows.backups.place import BackupPlace
from trading_lib.workflows.backups.prune import prune_backups
from trading_lib.workflows.backups.restore import unpack_backup
from trading_lib.workflows.backups.store import proven_content
from trading_lib.workflows.backups.verify import verify_backups

UNREACHABLE = "postgresql://trading:hunter2@127.0.0.1:1/trading"


@pytest.fixture
def place(tmp_path: Path) -> BackupPlace:
    """No database at all: these classes need none."""
    return make_place(tmp_path / "home", UNREACHABLE)


@pytest.fixture(scope="module")
def url(make_database: MakeDatabase) -> str:
    url = make_database()
    fill(url)
    execute(
        url,
        """
        INSERT INTO portfolio_state (book, session, cash, nav, positions, marks, realised_pnl, dividends, costs)
        SELECT 'book 1', date '2026-01-02' + n, 1.1, 100000.000000001, '{"SPY": 1}', '{}', 0, 0, 0
        FROM generate_series(0, 3) n
        """,
    )
    execute(
        url,
        """
        INSERT INTO order_intents SELECT 'order-' || n, 'book 1', date '2026-01-02' + n, 'SPY', 'BUY', 0, 1, 1, 0, 'X',
            0, 'p', 'r', now(), NULL, NULL, 'OPENING', '' FROM generate_series(1, 3) n
        """,
    )
    execute(
        url,
        """
        INSERT INTO orders SELECT client_order_id, book,
            CASE WHEN client_order_id = 'order-2' THEN 'FILLED' ELSE 'WORKING' END, 'paper', NULL, 0, '', now(),
            NULL, NULL, 1
        FROM order_intents
        """,
    )
    return url


def members(place: BackupPlace, manifest: object, tmp_path: Path) -> dict[str, bytes]:
    folder = proven_content(place, place.destination(), manifest, tmp_path)  # type: ignore[arg-type]
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.mark.postgres
def test_the_state_after_a_trade_is_what_a_book_goes_on_from(url: str, tmp_path: Path) -> None:
    place = make_place(tmp_path / "home", url)
    result = jobs.state_after_trade("book 1", place)
    assert result["problem"] == ""
    (manifest,) = read_catalogue(place.destination()).manifests
    assert (manifest.id, manifest.kind, manifest.schema_revision != "") == (result["backup"], BackupClass.STATE, True)
    work = tmp_path / "work"
    work.mkdir()
    files = members(place, manifest, work)
    (portfolio,) = [json.loads(line) for line in files["portfolio_state.jsonl"].splitlines()]
    assert portfolio["session"] == "2026-01-05"
    assert b'"nav": 100000.000000001' in files["portfolio_state.jsonl"]
    still_open = {json.loads(line)["client_order_id"] for line in files["orders.jsonl"].splitlines()}
    assert still_open == {"order-1", "order-3"}
    intents = {json.loads(line)["client_order_id"] for line in files["order_intents.jsonl"].splitlines()}
    assert intents == still_open
    assert {"risk_state.jsonl", "trade_history.jsonl", "signal_log.jsonl", "risk_events.jsonl"} <= set(files)
    assert manifest.tables["books"] == 1
    assert manifest.size < 100_000


@pytest.mark.postgres
def test_a_backup_is_recorded_where_gates_read_it(url: str, tmp_path: Path) -> None:
    place = make_place(tmp_path / "home", url)
    made = jobs.create_backups(place, str(tmp_path / "elsewhere"), BackupClass.CONFIG).manifests[0]
    engine = connect(url)
    try:
        newest = {row["kind"]: row for row in BackupRecords(engine).newest_backups()}
        assert newest["config"]["id"] == made.id
        assert newest["config"]["destination"] == str(tmp_path / "elsewhere")
        assert (newest["config"]["encrypted"], newest["config"]["size"]) == (False, made.size)
        BackupRecords(engine).add_backup(made, "again")
        assert {row["kind"]: row for row in BackupRecords(engine).newest_backups()} == newest
    finally:
        engine.dispose()


def test_a_trading_run_never_fails_by_its_backup(place: BackupPlace, monkeypatch: pytest.MonkeyPatch) -> None:
    alerts = []
    monkeypatch.setattr(jobs, "raise_alert", lambda alert, **_: alerts.append(alert))
    result = jobs.state_after_trade("paper", place)
    assert result["backup"] is None
    assert "cannot use database" in result["problem"]
    assert [(alert.source, alert.key, alert.book) for alert in alerts] == [("backup", "backup:state:paper", "paper")]
    assert "hunter2" not in alerts[0].text
    monkeypatch.setattr(jobs, "create_backups", lambda *_, **__: 1 / 0)
    assert "ZeroDivisionError" in jobs.state_after_trade("paper", place)["problem"]
    off = replace(place, config=place.config.model_copy(update={"state_after_trade": False}))
    assert jobs.state_after_trade("paper", off) == {"backup": None, "problem": ""}


def test_a_configuration_is_stored_when_it_changed(place: BackupPlace, tmp_path: Path) -> None:
    include = tmp_path / "include"
    (include / "config").mkdir(parents=True)
    (include / "config" / "risk.yaml").write_text("levels: []\n")
    (include / "__pycache__").mkdir()
    (include / "__pycache__" / "x.pyc").write_bytes(b"x")
    mine = replace(
        place,
        environment={**place.environment, "TRADING_INCLUDE": str(include), "TRADING_CONFIG": str(include / "config")},
    )
    destination = mine.destination()
    first, new = back_up_configuration(mine, destination)
    assert (new, list(first.contents)) == (True, ["include/config/risk.yaml"])
    assert back_up_configuration(mine, destination) == (first, False)
    (include / "config" / "risk.yaml").write_text("levels: [1]\n")
    second, new = back_up_configuration(mine, destination)
    assert new
    assert second.state_hash != first.state_hash
    assert len(read_catalogue(destination).manifests) == 2


def test_keys_leave_this_machine_encrypted_only(tmp_path: Path) -> None:
    for recipients in ((), (new_identity(tmp_path / "key.txt"),)):
        place = make_place(tmp_path / f"home-{len(recipients)}", UNREACHABLE, recipients=recipients)
        (place.folders.credentials).write_text("{}")
        manifest, _ = back_up_configuration(place, place.destination())
        assert (CREDENTIALS in manifest.contents) == bool(recipients)


def test_logs_are_stored_once_a_day_and_only_what_is_new(tmp_path: Path) -> None:
    clock = MovingClock(NOW)
    place = make_place(tmp_path / "home", UNREACHABLE, clock)
    assert back_up_logs(place, place.destination()) is None
    place.folders.logs.mkdir()
    for name in ("old.log", "trading.jsonl"):
        (place.folders.logs / name).write_text(f"{name}\n")
        os.utime(place.folders.logs / name, (NOW.timestamp() - 10,) * 2)
    assert jobs.back_up("logs", place)["unchanged"] is False
    assert jobs.back_up("logs", place) == {"class": "logs", "backups": [], "unchanged": True}
    clock.advance(24 * 3600)
    os.utime(place.folders.logs / "trading.jsonl", (clock().timestamp() - 10,) * 2)
    assert jobs.back_up("logs", place)["unchanged"] is False
    first, second = read_catalogue(place.destination()).manifests
    assert (sorted(first.contents), sorted(second.contents)) == (
        ["old.log.gz", "trading.jsonl.gz"],
        ["trading.jsonl.gz"],
    )
    work = tmp_path / "work"
    work.mkdir()
    assert gzip.decompress(members(place, second, work)["trading.jsonl.gz"]) == b"trading.jsonl\n"


def stored_each_day(tmp_path: Path, days: int, **retention: int) -> tuple[BackupPlace, MovingClock]:
    clock = MovingClock(NOW)
    place = make_place(tmp_path / "home", UNREACHABLE, clock, retention=RetentionConfig(**retention))
    place.folders.logs.mkdir()
    for day in range(days):
        (place.folders.logs / "a.log").write_text(str(day))
        os.utime(place.folders.logs / "a.log", (clock().timestamp() + 1,) * 2)
        back_up_logs(place, place.destination())
        clock.advance(24 * 3600)
    return place, clock


def test_pruning_removes_by_age_and_says_so_first(tmp_path: Path) -> None:
    place, _ = stored_each_day(tmp_path, 6, logs=3, at_least=1)
    destination = place.destination()
    before = list(destination.objects())
    planned = prune_backups(place, destination, dry_run=True)
    assert list(destination.objects()) == before
    assert len(planned.backups) == 3
    done = prune_backups(place, destination)
    assert done.as_record() == planned.as_record() | {"dry_run": False}
    assert [one.problem for one in verify_backups(place, destination)] == [""] * 3
    assert prune_backups(place, destination).backups == ()


def test_what_was_never_finished_goes_after_a_day_and_other_files_stay(tmp_path: Path) -> None:
    place, clock = stored_each_day(tmp_path, 1)
    folder = Path(place.destination().address)
    half = folder / "logs" / "logs-20260101T000000.000000Z-aaaaaa" / "content.tar"
    half.parent.mkdir(parents=True)
    half.write_bytes(b"half")
    os.utime(half, (clock().timestamp() - 3600,) * 2)
    (folder / "notes.txt").write_text("mine")
    assert [found.key for found in read_catalogue(place.destination()).unclaimed] == [
        half.relative_to(folder).as_posix()
    ]
    assert prune_backups(place, place.destination()).unclaimed == ()
    clock.advance(24 * 3600)
    assert len(prune_backups(place, place.destination()).unclaimed) == 1
    assert not half.exists()
    assert (folder / "notes.txt").exists()


def test_a_wrong_clock_removes_nothing(tmp_path: Path) -> None:
    place, clock = stored_each_day(tmp_path, 3, logs=1, at_least=2)
    clock.advance(-10 * 24 * 3600)
    with pytest.raises(InputError, match="is from the future: it is 2026-11-13"):
        prune_backups(place, place.destination())
    clock.advance(3650 * 24 * 3600)
    prune_backups(place, place.destination())
    assert len(read_catalogue(place.destination()).manifests) == 2


def test_a_damaged_manifest_keeps_its_file(tmp_path: Path) -> None:
    place, clock = stored_each_day(tmp_path, 2)
    first = read_catalogue(place.destination()).manifests[0]
    path = Path(place.destination().address) / first.manifest_key
    path.write_bytes(path.read_bytes()[:-5])
    clock.advance(7 * 24 * 3600)
    catalogue = read_catalogue(place.destination())
    assert list(catalogue.problems) == [first.manifest_key]
    assert prune_backups(place, place.destination()).unclaimed == ()
    assert (path.parent / first.file).exists()


@pytest.fixture
def s3(monkeypatch: pytest.MonkeyPatch) -> None:
    from tests.peers.s3_servers import ACCESS, SECRET

    monkeypatch.setenv("AWS_ACCESS_KEY_ID", ACCESS)
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", SECRET)
    monkeypatch.setattr("trading_lib.adapters.backups.s3_destination.ATTEMPTS", 1)


@pytest.mark.postgres
def test_a_database_goes_to_a_bucket_and_comes_back(
    url: str, tmp_path: Path, s3: None, make_database: MakeDatabase
) -> None:
    from tests.peers.s3_servers import BUCKET, rclone_server
    from trading_lib.workflows.backups.restore import restore_backup

    with rclone_server(tmp_path / "rclone") as server:
        variables = {"AWS_ENDPOINT_URL_S3": server.endpoint}
        place = make_place(
            tmp_path / "home",
            url,
            variables=variables,
            destination=f"s3://{BUCKET}/its",
            recipients=(new_identity(tmp_path / "k"),),
        )
        assert jobs.back_up("database", place)["unchanged"] is False
        # Other tests' databases may lie beside it.
        manifest = read_catalogue(place.destination()).newest(BackupClass.DATABASE, "trading")
        assert not tarfile.is_tarfile(server.folder / BUCKET / "its" / manifest.file_key)
        done = restore_backup(place, place.destination(), make_database(migrated=False), identity=tmp_path / "k")
        assert done.manifest == manifest
        server.kill()
        with pytest.raises(InputError, match=r"s3://backups/its at http://127\.0\.0\.1:\d+ cannot be used"):
            jobs.back_up("database", place)


def test_a_server_that_stores_something_else_is_found_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from trading_lib.adapters.backups.folder_destination import FolderDestination

    place, _ = stored_each_day(tmp_path, 1)
    put = FolderDestination.put

    def put_half(self: FolderDestination, key: str, source: Path) -> None:
        put(self, key, source)
        path = Path(self.address) / key
        if key.endswith(damaged):
            path.write_bytes(path.read_bytes()[:-1])

    monkeypatch.setattr(FolderDestination, "put", put_half)
    (place.folders.logs / "a.log").write_text("more")
    for damaged in ("content.tar", "manifest.json"):
        with pytest.raises(InputError, match=f"gives back logs/.*{damaged} otherwise than it was sent"):
            back_up_logs(place, place.destination())
        catalogue = read_catalogue(place.destination())
        assert (len(catalogue.manifests), catalogue.problems) == (1, {})


@pytest.mark.postgres
def test_no_table_for_records_makes_no_backup_less(make_database: MakeDatabase, tmp_path: Path) -> None:
    empty = make_database(migrated=False)
    place = make_place(tmp_path / "home", empty)
    assert jobs.create_backups(place, kind=BackupClass.CONFIG).manifests
    later = replace(place, clock=MovingClock(NOW + timedelta(hours=1)))
    assert jobs.create_backups(later, kind=BackupClass.CONFIG).unchanged


def test_a_backup_of_files_is_unpacked_whole_or_not_at_all(tmp_path: Path) -> None:
    place, _ = stored_each_day(tmp_path, 1)
    destination = place.destination()
    (manifest,) = read_catalogue(destination).manifests
    unpack_backup(place, destination, manifest.id, tmp_path / "new" / "logs")
    assert gzip.decompress((tmp_path / "new" / "logs" / "a.log.gz").read_bytes()) == b"0"
    with pytest.raises(InputError, match="is no empty folder"):
        unpack_backup(place, destination, manifest.id, tmp_path / "new" / "logs")
    stored = Path(destination.address) / manifest.file_key
    stored.write_bytes(stored.read_bytes()[:-1])
    with pytest.raises(InputError, match="is cut off"):
        unpack_backup(place, destination, manifest.id, tmp_path / "other" / "logs")
    assert list((tmp_path / "other").iterdir()) == []
