"""Stored days and revisions of each symbol and series; for reports, not for decisions."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

import numpy as np
from sqlalchemy import Engine, text

from trading_lib.domain.market.prices import DateArray

# A row that is not the first of its day from its source is a revision.
DAYS = text("""
    SELECT symbol AS name, array_agg(DISTINCT session - DATE '1970-01-01') AS days,
        count(*) - count(DISTINCT (source, session)) AS revisions,
        array_agg(DISTINCT source) AS sources
    FROM bars WHERE source = ANY(:sources) GROUP BY symbol ORDER BY symbol
""")
SERIES_DAYS = text("""
    SELECT series AS name, array_agg(DISTINCT observed - DATE '1970-01-01') AS days,
        count(*) - count(DISTINCT (source, observed)) AS revisions,
        array_agg(DISTINCT source) AS sources
    FROM macro WHERE source = ANY(:sources) GROUP BY series ORDER BY series
""")
LAST_REVISED = text("""
    SELECT symbol, max(available_at) FROM bars b WHERE source = ANY(:sources) AND EXISTS (
        SELECT 1 FROM bars earlier WHERE earlier.source = b.source AND earlier.symbol = b.symbol
            AND earlier.session = b.session AND earlier.available_at < b.available_at)
    GROUP BY symbol
""")
STORED_SOURCES = text("SELECT source FROM bars UNION SELECT source FROM macro ORDER BY 1")


@dataclass(frozen=True, slots=True)
class StoredDays:
    """What is stored under one name.

    Attributes
    ----------
    days
        datetime64[D], ascending, each once.
    revisions
        Rows that replaced an earlier one of the same day and source.
    sources
        Where they came from.
    """

    name: str
    days: DateArray
    revisions: int
    sources: tuple[str, ...]


def stored_bars(engine: Engine, sources: Sequence[str]) -> tuple[StoredDays, ...]:
    """Symbols with bars of any of ``sources``, in alphabetic order."""
    return _stored(engine, DAYS, sources)


def stored_series(engine: Engine, sources: Sequence[str]) -> tuple[StoredDays, ...]:
    """Macro series of any of ``sources``, in alphabetic order."""
    return _stored(engine, SERIES_DAYS, sources)


def last_revisions(engine: Engine, sources: Sequence[str]) -> dict[str, datetime]:
    """Symbol -> when its latest revision became known; symbols without one are absent."""
    with engine.connect() as connection:
        return {row[0]: row[1] for row in connection.execute(LAST_REVISED, {"sources": list(sources)})}


def stored_sources(engine: Engine) -> tuple[str, ...]:
    """Every source with bars or macro series."""
    with engine.connect() as connection:
        return tuple(connection.execute(STORED_SOURCES).scalars())


def _stored(engine: Engine, query: object, sources: Sequence[str]) -> tuple[StoredDays, ...]:
    with engine.connect() as connection:
        rows = connection.execute(query, {"sources": list(sources)}).all()  # type: ignore[call-overload]
    return tuple(
        StoredDays(
            name=row.name,
            days=np.sort(np.array(row.days, dtype=np.int64)).astype("datetime64[D]"),
            revisions=row.revisions,
            sources=tuple(sorted(row.sources)),
        )
        for row in rows
    )
