"""An advisory lock by name: one process at a time does something at a database, and the others are told at once."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress

from sqlalchemy import Engine, text
from sqlalchemy.exc import DBAPIError

from trading_lib.adapters.stores.postgres.revisions import lock_key
from trading_lib.domain.errors import TradingError


@contextmanager
def held_alone(engine: Engine, name: str, otherwise: TradingError) -> Iterator[None]:
    """Hold the lock ``name`` in the block, or raise ``otherwise`` when somebody else holds it."""
    key = {"key": lock_key(name)}
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        if not connection.execute(text("SELECT pg_try_advisory_lock(:key)"), key).scalar():
            raise otherwise
        try:
            yield
        finally:
            # The server notices some time later that a connection was closed, and would turn the next one away.
            with suppress(DBAPIError):
                connection.execute(text("SELECT pg_advisory_unlock(:key)"), key)
            connection.invalidate()
