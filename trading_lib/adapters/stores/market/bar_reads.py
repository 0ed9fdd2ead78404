"""As-of reads of bars: what was known at an instant, the newest revision of each day."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sqlalchemy import Connection, text

from trading_lib.adapters.stores.postgres.bulk_copy import Kind, copy_out
from trading_lib.adapters.stores.postgres.schema import BAR_VALUES
from trading_lib.domain.market.prices import Bars, MacroSeries

KINDS = {
    "symbol": Kind.INTEGER,
    "session": Kind.DATE,
    **dict.fromkeys(BAR_VALUES, Kind.FLOAT),
    "adjustment": Kind.INTEGER,
    "available_at": Kind.INSTANT,
}
# Only the opening price of a bar is known while it is still forming.
UNKNOWN_WHILE_FORMING = ("high", "low", "close", "adj_close", "volume")
RANGE = ("high", "low")
SCOPE = """
    FROM bars b JOIN unnest(%(symbols)s::text[]) WITH ORDINALITY AS asset(symbol, position) USING (symbol)
    WHERE b.source = %(source)s AND b.session BETWEEN %(first)s AND %(last)s
"""


def read_complete(
    connection: Connection, source: str, as_of: datetime, symbols: Sequence[str] | None, first: date, last: date
) -> Bars:
    """Newest revision of each bar of ``source`` with ``available_at <= as_of``."""
    columns = ", ".join(f"COALESCE(b.{name}, 'NaN')" for name in BAR_VALUES)
    select = f"""
        SELECT DISTINCT ON (asset.position, b.session) asset.position::integer, b.session, {columns},
            array_position(%(adjustments)s::text[], b.adjustment), b.available_at
        {SCOPE} AND b.available_at <= %(as_of)s
        ORDER BY asset.position, b.session, b.available_at DESC
    """
    return _read(connection, select, source, as_of, symbols, first, last)


def forming_columns(ranges: bool, prefix: str = "") -> str:
    """Columns from ``open`` to ``volume`` of a forming bar, in the order of `BAR_VALUES`."""
    columns = ("open", *RANGE) if ranges else ("open",)
    return ", ".join(
        f"COALESCE({prefix}{name}, 'NaN')" if name in columns else "'NaN'::float8"
        for name in ("open", *UNKNOWN_WHILE_FORMING)
    )


def read_forming(
    connection: Connection,
    source: str,
    as_of: datetime,
    symbols: Sequence[str],
    first: date,
    last: date,
    ranges: bool = False,
) -> Bars:
    """Bars whose UTC day has begun by ``as_of`` and that are not known yet, with their opening price only.

    ``high`` to ``volume`` are NaN, with ``ranges`` all but ``high`` and ``low``; ``dividend`` is 0, ``split`` 1, and
    ``available_at`` lies after ``as_of``.
    """
    select = f"""
        SELECT DISTINCT ON (asset.position, b.session) asset.position::integer, b.session,
            {forming_columns(ranges, "b.")}, 0::float8, 1::float8,
            array_position(%(adjustments)s::text[], b.adjustment), b.available_at
        {SCOPE} AND b.available_at > %(as_of)s AND b.session <= (%(as_of)s AT TIME ZONE 'UTC')::date
            AND NOT EXISTS (
                SELECT 1 FROM bars known WHERE known.source = b.source AND known.symbol = b.symbol
                    AND known.session = b.session AND known.available_at <= %(as_of)s)
        ORDER BY asset.position, b.session, b.available_at
    """  # noqa: S608 - built from constants
    return _read(connection, select, source, as_of, symbols, first, last)


def _read(
    connection: Connection,
    select: str,
    source: str,
    as_of: datetime,
    symbols: Sequence[str] | None,
    first: date,
    last: date,
) -> Bars:
    stored = "SELECT DISTINCT symbol, adjustment FROM bars WHERE source = :source"
    pairs = connection.execute(text(stored), {"source": source}).all()
    # Sorted here, not by the server, whose collation may order texts differently.
    names = sorted({row.symbol for row in pairs if symbols is None or row.symbol in set(symbols)})
    adjustments = sorted({row.adjustment for row in pairs})
    if not names:
        return Bars.empty()
    parameters = {
        "source": source,
        "symbols": names,
        "adjustments": adjustments,
        "as_of": as_of,
        "first": first,
        "last": last,
    }
    return _bars(copy_out(connection, select, KINDS, parameters), source, names, adjustments)


def _bars(columns: dict[str, NDArray[Any]], source: str, names: list[str], adjustments: list[str]) -> Bars:
    """Build bars from rows that come sorted by symbol and date; equal to what `Bars.from_frame` would make."""
    rows = len(columns["session"])
    frame = pd.DataFrame(
        {
            "symbol": _texts(columns["symbol"] - 1, names),
            "date": columns["session"].astype("datetime64[us]"),
            **{name: columns[name] for name in BAR_VALUES},
            "source": _texts(np.zeros(rows, dtype=np.int64), [source]),
            "adjustment": _texts(columns["adjustment"] - 1, adjustments),
            "available_at": pd.DatetimeIndex(columns["available_at"]).tz_localize("UTC"),
        }
    )
    return Bars(frame)


def _texts(codes: NDArray[Any], texts: list[str]) -> Any:
    """Texts of pandas' str type, one per code, without making a Python object per row."""
    return pd.array(texts, dtype="str").take(codes)


MACRO_KINDS = {"series": Kind.INTEGER, "observed": Kind.DATE, "value": Kind.FLOAT, "available_at": Kind.INSTANT}
VINTAGES = """
    SELECT item.position::integer, m.observed, COALESCE(m.value, 'NaN'), m.available_at
    FROM macro m JOIN unnest(%(series)s::text[]) WITH ORDINALITY AS item(series, position) USING (series)
    WHERE m.source = %(source)s AND m.available_at <= %(as_of)s
    ORDER BY item.position, m.observed, m.available_at
"""
NEWEST = VINTAGES.replace("SELECT", "SELECT DISTINCT ON (item.position, m.observed)", 1).rstrip() + " DESC"


def read_macro(connection: Connection, source: str, as_of: datetime) -> MacroSeries:
    """Newest revision of each observation of ``source`` with ``available_at <= as_of``."""
    return _macro(connection, NEWEST, source, as_of)


def read_macro_vintages(connection: Connection, source: str, as_of: datetime) -> MacroSeries:
    """All revisions of each observation of ``source`` with ``available_at <= as_of``."""
    return _macro(connection, VINTAGES, source, as_of)


def _macro(connection: Connection, select: str, source: str, as_of: datetime) -> MacroSeries:
    stored = text("SELECT DISTINCT series FROM macro WHERE source = :source")
    names = sorted(connection.execute(stored, {"source": source}).scalars())
    if not names:
        return MacroSeries.empty()
    columns = copy_out(connection, select, MACRO_KINDS, {"source": source, "series": names, "as_of": as_of})
    frame = pd.DataFrame(
        {
            "series": pd.array(names, dtype="str").take(columns["series"] - 1),
            "date": columns["observed"].astype("datetime64[us]"),
            "value": columns["value"],
            "source": pd.array([source], dtype="str").take(np.zeros(len(columns["value"]), dtype=np.int64)),
            "available_at": pd.DatetimeIndex(columns["available_at"]).tz_localize("UTC"),
        }
    )
    return MacroSeries(frame)
