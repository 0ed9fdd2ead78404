"""Fills that a broker strikes: one that is not booked never is, and one that is booked halts until somebody looks."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from pathlib import Path

import pytest

from tests.builders.markets import FRIDAY, MONDAY
from tests.builders.own_code.broker import BOOK, FAULTY, ROOT, OwnBroker, make_project
from tests.environment.database import table_contents
from trading_lib.adapters.stores.books.repair_store import RepairStore
from trading_lib.adapters.stores.orders.break_store import BreakStore
from trading_lib.domain.book.orders import Order, OrderEvent
from trading_lib.domain.book.portfolio import Portfolio
from trading_lib.workflows.orders.reconciling import reconcile_book
from trading_lib.workflows.orders.settling_breaks import accept_break

pytestmark = pytest.mark.postgres

TUESDAY = date(2023, 2, 14)
START = Portfolio.opened(FRIDAY, Decimal(100_000))
AT_OPENING = "2023-02-13T14:30:01+00:00"
STRIKES = """
from trading_lib.execution.broker import Bust


class Strikes(Faulty):
    def _struck(self):
        path = self._folder / "struck.txt"
        return path.read_text().split() if path.is_file() else []

    def _fills(self):
        return [fill for fill in super()._fills() if fill.trade_id not in self._struck()]

    async def fills_since(self, cursor):
        told = await super().fills_since("0")
        busts = tuple(Bust(trade, datetime(2023, 2, 13, 15, tzinfo=UTC), "erroneous trade") for trade in self._struck())
        return dataclasses.replace(told, busts=busts)
"""


@pytest.fixture
def own(database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> OwnBroker:
    monkeypatch.setenv("BY_HAND_FOLDER", str(tmp_path / "server"))
    monkeypatch.setenv("BY_HAND_CASH", "100000")
    source = (ROOT / "docs" / "examples" / "by_hand.py").read_text(encoding="utf-8") + FAULTY + STRIKES
    made = OwnBroker(database_url, make_project(tmp_path / "project", source, "own.py:Strikes"), tmp_path / "server")
    made.run().state.save_portfolio(BOOK, START, "main")
    return made


def filled(own: OwnBroker) -> Order:
    order = own.order()
    own.send()
    own.fill(
        ("1", order.client_order_id, "4", "144", "1.00", AT_OPENING),
        ("2", order.client_order_id, "6", "145", "1.00", AT_OPENING),
    )
    return order


def strike(own: OwnBroker, order: Order, trade: str = "2") -> None:
    """Strike a trade; what it leaves of the order is cancelled."""
    (own.folder / "struck.txt").write_text(trade)
    (own.folder / "ended.csv").write_text(f"client_order_id,status,reason\n{order.client_order_id},CANCELLED,struck\n")


def settled(own: OwnBroker, session: date = MONDAY) -> Portfolio:
    last = own.run().state.latest_portfolio(BOOK)
    assert last is not None
    portfolio = own.settle(last, session)
    own.run(session).state.save_portfolio(BOOK, portfolio, "main")
    return portfolio


def trades(own: OwnBroker) -> list[str]:
    return [fill.trade_id for fill in own.run().orders.fills(BOOK)]


@pytest.mark.parametrize("stored", [False, True])
@pytest.mark.parametrize("watched", [False, True])
def test_a_fill_that_is_struck_before_it_is_booked_never_is(own: OwnBroker, stored: bool, watched: bool) -> None:
    order = filled(own)
    if stored:
        own.follow()
        assert trades(own) == ["1", "2"]
    strike(own, order)
    if watched:
        own.follow()
    portfolio = settled(own)
    assert portfolio.positions["SPY"].quantity == 4
    assert portfolio.cash == Decimal(100_000) - 576 - 1
    assert trades(own) == ["1"]
    assert reconcile_book(BOOK, own.settings)["breaks"] == []
    if stored:
        assert OrderEvent.BUST in own.events(order)
        assert own.run().orders.filled_quantity(order.client_order_id) == 4
        (repair,) = RepairStore(own.engine).repairs(BOOK)
        assert (repair.subject, repair.repaired_by) == ("2", "the broker")


def test_striking_a_fill_again_changes_nothing(own: OwnBroker) -> None:
    order = filled(own)
    own.follow()
    strike(own, order)
    portfolio = own.settle(START, MONDAY)
    before = table_contents(own.engine, "fills", "orders", "order_events", "book_repairs", "reconciliation_breaks")
    assert own.settle(START, MONDAY) == portfolio
    own.follow()
    assert (
        table_contents(own.engine, "fills", "orders", "order_events", "book_repairs", "reconciliation_breaks") == before
    )


def test_a_booked_fill_that_is_struck_halts_until_somebody_looks_and_stays_a_known_difference(own: OwnBroker) -> None:
    order = filled(own)
    settled(own)
    strike(own, order)
    found = reconcile_book(BOOK, own.settings)
    assert [(one["kind"], one["status"], one["ours"]) for one in found["breaks"]] == [
        ("bust", "open", "BUY 6 SPY at 145 for 1.00 (trade 2)")
    ]
    portfolio = settled(own, TUESDAY)
    assert portfolio.positions["SPY"].quantity == 10
    assert trades(own) == ["1", "2"]
    assert own.events(order).count(OrderEvent.BUST) == 1
    assert len(BreakStore(own.engine).breaks(BOOK)) == 1
    accept_break(BOOK, 1, "Ada", "the broker is right", settings=own.settings)
    after = reconcile_book(BOOK, own.settings)
    assert (after["breaks"], after["halted"]) == ([], False)


def test_an_order_that_works_again_after_a_fill_was_struck_has_to_be_looked_at(own: OwnBroker) -> None:
    order = filled(own)
    settled(own)
    strike(own, order)
    (own.folder / "ended.csv").unlink()
    found = reconcile_book(BOOK, own.settings)
    assert [one["kind"] for one in found["breaks"]] == ["order-differs", "bust"]
