"""Books, their orders and fills as the stores hold them."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

from sqlalchemy import Engine

from trading_lib.adapters.stores.books.book_store import BookStore
from trading_lib.domain.book.books import Book, BookKind
from trading_lib.domain.book.orders import Fill, Order, OrderPurpose, Side, client_order_id

SESSION = date(2024, 3, 4)
NOW = datetime(2024, 3, 4, 21, 30, tzinfo=UTC)


def book(name: str = "paper", **changes: Any) -> Book:
    """A book of 100,000 dollars and a cent."""
    values = Book(
        name=name,
        kind=BookKind.PAPER,
        data_source="files:test",
        data_folder="prices",
        opened_session=date(2024, 1, 2),
        initial_cash=Decimal("100000.01"),
        config_hash="c0ffee",
        created_at=NOW,
    )
    return replace(values, **changes)


def open_books(engine: Engine, *names: str) -> None:
    """Open books of these names."""
    for name in names:
        BookStore(engine).open_book(book(name))


def order(
    symbol: str = "SPY", side: Side = Side.BUY, book: str = "paper", slice_number: int = 0, **changes: Any
) -> Order:
    """An order with the id it must have."""
    session = changes.pop("session", SESSION)
    values = Order(
        client_order_id=client_order_id(book, session, symbol, side, slice_number),
        book=book,
        session=session,
        symbol=symbol,
        side=side,
        quantity=Decimal(10),
        expected_price=Decimal("512.30"),
        estimated_commission=Decimal("5.123"),
        weight_change=0.05123,
        purpose=OrderPurpose.REBALANCE,
        reason="momentum 0.12 > 0.10",
    )
    return replace(values, **changes)


def fill(of: Order, trade_id: str = "t1", quantity: str = "4", **changes: Any) -> Fill:
    """A fill of an order."""
    values = Fill(
        trade_id=trade_id,
        broker="simulated",
        client_order_id=of.client_order_id,
        symbol=of.symbol,
        side=of.side,
        quantity=Decimal(quantity),
        price=Decimal("512.556150"),
        reference_price=Decimal("512.30"),
        commission=Decimal("2.05"),
        filled_at=NOW,
        session=of.session,
    )
    return replace(values, **changes)
