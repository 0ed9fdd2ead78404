"""Factor values in long form, one session at a time."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date

import numpy as np
from sqlalchemy import Connection, text

from trading_lib.domain.errors import InputError
from trading_lib.domain.market.prices import BoolArray, FloatArray

REMOVE = text("""
    DELETE FROM factor_values
    WHERE source = :source AND session = :session
        AND (symbol, factor) IN (SELECT * FROM unnest(CAST(:symbols AS text[]), CAST(:factors AS text[])))
""")
STORE = text("""
    INSERT INTO factor_values (source, symbol, session, factor, value)
    SELECT :source, symbol, :session, factor, value
    FROM unnest(CAST(:symbols AS text[]), CAST(:factors AS text[]), CAST(:values AS double precision[]))
        AS incoming(symbol, factor, value)
    ON CONFLICT (source, symbol, session, factor) DO UPDATE SET value = excluded.value
    WHERE factor_values.value IS DISTINCT FROM excluded.value
""")


def save_factors(
    connection: Connection,
    source: str,
    session: date,
    symbols: Sequence[str],
    names: Sequence[str],
    values: FloatArray,
) -> int:
    """Make the stored values of these symbols and factors equal to ``values``; returns the rows that changed."""
    if values.shape != (len(names), len(symbols)):
        raise InputError(
            f"factor values of {session} have shape {values.shape}, not {(len(names), len(symbols))}",
            "pass one row per factor and one column per symbol",
        )
    missing = _named(symbols, names, np.isnan(values))
    present = _named(symbols, names, ~np.isnan(values))
    scope = {"source": source, "session": session}
    removed = connection.execute(REMOVE, {**scope, **missing})
    stored = connection.execute(STORE, {**scope, **present, "values": values[~np.isnan(values)].tolist()})
    return int(removed.rowcount + stored.rowcount)


def _named(symbols: Sequence[str], names: Sequence[str], chosen: BoolArray) -> dict[str, list[str]]:
    """Symbol and factor of every chosen value, in the order a boolean index visits them."""
    factor_axis, symbol_axis = (axis.tolist() for axis in np.nonzero(chosen))
    return {"symbols": [symbols[i] for i in symbol_axis], "factors": [names[i] for i in factor_axis]}


def read_factors(connection: Connection, source: str, session: date) -> dict[str, dict[str, float]]:
    """Symbol -> factor -> value of one session."""
    query = text("SELECT symbol, factor, value FROM factor_values WHERE source = :source AND session = :session")
    result: dict[str, dict[str, float]] = {}
    for symbol, factor, value in sorted(connection.execute(query, {"source": source, "session": session})):
        result.setdefault(symbol, {})[factor] = value
    return result
