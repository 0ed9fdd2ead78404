"""A broker of a user's own: one file and one line of configuration, traded for some sessions by the daily run."""

from __future__ import annotations

import csv
from datetime import date
from decimal import Decimal
from pathlib import Path

import pytest

from tests.builders.own_code.broker import BOOK, Desk, make_desk
from trading_lib.domain.book.orders import OrderStatus, Side

pytestmark = pytest.mark.postgres

START = date(2021, 1, 4)


@pytest.fixture
def desk(database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Desk:
    monkeypatch.setenv("BY_HAND_FOLDER", str(tmp_path / "by-hand"))
    monkeypatch.setenv("BY_HAND_CASH", "100000")
    return make_desk(database_url, tmp_path)


@pytest.fixture
def mixed_desk(database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Desk:
    """A desk whose funds are at the broker by-hand, and whose coins are at the simulated one."""
    coins = {"name": "coins", "broker": "paper", "asset_classes": ["CRYPTO"], "share": 0.2}
    monkeypatch.setenv("BY_HAND_FOLDER", str(tmp_path / "by-hand"))
    monkeypatch.setenv("BY_HAND_CASH", "80000")
    return make_desk(database_url, tmp_path, [coins], asset_classes=["US_ETF"], share=0.8)


def test_a_book_trades_and_reconciles_at_a_broker_of_ones_own(desk: Desk) -> None:
    session, sent, filled = START, 0, 0
    while filled < 5:
        result = desk.trade(session)
        assert result["reconcile"]["differences"] == 0
        assert result["place"]["broker"] == "own.py:ByHand"
        sent += int(result["place"]["sent"])
        filled += int(result["settle"]["fills"])
        session = desk.next_opening(session)
    # What was decided before that session has filled, each order once and at the price that was written down.
    fills = desk.orders.fills(BOOK)
    assert {fill.broker for fill in fills} == {"by-hand"}
    assert {fill.commission for fill in fills} == {Decimal(1)}
    assert len({fill.client_order_id for fill in fills}) == len(fills) == filled
    with (desk.person.folder / "orders.csv").open(newline="") as file:
        identities = [row["client_order_id"] for row in csv.DictReader(file)]
    assert len(identities) == len(set(identities)) == sent


def test_the_simulated_broker_fills_nothing_that_waits_at_another_one(mixed_desk: Desk) -> None:
    session, brokers = START, {"BTC-USD": "paper"}
    for _ in range(8):
        mixed_desk.trade(session)
        session = mixed_desk.next_opening(session)
    fills = mixed_desk.orders.fills(BOOK)
    assert {fill.broker for fill in fills} == {"by-hand", "paper"}
    assert all(fill.broker == brokers.get(fill.symbol, "by-hand") for fill in fills)


def test_while_an_order_stays_open_nothing_is_bought(desk: Desk) -> None:
    session = START
    while not any(order.side is Side.BUY for order, _ in desk.of(session)):
        desk.trade(session)
        if not any(order.side is Side.BUY for order, _ in desk.of(session)):
            session = desk.next_opening(session)
    left = next(order for order, _ in desk.of(session) if order.side is Side.BUY)

    def wanted(order: dict[str, str]) -> bool:
        return order["client_order_id"] != left.client_order_id

    for _ in range(4):
        session = desk.next_opening(session, wanted)
        desk.trade(session)
        bought = [order for order, _ in desk.of(session) if order.side is Side.BUY]
        assert bought == []
        portfolio = desk.state.portfolio(BOOK, session)
        assert portfolio is not None
        assert left.symbol not in portfolio.positions
    ((_, status),) = desk.orders.orders(BOOK, identities=[left.client_order_id])
    assert status is OrderStatus.WORKING
    session = desk.next_opening(session)
    desk.trade(session)
    ((_, status),) = desk.orders.orders(BOOK, identities=[left.client_order_id])
    assert status is OrderStatus.FILLED


def test_while_a_sale_stays_open_sales_go_on_and_never_sell_more_than_is_held(desk: Desk) -> None:
    session = START
    while not any(order.side is Side.SELL for order, _ in desk.of(session)):
        desk.trade(session)
        if not any(order.side is Side.SELL for order, _ in desk.of(session)):
            session = desk.next_opening(session)
    left = next(order for order, _ in desk.of(session) if order.side is Side.SELL)

    def wanted(order: dict[str, str]) -> bool:
        return order["client_order_id"] != left.client_order_id

    sold = 0
    while not sold:
        session = desk.next_opening(session, wanted)
        desk.trade(session)
        portfolio = desk.state.portfolio(BOOK, session)
        assert portfolio is not None
        for order, status in desk.of(session):
            assert (order.side, status) == (Side.SELL, OrderStatus.WORKING)
            waiting = left.quantity if order.symbol == left.symbol else 0
            assert order.quantity <= portfolio.positions[order.symbol].quantity - waiting
            sold += 1
    session = desk.next_opening(session)
    assert desk.trade(session)["reconcile"]["differences"] == 0
    ((_, status),) = desk.orders.orders(BOOK, identities=[left.client_order_id])
    assert status is OrderStatus.FILLED
