"""FRED's own CSV: a date and one column per series. Input: path. Output: (series, date, value) rows, or none."""

from __future__ import annotations

import re
from pathlib import Path

import pandas as pd

from trading_lib.adapters.sources.files.formats.columns import key
from trading_lib.adapters.sources.files.formats.layout import table_layout
from trading_lib.adapters.sources.files.tables import parse_dates, parse_numbers, read_columns
from trading_lib.domain.market.prices import VOLATILITY_INDEX
from trading_lib.market_data.availability.release_calendar import BUSINESS_DAY_SERIES, MACRO_RELEASE_LAG_DAYS

VOLATILITY_SERIES = "VIXCLS"
# FRED writes a lone dot, or nothing, where a day has no observation.
MISSING = (".",)
_SERIES = re.compile(r"[A-Z][A-Z0-9_]{1,30}")


def fred_series(path: Path) -> tuple[str, ...]:
    """Series that a file in FRED's own layout holds; empty when it is none."""
    written = table_layout(path).written
    if len(written) < 2:
        return ()
    first, series = key(written[0]), [name.strip() for name in written[1:]]
    lagged = {*BUSINESS_DAY_SERIES, *MACRO_RELEASE_LAG_DAYS, "FEDFUNDS"}
    has_header = first == "observationdate" and all(_SERIES.fullmatch(name) for name in series)
    older = first == "date" and all(name in lagged for name in series)
    return tuple(series) if has_header or older else ()


def read_fred(path: Path) -> pd.DataFrame:
    """Observations as series, date and value, those without a value left out."""
    layout = table_layout(path)
    canonical = {position: name for name, position in layout.columns.items()}
    read = read_columns(path, list(layout.columns), {})
    days = parse_dates(path, read[canonical[0]])
    pieces = []
    for position, series in enumerate(fred_series(path), start=1):
        values = parse_numbers(path, read[canonical[position]], MISSING)
        pieces.append(pd.DataFrame({"series": series, "date": days, "value": values}))
    return pd.concat(pieces, ignore_index=True).dropna(subset="value", ignore_index=True)


def volatility_rows(path: Path) -> pd.DataFrame:
    """FRED's copy of the volatility index as bars of ^VIX whose four prices are its close; empty when it has none."""
    rows = read_fred(path)
    rows = rows[rows["series"] == VOLATILITY_SERIES]
    level = rows["value"]
    prices = dict.fromkeys(("open", "high", "low", "close"), level)
    nothing = pd.Series(float("nan"), index=rows.index)
    others = dict.fromkeys(("adj_close", "volume", "dividend", "split"), nothing)
    columns = {"symbol": pd.Series(VOLATILITY_INDEX, index=rows.index, dtype="str"), "date": rows["date"]}
    return pd.DataFrame({**columns, **prices, **others})
