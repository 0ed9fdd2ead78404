"""One table of prices -> typed rows. Input: path, universe, filter. Output: `PriceRows`, or what the file lacks.

Trading and validation both read files here, so they take the same files in the same way. Trading stops at the first
cell that cannot be used; validation asks for a list of them instead.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pandas as pd

from trading_lib.adapters.sources.file_formats import numbers
from trading_lib.adapters.sources.file_formats.columns import telling, unused
from trading_lib.adapters.sources.file_formats.days import Refusal, own_days
from trading_lib.adapters.sources.file_formats.stamps import Stamps, read_stamps, style_of
from trading_lib.adapters.sources.file_formats.symbols import NamedSymbol, SymbolNames
from trading_lib.adapters.sources.file_formats.vendors import YFINANCE_DOWNLOAD, Vendor, is_statement, vendor_of
from trading_lib.adapters.sources.table_files import (
    SUFFIXES,
    TableLayout,
    line_of,
    read_columns,
    stem_of,
    table_layout,
)
from trading_lib.domain.errors import DataFileError
from trading_lib.domain.instruments import TradingCalendar, Universe
from trading_lib.domain.prices import VOLATILITY_INDEX, DateArray

PRICES = ("open", "high", "low", "close")
REQUIRED = ("date", *PRICES)
NUMBERS = (*PRICES, "adj_close", "volume", "dividend", "split", "capital_gains")
CHECKED = ("symbol", "date", "source", "per", "clock", "currency")
DAILY = frozenset({"D", "1D", "DAY", "DAILY", "1440"})
# Below the last row vendors write totals, or when and where the file was made.
LONGEST_TRAILER = 8


@dataclass(frozen=True, slots=True)
class Misfit:
    """A file that cannot serve as a price file, and why.

    Attributes
    ----------
    symbol
        Of the universe, where the file's name says that its prices would have been this one's.
    exact
        Whether the name is that symbol and nothing else.
    """

    path: Path
    reason: str
    symbol: str | None = None
    exact: bool = False


@dataclass(frozen=True, slots=True)
class BadNumber:
    """A cell that is no number."""

    row: int
    symbol: str
    day: pd.Timestamp
    column: str
    text: str


@dataclass(frozen=True, slots=True)
class PriceRows:
    """Typed rows of one file, in its order.

    Attributes
    ----------
    rows
        symbol, date, every one of `NUMBERS` (NaN where not stated) and ``source`` where the file has it; the index
        is the position in the file.
    foreign
        Symbols outside the universe.
    stated
        Canonical names of the columns that the file has.
    vendor
        Whose layout it is, "" when nobody's in particular.
    bad
        Cells that are no numbers; NaN in ``rows``.
    """

    path: Path
    rows: pd.DataFrame
    foreign: tuple[str, ...]
    stated: frozenset[str]
    vendor: str = ""
    notes: tuple[str, ...] = ()
    bad: tuple[BadNumber, ...] = field(default=())


def misfit(path: Path, universe: Universe, needed: Sequence[str] = (*REQUIRED, "volume")) -> Misfit | None:
    """Tell what keeps ``path`` from being a price file, told by its name and columns alone; None when nothing does."""
    stem = stem_of(path)
    try:
        layout = table_layout(path)
    except DataFileError as error:
        # A text file may be anything; only what claims to be a table has to be one.
        if path.suffix.lower() in SUFFIXES:
            raise
        return not_taken(path, universe, error.problem.removeprefix(f"{path} "))
    named = SymbolNames(universe).of_file(stem)

    def refused(reason: str) -> Misfit:
        return not_taken(path, universe, reason)

    if is_statement(layout.written):
        return refused(
            "is an account statement of Interactive Brokers, which has trades and positions but no daily bars"
        )
    lacking = [name for name in needed if name != "volume" and name not in layout.columns]
    if "close" in lacking and "adj_close" in layout.columns:
        written = layout.written[layout.columns["adj_close"]]
        return refused(f"has adjusted prices only ({written}) and no close: orders fill at prices as they were traded")
    if lacking:
        return refused(f"lacks {', '.join(lacking)}")
    if "symbol" not in layout.columns and named is None:
        return refused(f"lacks symbol, and its name {stem!r} is no symbol of the universe")
    if named is not None and named.interval and "symbol" not in layout.columns:
        return refused(f"says in its name that its bars are of {named.interval}, not of days")
    sized = "volume" in layout.columns or "volume" not in needed
    if not sized and "symbol" not in layout.columns and named is not None and named.symbol != VOLATILITY_INDEX:
        return refused("lacks volume")
    return None


def not_taken(path: Path, universe: Universe, reason: str) -> Misfit:
    """Say that ``path`` is no price file, and whose prices its name says it should have had."""
    names = SymbolNames(universe)
    exact = names.of_cell(stem_of(path))
    return Misfit(path, reason, exact.symbol if exact else names.hinted(stem_of(path)), exact is not None)


def read_price_rows(
    path: Path, universe: Universe, where: Mapping[str, str] | None = None, *, lenient: bool = False
) -> PriceRows:
    """Read the rows of a file that `misfit` has nothing against.

    Parameters
    ----------
    lenient
        Whether cells that are no numbers become NaN and are listed, and rows of no symbol or of foreign symbols with
        any time of day are kept; otherwise the first of them is a `DataFileError`.
    """
    layout = table_layout(path)
    read = read_columns(path, (*CHECKED, *NUMBERS), where or {})
    read, notes = _without_extras(layout, read)
    if read.empty:
        raise DataFileError(f"{path} has a header and no rows", "add rows, or remove it")
    symbols, quoted = _symbols(path, universe, read, lenient=lenient)
    _require_daily(path, read)
    known = symbols.isin([*universe.symbols, VOLATILITY_INDEX])
    days = _days(path, read["date"], symbols, known, universe)
    columns: dict[str, pd.Series] = {"symbol": symbols, "date": pd.Series(days, index=read.index)}
    bad: list[BadNumber] = []
    mark = _decimal_mark(path, read)
    for name in NUMBERS:
        if name in read:
            columns[name] = _numbers(path, name, read[name], mark, columns, bad if lenient else None)
        else:
            columns[name] = pd.Series(np.nan, index=read.index)
    if "source" in read:
        columns["source"] = read["source"].astype("str")
    foreign = tuple(sorted(symbols[~known].unique()))
    vendor = YFINANCE_DOWNLOAD if layout.wide else vendor_of(layout.written)
    notes += _column_notes(path, layout, vendor, quoted)
    name = vendor.name if vendor else ""
    return PriceRows(path, pd.DataFrame(columns), foreign, frozenset(layout.columns), name, tuple(notes), tuple(bad))


def lacking_dividends(read: PriceRows, universe: Universe) -> str:
    """Say that a vendor's file leaves out the dividends of what may pay some; "" when it does not.

    A table that is nobody's in particular is taken at its word.
    """
    if not read.vendor or {"dividend", "adj_close"} & read.stated:
        return ""
    pays = [i.symbol for i in universe if i.calendar is not TradingCalendar.ALWAYS]
    found = sorted(set(read.rows["symbol"]) & set(pays))
    if not found:
        return ""
    return f"is {read.vendor}'s, which states no dividends, and {', '.join(found[:5])} may pay some"


def _without_extras(layout: TableLayout, read: pd.DataFrame) -> tuple[pd.DataFrame, list[str]]:
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
    # Nothing but such lines is a broken date column, which is told where it begins.
    return count if count < len(tail) else 0


def _symbols(path: Path, universe: Universe, read: pd.DataFrame, *, lenient: bool) -> tuple[pd.Series, dict[str, str]]:
    """Symbol of each row, and the pairs whose quote currency is not the symbol's own."""
    names = SymbolNames(universe)
    stem = stem_of(path)
    if "symbol" not in read.columns:
        named = names.of_file(stem) or NamedSymbol(stem)
        quoted = {named.quoted: named.symbol} if named.quoted else {}
        return pd.Series(named.symbol, index=read.index, dtype="str"), quoted
    absent = read["symbol"].isna()
    if absent.any() and not lenient:
        row = int(np.flatnonzero(absent)[0])
        raise DataFileError(f"{path}: row {row + 1} has no symbol", "name the symbol in every row")
    written = read["symbol"].astype("str")
    written = written.where(~absent, "?") if absent.any() else written
    codes, cells = pd.factorize(written)
    cells = [str(cell) for cell in cells]
    meant = [names.of_cell(cell) for cell in cells]
    symbols = [found.symbol if found else cell.strip() for cell, found in zip(cells, meant, strict=True)]
    quoted = {found.quoted: found.symbol for found in meant if found and found.quoted}
    own = names.of_cell(stem)
    if own is not None and own.symbol not in symbols:
        raise DataFileError(
            f"{path} is named after {own.symbol}, and its rows are of {', '.join(symbols[:3])}", "rename or correct it"
        )
    if symbols == cells:
        return written, quoted
    return pd.Series(np.array(symbols, dtype=object)[codes], index=read.index, dtype="str"), quoted


def _require_daily(path: Path, read: pd.DataFrame) -> None:
    """Raise where a column says that a bar is not of a day, or not in dollars."""
    checks = {
        "per": (lambda text: text.upper() in DAILY, "is no daily bar", "give one bar per day"),
        "clock": (lambda text: not text.strip("0:. "), "is a bar of a time of day", "give one bar per day"),
        "currency": (lambda text: text.upper() in ("USD", "USDT"), "is no price in dollars", "convert the file"),
    }
    for name, (fits, what, remedy) in checks.items():
        if name not in read:
            continue
        cells = read[name].dropna().astype("str").str.strip()
        wrong = cells[~cells.map(fits)]
        if len(wrong):
            raise DataFileError(f"{path} {line_of(path, int(wrong.index[0]))}: {wrong.iloc[0]!r} {what}", remedy)


def _days(path: Path, column: pd.Series, symbols: pd.Series, known: pd.Series, universe: Universe) -> DateArray:
    stamps = read_stamps(column)
    bad = np.isnat(stamps.values)
    if bad.any():
        row = int(np.flatnonzero(bad)[0])
        raise DataFileError(
            f"{path} {line_of(path, column.index[row])}: {column.iloc[row]!r} is not a date",
            "write dates as YYYY-MM-DD, all in one way",
        )
    own = known.to_numpy(dtype=bool)
    days: DateArray = stamps.values.copy()
    if own.any():
        part = stamps
        if not own.all():
            other = None if stamps.other is None else stamps.other[own]
            part = Stamps(stamps.values[own], stamps.zoned[own], stamps.ambiguous, other)
        found = own_days(part, symbols if own.all() else symbols[own], universe)
        if isinstance(found, Refusal):
            row = int(np.flatnonzero(own)[found.row])
            raise DataFileError(
                f"{path} {line_of(path, column.index[row])}: {column.iloc[row]!r} {found.reason}", found.remedy
            )
        days[own] = found
    return days


def _decimal_mark(path: Path, read: pd.DataFrame) -> str | None:
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


def _numbers(
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
    for row in np.flatnonzero(wrong):
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


def _column_notes(path: Path, layout: TableLayout, vendor: Vendor | None, quoted: Mapping[str, str]) -> list[str]:
    notes = []
    if vendor is not None:
        notes.append(f"{path.name}: read as {vendor.name}: {vendor.says}")
    for pair, symbol in quoted.items():
        notes.append(f"{path.name}: {pair} is taken as {symbol}, though its quote currency is not the dollar")
    left = unused(layout.columns, layout.written, (*CHECKED, *NUMBERS))
    unread = telling(left)
    if unread:
        raise DataFileError(
            f"{path} has columns that may be about dividends, splits or symbols and are not understood:"
            f" {', '.join(unread)}",
            "call them dividend (cash per share), split (new shares per old), adj_close or symbol, or remove them",
        )
    if left:
        notes.append(f"{path.name}: columns not used: {', '.join(left)}")
    return notes


def repeated_rows(rows: pd.DataFrame) -> tuple[pd.DataFrame, int, pd.DataFrame]:
    """Rows without those that say again what another says.

    Returns
    -------
    The rows left, how many were dropped, and the rows of every (symbol, date) that still comes more than once: they
    differ, and nothing says which is right.
    """
    again = rows.duplicated(["symbol", "date"], keep=False)
    if not again.any():
        return rows, 0, rows.iloc[:0]
    left = rows[~rows.duplicated()]
    differing = left[left.duplicated(["symbol", "date"], keep=False)]
    return left, len(rows) - len(left), differing
