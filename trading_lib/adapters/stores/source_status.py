"""The status board in the database: every task of every process sees the same state of a source."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from sqlalchemy import Engine, Row, select, update
from sqlalchemy.dialects.postgresql import insert

from trading_lib.adapters.stores.schema import source_status
from trading_lib.market_data.breaker import BreakerState, BreakerStatus
from trading_lib.market_data.rate_limit import Bucket
from trading_lib.market_data.status import SourceStatus


class DatabaseBoard:
    """A `trading_lib.market_data.status.StatusBoard` in the table ``source_status``."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def update(self, source: str, change: Callable[[SourceStatus], SourceStatus]) -> SourceStatus:
        """Replace the state of ``source`` under a lock of its row; see `StatusBoard.update`."""
        table = source_status
        with self._engine.begin() as connection:
            initial = insert(table).values(source=source, **_columns(SourceStatus()))
            connection.execute(initial.on_conflict_do_nothing())
            row = connection.execute(select(table).where(table.c.source == source).with_for_update()).one()
            status = change(_status(row))
            connection.execute(update(table).where(table.c.source == source).values(**_columns(status)))
        return status

    def get_source_status(self) -> Mapping[str, SourceStatus]:
        """Source -> state; see `StatusBoard.get_source_status`."""
        with self._engine.connect() as connection:
            rows = connection.execute(select(source_status)).all()
        return {row.source: _status(row) for row in sorted(rows, key=lambda row: str(row.source))}


def _columns(status: SourceStatus) -> dict[str, Any]:
    return {
        "status": status.breaker.status.value,
        "failures": status.breaker.failures,
        "blocked_until": status.breaker.blocked_until,
        "tokens": status.bucket.tokens if status.bucket else None,
        "tokens_at": status.bucket.at if status.bucket else None,
        "last_answer_at": status.last_answer_at,
        "last_failure_at": status.last_failure_at,
        "last_error": status.last_error,
    }


def _status(row: Row[Any]) -> SourceStatus:
    return SourceStatus(
        breaker=BreakerState(BreakerStatus(row.status), row.failures, row.blocked_until),
        bucket=None if row.tokens is None else Bucket(row.tokens, row.tokens_at),
        last_answer_at=row.last_answer_at,
        last_failure_at=row.last_failure_at,
        last_error=row.last_error,
    )
