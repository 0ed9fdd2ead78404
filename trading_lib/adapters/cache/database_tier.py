"""Cache tier in the table ``raw_responses``: every retrieval of the last days, so that earlier ones can be read."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta

from sqlalchemy import Engine, delete, select
from sqlalchemy.dialects.postgresql import insert

from trading_lib.adapters.cache.answers import CachedAnswer
from trading_lib.adapters.stores.postgres.schema import raw_responses


class DatabaseTier:
    """Answers kept for a number of days.

    Parameters
    ----------
    retention_days
        Older answers are not given any more, and removed as new ones come in.
    """

    def __init__(self, engine: Engine, clock: Callable[[], datetime], retention_days: int) -> None:
        self._engine = engine
        self._clock = clock
        self._retention = timedelta(days=retention_days)

    @property
    def name(self) -> str:
        """Always "database"."""
        return "database"

    def get(self, key: str, as_of: datetime) -> CachedAnswer | None:
        """Earliest kept answer given at ``as_of`` or later, else the latest one; see `CacheTier.get`.

        The earliest one is closest to what the source said at that time; later ones may hold its revisions.
        """
        table = raw_responses
        kept = select(table.c.retrieved_at, table.c.as_of, table.c.body).where(
            table.c.request == key, table.c.retrieved_at >= self._oldest()
        )
        covering = kept.where(table.c.as_of >= as_of).order_by(table.c.retrieved_at).limit(1)
        newest = kept.order_by(table.c.retrieved_at.desc()).limit(1)
        with self._engine.connect() as connection:
            row = connection.execute(covering).first() or connection.execute(newest).first()
        return CachedAnswer(row.retrieved_at, row.as_of, bytes(row.body)) if row else None

    def put(self, key: str, cached: CachedAnswer) -> None:
        """Remember an answer and remove what is too old; see `CacheTier.put`."""
        row = {"request": key, "retrieved_at": cached.retrieved_at, "as_of": cached.as_of, "body": cached.body}
        with self._engine.begin() as connection:
            connection.execute(insert(raw_responses).values(row).on_conflict_do_nothing())
            connection.execute(delete(raw_responses).where(raw_responses.c.retrieved_at < self._oldest()))

    def _oldest(self) -> datetime:
        return self._clock() - self._retention
