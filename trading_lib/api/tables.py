"""A run's tables as DataFrames. Input: the tables that `trading backtest --export` writes. Output: the same in pandas.

Money, prices and quantities become float64, which holds cents and millionths exactly at any size a book has here; the
export keeps the decimals.
"""

from __future__ import annotations

import pandas as pd

from trading_lib.workflows.research.export import Table

DAY, INSTANT = "datetime64[us]", "datetime64[us, UTC]"
# All that are not text; the tables share the names of their columns.
KINDS = {
    "session": DAY,
    "filled_at": INSTANT,
    "risk_level": "int64",
    **dict.fromkeys(
        (
            "nav", "drawdown", "invested", "flow", "quantity", "held_weight", "wanted_weight", "allowed_weight",
            "expected_price", "estimated_commission", "weight_change", "cancelled_quantity", "price",
            "reference_price", "commission",
        ),
        "float64",
    ),
}  # fmt: skip


def frame_of(table: Table) -> pd.DataFrame:
    """Return the table with a type for each column, also where it has no row; its units are in ``attrs["units"]``."""
    frame = pd.DataFrame.from_records(list(table.rows), columns=list(table.columns))
    typed: pd.DataFrame = frame.astype({name: KINDS.get(name, "str") for name in table.columns})
    typed.attrs = {"about": table.what, "units": dict(table.columns)}
    return typed


def by_session(frame: pd.DataFrame) -> pd.DataFrame:
    """Put the sessions into the index, for plots and for cutting out a window."""
    indexed = frame.set_index("session")
    indexed.attrs = frame.attrs
    return indexed
