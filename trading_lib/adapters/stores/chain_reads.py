"""As-of reads over several sources: per symbol and date one bar, of the preferred source that had it by then.

The first source that delivered a bar of a day made the day known, at the bar's own time. A bar that another source
delivers later, preferred or not, is news of that later moment: what was read before it came can still be read.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date, datetime
from typing import Any

import pandas as pd
from sqlalchemy import Connection, text

from trading_lib.adapters.stores.bar_reads import forming_columns
from trading_lib.adapters.stores.bulk_copy import Kind, copy_out
from trading_lib.adapters.stores.schema import BAR_VALUES
from trading_lib.domain.prices import Bars

KINDS = {
    "symbol": Kind.INTEGER,
    "session": Kind.DATE,
    **dict.fromkeys(BAR_VALUES, Kind.FLOAT),
    "source": Kind.INTEGER,
    "adjustment": Kind.INTEGER,
    "available_at": Kind.INSTANT,
}
CANDIDATES = """
    WITH candidate AS (
        SELECT choice.position, choice.rank, b.*,
            CASE WHEN b.ingested_at <= min(b.ingested_at) OVER (PARTITION BY choice.position, b.session)
                THEN b.available_at ELSE greatest(b.available_at, b.ingested_at) END AS known_at
        FROM bars b
        JOIN unnest(%(symbols)s::text[], %(positions)s::integer[], %(sources)s::text[], %(ranks)s::integer[])
            AS choice(symbol, position, source, rank) USING (symbol, source)
        WHERE b.session BETWEEN %(first)s AND %(last)s
    )
"""
LABELS = """
    array_position(%(source_names)s::text[], source), array_position(%(adjustments)s::text[], adjustment), known_at
"""
Order = Mapping[str, Sequence[str]]


def read_preferred(connection: Connection, order: Order, as_of: datetime, first: date, last: date) -> Bars:
    """Bars known at ``as_of``, each of the first source of its symbol's ``order`` that has one, newest revision.

    ``available_at`` is when the bar became known through this combination of sources.
    """
    values = ", ".join(f"COALESCE({name}, 'NaN')" for name in BAR_VALUES)
    select = f"""
        {CANDIDATES}
        SELECT DISTINCT ON (position, session) position, session, {values}, {LABELS}
        FROM candidate WHERE known_at <= %(as_of)s
        ORDER BY position, session, rank, known_at DESC
    """  # noqa: S608 - built from constants
    return _read(connection, select, order, as_of, first, last)


def read_preferred_forming(
    connection: Connection, order: Order, as_of: datetime, first: date, last: date, ranges: bool = False
) -> Bars:
    """Bars whose UTC day has begun by ``as_of`` and that no source had by then, with their opening price only.

    With ``ranges`` high and low come along; see `MarketStore.read_bars`. The source that delivered first stands, so
    that a fill once made at an opening price is found again.
    """
    select = f"""
        {CANDIDATES}
        SELECT DISTINCT ON (position, session) position, session,
            {forming_columns(ranges)}, 0::float8, 1::float8, {LABELS}
        FROM candidate
        WHERE session <= (%(as_of)s AT TIME ZONE 'UTC')::date
            AND (position, session) NOT IN (SELECT position, session FROM candidate WHERE known_at <= %(as_of)s)
        ORDER BY position, session, ingested_at, rank, known_at
    """  # noqa: S608 - built from constants
    return _read(connection, select, order, as_of, first, last)


def _read(connection: Connection, select: str, order: Order, as_of: datetime, first: date, last: date) -> Bars:
    names = sorted(order)
    choices = [
        (symbol, position, source, rank)
        for position, symbol in enumerate(names, start=1)
        for rank, source in enumerate(order[symbol])
    ]
    sources = sorted({source for _, _, source, _ in choices})
    stored = text("SELECT DISTINCT adjustment FROM bars WHERE source = ANY(:sources)")
    adjustments = sorted(connection.execute(stored, {"sources": sources}).scalars())
    if not choices or not adjustments:
        return Bars.empty()
    parameters: dict[str, Any] = {
        "symbols": [choice[0] for choice in choices],
        "positions": [choice[1] for choice in choices],
        "sources": [choice[2] for choice in choices],
        "ranks": [choice[3] for choice in choices],
        "source_names": sources,
        "adjustments": adjustments,
        "as_of": as_of,
        "first": first,
        "last": last,
    }
    columns = copy_out(connection, select, KINDS, parameters)
    frame = pd.DataFrame(
        {
            "symbol": pd.array(names, dtype="str").take(columns["symbol"] - 1),
            "date": columns["session"].astype("datetime64[us]"),
            **{name: columns[name] for name in BAR_VALUES},
            "source": pd.array(sources, dtype="str").take(columns["source"] - 1),
            "adjustment": pd.array(adjustments, dtype="str").take(columns["adjustment"] - 1),
            "available_at": pd.DatetimeIndex(columns["available_at"]).tz_localize("UTC"),
        }
    )
    return Bars(frame)
