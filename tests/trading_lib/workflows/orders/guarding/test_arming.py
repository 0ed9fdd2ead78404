"""Arming: a book, an account, at most thirty sessions that are not past, by name; a live account never."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest

from tests.builders.books import book as made_book
from tests.builders.own_code.broker import BOOK, EVENING, OwnBroker, make_project
from tests.environment.command_line import run
from trading_lib.adapters.files.disarmed_books import DisarmedBooks
from trading_lib.adapters.stores.books.arming_store import ArmingStore
from trading_lib.adapters.stores.books.book_store import BookStore
from trading_lib.domain.book.accounts import Accounts, Endpoint
from trading_lib.domain.book.books import BookKind
from trading_lib.domain.errors import InputError
from trading_lib.workflows.books.arming import arm_book
from trading_lib.workflows.orders.guarding.arming import GatesMissingError, arm, armings, disarm
from trading_lib.workflows.setup.settings import Settings

pytestmark = pytest.mark.postgres

FRIDAY, MONDAY, TUESDAY = date(2023, 2, 10), date(2023, 2, 13), date(2023, 2, 14)
# Thirty sessions from the Friday on; the 20th of February is a holiday.
THIRTIETH = date(2023, 3, 24)


@pytest.fixture
def own(database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> OwnBroker:
    monkeypatch.setenv("BY_HAND_FOLDER", str(tmp_path / "server"))
    return OwnBroker(database_url, make_project(tmp_path / "project"), tmp_path / "server")


def at_endpoint(own: OwnBroker, **changes: Any) -> Settings:
    (account,) = own.settings.configuration.accounts.accounts
    accounts = Accounts((replace(account, **changes),))
    return replace(own.settings, configuration=replace(own.settings.configuration, accounts=accounts))


def test_an_arming_counts_from_its_first_session_to_its_last(own: OwnBroker) -> None:
    done = arm(BOOK, "main", MONDAY, TUESDAY, "Ada", "tested", own.settings)
    assert (done["sessions"], done["changed"], done["state"], done["note"]) == (2, True, "to come", "tested")
    store = ArmingStore(own.engine)
    armed = {day: store.in_force(BOOK, "main", day) is not None for day in (FRIDAY, MONDAY, TUESDAY, date(2023, 2, 15))}
    assert armed == {FRIDAY: False, MONDAY: True, TUESDAY: True, date(2023, 2, 15): False}
    assert store.in_force(BOOK, "other", MONDAY) is None
    assert store.in_force("other", "main", MONDAY) is None


def test_the_same_again_or_a_part_of_it_changes_nothing(own: OwnBroker) -> None:
    first = arm(BOOK, "main", FRIDAY, TUESDAY, "Ada", "", own.settings)
    again = arm(BOOK, "main", MONDAY, TUESDAY, "Bob", "another", own.settings)
    assert again == first | {"sessions": 2, "changed": False}
    longer = arm(BOOK, "main", MONDAY, date(2023, 2, 15), "Bob", "", own.settings)
    assert (longer["changed"], longer["number"]) == (True, 2)
    assert len(armings(BOOK, own.settings)["armings"]) == 2


def test_thirty_sessions_are_armed_at_once_and_no_more(own: OwnBroker) -> None:
    words = (
        "31 sessions lie between 2023-02-10 and 2023-03-27, and at most 30 are armed at once: use --until 2023-03-24"
    )
    with pytest.raises(InputError, match=words):
        arm(BOOK, "main", FRIDAY, date(2023, 3, 27), "Ada", settings=own.settings)
    assert arm(BOOK, "main", FRIDAY, THIRTIETH, "Ada", settings=own.settings)["sessions"] == 30


@pytest.mark.parametrize(
    ("first", "last", "by", "words"),
    [
        (date(2023, 2, 9), TUESDAY, "Ada", "--from 2023-02-09 is past: the newest session is 2023-02-10"),
        (TUESDAY, MONDAY, "Ada", "--from 2023-02-14 lies after --until 2023-02-13"),
        (date(2023, 2, 18), date(2023, 2, 20), "Ada", "there is no session from 2023-02-18 to 2023-02-20"),
        (FRIDAY, TUESDAY, " ", "needs the name of who does it"),
    ],
)
def test_what_cannot_be_armed_is_refused_with_its_reason(
    own: OwnBroker, first: date, last: date, by: str, words: str
) -> None:
    with pytest.raises(InputError, match=words):
        arm(BOOK, "main", first, last, by, settings=own.settings)
    assert ArmingStore(own.engine).armings() == ()


def test_a_live_account_cannot_be_armed_whatever_the_book(own: OwnBroker) -> None:
    live = at_endpoint(own, endpoint=Endpoint.LIVE)
    BookStore(own.engine).open_book(made_book("live-1", kind=BookKind.LIVE, opened_session=FRIDAY))
    for book in (BOOK, "live-1"):
        with pytest.raises(GatesMissingError, match="account main is live, and a live account is armed only on stored"):
            arm(book, "main", FRIDAY, FRIDAY, "Ada", settings=live)
    assert ArmingStore(own.engine).armings() == ()


def test_only_accounts_at_real_brokers_that_fit_the_book_are_armed(own: OwnBroker) -> None:
    with pytest.raises(InputError, match="account main is at the simulated broker, which nothing has to be armed for"):
        arm(BOOK, "main", FRIDAY, FRIDAY, "Ada", settings=at_endpoint(own, broker="paper", endpoint=None))
    with pytest.raises(InputError, match="there is no account 'mian'"):
        arm(BOOK, "mian", FRIDAY, FRIDAY, "Ada", settings=own.settings)
    with pytest.raises(InputError, match="there is no book 'papre'"):
        arm("papre", "main", FRIDAY, FRIDAY, "Ada", settings=own.settings)
    BookStore(own.engine).open_book(made_book("live-1", kind=BookKind.LIVE, opened_session=FRIDAY))
    with pytest.raises(InputError, match="book live-1 is a live book, and account main is at the paper endpoint"):
        arm("live-1", "main", FRIDAY, FRIDAY, "Ada", settings=own.settings)
    BookStore(own.engine).open_book(made_book("demo-1", kind=BookKind.DEMO, opened_session=FRIDAY))
    with pytest.raises(InputError, match=r"book demo-1 is a demo book, and account main is at own\.py:Faulty, which"):
        arm("demo-1", "main", FRIDAY, FRIDAY, "Ada", settings=own.settings)


def test_disarming_ends_what_is_in_force_and_the_record_stays(own: OwnBroker) -> None:
    arm(BOOK, "main", FRIDAY, TUESDAY, "Ada", settings=own.settings)
    assert disarm(BOOK, "other", "Bob", own.settings)["revoked"] == []
    assert disarm(BOOK, None, "Bob", own.settings) == {"book": BOOK, "account": None, "revoked": [1], "changed": True}
    assert disarm(BOOK, "main", "Bob", own.settings)["changed"] is False
    assert ArmingStore(own.engine).in_force(BOOK, "main", FRIDAY) is None
    (record,) = armings(None, own.settings)["armings"]
    assert (record["state"], record["by"], record["revoked_by"]) == ("revoked", "Ada", "Bob")
    assert arm(BOOK, "main", FRIDAY, TUESDAY, "Ada", settings=own.settings)["number"] == 2


def test_after_a_restore_no_arming_counts_until_the_book_is_released(own: OwnBroker) -> None:
    arm(BOOK, "main", FRIDAY, TUESDAY, "Ada", settings=own.settings)
    DisarmedBooks(own.settings.folders.home).name_them([BOOK], "restored", EVENING)
    assert armings(BOOK, own.settings)["armings"][0]["state"] == "not until released"
    arm_book(BOOK, "Ada", settings=own.settings)
    assert armings(BOOK, own.settings)["armings"][0]["state"] == "in force"
    own.now = EVENING + timedelta(days=7)
    assert armings(BOOK, own.settings)["armings"][0]["state"] == "over"


def test_the_commands_arm_list_and_disarm(
    own: OwnBroker,
    database_url: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv("TRADING_CONFIG", str(tmp_path / "project" / "include" / "config"))
    monkeypatch.setenv("TRADING_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("TRADING_DATABASE_URL", database_url)
    days = ("--from", "2027-01-04", "--until", "2027-01-08")
    assert run("arm", "--book", BOOK, "--account", "main", *days, "--by", "Ada", "--json") == 0
    told = json.loads(capsys.readouterr().out)
    assert (told["sessions"], told["changed"], told["until"]) == (5, True, "2027-01-08")
    assert run("armings", "--book", BOOK) == 0
    assert "paper  main  2027-01-04 to 2027-01-08  to come (by Ada)" in capsys.readouterr().out
    assert run("disarm", "--book", BOOK, "--by", "Ada") == 0
    assert capsys.readouterr().out == "1 arming of book paper ended\n"
    assert run("arm", "--book", BOOK, "--account", "main", "--from", "x", "--until", "2027-01-08", "--by", "Ada") == 2
