"""Books in PostgreSQL, and the lock of each."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from psycopg2.errors import LockNotAvailable
from sqlalchemy import Connection, Engine, Row, select, text
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.exc import OperationalError

from trading_lib.adapters.stores.postgres.revisions import lock_key
from trading_lib.adapters.stores.postgres.schema import books as table
from trading_lib.domain.book.books import Book, BookKind
from trading_lib.domain.errors import InputError, TradingError, one_of
from trading_lib.domain.market.sessions import require_aware

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
        books = self.books()
        for book in books:
            if book.name == name:
                return book
        names = [book.name for book in books]
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


BOOK_LOCK = "book"
SESSION_LOCK = "book-session"
# A task takes about a second; catching up a quarter of a year of missed sessions takes half a minute.
WAIT_SECONDS = 60.0
SESSION_WAIT_SECONDS = 300.0


@dataclass(frozen=True, slots=True)
class BookLock:
    """A book's lock while it is held.

    Attributes
    ----------
    server_process
        The database's process that owns it; when that is gone, so is the lock.
    """

    book: str
    connection: Connection
    server_process: int

    def ensure_held(self) -> None:
        """Raise `TradingError` when the lock was lost, say by a restart of the database; ask before every write."""
        owner = self.connection.execute(text("SELECT pg_backend_pid()")).scalar_one()
        self.connection.commit()
        if owner != self.server_process:
            raise TradingError(
                f"the lock of book {self.book!r} was lost while it was being traded; nothing more was written",
                "run the task again",
            )


@contextmanager
def book_lock(
    engine: Engine, book: str, wait_seconds: float = WAIT_SECONDS, name: str = BOOK_LOCK
) -> Iterator[BookLock]:
    """Hold an advisory lock of the book; the database frees it when this process or its connection dies.

    It is not re-entrant: asking again inside the block waits for itself and fails.

    Parameters
    ----------
    name
        `BOOK_LOCK` for a task; `SESSION_LOCK`, taken before it, for a process that runs all tasks of a session, so that
        two sessions started together run one after the other.

    Raises
    ------
    BookBusyError
        When another process holds it for longer than ``wait_seconds``.
    """
    key = {"key": lock_key(name, book)}
    with engine.connect() as connection:
        lock = _acquire(connection, book, key, wait_seconds)
        try:
            yield lock
        except BaseException:
            # Dropping the connection frees the lock without hiding the error on its way.
            connection.invalidate()
            raise
        connection.execute(text("SELECT pg_advisory_unlock(:key)"), key)
        connection.commit()


def _acquire(connection: Connection, book: str, key: dict[str, int], wait_seconds: float) -> BookLock:
    with lock_not_available(
        TradingError(
            f"book {book!r} is being traded by another process for more than {wait_seconds:g} s",
            "wait for that run to end, or stop it, and try again",
        )
    ):
        connection.execute(text(f"SET LOCAL lock_timeout = {max(1, round(wait_seconds * 1000))}"))
        owner = connection.execute(text("SELECT pg_backend_pid() FROM pg_advisory_lock(:key)"), key).scalar_one()
        # The lock belongs to the session; ending the transaction keeps it and leaves nothing open meanwhile.
        connection.commit()
    return BookLock(book, connection, owner)


@contextmanager
def lock_not_available(problem: TradingError) -> Iterator[None]:
    """Raise ``problem`` where a lock was waited for in vain."""
    try:
        yield
    except OperationalError as error:
        if not isinstance(error.orig, LockNotAvailable):
            raise
        raise problem from error
