"""Books in PostgreSQL."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import Engine, Row, select
from sqlalchemy.dialects.postgresql import insert

from trading_lib.adapters.stores.schema import books as table
from trading_lib.domain.books import Book, BookKind
from trading_lib.domain.errors import InputError, one_of
from trading_lib.domain.sessions import require_aware

# What a book is; the configuration may change in the course of its life.
IDENTITY = ("kind", "data_source", "data_folder", "opened_session", "initial_cash")


class BookStore:
    """The books of one database."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def open_book(self, book: Book) -> Book:
        """Store a book and return it; opening the same one again changes nothing and returns the stored one.

        Raises
        ------
        InputError
            When a book of this name has another kind, source, folder, first session or initial cash.
        """
        if not book.name.strip() or "\x00" in book.name:
            raise InputError(f"{book.name!r} is no name for a book", "use letters, digits and dashes")
        if not book.initial_cash.is_finite() or book.initial_cash <= 0:
            raise InputError(f"book {book.name!r} has initial cash {book.initial_cash}", "use a positive amount")
        values = {
            "name": book.name,
            "kind": str(book.kind),
            "data_source": book.data_source,
            "data_folder": book.data_folder,
            "opened_session": book.opened_session,
            "initial_cash": book.initial_cash,
            "config_hash": book.config_hash,
            "created_at": require_aware(book.created_at, "created_at"),
        }
        with self._engine.begin() as connection:
            connection.execute(insert(table).values(values).on_conflict_do_nothing())
            stored = _book(connection.execute(select(table).where(table.c.name == book.name)).one())
        for field in IDENTITY:
            if getattr(stored, field) != getattr(book, field):
                raise InputError(
                    f"book {book.name!r} exists with {field} {getattr(stored, field)}, not {getattr(book, field)}",
                    "use the stored value or another book name",
                )
        return stored

    def book(self, name: str) -> Book:
        """Return a book; an unknown name is an `InputError` that lists the books there are."""
        known = self.books()
        for book in known:
            if book.name == name:
                return book
        names = [book.name for book in known]
        first = "`trading run-daily --book NAME` opens one"
        raise InputError(f"there is no book {name!r}", one_of(name, names) if names else first)

    def find(self, name: str) -> Book | None:
        """Return a book, None where there is none of this name."""
        with self._engine.connect() as connection:
            row = connection.execute(select(table).where(table.c.name == name)).one_or_none()
        return None if row is None else _book(row)

    def books(self) -> tuple[Book, ...]:
        """All books, the oldest first."""
        with self._engine.connect() as connection:
            rows = connection.execute(select(table).order_by(table.c.created_at, table.c.name))
            return tuple(_book(row) for row in rows)


def _book(row: Row[Any]) -> Book:
    created_at: datetime = row.created_at
    return Book(
        name=row.name,
        kind=BookKind(row.kind),
        data_source=row.data_source,
        data_folder=row.data_folder,
        opened_session=row.opened_session,
        initial_cash=row.initial_cash,
        config_hash=row.config_hash,
        created_at=require_aware(created_at, "created_at"),
    )
