"""Cells of a table of prices: rows that are none, days, numbers. Input: columns as read. Output: typed columns.

Every cell that cannot be used is named with its line, or listed where the caller wants them all.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from trading_lib.adapters.sources.files.formats import numbers
from trading_lib.adapters.sources.files.formats.columns import PRICES
from trading_lib.adapters.sources.files.formats.days import Refusal, own_days
from trading_lib.adapters.sources.files.formats.layout import TableLayout, line_of
from trading_lib.adapters.sources.files.formats.stamps import Stamps, read_stamps, style_of
from trading_lib.domain.errors import DataFileError
from trading_lib.domain.market.instruments import Universe
from trading_lib.domain.market.prices import DateArray

NUMBERS = (*PRICES, "adj_close", "volume", "dividend", "split", "capital_gains")
DAILY = frozenset({"D", "1D", "DAY", "DAILY", "1440"})
# Midnight and four in the afternoon without their zeros.
CLOSING_TIMES = ("", "16")
# Below the last row vendors write totals, or when and where the file was made.
LONGEST_TRAILER = 8


@dataclass(frozen=True, slots=True)
class BadNumber:
    """A cell that is no number."""

    row: int
    symbol: str
    day: pd.Timestamp
    column: str
    text: str


def without_extras(layout: TableLayout, read: pd.DataFrame) -> tuple[pd.DataFrame, list[str]]:
    """Leave out headers that come again and lines below the last row that are no rows, and say so."""
    path, text = layout.path, layout.text
    if text is None:
        return read, []
    notes = []
    if text.skipped:
        notes.append(f"{path.name}: {text.skipped} lines above the header are no rows")
    prices = [name for name in PRICES if name in read]
    # Text in a column makes every cell of it text: where all prices are numbers, no header comes again.
    clean = all(pd.api.types.is_numeric_dtype(read[name].dtype) for name in prices)
    last = str(read["date"].iloc[-1]).strip() if len(read) else ""
    if clean and style_of([last]):
        return read, notes
    written = layout.written[layout.columns["date"]]
    again = read["date"].astype("str").str.strip().str.lower() == written.strip().lower()
    if again.any():
        lines = ", ".join(line_of(path, row) for row in read.index[again.to_numpy()][:3])
        notes.append(f"{path.name}: {int(again.sum())} headers that come again are no rows ({lines})")
        read = read[~again]
    trailing = _trailer(read)
    if trailing:
        where = line_of(path, int(read.index[len(read) - trailing]))
        notes.append(f"{path.name}: the last {trailing} lines, from {where}, are no rows")
        read = read.iloc[: len(read) - trailing]
    return read, notes


def _trailer(read: pd.DataFrame) -> int:
    """Lines at the end without a date and without any price."""
    prices = [name for name in PRICES if name in read]
    tail = read.iloc[-LONGEST_TRAILER:]
    dated = ~np.isnat(read_stamps(pd.concat([read["date"].iloc[:1], tail["date"]])).values[1:])
    priced = np.zeros(len(tail), dtype=bool)
    for name in prices:
        texts = tail[name]
        filled = ~numbers.is_missing(texts).to_numpy(dtype=bool)
        priced |= filled & np.isfinite(numbers.parse(texts, numbers.POINT))
    count = 0
    for has_date, has_price in zip(dated[::-1], priced[::-1], strict=True):
        if has_date or has_price:
            break
        count += 1
    # Nothing but such lines is a broken date column, which is reported where it begins.
    return count if count < len(tail) else 0


def require_daily(path: Path, read: pd.DataFrame) -> None:
    """Raise where a column says that a bar is not of a day, or not in dollars."""
    checks = {
        "per": (lambda text: text.upper() in DAILY, "is no daily bar", "give one bar per day"),
        "clock": (
            lambda text: text.strip("0:. ") in CLOSING_TIMES,
            "is a bar of a time of day",
            "give one bar per day",
        ),
        "currency": (lambda text: text.upper() in ("USD", "USDT"), "is no price in dollars", "convert the file"),
    }
    for name, (fits, what, remedy) in checks.items():
        if name not in read:
            continue
        cells = read[name].dropna().astype("str").str.strip()
        wrong = cells[~cells.map(fits)]
        if len(wrong):
            raise DataFileError(f"{path} {line_of(path, int(wrong.index[0]))}: {wrong.iloc[0]!r} {what}", remedy)


def days_of(path: Path, column: pd.Series, symbols: pd.Series, in_universe: pd.Series, universe: Universe) -> DateArray:
    """Day of each row in its own market, or as written for rows of symbols that are not ``in_universe``."""
    stamps = read_stamps(column)
    bad = np.isnat(stamps.values)
    if bad.any():
        row = int(np.flatnonzero(bad)[0])
        raise DataFileError(
            f"{path} {line_of(path, column.index[row])}: {column.iloc[row]!r} is not a date",
            "write dates as YYYY-MM-DD, all in one way",
        )
    usable = in_universe.to_numpy(dtype=bool)
    days: DateArray = stamps.values.copy()
    if usable.any():
        part = stamps
        if not usable.all():
            other = None if stamps.other is None else stamps.other[usable]
            part = Stamps(stamps.values[usable], stamps.zoned[usable], stamps.ambiguous, other)
        dates = own_days(part, symbols if usable.all() else symbols[usable], universe)
        if isinstance(dates, Refusal):
            row = int(np.flatnonzero(usable)[dates.row])
            raise DataFileError(
                f"{path} {line_of(path, column.index[row])}: {column.iloc[row]!r} {dates.reason}", dates.remedy
            )
        days[usable] = dates
    return days


def decimal_mark_of(path: Path, read: pd.DataFrame) -> str | None:
    """Find the decimal mark of all numbers of a file, None when nothing shows it."""
    texts: list[str] = []
    for name in NUMBERS:
        if name not in read:
            continue
        if pd.api.types.is_float_dtype(read[name].dtype):
            # A parser that knows points only has read decimals here.
            texts += ["0.1"] if (read[name].dropna() % 1 != 0).any() else []
        elif not pd.api.types.is_numeric_dtype(read[name].dtype):
            texts += [str(text) for text in read[name].dropna().unique()]
    if not texts:
        return numbers.POINT
    try:
        return numbers.decimal_mark(texts)
    except ValueError as error:
        raise DataFileError(f"{path}: {error}", "write numbers in one way, such as 1234.5") from None


def numbers_of(
    path: Path,
    name: str,
    column: pd.Series,
    mark: str | None,
    columns: Mapping[str, pd.Series],
    bad: list[BadNumber] | None,
) -> pd.Series:
    """Numbers as float64; a cell that is none raises, or goes to ``bad`` where that is given."""
    if pd.api.types.is_numeric_dtype(column.dtype):
        return column.astype("float64")
    values = numbers.parse(column, mark)
    if name == "split":
        values = np.where(np.isnan(values), [numbers.ratio(str(text)) for text in column], values)
    wrong = np.isnan(values) & ~numbers.is_missing(column).to_numpy(dtype=bool)
    for row in np.flatnonzero(wrong).tolist():
        text = str(column.iloc[row])
        if bad is None:
            unclear = mark is None and np.isfinite(numbers.parse(column.iloc[[row]], numbers.COMMA)[0])
            reason = "may be a decimal comma or a thousand" if unclear else "is not a number"
            raise DataFileError(
                f"{path} {line_of(path, column.index[row])}: {text!r} in column {name} {reason}",
                "write plain decimal numbers, or nothing where there is none",
            )
        symbol, day = str(columns["symbol"].iloc[row]), columns["date"].iloc[row]
        bad.append(BadNumber(int(column.index[row]), symbol, day, name, text))
    return pd.Series(values, index=column.index)
