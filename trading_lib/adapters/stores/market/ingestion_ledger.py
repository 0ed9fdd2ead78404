"""The ledger of ingestion: which days of which symbols were fetched from a source, when, and with what result."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any

from sqlalchemy import ARRAY, Engine, Row, Text, cast, or_, select
from sqlalchemy.dialects.postgresql import JSONB, insert

from trading_lib.adapters.stores.postgres.schema import ingestions

ONE_DAY = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Ingestion:
    """One fetch.

    Attributes
    ----------
    scope
        What was asked for, e.g. "etf" or "macro".
    symbols
        The symbols of the scope at that time; none for macro series.
    complete
        Whether asking again would bring nothing more: every symbol was answered for, if only by "there is none".
    delivered
        Symbol -> source its bars came from.
    failures
        Symbol -> why it brought nothing.
    """

    source: str
    scope: str
    first: date
    last: date
    symbols: tuple[str, ...]
    complete: bool
    delivered: Mapping[str, str]
    failures: Mapping[str, str]


class IngestionLedger:
    """The table ``ingestions``."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def record(self, ingestion: Ingestion, now: datetime) -> None:
        """Enter a fetch, in place of an earlier one of the same days; the same at the same time changes nothing."""
        statement = insert(ingestions).values(
            source=ingestion.source,
            scope=ingestion.scope,
            first_day=ingestion.first,
            last_day=ingestion.last,
            symbols=sorted(ingestion.symbols),
            complete=ingestion.complete,
            delivered=dict(ingestion.delivered),
            failures=dict(ingestion.failures),
            fetched_at=now,
        )
        new, stored = statement.excluded, ingestions.c
        columns = ("symbols", "complete", "delivered", "failures", "fetched_at")
        statement = statement.on_conflict_do_update(
            constraint="pk_ingestions",
            set_={name: new[name] for name in columns},
            where=or_(*(stored[name].is_distinct_from(new[name]) for name in columns)),
        )
        with self._engine.begin() as connection:
            connection.execute(statement)

    def covers(self, source: str, scope: str, symbols: Sequence[str], day: date, settled: datetime) -> bool:
        """Whether ``day`` of all ``symbols`` was fetched completely at ``settled`` or later."""
        table = ingestions.c
        query = (
            select(1)
            .where(table.source == source, table.scope == scope, table.complete)
            .where(table.first_day <= day, table.last_day >= day, table.fetched_at >= settled)
            .where(table.symbols.op("@>")(cast(sorted(symbols), ARRAY(Text))))
            .limit(1)
        )
        with self._engine.connect() as connection:
            return connection.execute(query).first() is not None

    def reaches(self, source: str, scope: str, symbols: Sequence[str], first: date, last: date) -> bool:
        """Whether every day from ``first`` to ``last`` of all ``symbols`` was in a fetch that brought something.

        A fetch that was complete counts also when there was nothing to bring.
        """
        table = ingestions.c
        query = (
            select(table.first_day, table.last_day)
            .where(table.source == source, table.scope == scope)
            .where(or_(table.complete, table.delivered != cast({}, JSONB)))
            .where(table.first_day <= last, table.last_day >= first)
            .where(table.symbols.op("@>")(cast(sorted(symbols), ARRAY(Text))))
            .order_by(table.first_day)
        )
        with self._engine.connect() as connection:
            spans = connection.execute(query).all()
        reached = first - ONE_DAY
        for begin, end in spans:
            if begin > reached + ONE_DAY:
                return False
            reached = max(reached, end)
        return reached >= last

    def latest(self, source: str, limit: int = 20) -> tuple[tuple[datetime, Ingestion], ...]:
        """Newest fetches with their times, newest first."""
        table = ingestions.c
        query = select(ingestions).where(table.source == source).order_by(table.fetched_at.desc(), table.scope)
        with self._engine.connect() as connection:
            rows = connection.execute(query.limit(limit)).all()
        return tuple((row.fetched_at, _ingestion(row)) for row in rows)


def _ingestion(row: Row[Any]) -> Ingestion:
    return Ingestion(
        source=row.source,
        scope=row.scope,
        first=row.first_day,
        last=row.last_day,
        symbols=tuple(row.symbols),
        complete=row.complete,
        delivered=row.delivered,
        failures=row.failures,
    )
