"""The status board in the database: every task of every process sees the same state of a source."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from typing import Any

from sqlalchemy import Engine, Row, select, update
from sqlalchemy.dialects.postgresql import insert

from trading_lib.adapters.stores.postgres.schema import source_status
from trading_lib.market_data.resilience.breaker import BreakerState, BreakerStatus
from trading_lib.market_data.resilience.rate_limit import Bucket
from trading_lib.market_data.resilience.status import SourceStatus

LOG = logging.getLogger(__name__)


class DatabaseBoard:
    """A `trading_lib.market_data.resilience.status.StatusBoard` in the table ``source_status``."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def update(self, source: str, change: Callable[[SourceStatus], SourceStatus]) -> SourceStatus:
        """Replace the state of ``source`` under a lock of its row; see `StatusBoard.update`."""
        table = source_status
        with self._engine.begin() as connection:
            initial = insert(table).values(source=source, **_columns(SourceStatus()))
            connection.execute(initial.on_conflict_do_nothing())
            row = connection.execute(select(table).where(table.c.source == source).with_for_update()).one()
            before = _status(row)
            status = change(before)
            connection.execute(update(table).where(table.c.source == source).values(**_columns(status)))
        _log_change(source, before, status)
        return status

    def get_source_status(self) -> Mapping[str, SourceStatus]:
        """Source -> state; see `StatusBoard.get_source_status`."""
        with self._engine.connect() as connection:
            rows = connection.execute(select(source_status)).all()
        return {row.source: _status(row) for row in sorted(rows, key=lambda row: str(row.source))}


def _log_change(source: str, before: SourceStatus, after: SourceStatus) -> None:
    if after.last_failure_at != before.last_failure_at:
        LOG.warning("source %s failed (attempt %d in a row): %s", source, after.breaker.failures, after.last_error)
    if after.breaker.status is not before.breaker.status:
        until = f" until {after.breaker.blocked_until.isoformat()}" if after.breaker.blocked_until else ""
        change = f"{before.breaker.status.value} -> {after.breaker.status.value}{until}"
        LOG.warning("circuit breaker of source %s: %s", source, change)


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
