"""Drills on a book that traded: the same decisions come out, and whatever differs fails the drill."""

from __future__ import annotations

from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest

from tests.builders.price_folder import write_price_folder
from tests.builders.settings import NOW, make_settings
from tests.environment.backup_place import execute, make_place
from tests.environment.database import MakeDatabase
from tests.environment.moving_clock import MovingClock
from trading_lib.adapters.backups.encryption import new_identity
from trading_lib.adapters.stores.operations.backup_records import BackupRecords
from trading_lib.adapters.stores.postgres.database import connect
from trading_lib.monitoring.alert import AlertLevel
from trading_lib.workflows.backups.create import back_up_databases
from trading_lib.workflows.backups.drill import hold as drilling
from trading_lib.workflows.backups.drill.hold import DrillFailedError, hold_drill
from trading_lib.workflows.backups.place import DRILL_IDENTITY_VARIABLE, BackupPlace
from trading_lib.workflows.data import fetch as fetching
from trading_lib.workflows.data import tasks as market_data
from trading_lib.workflows.trade.daily import trade_session

pytestmark = pytest.mark.postgres

FIRST, LAST = date(2020, 1, 2), date(2021, 1, 29)
BOOK = "demo-test"
SESSIONS = 8


@pytest.fixture(scope="module")
def traded(make_database: MakeDatabase, tmp_path_factory: pytest.TempPathFactory) -> str:
    """A database with a book that traded some sessions."""
    url, base = make_database(), tmp_path_factory.mktemp("traded")
    prices = write_price_folder(base / "prices", FIRST, LAST)
    settings = make_settings(url, base / "home")
    last = settings.calendar.offset(date(2021, 1, 4), SESSIONS - 1)

    def plan(session: date) -> Any:
        return market_data.plan(session.isoformat(), "files", str(prices), BOOK, settings)

    fetching.ingest_history(plan(last), settings, last)
    engine = settings.engine()
    for n in range(SESSIONS):
        trade_session(plan(settings.calendar.offset(date(2021, 1, 4), n)), settings, engine=engine)
    engine.dispose()
    return url


@pytest.fixture
def alerts(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    told: list[Any] = []
    monkeypatch.setattr(drilling, "raise_alert", lambda alert, **_: told.append(alert))
    return told


def place_of(url: str, home: Path, **config: Any) -> BackupPlace:
    return make_place(home, url, MovingClock(NOW), **config)


def records(url: str) -> list[dict[str, Any]]:
    engine = connect(url)
    try:
        return BackupRecords(engine).drills()
    finally:
        engine.dispose()


def test_the_last_sessions_are_decided_again_and_come_out_the_same(
    traded: str, tmp_path: Path, alerts: list[Any], caplog: pytest.LogCaptureFixture
) -> None:
    key = tmp_path / "drill.txt"
    place = place_of(traded, tmp_path / "home", recipients=(new_identity(key),), drill={"sessions": 4})
    back_up_databases(place, place.destination())
    place.environment[DRILL_IDENTITY_VARIABLE] = str(key)  # type: ignore[index]
    assert isinstance(place.clock, MovingClock)
    place.clock.advance(90)
    caplog.set_level("INFO")
    held = hold_drill(place)
    assert [(one.book, one.how, one.problem) for one in held.replayed] == [(BOOK, "decided again", "")] * 4
    assert {record.name for record in caplog.records if "workflows.trade" in record.name} == set()
    assert (held.decryption, held.compared) == ("decryption proven", "decision hashes")
    assert held.loss_seconds == 90
    assert held.recovery_seconds > 0
    (alert,) = alerts
    assert (alert.level, alert.title, alert.key) == (AlertLevel.INFO, "restore drill passed", "restore_drill:passed")
    assert "Recovery:" in alert.text
    assert "Loss:       1.5 minutes" in alert.text
    (row,) = records(traded)
    assert (row["passed"], row["sessions"], row["backup"]) == (True, 4, held.backups[0].id)


def test_without_the_drills_key_the_report_says_so(
    traded: str, make_database: MakeDatabase, tmp_path: Path, alerts: list[Any]
) -> None:
    url = make_database(of=traded)
    place = place_of(url, tmp_path / "home", recipients=(new_identity(tmp_path / "k"),), drill={"sessions": 1})
    back_up_databases(place, place.destination())
    held = hold_drill(place)
    assert held.decryption == "decryption unproven"
    assert [one.how for one in held.replayed] == ["decided again"]
    assert DRILL_IDENTITY_VARIABLE in alerts[0].text


def test_sessions_of_another_version_are_compared_by_their_bytes(
    traded: str, make_database: MakeDatabase, tmp_path: Path, alerts: list[Any]
) -> None:
    url = make_database(of=traded)
    execute(url, "UPDATE decisions SET code_version = 'older' WHERE session = (SELECT max(session) FROM decisions)")
    place = place_of(url, tmp_path / "home", drill={"sessions": 2})
    back_up_databases(place, place.destination())
    held = hold_drill(place)
    assert held.replayed[0].how.startswith("stored bytes compared: decided by version older, here runs ")
    assert held.replayed[1].how == "decided again"
    assert held.compared == "decision hashes of 1 sessions, stored bytes of 1"
    assert held.decryption == "not encrypted"
    assert "older" in alerts[0].text


TAMPERED = {
    "another price": (
        "UPDATE bars SET close = close * 0.7, adj_close = adj_close * 0.7, low = low * 0.7"
        " WHERE session = (SELECT max(session) FROM decisions) AND symbol = 'SPY'",
        "another decision came out",
    ),
    "another payload": (
        "UPDATE decisions SET payload = payload || '{\"x\": 1}' WHERE session = (SELECT max(session) FROM decisions)",
        "its stored payload does not have the stored hash",
    ),
    "a lost portfolio": (
        "DELETE FROM account_state WHERE session = (SELECT max(session) FROM decisions);"
        "DELETE FROM portfolio_state WHERE session = (SELECT max(session) FROM decisions)",
        "is not settled",
    ),
}


@pytest.mark.parametrize("what", TAMPERED)
def test_a_decision_that_does_not_follow_from_the_data_fails_the_drill(
    traded: str, make_database: MakeDatabase, tmp_path: Path, alerts: list[Any], what: str
) -> None:
    statement, said = TAMPERED[what]
    url = make_database(of=traded)
    execute(url, statement)
    place = place_of(url, tmp_path / "home", drill={"sessions": 1})
    back_up_databases(place, place.destination())
    with pytest.raises(DrillFailedError, match=f"session .* of book {BOOK}: .*{said}"):
        hold_drill(place)
    (alert,) = alerts
    assert (alert.level, alert.key) == (AlertLevel.CRITICAL, "restore_drill:failed")
    (row,) = [row for row in records(url) if not row["passed"]]
    assert said in row["problem"]


def test_no_backup_fails_the_drill_and_is_told_by_the_task_alone(
    traded: str, tmp_path: Path, alerts: list[Any]
) -> None:
    place = place_of(traded, tmp_path / "home")
    place.clock.advance(timedelta(days=1).total_seconds())  # type: ignore[attr-defined]
    with pytest.raises(DrillFailedError, match="holds no verified backup of trading"):
        hold_drill(place, tell_failure=False)
    assert alerts == []


def test_a_backup_that_was_changed_fails_the_drill(traded: str, tmp_path: Path, alerts: list[Any]) -> None:
    place = place_of(traded, tmp_path / "home")
    place.clock.advance(timedelta(days=2).total_seconds())  # type: ignore[attr-defined]
    (manifest,) = back_up_databases(place, place.destination(), ["trading"])
    path = Path(place.destination().address) / manifest.file_key
    content = bytearray(path.read_bytes())
    content[-2000] ^= 1
    path.write_bytes(content)
    with pytest.raises(DrillFailedError, match="was changed"):
        hold_drill(place)
    assert alerts[0].level is AlertLevel.CRITICAL
