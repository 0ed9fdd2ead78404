"""The CFTC's own files: lines with their original header -> report rows, in either of two layouts."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from trading_lib.domain.market.positioning import DISAGGREGATED_REPORT, LEGACY_REPORT

# Contract code -> the name used here.
MARKETS: Mapping[str, str] = {
    "088691": "gold",
    "084691": "silver",
    "085692": "copper",
    "067651": "crude",
    "023651": "natgas",
    "13874+": "sp500",
    "20974+": "nasdaq",
    "239742": "russell",
    "133741": "bitcoin",
    "043602": "tnote10",
    "042601": "tnote2",
    "020601": "bond30",
    "098662": "usdx",
    "099741": "eur",
    "097741": "jpy",
    "096742": "gbp",
    "1170E1": "vix",
}
CODE = "cftc_contract_market_code"
DATES = ("as_of_date_in_form_yyyy_mm_dd", "report_date_as_yyyy_mm_dd", "report_date_as_mm_dd_yyyy")
MISSING = ("", ".")


@dataclass(frozen=True, slots=True)
class Layout:
    """Column of each position in one report's file."""

    report: str
    columns: Mapping[str, str]


LEGACY = Layout(
    LEGACY_REPORT,
    {
        "open_interest": "open_interest_all",
        "noncommercial_long": "noncommercial_positions_long_all",
        "noncommercial_short": "noncommercial_positions_short_all",
        "noncommercial_spreading": "noncommercial_positions_spreading_all",
        "commercial_long": "commercial_positions_long_all",
        "commercial_short": "commercial_positions_short_all",
        "nonreportable_long": "nonreportable_positions_long_all",
        "nonreportable_short": "nonreportable_positions_short_all",
    },
)
DISAGGREGATED = Layout(
    DISAGGREGATED_REPORT,
    {
        "open_interest": "open_interest_all",
        "producer_long": "prod_merc_positions_long_all",
        "producer_short": "prod_merc_positions_short_all",
        "swap_long": "swap_positions_long_all",
        "swap_short": "swap_positions_short_all",
        "swap_spreading": "swap_positions_spread_all",
        "managed_money_long": "m_money_positions_long_all",
        "managed_money_short": "m_money_positions_short_all",
        "managed_money_spreading": "m_money_positions_spread_all",
        "other_long": "other_rept_positions_long_all",
        "other_short": "other_rept_positions_short_all",
        "other_spreading": "other_rept_positions_spread_all",
        "nonreportable_long": "nonrept_positions_long_all",
        "nonreportable_short": "nonrept_positions_short_all",
    },
)
# A column that only one of the two has.
MARKS = {"noncommercial_positions_long_all": LEGACY, "m_money_positions_long_all": DISAGGREGATED}


class LayoutError(ValueError):
    """Lines that do not fit either layout; the message continues "the file"."""


def plain_header(name: str) -> str:
    """``Swap__Positions_Short_All`` and ``Swap Positions-Short (All)`` become ``swap_positions_short_all``."""
    return re.sub(r"[^a-z0-9]+", "_", name.lower()).strip("_")


def is_cftc_layout(headers: Sequence[str]) -> bool:
    """Whether these are the headers of one of the CFTC's own files."""
    plain = {plain_header(name) for name in headers}
    return CODE in plain and "market_and_exchange_names" in plain


def cot_rows(lines: pd.DataFrame, markets: Mapping[str, str] = MARKETS) -> pd.DataFrame:
    """Report, market, report_date and positions of the known markets.

    Parameters
    ----------
    lines
        The file, every cell as text, with its original header.
    markets
        Contract code -> name; other markets are left out.

    Raises
    ------
    LayoutError
        A column is gone, or a cell is no date or number.
    """
    frame = lines.rename(columns=plain_header)
    layout = next((layout for mark, layout in MARKS.items() if mark in frame.columns), None)
    if layout is None:
        raise LayoutError(f"has neither {' nor '.join(map(repr, MARKS))}; it begins {', '.join(frame.columns[:4])}")
    dated = next((name for name in DATES if name in frame.columns), None)
    lacking = [name for name in (CODE, *layout.columns.values()) if name not in frame.columns]
    if lacking or dated is None:
        raise LayoutError(f"has no column {', '.join(lacking) or ' or '.join(DATES)}")
    codes = frame[CODE].str.strip()
    selected = codes.isin(list(markets))
    chosen, codes = frame[selected], codes[selected]
    rows = pd.DataFrame({"market": codes.map(dict(markets)), "report_date": _dates(chosen[dated])})
    rows.insert(0, "report", layout.report)
    for position, column in layout.columns.items():
        rows[position] = _contracts(chosen[column])
    repeated = rows.duplicated(["market", "report_date"])
    if repeated.any():
        row = rows[repeated].iloc[0]
        raise LayoutError(f"has {row['market']} of {row['report_date']:%Y-%m-%d} twice")
    return rows.reset_index(drop=True)


def _dates(column: pd.Series) -> pd.Series:
    text = column.str.strip().str.split(" ").str[0]
    parsed = pd.to_datetime(text, format="%Y-%m-%d", errors="coerce")
    parsed = parsed.fillna(pd.to_datetime(text, format="%m/%d/%Y", errors="coerce"))
    if parsed.isna().any():
        raise LayoutError(f"has {column[parsed.isna()].iloc[0]!r} as a report date")
    return parsed.astype("datetime64[us]")


def _contracts(column: pd.Series) -> pd.Series:
    text = column.str.strip().str.replace(",", "")
    present = text.where(~text.isin(MISSING))
    parsed = pd.to_numeric(present, errors="coerce").astype("float64")
    bad = (parsed.isna() & present.notna()) | np.isinf(parsed)
    if bad.any():
        raise LayoutError(f"has {column[bad].iloc[0]!r} in {column.name}, which is no number of contracts")
    return parsed
