"""One price file -> checked rows. Input: path, universe, filter. Output: `PriceFile`, or what the file lacks."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from trading_lib.adapters.sources.table_files import column_names, parse_dates, parse_numbers, read_columns
from trading_lib.domain.errors import DataFileError
from trading_lib.domain.instruments import Universe
from trading_lib.domain.prices import VOLATILITY_INDEX

REQUIRED = ("date", "open", "high", "low", "close")
OPTIONAL = ("adj_close", "volume", "dividend", "split")


@dataclass(frozen=True, slots=True)
class PriceFile:
    """The rows of one file that belong to the universe or to ^VIX.

    Attributes
    ----------
    rows
        symbol, date, the prices, adj_close, volume, dividend, split and adjustment; NaN or None where not stated.
    foreign_symbols
        Symbols in the file that are not in the universe; their rows are left out.
    """

    path: Path
    rows: pd.DataFrame
    foreign_symbols: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Misfit:
    """A file that cannot serve as a price file, and why."""

    path: Path
    reason: str


def read_price_file(
    path: Path, universe: Universe, where: Mapping[str, str] | None = None, adjustment: str | None = None
) -> PriceFile | Misfit:
    """Read ``path``; a file that is no price file is a `Misfit`, one with unusable cells a `DataFileError`."""
    names = column_names(path)
    lacking = [name for name in REQUIRED if name not in names]
    if lacking:
        return Misfit(path, f"lacks {', '.join(lacking)}")
    known = {*universe.symbols, VOLATILITY_INDEX}
    if "symbol" not in names and path.stem not in known:
        return Misfit(path, f"lacks symbol, and its name {path.stem!r} is no symbol of the universe")
    read = read_columns(path, ("symbol", *REQUIRED, *OPTIONAL), where or {})
    symbols = _symbols(path, read)
    belongs = symbols.isin(known)
    foreign = tuple(sorted(symbols[~belongs].unique()))
    read, symbols = read[belongs], symbols[belongs]
    if "volume" not in names and (symbols != VOLATILITY_INDEX).any():
        return Misfit(path, "lacks volume")
    columns = {"symbol": symbols, "date": parse_dates(path, read["date"])}
    for name in (*REQUIRED[1:], *OPTIONAL):
        columns[name] = parse_numbers(path, read[name]) if name in read.columns else pd.Series(np.nan, index=read.index)
    rows = pd.DataFrame(columns)
    rows["adjustment"] = pd.Series(adjustment, index=rows.index, dtype="str")
    _require_unique(path, rows)
    return PriceFile(path, rows, foreign)


def _symbols(path: Path, read: pd.DataFrame) -> pd.Series:
    if "symbol" not in read.columns:
        return pd.Series(path.stem, index=read.index, dtype="str")
    absent = read["symbol"].isna()
    if absent.any():
        row = int(np.flatnonzero(absent)[0])
        raise DataFileError(f"{path}: row {row + 1} has no symbol", "name the symbol in every row")
    return read["symbol"].astype("str").str.strip()


def _require_unique(path: Path, rows: pd.DataFrame) -> None:
    repeated = rows.duplicated(["symbol", "date"])
    if repeated.any():
        row = rows[repeated].iloc[0]
        raise DataFileError(
            f"{path} has more than one row for {row['symbol']} on {row['date']:%Y-%m-%d}", "keep one of them"
        )
