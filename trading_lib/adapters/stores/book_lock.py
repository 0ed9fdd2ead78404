"""One process at a time works on a book."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from psycopg2.errors import LockNotAvailable
from sqlalchemy import Connection, Engine, text
from sqlalchemy.exc import OperationalError

from trading_lib.adapters.stores.revisions import lock_key
from trading_lib.domain.errors import TradingError

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
    TradingError
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
    try:
        connection.execute(text(f"SET LOCAL lock_timeout = {max(1, round(wait_seconds * 1000))}"))
        owner = connection.execute(text("SELECT pg_backend_pid() FROM pg_advisory_lock(:key)"), key).scalar_one()
        # The lock belongs to the session; ending the transaction keeps it and leaves nothing open meanwhile.
        connection.commit()
    except OperationalError as error:
        if not isinstance(error.orig, LockNotAvailable):
            raise
        raise TradingError(
            f"book {book!r} is being traded by another process for more than {wait_seconds:g} s",
            "wait for that run to end, or stop it, and try again",
        ) from error
    return BookLock(book, connection, owner)
