"""Sessions of a book that are started at the same moment run in the order of their dates.

Without it the newer one may come first, and the older one is refused for good. Each process says which session it has
begun by a shared advisory lock, and waits for those of older sessions before it touches the book.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date

from sqlalchemy import Connection, Engine, text

from trading_lib.adapters.stores.books.book_store import SESSION_WAIT_SECONDS, lock_not_available
from trading_lib.adapters.stores.postgres.revisions import lock_key
from trading_lib.domain.errors import TradingError

# PostgreSQL's locks of two 32-bit keys: the book, and the day of the session. objsubid 2 tells them from others.
OLDER = text(
    """
    SELECT min(objid::bigint) FROM pg_locks
    WHERE locktype = 'advisory' AND objsubid = 2 AND mode = 'ShareLock' AND granted
        AND database = (SELECT oid FROM pg_database WHERE datname = current_database())
        AND classid::bigint = :book AND objid::bigint < :day
    """
)
KEY_BITS = 31


@contextmanager
def begun_session(
    engine: Engine, book: str, session: date, wait_seconds: float = SESSION_WAIT_SECONDS
) -> Iterator[None]:
    """Say that a session of a book is being run, after those of older sessions that are being run have ended.

    Raises
    ------
    TradingError
        When an older session takes longer than ``wait_seconds``.
    """
    keys = {"book": lock_key("begun-session", book) % 2**KEY_BITS, "day": session.toordinal()}
    with engine.connect() as connection:
        connection.execute(text("SELECT pg_advisory_lock_shared(:book, :day)"), keys)
        connection.commit()
        try:
            while (older := connection.execute(OLDER, keys).scalar_one()) is not None:
                _await_end(connection, {**keys, "day": older}, book, wait_seconds)
            connection.commit()
            yield
        finally:
            # Dropping the connection frees the lock, whatever state an error has left it in.
            connection.invalidate()


def _await_end(connection: Connection, older: dict[str, int], book: str, wait_seconds: float) -> None:
    """Wait until nobody runs the older session any more."""
    with lock_not_available(
        TradingError(
            f"session {date.fromordinal(older['day'])} of book {book!r} has been running for more than"
            f" {wait_seconds:g} s",
            "wait for that run to end, or stop it, and try again",
        )
    ):
        connection.execute(text(f"SET LOCAL lock_timeout = {max(1, round(wait_seconds * 1000))}"))
        connection.execute(text("SELECT pg_advisory_lock(:book, :day)"), older)
        connection.execute(text("SELECT pg_advisory_unlock(:book, :day)"), older)
        connection.commit()
