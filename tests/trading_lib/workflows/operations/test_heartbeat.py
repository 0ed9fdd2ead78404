"""The heartbeat on a real database: what did not happen is told once, and when it is over; a holiday is silent."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest

from tests.builders.price_folder import write_price_folder
from tests.builders.settings import make_settings
from tests.contracts.probe_contract import ProbeContract, make_context
from tests.environment.backup_place import execute
from tests.environment.command_line import run
from tests.environment.database import MakeDatabase
from tests.environment.free_port import free_port
from trading_lib.adapters.services.stack import heartbeat_is_fresh
from trading_lib.adapters.stores.postgres.embedded_postgres import EmbeddedPostgres
from trading_lib.domain.market.sessions import exchange_sessions
from trading_lib.monitoring.alert import Alert, AlertLevel
from trading_lib.monitoring.heartbeat import HeartbeatConfig, Reading
from trading_lib.monitoring.probe import Probe, ProbeContext
from trading_lib.workflows.data import fetch as fetching
from trading_lib.workflows.data import tasks as market_data
from trading_lib.workflows.operations import heartbeat as workflow
from trading_lib.workflows.operations.doctor import check_heartbeat
from trading_lib.workflows.operations.heartbeat import Beat, HeartbeatPlace, load_heartbeat, look, read_beat
from trading_lib.workflows.operations.probes import BackupAge, Clock, Database, Disk, LogArchive
from trading_lib.workflows.trade.daily import run_daily

pytestmark = pytest.mark.postgres

CALENDAR = exchange_sessions()
FRIDAY, WEDNESDAY, HALF_DAY = date(2026, 11, 20), date(2026, 11, 25), date(2026, 11, 27)
BOOK = "main"


@dataclass
class Home:
    """A home whose clock and counter a test sets; the database server's clock is the machine's."""

    url: str
    folder: Path
    now: datetime
    told: list[Alert] = field(default_factory=list)
    variables: dict[str, str] = field(default_factory=dict)

    def place(self) -> HeartbeatPlace:
        environment = {
            "TRADING_HOME": str(self.folder),
            "TRADING_DATABASE_URL": self.url,
            "TRADING_AIRFLOW_PORT": str(free_port(1)),
            **self.variables,
        }
        return load_heartbeat(environment, lambda: self.now)

    def look(self) -> Beat:
        """Look once."""
        self.told.clear()
        return look(self.place(), self.told.append)

    def told_keys(self) -> list[str]:
        return [alert.key for alert in self.told]

    def run_daily(self, session: date, book: str = BOOK, late: timedelta = timedelta(minutes=5)) -> None:
        """Store what market_data and trade_daily leave behind."""
        known, decided = CALENDAR.data_time(session), CALENDAR.decision_time(session)
        execute(
            self.url,
            f"""
            INSERT INTO books VALUES ('{book}', 'paper', 'file', NULL, '{session}', 100000, 'c', '{decided}')
                ON CONFLICT DO NOTHING;
            INSERT INTO ingestions VALUES ('file', 'etf', '{session}', '{session}', '{{}}', true, '{{}}', '{{}}',
                '{known + late}') ON CONFLICT DO NOTHING;
            INSERT INTO decisions VALUES ('{book}', '{session}', '{decided}', 'bull', 0, 'c', 'v', '{{}}', 'h',
                '{decided + late}');
            """,
        )


@pytest.fixture
def home(make_database: MakeDatabase, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Home:
    made = Home(make_database(), tmp_path / "home", datetime(2026, 11, 20, 23, 0, tzinfo=UTC))
    # The calendar's days are played at an injected clock; the probe of clocks has tests of its own below.
    built_in = workflow.built_in

    def without_clock(before: Reading | None, now: Reading) -> dict[str, Probe]:
        return {name: probe for name, probe in built_in(before, now).items() if name != "clock"}

    monkeypatch.setattr(workflow, "built_in", without_clock)
    return made


def at(home: Home, moment: datetime, minutes: float = 0.0) -> Home:
    home.now = moment + timedelta(minutes=minutes)
    return home


def test_a_run_that_did_not_happen_is_told_once_and_its_end_too(home: Home) -> None:
    """A scheduler that was killed and a DAG that is paused look alike: nothing is stored."""
    home.run_daily(FRIDAY)
    assert home.look().faults == {}
    monday = CALENDAR.next(FRIDAY)
    at(home, CALENDAR.data_time(monday), 44)
    assert home.look().faults == {}
    at(home, CALENDAR.data_time(monday), 46)
    home.look()
    assert home.told_keys() == ["heartbeat:market_data"]
    assert home.told[0].session == monday
    assert home.told[0].level is AlertLevel.CRITICAL
    assert "Airflow" in home.told[0].text
    at(home, CALENDAR.decision_time(monday), 61)
    home.look()
    assert home.told_keys() == [f"heartbeat:trade_daily:{BOOK}"]
    assert home.told[0].book == BOOK
    # Looked at again, and the next day as well: told already.
    home.look()
    assert home.told_keys() == []
    at(home, CALENDAR.decision_time(CALENDAR.next(monday)), 90)
    assert len(home.look().faults) == 2
    assert home.told_keys() == []
    home.run_daily(CALENDAR.next(monday), late=timedelta(minutes=80))
    assert home.look().faults == {}
    assert [alert.title.split(":")[0] for alert in home.told] == ["Over", "Over"]
    assert {alert.level for alert in home.told} == {AlertLevel.INFO}


def test_only_what_is_absent_is_told(home: Home) -> None:
    """market_data ran and trade_daily did not, of one book of two."""
    for book in (BOOK, "second"):
        home.run_daily(FRIDAY, book)
    monday = CALENDAR.next(FRIDAY)
    home.run_daily(monday, "second")
    at(home, CALENDAR.decision_time(monday), 61).look()
    assert home.told_keys() == [f"heartbeat:trade_daily:{BOOK}"]


def test_a_holiday_and_a_weekend_are_silent_and_a_half_day_is_early(home: Home) -> None:
    home.run_daily(WEDNESDAY)
    for hour in range(0, 42, 3):
        at(home, datetime(2026, 11, 25, 23, 0, tzinfo=UTC) + timedelta(hours=hour)).look()
        assert home.told_keys() == []
    at(home, datetime(2026, 11, 27, 18, 59, tzinfo=UTC)).look()
    assert home.told_keys() == []
    at(home, datetime(2026, 11, 27, 19, 31, tzinfo=UTC)).look()
    assert home.told_keys() == ["heartbeat:market_data", f"heartbeat:trade_daily:{BOOK}"]
    home.run_daily(HALF_DAY)
    for hour in range(0, 70, 5):
        at(home, datetime(2026, 11, 27, 20, 0, tzinfo=UTC) + timedelta(hours=hour)).look()
        assert all("over" in key for key in home.told_keys())


def test_what_a_real_daily_run_stores_is_what_is_looked_for(home: Home, tmp_path: Path) -> None:
    last = date(2021, 6, 15)
    data = write_price_folder(tmp_path / "prices", date(2020, 1, 2), last)
    settings = make_settings(home.url, tmp_path / "run", CALENDAR.decision_time(last) + timedelta(minutes=5))
    at(home, CALENDAR.decision_time(last), 61)
    plan = market_data.plan(last.isoformat(), "files", str(data), BOOK, settings)
    fetching.ingest_history(plan, settings, CALENDAR.previous(last))
    run_daily(plan, settings)
    # Played today, so it does not count by itself as a book that was decided on its day.
    home.variables["TRADING_MONITORING__HEARTBEAT__BOOKS"] = f'["{BOOK}"]'
    assert home.look().faults == {}
    execute(home.url, "DELETE FROM ingestions WHERE last_day = '2021-06-15'")
    assert set(home.look().faults) == {"heartbeat:market_data"}
    at(home, CALENDAR.decision_time(CALENDAR.next(last)), 61)
    assert set(home.look().faults) == {"heartbeat:market_data", f"heartbeat:trade_daily:{BOOK}"}


def test_books_that_only_replayed_the_past_and_resting_ones_are_not_expected(home: Home) -> None:
    home.run_daily(date(2022, 6, 15), "replay", late=timedelta(days=900))
    home.run_daily(FRIDAY, "resting")
    home.variables["TRADING_MONITORING__HEARTBEAT__RESTING_BOOKS"] = '["resting"]'
    at(home, CALENDAR.decision_time(CALENDAR.next(FRIDAY)), 120).look()
    assert home.told_keys() == []
    home.variables["TRADING_MONITORING__HEARTBEAT__BOOKS"] = '["replay"]'
    home.look()
    assert home.told_keys() == ["heartbeat:market_data", "heartbeat:trade_daily:replay"]


def test_a_database_that_is_closed_is_told_and_ends_no_other_fault(home: Home) -> None:
    home.run_daily(FRIDAY)
    at(home, CALENDAR.decision_time(CALENDAR.next(FRIDAY)), 120).look()
    assert len(home.told_keys()) == 2
    url = home.url
    home.url = f"postgresql://nobody:hunter2@127.0.0.1:{free_port(1)}/trading"
    beat = home.look()
    assert home.told_keys() == ["heartbeat:database"]
    assert home.told[0].level is AlertLevel.EMERGENCY
    assert "hunter2" not in home.told[0].text
    assert len(beat.faults) == 3, "who cannot look cannot say that it is over"
    assert "daily run" in beat.unknown
    home.url = url
    home.look()
    assert [alert.title for alert in home.told] == ["Over: The trading database does not answer"]


def test_without_the_database_an_alert_is_spooled(home: Home) -> None:
    home.url = f"postgresql://nobody@127.0.0.1:{free_port(1)}/trading"
    home.variables["TRADING_ALERT_WEBHOOK_URL"] = ""
    look(home.place())
    written = [path for path in home.folder.rglob("*") if path.is_file() and "database" in path.read_text()]
    assert any(path.parent.name in ("mail", "alerts") for path in written)


def reading(now: datetime) -> Reading:
    return Reading(now, "boot", 1000.0)


def clock_context(url: str, tmp_path: Path, hours: float) -> tuple[Probe, ProbeContext]:
    """The real database server, and a clock that is so many hours ahead of it."""
    now = datetime.now(UTC) + timedelta(hours=hours)
    place = HeartbeatPlace(load_heartbeat({}).config, load_heartbeat({}).folders, {"TRADING_DATABASE_URL": url})
    return Clock(None, reading(now)), make_context(tmp_path, now=now, query=workflow._Questions(place))


class TestClock(ProbeContract):
    @pytest.fixture
    def well(self, database_url: str, tmp_path: Path) -> tuple[Probe, ProbeContext]:
        return clock_context(database_url, tmp_path, 0)

    @pytest.fixture
    def ill(self, database_url: str, tmp_path: Path) -> tuple[Probe, ProbeContext]:
        return clock_context(database_url, tmp_path, 1)


def test_stored_times_in_the_future_say_that_the_clock_was_off(database_url: str, tmp_path: Path) -> None:
    probe, context = clock_context(database_url, tmp_path, 0)
    execute(
        database_url,
        "INSERT INTO ingestions VALUES ('file', 'etf', '2026-11-20', '2026-11-20', '{}', true, '{}', '{}',"
        " now() + interval '1 hour')",
    )
    (finding,) = probe.check(context)
    assert "newest fetched price is" in finding.text


def test_a_clock_set_forward_between_two_looks_is_told(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.undo()
    home.now = datetime.now(UTC)
    home.look()
    assert home.told_keys() == []
    home.now += timedelta(hours=1)
    home.look()
    assert home.told_keys() == ["heartbeat:clock"]
    assert "set forward by 3600 s" in home.told[0].text or "set forward by 3599 s" in home.told[0].text


class TestDatabase(ProbeContract):
    @pytest.fixture
    def well(self, tmp_path: Path) -> tuple[Probe, ProbeContext]:
        return Database(), make_context(tmp_path)

    @pytest.fixture
    def ill(self, tmp_path: Path) -> tuple[Probe, ProbeContext]:
        place = load_heartbeat({"TRADING_HOME": str(tmp_path / "home")})
        return Database(), make_context(tmp_path, query=workflow._Questions(place))


class TestDisk(ProbeContract):
    @pytest.fixture
    def well(self, tmp_path: Path) -> tuple[Probe, ProbeContext]:
        return Disk(), make_context(tmp_path, config=HeartbeatConfig(disk_gigabytes=0))

    @pytest.fixture
    def ill(self, tmp_path: Path) -> tuple[Probe, ProbeContext]:
        more = shutil.disk_usage(tmp_path).total / 1024**3 + 1
        return Disk(), make_context(tmp_path / "absent", config=HeartbeatConfig(disk_gigabytes=more))


class TestBackupAge(ProbeContract):
    @pytest.fixture
    def well(self, tmp_path: Path) -> tuple[Probe, ProbeContext]:
        newest = datetime(2026, 11, 20, 20, 0, tzinfo=UTC)
        return BackupAge(), make_context(tmp_path, query=lambda statement: [(newest,)])

    @pytest.fixture
    def ill(self, tmp_path: Path) -> tuple[Probe, ProbeContext]:
        newest = datetime(2026, 11, 20, 19, 0, tzinfo=UTC)
        return BackupAge(), make_context(tmp_path, query=lambda statement: [(newest,)])


class TestLogArchive(ProbeContract):
    """An archive that nothing was ever received into."""

    def probe(self, tmp_path: Path, settled: bool) -> tuple[Probe, ProbeContext]:
        home = tmp_path / "home"
        server = EmbeddedPostgres(home / "postgres")
        server.start()
        environment = {"TRADING_HOME": str(home), "TRADING_BACKUP__WAL__FOLDER": str(tmp_path / "wal")}
        return LogArchive(), make_context(home, environment=environment, query=lambda *_, **__: [(settled,)])

    @pytest.fixture
    def ill(self, short_folder: Path) -> Iterator[tuple[Probe, ProbeContext]]:
        yield self.probe(short_folder, settled=True)
        EmbeddedPostgres(short_folder / "home" / "postgres").stop()

    @pytest.fixture
    def well(self, short_folder: Path) -> Iterator[tuple[Probe, ProbeContext]]:
        """The stack has just started: the receiver is on its way."""
        yield self.probe(short_folder, settled=False)
        EmbeddedPostgres(short_folder / "home" / "postgres").stop()


def test_an_installation_without_backups_has_no_old_one(home: Home, tmp_path: Path) -> None:
    assert list(BackupAge().check(make_context(tmp_path, query=lambda statement: [(None,)]))) == []
    assert home.look().faults == {}


def test_the_heartbeats_own_heartbeat_is_looked_at(home: Home) -> None:
    environment = dict(home.place().environment)
    assert check_heartbeat(environment).state == "stopped"
    assert not heartbeat_is_fresh(home.folder, 0.0)
    home.look()
    file = home.place().file
    assert read_beat(file).reading is not None
    assert check_heartbeat(environment, home.now + timedelta(minutes=4)).state == "ok"
    stale = check_heartbeat(environment, home.now + timedelta(minutes=6))
    assert (stale.state, "6 minutes ago" in stale.detail) == ("failed", True)
    written = file.stat().st_mtime
    assert heartbeat_is_fresh(home.folder, written + 299)
    assert not heartbeat_is_fresh(home.folder, written + 301)
    file.write_text(file.read_text()[:40])
    assert read_beat(file) == Beat()
    assert check_heartbeat(environment).state == "stopped"


def test_the_command_says_what_it_found(
    home: Home, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for name, value in home.place().environment.items():
        monkeypatch.setenv(name, value)
    assert run("heartbeat") == 0
    assert capsys.readouterr().out == "all is well\n"
    home.run_daily(date(2026, 11, 13))
    assert run("heartbeat", "--json") == 1
    found = json.loads(capsys.readouterr().out)
    assert set(found["new"]) == {"heartbeat:market_data", f"heartbeat:trade_daily:{BOOK}"}
    assert check_heartbeat(home.place().environment, datetime.fromisoformat(found["at"])).state == "failed"
    assert run("heartbeat") == 1
    assert "did not decide session" in capsys.readouterr().out
