"""Fees that a broker keeps in units, from its report to a book that agrees with it."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from pathlib import Path

import pytest

from tests.builders.markets import FRIDAY, MONDAY
from tests.builders.own_code.broker import BOOK, FAULTY, ROOT, OwnBroker, make_project
from tests.environment.database import table_contents
from trading_lib.domain.book.orders import Order, OrderPurpose, OrderStatus
from trading_lib.domain.book.portfolio import Portfolio
from trading_lib.workflows.books.trade_history import store_closed_trades
from trading_lib.workflows.orders.reconciling import reconcile_book
from trading_lib.workflows.trade.tasks import reconcile

pytestmark = pytest.mark.postgres

TUESDAY = date(2023, 2, 14)
START = Portfolio.opened(FRIDAY, Decimal(100_000))
KEPT = """

class Kept(Faulty):
    RATE = Decimal("0.001")

    def _fills(self):
        return [dataclasses.replace(fill, fee_quantity=fill.quantity * self.RATE) for fill in super()._fills()]

    async def account(self):
        told = await super().account()
        return dataclasses.replace(told, cash=told.cash + sum(fill.commission for fill in self._fills()))

    async def positions(self):
        held = await super().positions()
        for fill in self._fills():
            held[fill.symbol] -= fill.fee_quantity
        return held
"""


@pytest.fixture
def own(database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> OwnBroker:
    monkeypatch.setenv("BY_HAND_FOLDER", str(tmp_path / "server"))
    monkeypatch.setenv("BY_HAND_CASH", "100000")
    source = (ROOT / "docs" / "examples" / "by_hand.py").read_text(encoding="utf-8") + FAULTY + KEPT
    made = OwnBroker(database_url, make_project(tmp_path / "project", source, "own.py:Kept"), tmp_path / "server")
    made.run().state.save_portfolio(BOOK, START, "main")
    return made


def filled(own: OwnBroker) -> Order:
    order = own.order("BTC-USD", quantity="0.0123")
    own.send()
    own.fill(("1", order.client_order_id, "0.0123", "60000", "0.74", "2023-02-11T00:00:02+00:00"))
    return order


def settled(own: OwnBroker, session: date = MONDAY) -> Portfolio:
    last = own.run().state.latest_portfolio(BOOK)
    assert last is not None
    portfolio = own.settle(last, session)
    own.run(session).state.save_portfolio(BOOK, portfolio, "main")
    return portfolio


@pytest.mark.parametrize("watched", [False, True])
def test_the_book_agrees_with_a_broker_that_keeps_its_fee_in_coins(own: OwnBroker, watched: bool) -> None:
    order = filled(own)
    assert [one["kind"] for one in reconcile_book(BOOK, own.settings)["breaks"]] == ["unbooked-fill"]
    if watched:
        own.follow()
        assert own.status(order) is OrderStatus.FILLED
        assert [one["kind"] for one in reconcile_book(BOOK, own.settings)["breaks"]] == ["unbooked-fill"] * 2
    portfolio = settled(own)
    assert portfolio.cash == Decimal(100_000) - Decimal("738.00")
    assert portfolio.positions["BTC-USD"].quantity == Decimal("0.012287")
    assert reconcile_book(BOOK, own.settings)["breaks"] == []
    own.now = own.settings.calendar.decision_time(MONDAY)
    assert reconcile(own.run(MONDAY).plan, own.run(MONDAY))["differences"] == 0
    fees = [(order, status) for order, status in own.run().orders.orders(BOOK) if order.purpose is OrderPurpose.FEE]
    assert [(order.quantity, status) for order, status in fees] == [(Decimal("0.0000123"), OrderStatus.FILLED)]
    assert own.submitted() == [order.client_order_id]


def test_booking_a_fee_again_changes_nothing(own: OwnBroker) -> None:
    filled(own)
    last = own.settle(START, MONDAY)
    before = table_contents(own.engine, "fills", "orders", "order_intents", "order_events")
    # The settlement before was interrupted, and this one finds what it stored.
    assert own.settle(START, MONDAY) == last
    own.follow()
    assert table_contents(own.engine, "fills", "orders", "order_intents", "order_events") == before


def test_a_fee_is_a_small_closed_trade(own: OwnBroker) -> None:
    filled(own)
    settled(own)
    assert store_closed_trades(own.run(MONDAY)) == 1
    settled(own, TUESDAY)
    assert store_closed_trades(own.run(TUESDAY)) == 0
