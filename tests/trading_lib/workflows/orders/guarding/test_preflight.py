"""Preflight: each thing that would keep orders from a broker is named, and nothing is sent to find it out."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from tests.builders.own_code.broker import BOOK, Desk, make_desk
from tests.environment.command_line import run
from trading_lib.adapters.files.disarmed_books import DisarmedBooks
from trading_lib.domain.book.orders import OrderStatus
from trading_lib.workflows.books.kill_switch import halt_trading
from trading_lib.workflows.orders.guarding import arming
from trading_lib.workflows.orders.guarding.preflight import preflight

pytestmark = pytest.mark.postgres

START = date(2021, 1, 4)
# A broker that tells its time and what it would refuse; files in its folder say which.
TELLING = """

    async def server_time(self):
        there = self._folder / "now.txt"
        if not there.is_file():
            raise BrokerUnavailableError("by-hand has no clock", "look again")
        return datetime.fromisoformat(there.read_text())

    async def preflight(self, symbols):
        told = self._folder / "refuses.txt"
        refused = told.read_text().split() if told.is_file() else []
        problems = {symbol: "it is a partnership" for symbol in refused}
        return tuple(Readiness(s, problems.get(s, ""), blocking=s.startswith("S")) for s in symbols)
"""


@pytest.fixture
def desk(database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Desk:
    monkeypatch.setenv("BY_HAND_FOLDER", str(tmp_path / "by-hand"))
    monkeypatch.setenv("BY_HAND_CASH", "100000")
    made = make_desk(database_url, tmp_path)
    own = made.settings.configuration.folder.parent / "brokers" / "own.py"
    text = own.read_text(encoding="utf-8").replace("    Outcome,\n", "    Outcome,\n    Readiness,\n", 1)
    own.write_text(text + TELLING, encoding="utf-8")
    tell_time(made, decided(made))
    made.trade(START)
    return made


def decided(desk: Desk) -> datetime:
    return desk.settings.calendar.decision_time(START)


def tell_time(desk: Desk, now: datetime) -> None:
    (desk.person.folder / "now.txt").write_text(now.isoformat())


def found(desk: Desk) -> dict[str, Any]:
    return preflight(BOOK, desk.at(decided(desk)))


def states(desk: Desk) -> dict[str, str]:
    return {one["subject"]: str(one["state"]) for one in found(desk)["findings"]}


def test_a_book_that_is_ready_is_called_so(desk: Desk) -> None:
    report = found(desk)
    assert (report["ready"], report["session"]) == (True, str(START))
    assert {str(one["state"]) for one in report["findings"]} == {"ok"}
    assert {"configuration", "kill switch", "disk", "arming", "send window", "clock", "account", "SPY"} <= set(
        states(desk)
    )


@pytest.mark.parametrize(
    ("seconds", "state"),
    [(0, "ok"), (30, "ok"), (31, "warning"), (-120, "warning"), (121, "problem"), (-180, "problem")],
)
def test_a_clock_that_is_off_is_told_and_one_that_is_far_off_is_a_problem(desk: Desk, seconds: int, state: str) -> None:
    tell_time(desk, decided(desk) + timedelta(seconds=seconds))
    assert states(desk)["clock"] == state
    assert found(desk)["ready"] is (state != "problem")


def test_with_a_clock_that_is_far_off_nothing_is_sent(desk: Desk) -> None:
    session = START
    while not desk.of(session):
        session = desk.next_opening(session)
    sent_before = [order for order, status in desk.of(session) if status is OrderStatus.WORKING]
    following = desk.next_opening(session)
    tell_time(desk, desk.settings.calendar.decision_time(following) + timedelta(minutes=3))
    placed = desk.trade(following)["place"]
    assert placed["sent"] == 0
    assert {status for _, status in desk.of(following)} <= {OrderStatus.INTENDED}
    assert sent_before


def test_every_problem_is_named(desk: Desk) -> None:
    halt_trading("a test", decided(desk), desk.settings.folders)
    DisarmedBooks(desk.settings.folders.home).name_them([BOOK], "restored", decided(desk))
    arming.disarm(BOOK, None, "Ada", desk.settings)
    (desk.person.folder / "refuses.txt").write_text("SPY QQQ")
    wrong = {one["subject"]: one for one in found(desk)["findings"] if one["state"] != "ok"}
    assert {subject: str(one["state"]) for subject, one in wrong.items()} == {
        "kill switch": "problem",
        "release after a restore": "problem",
        "arming": "problem",
        "SPY": "problem",
        "QQQ": "warning",
    }
    assert wrong["arming"]["detail"] == f"book paper is not armed for account main in session {START}"
    assert not found(desk)["ready"]


def test_a_broker_that_is_away_is_one_problem_and_the_rest_is_looked_at(desk: Desk) -> None:
    desk.person.folder.rename(desk.person.folder.with_name("away"))
    wrong = [one for one in found(desk)["findings"] if one["state"] != "ok"]
    assert [one["subject"] for one in wrong] == ["connection and keys"]
    assert "is not there" in wrong[0]["detail"]


def test_the_command_ends_with_one_where_a_book_is_not_ready(
    desk: Desk, database_url: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    # By the real clock the session is long over, so nothing is armed.
    monkeypatch.setenv("TRADING_CONFIG", str(desk.settings.configuration.folder))
    monkeypatch.setenv("TRADING_HOME", str(desk.settings.folders.home))
    monkeypatch.setenv("TRADING_DATABASE_URL", database_url)
    assert run("preflight", "--book", BOOK) == 1
    told = capsys.readouterr().out
    assert "problem  main         arming" in told
    assert "is NOT ready to send the orders of session" in told
    assert run("preflight", "--book", "nobody") == 2
