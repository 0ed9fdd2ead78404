"""One process at a time places orders for a book."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from psycopg2.errors import LockNotAvailable
from sqlalchemy import Connection, Engine, text
from sqlalchemy.exc import OperationalError

from trading_lib.adapters.stores.revisions import lock_key
from trading_lib.domain.errors import TradingError

BOOK_LOCK = "book"


@contextmanager
def book_lock(engine: Engine, book: str, wait_seconds: float = 30.0) -> Iterator[None]:
    """Hold the book's advisory lock; the database frees it when this process or its connection dies.

    It is not re-entrant: asking again inside the block waits for itself and fails.

    Raises
    ------
    TradingError
        When another process holds it for longer than ``wait_seconds``.
    """
    key = {"key": lock_key(BOOK_LOCK, book)}
    with engine.connect() as connection:
        _acquire(connection, book, key, wait_seconds)
        try:
            yield
        except BaseException:
            # Dropping the connection frees the lock without hiding the error on its way.
            connection.invalidate()
            raise
        connection.execute(text("SELECT pg_advisory_unlock(:key)"), key)
        connection.commit()


def _acquire(connection: Connection, book: str, key: dict[str, int], wait_seconds: float) -> None:
    try:
        connection.execute(text(f"SET LOCAL lock_timeout = {max(1, round(wait_seconds * 1000))}"))
        connection.execute(text("SELECT pg_advisory_lock(:key)"), key)
        # The lock belongs to the session; ending the transaction keeps it and leaves nothing open meanwhile.
        connection.commit()
    except OperationalError as error:
        if not isinstance(error.orig, LockNotAvailable):
            raise
        raise TradingError(
            f"book {book!r} is being traded by another process for more than {wait_seconds:g} s",
            "wait for that run to end, or stop it, and try again",
        ) from error
