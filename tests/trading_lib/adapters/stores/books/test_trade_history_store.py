"""Closed trades on a real database: written once, read back exactly."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from decimal import Decimal

import pytest
from sqlalchemy import Engine, text
from sqlalchemy.exc import IntegrityError

from tests.builders.books import SESSION, open_books
from trading_lib.accounting.closed_trades import ClosedTrade, Direction
from trading_lib.adapters.stores.books.state_store import StateStore
from trading_lib.adapters.stores.books.trade_history_store import TradeHistoryStore
from trading_lib.domain.book.portfolio import PerpetualPosition, Portfolio, Position
from trading_lib.domain.errors import DecisionConflictError, InputError

pytestmark = pytest.mark.postgres

LATER = date(2024, 3, 5)
TRADE = ClosedTrade(
    symbol="SPY",
    direction=Direction.LONG,
    opened_session=SESSION,
    closed_session=LATER,
    quantity=Decimal("0.12345678"),
    entry_price=Decimal("510.333333333333333333"),
    exit_price=Decimal("509.1"),
    gross_pnl=Decimal("-0.15"),
    commission=Decimal("1.01"),
    broker="paper",
    trade_id="t-1",
    client_order_id="o-1",
    holding_sessions=1,
    purpose="REBALANCE",
    reason="because",
)


@pytest.fixture(name="store")
def fixture_store(engine: Engine) -> TradeHistoryStore:
    open_books(engine, "demo", "paper")
    return TradeHistoryStore(engine)


def test_a_trade_comes_back_as_it_was_and_is_stored_once(store: TradeHistoryStore) -> None:
    other = replace(TRADE, trade_id="t-2", symbol="BINANCE:BTC-USDT", direction=Direction.SHORT, client_order_id="")
    assert store.save("demo", [TRADE, other]) == 2
    assert store.save("demo", [TRADE, other]) == 0
    assert store.trades("demo") == [other, TRADE]
    assert store.trades("demo", "SPY") == [TRADE]
    assert store.trades("demo")[1].realised_pnl == Decimal("-1.16")


def test_the_same_trade_with_another_profit_is_a_conflict(store: TradeHistoryStore) -> None:
    store.save("demo", [TRADE])
    with pytest.raises(DecisionConflictError, match="gross_pnl"):
        store.save("demo", [replace(TRADE, gross_pnl=Decimal("0.15"))])
    assert store.trades("demo") == [TRADE]


def test_nothing_of_a_group_is_stored_when_one_conflicts(store: TradeHistoryStore) -> None:
    store.save("demo", [TRADE])
    with pytest.raises(DecisionConflictError):
        store.save("demo", [replace(TRADE, trade_id="t-3"), replace(TRADE, exit_price=Decimal(1))])
    assert store.trades("demo") == [TRADE]


def test_books_are_apart_and_an_unknown_one_is_named(store: TradeHistoryStore) -> None:
    store.save("demo", [TRADE])
    assert store.trades("paper") == []
    with pytest.raises(InputError, match="there is no book 'nobody'"):
        store.save("nobody", [TRADE])


def test_the_database_refuses_a_profit_that_is_not_gross_less_commission(
    store: TradeHistoryStore, engine: Engine
) -> None:
    store.save("demo", [TRADE])
    with pytest.raises(IntegrityError), engine.begin() as connection:
        connection.execute(text("UPDATE trade_history SET realised_pnl = 0"))


def test_since_when_a_symbol_is_held(store: TradeHistoryStore, engine: Engine) -> None:
    states = StateStore(engine)
    days = [date(2024, 3, 4), date(2024, 3, 5), date(2024, 3, 6), date(2024, 3, 7)]
    long = {"SPY": Position("SPY", Decimal(1), Decimal(1))}
    short = {"BINANCE:BTC-USDT": PerpetualPosition("BINANCE:BTC-USDT", Decimal(-1), Decimal(-1), Decimal(1))}
    for day, held, sold in zip(days, (long, {}, long, long), ({}, short, {}, short), strict=True):
        marks = {symbol: Decimal(1) for symbol in held}
        portfolio = Portfolio(day, Decimal(5), Decimal(5), positions=held, marks=marks, perpetuals=sold)
        states.save_portfolio("demo", portfolio)
    assert store.last_flat("demo", "SPY", days[0]) is None
    assert store.last_flat("demo", "SPY", days[3]) == days[1]
    assert store.last_flat("demo", "BINANCE:BTC-USDT", days[3]) == days[2]
    assert store.settled_sessions("demo", days[2]) == days[:3]
