"""A disarmed book decides, keeps its orders and sends none, until somebody arms it by name."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.builders.own_code.broker import BOOK, EVENING, OwnBroker, make_project
from trading_lib.adapters.files.disarmed_books import DisarmedBooks
from trading_lib.adapters.stores.books.repair_store import RepairAction, RepairStore
from trading_lib.domain.book.orders import OrderStatus, Side
from trading_lib.domain.errors import InputError
from trading_lib.workflows.books.arming import BookDisarmedError, arm_book

pytestmark = pytest.mark.postgres


@pytest.fixture
def own(database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> OwnBroker:
    monkeypatch.setenv("BY_HAND_FOLDER", str(tmp_path / "server"))
    monkeypatch.setenv("BROKER_KEY", "sk-live-0123456789")
    return OwnBroker(database_url, make_project(tmp_path / "project"), tmp_path / "server")


def disarmed(own: OwnBroker) -> DisarmedBooks:
    return DisarmedBooks(own.settings.folders.home)


def test_a_disarmed_book_sends_nothing_and_asks_nothing_until_it_is_armed(own: OwnBroker) -> None:
    order = own.order()
    disarmed(own).name_them([BOOK], "restored as of then", EVENING)
    for _ in range(2):
        with pytest.raises(BookDisarmedError, match=r"book paper is disarmed.*restored as of then.*trading book arm"):
            own.send()
    assert own.status(order) is OrderStatus.INTENDED
    assert own.submitted() == own.taken() == []
    done = arm_book(BOOK, "Ada", "compared", own.settings)
    assert (done["changed"], done["was"]) == (True, "restored as of then")
    assert own.send().accepted == 1
    assert own.taken() == [order.client_order_id]
    (record,) = RepairStore(own.engine).repairs(BOOK)
    assert (record.action, record.repaired_by, record.note) == (RepairAction.ARM_BOOK, "Ada", "compared")
    assert arm_book(BOOK, "Ada", "", own.settings) == {"book": BOOK, "armed": True, "changed": False}


def test_sales_are_held_back_too_and_a_book_with_nothing_to_send_goes_on(own: OwnBroker) -> None:
    disarmed(own).name_them([BOOK], "restored", EVENING)
    assert own.send().accepted == 0
    own.order(side=Side.SELL)
    with pytest.raises(BookDisarmedError, match="sales neither"):
        own.send()


def test_arming_needs_a_book_a_name_and_an_ended_restore(own: OwnBroker) -> None:
    own.order()
    with pytest.raises(InputError, match="no book 'papre'"):
        arm_book("papre", "Ada", settings=own.settings)
    with pytest.raises(InputError, match="needs the name"):
        arm_book(BOOK, " ", settings=own.settings)
    disarmed(own).disarm_all("restoring", EVENING)
    with pytest.raises(InputError, match="a restore has not ended"):
        arm_book(BOOK, "Ada", settings=own.settings)
    with pytest.raises(BookDisarmedError, match="restore-host` again"):
        own.send()
    assert RepairStore(own.engine).repairs() == []
