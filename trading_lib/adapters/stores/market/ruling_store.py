"""Rulings on suspected splits in PostgreSQL, and the bars that wait for one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime

import pandas as pd
from sqlalchemy import Engine, func, insert, select, text

from trading_lib.adapters.stores.postgres.schema import BAR_VALUES, books, decisions, price_rulings
from trading_lib.domain.market.price_rulings import PriceRuling
from trading_lib.domain.market.prices import Bars
from trading_lib.domain.market.sessions import require_aware

SUSPECTED = "unstated_split"
DOUBTED = f"""
    SELECT DISTINCT ON (source, symbol, session) symbol, session AS date, {", ".join(BAR_VALUES)}, source, adjustment,
        available_at
    FROM quarantine q
    WHERE source = ANY(:sources) AND (CAST(:symbols AS text[]) IS NULL OR symbol = ANY(:symbols))
        AND session <= :last AND '{SUSPECTED}' = ANY(rules)
        AND NOT EXISTS (
            SELECT 1 FROM bars WHERE bars.source = ANY(:sources) AND bars.symbol = q.symbol
                AND bars.session = q.session)
    ORDER BY source, symbol, session, quarantined_at DESC, content_hash
"""  # noqa: S608 - built from constants
STANDING = text(f"""
    SELECT f.source, f.symbol, min(f.session) AS since, max(f.session) AS newest,
        (array_agg(f.value ORDER BY f.session))[1] AS ratio,
        (array_agg(q.close ORDER BY f.session DESC, q.quarantined_at DESC))[1] AS close
    FROM validation_findings f
    JOIN quarantine q ON q.source = f.source AND q.symbol = f.symbol AND q.session = f.session
    WHERE f.rule = '{SUSPECTED}' AND f.severity = 'ERROR' AND f.session <= :last
        AND f.value IS NOT NULL AND '{SUSPECTED}' = ANY(q.rules)
        AND NOT EXISTS (
            SELECT 1 FROM bars WHERE bars.source = f.source AND bars.symbol = f.symbol
                AND bars.session >= f.session AND bars.session <= :last)
    GROUP BY f.source, f.symbol ORDER BY f.symbol, f.source
""")  # noqa: S608 - built from constants


@dataclass(frozen=True, slots=True)
class SuspectedSplit:
    """A suspected split without a ruling.

    Attributes
    ----------
    since, newest
        First and newest session that is kept out.
    ratio
        New shares per old share, if it is a split.
    close
        Close of the newest session that is kept out.
    """

    source: str
    symbol: str
    since: date
    newest: date
    ratio: float
    close: float


@dataclass(frozen=True, slots=True)
class RecordedRuling:
    """A decision with its circumstances; ``source`` is None where it holds for every source."""

    ruling: PriceRuling
    source: str | None
    recorded_by: str
    recorded_at: datetime


class RulingStore:
    """Reads and writes decisions; none is ever changed, a later one about the same day takes its place.

    Parameters
    ----------
    engine
        From `trading_lib.adapters.stores.postgres.database.connect`.
    """

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def record(self, ruling: PriceRuling, source: str | None, recorded_by: str, now: datetime) -> None:
        """Store a decision."""
        values = {
            "symbol": ruling.symbol,
            "session": ruling.session,
            "recorded_at": require_aware(now, "now"),
            "split": ruling.split,
            "source": source,
            "note": ruling.note,
            "recorded_by": recorded_by,
        }
        with self._engine.begin() as connection:
            connection.execute(insert(price_rulings), [values])

    def recorded(self) -> list[RecordedRuling]:
        """Everything that was decided, in order of symbol, session and time."""
        table = price_rulings.c
        query = select(price_rulings).order_by(table.symbol, table.session, table.recorded_at)
        with self._engine.connect() as connection:
            rows = connection.execute(query).all()
        return [
            RecordedRuling(
                PriceRuling(row.symbol, row.session, row.split, row.note), row.source, row.recorded_by, row.recorded_at
            )
            for row in rows
        ]

    def rulings(self, sources: Sequence[str]) -> tuple[PriceRuling, ...]:
        """Decisions that hold for one of ``sources``; of several about a day the last one comes last."""
        return tuple(item.ruling for item in self.recorded() if item.source is None or item.source in sources)

    def suspected_bars(self, sources: Sequence[str], symbols: Sequence[str] | None, last: date) -> Bars:
        """Bars up to ``last`` that a suspected split keeps out; ``symbols`` None: of all."""
        parameters = {"sources": list(sources), "symbols": list(symbols) if symbols is not None else None, "last": last}
        with self._engine.connect() as connection:
            rows = connection.execute(text(DOUBTED), parameters).all()
        if not rows:
            return Bars.empty()
        return Bars.from_frame(
            pd.DataFrame(rows).assign(available_at=lambda f: pd.to_datetime(f["available_at"], utc=True))
        )

    def decided_through(self, source: str) -> date | None:
        """Newest session that a book of ``source`` has decided."""
        query = select(func.max(decisions.c.session)).where(
            decisions.c.book == books.c.name, books.c.data_source == source
        )
        with self._engine.connect() as connection:
            newest: date | None = connection.execute(query).scalar()
        return newest

    def suspicions(self, last: date = date.max) -> list[SuspectedSplit]:
        """Suspected splits that stood at the end of session ``last``, of every source."""
        with self._engine.connect() as connection:
            return [SuspectedSplit(**row._mapping) for row in connection.execute(STANDING, {"last": last})]
