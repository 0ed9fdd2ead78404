"""The log outside the server: a restore to a time holds that time's rows; whatever is damaged is refused."""

from __future__ import annotations

import errno
import gzip
import hashlib
import json
import shutil
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import psycopg2
import pytest

from tests.environment.database import MakeDatabase, memory_folder, processes_in
from tests.environment.wal_place import SOON, WalPlace, wal_place
from trading_lib.adapters.backups.wal import base as base_backups
from trading_lib.adapters.backups.wal.archive import Line, archive_is_configured
from trading_lib.adapters.backups.wal.base import verify_base
from trading_lib.adapters.backups.wal.receiver import Receiver
from trading_lib.adapters.backups.wal.server import SlotState, WalServer
from trading_lib.adapters.files.disarmed_books import DisarmedBooks
from trading_lib.adapters.stores.postgres.embedded_postgres import EmbeddedPostgres
from trading_lib.domain.errors import InputError, StorageUnavailableError, TradingError
from trading_lib.monitoring.alert import Alert, AlertLevel
from trading_lib.monitoring.backup.manifest import BackupDamagedError
from trading_lib.workflows.backups.wal import receive
from trading_lib.workflows.backups.wal.archive import (
    ExternalServerError,
    archive_folder,
    back_up_base,
    embedded_server,
    restore_to,
    wal_status,
)
from trading_lib.workflows.backups.wal.receive import Receiving

pytestmark = pytest.mark.postgres


@dataclass
class Written:
    """An archive that nothing writes to any more, with the moments after each row."""

    place: WalPlace
    moments: list[datetime]

    @property
    def line(self) -> Line:
        return next(Line(path.parent) for path in self.place.archive.glob("*/segments"))

    def copy(self, to: Path) -> Line:
        shutil.copytree(self.place.archive, to)
        return Line(to / self.line.name)


@pytest.fixture(scope="module")
def written() -> Iterator[Written]:
    with wal_place() as place:
        place.run("CREATE TABLE t (n int)")
        place.run("CREATE TABLE books (name text)")
        place.run("INSERT INTO books VALUES ('paper')")
        moments = []
        for number in range(20):
            place.run(f"INSERT INTO t VALUES ({number})")
            moments.append(place.now())
        place.await_received(place.now())
        place.stop_receiver()
        yield Written(place, moments)


@pytest.fixture
def room() -> Iterator[Path]:
    """An empty folder in memory: a new cluster waits for no disk."""
    with tempfile.TemporaryDirectory(prefix="itswal", dir=memory_folder()) as folder:
        yield Path(folder).resolve()


def rows(written: Written, into: Path, moment: datetime | None, source: str | None = None) -> int:
    return restore_to(written.place.place, source, into, moment).rows["trading"]["t"]


def test_a_restore_to_a_time_holds_exactly_its_rows_and_starts_like_any_cluster(
    written: Written, short_folder: Path
) -> None:
    into = short_folder / "data"
    done = restore_to(written.place.place, None, into, written.moments[9])
    assert done.rows["trading"] == {"t": 10, "books": 1}
    assert done.recovered_to is not None
    assert done.recovered_to <= written.moments[9]
    server = EmbeddedPostgres(into)
    server.start()
    assert {path.name for path in into.iterdir()}.isdisjoint({"recovery.signal", "standby.signal"})
    asked = WalServer(server)
    assert asked.line_name().endswith("-00000002")
    assert asked.slot().state == ""
    asked.close()


def test_without_a_time_everything_comes_back(written: Written, room: Path) -> None:
    assert rows(written, room / "new", None) == 20


def test_the_books_of_a_restored_home_are_disarmed(written: Written, room: Path) -> None:
    """What the brokers did after that time is unknown there."""
    restore_to(written.place.place, None, room / "home" / "postgres", written.moments[9])
    home = DisarmedBooks(room / "home")
    assert home.names() == ["paper"]
    assert str(home.reason("paper")).startswith("restored from the log as of 20")
    assert not home.is_unfinished


def test_a_cluster_elsewhere_is_no_home(written: Written, room: Path) -> None:
    assert restore_to(written.place.place, None, room / "cluster", None).books == ("paper",)
    assert [path.name for path in room.iterdir()] == ["cluster"]


def test_an_empty_folder_is_taken(written: Written, room: Path) -> None:
    (room / "empty").mkdir()
    assert rows(written, room / "empty", written.moments[0]) == 1
    assert sorted(path.name for path in room.iterdir()) == ["empty"]


@pytest.mark.parametrize("what", ["a file in it", "a running server", "a file", "a link"])
def test_a_target_in_use_is_refused_and_left_alone(written: Written, room: Path, what: str) -> None:
    target = room / "target"
    if what == "a running server":
        target = written.place.server.folder
    elif what == "a file":
        target.write_text("mine")
    else:
        (room / "other").mkdir()
        (room / "other" / "mine").write_text("mine")
        target.symlink_to(room / "other") if what == "a link" else (room / "other").rename(target)
    before = sorted(path.name for path in target.parent.rglob("*")) if what != "a running server" else []
    with pytest.raises(InputError, match="nothing was touched"):
        restore_to(written.place.place, None, target, None)
    assert not before or sorted(path.name for path in target.parent.rglob("*")) == before
    assert written.place.run("SELECT count(*) FROM t") == [(20,)]


def test_times_that_the_archive_does_not_reach_are_refused_with_those_it_does(written: Written, room: Path) -> None:
    target = room / "new"
    with pytest.raises(InputError, match="no base backup from before that time: the oldest time is 20"):
        restore_to(written.place.place, None, target, written.moments[0] - timedelta(hours=1))
    with pytest.raises(InputError, match=r"the archive ends at 20.* leave out --at"):
        restore_to(written.place.place, None, target, datetime.now(UTC))
    with pytest.raises(InputError, match="has not come yet"):
        restore_to(written.place.place, None, target, datetime.now(UTC) + timedelta(days=1))
    assert list(room.iterdir()) == []


@pytest.mark.parametrize("file", ["base.tar.gz", "pg_wal.tar.gz", "backup_manifest"])
def test_a_flipped_byte_of_a_base_backup_is_found_before_anything_is_built(
    written: Written, room: Path, file: str
) -> None:
    line = written.copy(room / "archive")
    path = next(line.bases_folder.glob(f"*/{file}"))
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)
    with pytest.raises(BackupDamagedError, match=file):
        rows(written, room / "new", None, str(room / "archive"))
    assert not (room / "new").exists()


def test_a_file_that_differs_from_the_servers_manifest_is_found_though_its_archive_is_whole(
    written: Written, room: Path
) -> None:
    """As pg_verifybackup would find it, which crashes in this build."""
    line = written.copy(room / "archive")
    (base,) = line.bases()
    folder = line.base_folder(base)
    verify_base(folder, base)
    packed = folder / "base.tar.gz"
    content = gzip.decompress(packed.read_bytes())
    packed.write_bytes(gzip.compress(content.replace(b"max_slot_wal_keep_size", b"max_slot_wal_keep_sizf", 1), 1))
    changed = replace(base, files={**base.files, packed.name: hashlib.sha256(packed.read_bytes()).hexdigest()})
    with pytest.raises(BackupDamagedError, match=r"postgresql\.auto\.conf is not what the server sent"):
        verify_base(folder, changed)


def test_a_damaged_log_is_told_of_and_never_taken_for_its_end(written: Written, room: Path) -> None:
    line = written.copy(room / "archive")
    newest = max(line.segments().values())
    content = bytearray(newest.read_bytes())
    (base,) = line.bases()
    assert base.first_segment != newest.name.removesuffix(".partial")
    content[64:8192] = bytes(8192 - 64)
    newest.write_bytes(content)
    for moment in (None, written.moments[-1]):
        with pytest.raises(BackupDamagedError, match="damaged or missing"):
            rows(written, room / "new", moment, str(room / "archive"))
    assert [path.name for path in room.iterdir()] == ["archive"]


def test_a_log_without_its_beginning_is_refused(written: Written, room: Path) -> None:
    line = written.copy(room / "archive")
    for path in line.segments().values():
        path.unlink()
    with pytest.raises(TradingError):
        rows(written, room / "new", written.moments[-1], str(room / "archive"))
    assert not (room / "new").exists()


def test_what_is_no_archive_is_refused(written: Written, room: Path) -> None:
    for folder in (room, room / "absent"):
        with pytest.raises(InputError, match="archive"):
            rows(written, room / "new", None, str(folder))
    with pytest.raises(InputError, match="mount"):
        archive_folder(written.place.place, "s3://bucket/wal")
    with pytest.raises(InputError, match="own folder"):
        archive_folder(written.place.place, str(written.place.server.folder / "wal"))


def test_a_server_of_somebody_elses_is_responsible_for_its_own_log(
    written: Written, make_database: MakeDatabase
) -> None:
    foreign = replace(written.place.place, environment={"TRADING_DATABASE_URL": make_database(migrated=False)})
    with pytest.raises(ExternalServerError, match=r"pgBackRest, Barman.*docs/operations/backup\.md"):
        back_up_base(foreign)
    status = wal_status(foreign)
    assert status.external
    assert status.problems == ()
    ours = replace(written.place.place, environment={"TRADING_DATABASE_URL": written.place.server.url("trading")})
    assert embedded_server(ours).folder == written.place.server.folder


def test_the_status_of_a_receiver_that_ended_says_so(written: Written) -> None:
    status = wal_status(written.place.place)
    assert status.slot is not None
    assert not status.slot.active
    assert any("no receiver is connected" in problem for problem in status.problems)
    assert status.oldest_restorable is not None
    assert status.oldest_restorable < written.moments[0]
    json.dumps(status.as_record(), default=str)


def test_a_dead_receiver_never_fills_the_disk_and_the_gap_is_told_and_closed(room: Path) -> None:
    """The slot is bounded: the server drops what exceeds it, and the receiver begins anew with a base backup."""
    with wal_place(slot_megabytes=64) as place:
        place.run("CREATE TABLE t (n int)", "INSERT INTO t VALUES (1)")
        before = place.now()
        place.await_received(place.now())
        place.stop_receiver()
        asked = WalServer(place.server)
        for _ in range(8):
            place.run("CREATE TABLE filler AS SELECT repeat('x', 1000) x FROM generate_series(1, 14000)")
            place.run("DROP TABLE filler", "SELECT pg_switch_wal()")
        place.run("CHECKPOINT")
        lost = SOON.wait_for(lambda: True if asked.slot().state == "lost" else place.run("CHECKPOINT") and None)
        assert lost
        (line,) = (Line(path.parent) for path in place.archive.glob("*/segments"))
        assert max(line.segments()) < min(asked.log_files()), "the server keeps what the receiver lacks for ever"
        asked.close()
        assert any("lost" in problem for problem in wal_status(place.place).problems)

        place.start_receiver()
        status = place.await_base(2)
        place.await_received(place.now())
        assert any("has a gap" in line for line in place.said)
        assert wal_status(place.place).problems == ()
        assert len({base.line for base in status.bases}) == 2
        place.run("INSERT INTO t VALUES (2)")
        after = place.now()
        place.await_received(after)
        assert restore_to(place.place, None, room / "before", before).rows["trading"]["t"] == 1
        assert restore_to(place.place, None, room / "after", after).rows["trading"]["t"] == 2
    assert processes_in(room / "after") == []


def test_a_server_that_dies_while_a_connection_is_given_back_is_waited_for(written: Written) -> None:
    """The driver's own error comes out there: a receiver ended by it would receive nothing any more."""
    asked = WalServer(written.place.server)

    def lost(connection: object) -> None:
        raise psycopg2.OperationalError("server closed the connection unexpectedly")

    asked.engine.dialect.reset_isolation_level = lost  # type: ignore[method-assign]
    with pytest.raises(StorageUnavailableError, match="server closed the connection"):
        asked.slot()
    asked.close()


def test_one_receiver_at_a_time(written: Written) -> None:
    from trading_lib.adapters.files.exclusive_lock import alone
    from trading_lib.workflows.backups.wal.receive import receive_wal

    with (
        alone(written.place.archive / "receiver.lock", InputError("busy")),
        pytest.raises(InputError, match="another receiver"),
    ):
        receive_wal(written.place.place)


@pytest.fixture
def told(monkeypatch: pytest.MonkeyPatch) -> list[Alert]:
    alerts: list[Alert] = []
    monkeypatch.setattr(receive, "raise_alert", lambda alert, **_: alerts.append(alert))
    return alerts


def receiving(written: Written) -> Receiving:
    place = written.place
    return Receiving(place.place, place.archive, place.server, lambda seconds: None, lambda: True, lambda line: None)


def test_a_lag_is_told_once_and_that_it_is_over(written: Written, told: list[Alert]) -> None:
    job, now = receiving(written), datetime(2026, 11, 20, 12, 0, tzinfo=UTC)
    receiver = Receiver(written.place.server, written.line, complete_at=now - timedelta(seconds=61))
    slot = SlotState("extended", False, "0/1", 7_000_000)
    job._judge(slot, receiver, now, running=30.0)
    assert told == [], "a receiver that has just begun has yet to catch up"
    for _ in range(2):
        job._judge(slot, receiver, now, running=100.0)
    assert [(alert.level, alert.key) for alert in told] == [(AlertLevel.CRITICAL, "wal:lag")]
    assert "61 s and 7,000,000 bytes behind; the receiver is not connected" in told[0].text
    receiver.complete_at = now
    job._judge(slot, receiver, now, running=101.0)
    assert [alert.level for alert in told[1:]] == [AlertLevel.INFO]


def test_an_archive_that_cannot_be_written_is_told_and_tried_again(
    written: Written, told: list[Alert], monkeypatch: pytest.MonkeyPatch
) -> None:
    tries: list[float] = []
    place = written.place

    def full(line: Line, received: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(Line, "write_received", full)
        Receiving(place.place, place.archive, place.server, tries.append, lambda: len(tries) > 1, lambda _: None).run()
    assert len(tries) == 2
    assert [alert.key for alert in told] == ["wal:archive"]
    assert "No space left on device" in told[0].text


def test_a_base_backup_that_fails_is_told_and_leaves_what_was_there(
    written: Written, told: list[Alert], monkeypatch: pytest.MonkeyPatch
) -> None:
    before = written.line.bases()

    def full(server: EmbeddedPostgres, folder: Path) -> None:
        folder.mkdir()
        (folder / "base.tar.gz").write_bytes(b"half")
        raise StorageUnavailableError(f"the disk of {folder.parent} is full", "free some space there")

    monkeypatch.setattr(base_backups, "_run_basebackup", full)
    receiving(written)._take_base()
    assert [alert.key for alert in told] == ["wal:base"]
    assert "is full: free some space there" in told[0].text
    assert written.line.bases() == before
    assert len(list(written.line.bases_folder.iterdir())) == len(before)


def test_a_base_backup_that_was_killed_does_not_count_and_goes_with_the_next(written: Written) -> None:
    half = written.line.bases_folder / "unfinished-20260101T000000Z"
    half.mkdir()
    (half / "base.tar.gz").write_bytes(b"half")
    nameless = written.line.bases_folder / "20260101T000000Z"
    nameless.mkdir()
    count = len(written.line.bases())
    taken = back_up_base(written.place.place)
    assert not half.exists()
    assert len(written.line.bases()) == count + 1
    assert taken.base in written.line.bases()
    nameless.rmdir()


def test_what_is_older_than_is_kept_goes_with_its_log_and_the_rest_is_restored(written: Written, room: Path) -> None:
    line = written.copy(room / "archive")
    place = replace(written.place.place, clock=lambda: datetime.now(UTC) + timedelta(days=30))
    for _ in range(2):
        newest = back_up_base(place, str(room / "archive"))
    kept = [base.id for base in line.bases()]
    assert len(kept) == 3
    assert kept[-1] == newest.base.id
    taken = back_up_base(place, str(room / "archive"))
    assert taken.removed_bases == (kept[0],)
    assert taken.freed > 0
    assert min(line.segments(), default=taken.base.first_segment) >= line.bases()[0].first_segment
    assert restore_to(place, str(room / "archive"), room / "new", None).rows["trading"]["t"] == 20


@pytest.mark.parametrize(
    ("text", "variable", "expected"),
    [
        ("wal: {folder: /mnt/wal}", None, True),
        ("wal: {folder: ''}", None, False),
        ("jobs: 2", None, False),
        ("wal: [", None, False),
        ("wal: {folder: ''}", "/mnt/wal", True),
        ("wal: {folder: /mnt/wal}", "", False),
    ],
)
def test_the_stack_sees_whether_an_archive_is_configured(
    tmp_path: Path, text: str, variable: str | None, expected: bool
) -> None:
    (tmp_path / "backup.yaml").write_text(text)
    environment = {"TRADING_CONFIG": str(tmp_path)}
    if variable is not None:
        environment["TRADING_BACKUP__WAL__FOLDER"] = variable
    assert archive_is_configured(environment) == expected
