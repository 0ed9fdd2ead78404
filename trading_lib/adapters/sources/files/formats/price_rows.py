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

from trading_lib.adapters.sources.files.formats.columns import LOOSE, PRICES, key, telling, unused
from trading_lib.adapters.sources.files.formats.layout import SUFFIXES, TableLayout, stem_of, table_layout
from trading_lib.adapters.sources.files.formats.price_cells import (
    NUMBERS,
    BadNumber,
    days_of,
    decimal_mark_of,
    numbers_of,
    require_daily,
    without_extras,
)
from trading_lib.adapters.sources.files.formats.symbols import NamedSymbol, SymbolNames
from trading_lib.adapters.sources.files.formats.vendors import YFINANCE_DOWNLOAD, Vendor, is_statement, vendor_of
from trading_lib.adapters.sources.files.tables import read_columns
from trading_lib.domain.errors import DataFileError
from trading_lib.domain.market.instruments import TradingCalendar, Universe
from trading_lib.domain.market.prices import VOLATILITY_INDEX

REQUIRED = ("date", *PRICES)
CHECKED = ("symbol", "date", "source", "per", "clock", "currency")


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
    """Return why ``path`` is no price file, by its name and columns alone; None when it is one."""
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
    read, notes = without_extras(layout, read)
    if read.empty:
        raise DataFileError(f"{path} has a header and no rows", "add rows, or remove it")
    symbols, quoted = _symbols(path, universe, read, lenient=lenient)
    require_daily(path, read)
    in_universe = symbols.isin([*universe.symbols, VOLATILITY_INDEX])
    days = days_of(path, read["date"], symbols, in_universe, universe)
    columns: dict[str, pd.Series] = {"symbol": symbols, "date": pd.Series(days, index=read.index)}
    bad: list[BadNumber] = []
    mark = decimal_mark_of(path, read)
    for name in NUMBERS:
        if name in read:
            columns[name] = numbers_of(path, name, read[name], mark, columns, bad if lenient else None)
        else:
            columns[name] = pd.Series(np.nan, index=read.index)
    if "source" in read:
        columns["source"] = read["source"].astype("str")
    foreign = tuple(sorted(symbols[~in_universe].unique()))
    vendor = YFINANCE_DOWNLOAD if layout.wide else vendor_of(layout.written)
    notes += _column_notes(path, layout, vendor, quoted)
    name = vendor.name if vendor else ""
    return PriceRows(path, pd.DataFrame(columns), foreign, frozenset(layout.columns), name, tuple(notes), tuple(bad))


def without_income(read: PriceRows, universe: Universe) -> tuple[str, ...]:
    """Symbols that may pay dividends and of which the file states none, neither as cash nor as an adjusted close."""
    if {"dividend", "adj_close"} & read.stated:
        return ()
    pays = {i.symbol for i in universe if i.calendar is not TradingCalendar.ALWAYS}
    return tuple(sorted(set(read.rows["symbol"].unique()) & pays))


def lacking_dividends(read: PriceRows, universe: Universe) -> str:
    """Say that a vendor's file leaves out the dividends of what may pay some; "" when it does not.

    A table that is nobody's in particular is taken at its word.
    """
    lacking = without_income(read, universe)
    if not read.vendor or not lacking:
        return ""
    return f"is {read.vendor}'s, which states no dividends, and {', '.join(lacking[:5])} may pay some"


def _symbols(path: Path, universe: Universe, read: pd.DataFrame, *, lenient: bool) -> tuple[pd.Series, dict[str, str]]:
    """Symbol of each row, and the pairs whose quote currency is not the symbol's own."""
    names = SymbolNames(universe)
    stem = stem_of(path)
    if "symbol" in read.columns and _says_no_symbol(path, names, read["symbol"]):
        read = read.drop(columns="symbol")
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
    codes, unique = pd.factorize(written)
    cells = [str(cell) for cell in unique]
    meant = [names.of_cell(cell) for cell in cells]
    symbols = [entry.symbol if entry else cell.strip() for cell, entry in zip(cells, meant, strict=True)]
    quoted = {entry.quoted: entry.symbol for entry in meant if entry and entry.quoted}
    of_file = names.of_cell(stem)
    if of_file is not None and of_file.symbol not in symbols:
        raise DataFileError(
            f"{path} is named after {of_file.symbol}, and its rows are of {', '.join(symbols[:3])}",
            "rename or correct it",
        )
    if symbols == cells:
        return written, quoted
    return pd.Series(np.array(symbols, dtype=object)[codes], index=read.index, dtype="str"), quoted


def _says_no_symbol(path: Path, names: SymbolNames, cells: pd.Series) -> bool:
    """Whether a column such as "name" holds something else, while the file's name says whose prices these are."""
    layout = table_layout(path)
    loose = key(layout.written[layout.columns["symbol"]]) in LOOSE
    return (
        loose
        and names.of_file(stem_of(path)) is not None
        and not any(names.of_cell(str(cell)) for cell in cells.dropna().unique())
    )


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
