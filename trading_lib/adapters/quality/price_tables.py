"""One price table -> `PriceDataset`s, leniently: what `FileSource` refuses is a finding here wherever that makes sense.

Rows of symbols outside the universe stay, a repeated bar stays, a cell that is no number becomes a missing price with a
finding. Only what leaves nothing to judge (no date, an unreadable file) is still a `DataFileError`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from trading_lib.adapters.sources.bar_windows import stamp_bars
from trading_lib.adapters.sources.corporate_actions import with_corporate_actions
from trading_lib.adapters.sources.table_files import column_names, parse_dates, read_columns
from trading_lib.domain.instruments import Universe
from trading_lib.domain.prices import Bars
from trading_lib.validation.quality import PriceDataset
from trading_lib.validation.report import Finding, Severity

PRICES = ("open", "high", "low", "close")
NUMBERS = (*PRICES, "adj_close", "volume", "dividend", "split", "capital_gains")
LEVEL_ADJUSTMENTS = ("raw", "split")
# This many rows a day are no daily bars that came twice, they are bars of minutes or hours.
INTRADAY_ROWS = 3


@dataclass(frozen=True, slots=True)
class PriceTable:
    """What one file holds.

    Attributes
    ----------
    datasets
        One per capture: a file whose ``source`` column tells of several has several.
    findings
        About cells that could not be read.
    """

    datasets: tuple[PriceDataset, ...]
    findings: tuple[Finding, ...]


def is_price_table(path: Path) -> bool:
    """Whether a file has a date and a close, and says whose they are."""
    names = column_names(path)
    return "date" in names and "close" in names


def read_price_table(
    path: Path, universe: Universe, where: Mapping[str, str] | None = None, adjustment: str | None = None
) -> PriceTable:
    """Read the rows of ``path`` that satisfy ``where``.

    Parameters
    ----------
    adjustment
        What a manifest says about the prices; with it, or with an adjusted close beside them, their level can be
        compared with another source's.
    """
    read = read_columns(path, ("symbol", "date", "source", *NUMBERS), where or {})
    rows, findings = _typed(path, read)
    pieces = _captures(path, rows, where or {})
    level = adjustment in LEVEL_ADJUSTMENTS or (adjustment is None and rows["adj_close"].notna().any())
    datasets = tuple(_dataset(name, piece, universe, bool(level), adjustment) for name, piece in pieces.items())
    return PriceTable(datasets, tuple(findings))


def _typed(path: Path, read: pd.DataFrame) -> tuple[pd.DataFrame, list[Finding]]:
    symbol = read["symbol"] if "symbol" in read else pd.Series(path.stem, index=read.index)
    columns: dict[str, pd.Series] = {"symbol": symbol.astype("str").str.strip().where(symbol.notna(), "?")}
    day = parse_dates(path, read["date"])
    columns["date"] = _with_time_of_day(read["date"], day, columns["symbol"])
    findings: list[Finding] = []
    for name in NUMBERS:
        if name not in read:
            columns[name] = pd.Series(np.nan, index=read.index)
            continue
        numbers = pd.to_numeric(read[name], errors="coerce").astype("float64")
        unreadable = numbers.isna() & read[name].notna() & (read[name].astype("str").str.strip().str.lower() != "nan")
        for row in np.flatnonzero(unreadable.to_numpy(dtype=bool)):
            name_of_row = str(columns["symbol"].iloc[row])
            findings.append(_unreadable(path, name_of_row, day.iloc[row], name, read[name].iloc[row]))
        columns[name] = numbers
    if "source" in read:
        columns["source"] = read["source"].astype("str")
    return pd.DataFrame(columns), findings


def _unreadable(path: Path, symbol: str, day: pd.Timestamp, column: str, text: object) -> Finding:
    message = f"{symbol} {day:%Y-%m-%d}: {str(text)[:40]!r} in column {column} of {path.name} is not a number"
    return Finding(symbol, day.date(), "unreadable_number", Severity.ERROR, None, message, path.stem)


def _with_time_of_day(written: pd.Series, day: pd.Series, symbol: pd.Series) -> pd.Series:
    """Instants where the file holds intraday bars, else the dates."""
    rows_per_day = pd.DataFrame({"symbol": symbol, "day": day}).value_counts()
    if rows_per_day.median() < INTRADAY_ROWS:
        return day
    if pd.api.types.is_datetime64_any_dtype(written.dtype):
        instants = written.dt.tz_localize(None) if isinstance(written.dtype, pd.DatetimeTZDtype) else written
    else:
        clock = written.astype("str").str.slice(0, 19).str.replace("T", " ")
        instants = pd.to_datetime(clock, format="%Y-%m-%d %H:%M:%S", errors="coerce").fillna(day)
    return instants.astype("datetime64[us]")


def _captures(path: Path, rows: pd.DataFrame, where: Mapping[str, str]) -> dict[str, pd.DataFrame]:
    """Split a file by its ``source`` column when that keeps the same bar of two captures apart."""
    plain = rows.drop(columns="source", errors="ignore")
    several = "source" in rows and rows["source"].nunique() > 1
    if several and plain.duplicated(["symbol", "date"]).any():
        return {
            f"{path.stem}/{capture}": piece.drop(columns="source")
            for capture, piece in rows.groupby("source", sort=False)
        }
    suffix = f"/{where['source']}" if "source" in where else ""
    return {f"{path.stem}{suffix}": plain}


def _dataset(
    name: str, rows: pd.DataFrame, universe: Universe, own_level: bool, adjustment: str | None
) -> PriceDataset:
    ordered = rows.sort_values(["symbol", "date"], kind="stable", ignore_index=True)
    ordered = ordered.rename(columns={"capital_gains": "capital_gain"})
    # A capture of closes alone is judged by its closes.
    lone = ordered[list(PRICES[:3])].isna().all(axis=None)
    usable = ordered.assign(**dict.fromkeys(PRICES[:3], ordered["close"])) if lone else ordered
    usable = usable.assign(adjustment=pd.Series(adjustment, index=usable.index, dtype="str"))
    bars = Bars(stamp_bars(with_corporate_actions(usable), universe, name).frame)
    return PriceDataset(name, bars, ordered, own_level)
