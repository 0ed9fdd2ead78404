"""As-of reads of macro observations."""

from __future__ import annotations

from datetime import datetime

import numpy as np
import pandas as pd
from sqlalchemy import Connection, text

from trading_lib.adapters.stores.bulk_copy import Kind, copy_out
from trading_lib.domain.prices import MacroSeries

KINDS = {"series": Kind.INTEGER, "observed": Kind.DATE, "value": Kind.FLOAT, "available_at": Kind.INSTANT}
SELECT = """
    SELECT DISTINCT ON (item.position, m.observed)
        item.position::integer, m.observed, COALESCE(m.value, 'NaN'), m.available_at
    FROM macro m JOIN unnest(%(series)s::text[]) WITH ORDINALITY AS item(series, position) USING (series)
    WHERE m.source = %(source)s AND m.available_at <= %(as_of)s
    ORDER BY item.position, m.observed, m.available_at DESC
"""


def read_macro(connection: Connection, source: str, as_of: datetime) -> MacroSeries:
    """Newest revision of each observation of ``source`` with ``available_at <= as_of``."""
    stored = text("SELECT DISTINCT series FROM macro WHERE source = :source")
    names = sorted(connection.execute(stored, {"source": source}).scalars())
    if not names:
        return MacroSeries.empty()
    columns = copy_out(connection, SELECT, KINDS, {"source": source, "series": names, "as_of": as_of})
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
