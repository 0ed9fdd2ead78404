"""Reading one table of a data folder: columns by name, rows by filter, dates and numbers checked.

Output frames keep the file's row positions as their index, so that an error can name the line.
"""

from __future__ import annotations

import re
import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute
import pyarrow.parquet

from trading_lib.adapters.sources.files.formats.columns import plain_name
from trading_lib.adapters.sources.files.formats.layout import TableLayout, line_of, readable, table_layout
from trading_lib.adapters.sources.files.formats.stamps import read_stamps
from trading_lib.adapters.sources.files.formats.text import TextLayout
from trading_lib.domain.errors import DataFileError
from trading_lib.domain.market.prices import DateArray

ALWAYS_TEXT = ("symbol", "series", "date", "clock", "per", "currency")
# A zone or a time of day behind the date does not change which exchange date is meant.
DATE_PATTERN = re.compile(r"\d{4}-\d{2}-\d{2}(?:[T ].*)?")


def column_names(path: Path) -> dict[str, str]:
    """Canonical column name -> the name in the file ("Adj Close" is ``adj_close``)."""
    layout = table_layout(path)
    return {name: layout.written[position] for name, position in layout.columns.items()}


def read_columns(
    path: Path, columns: Sequence[str], where: Mapping[str, str], *, as_text: bool = False
) -> pd.DataFrame:
    """Read the ``columns`` columns that exist, canonically named, of the rows that satisfy ``where``.

    Parameters
    ----------
    as_text
        Whether every cell is text, so that a code such as 088691 keeps its zero.

    Raises
    ------
    DataFileError
        The file cannot be read, a ``where`` column is absent, or no row satisfies it.
    """
    layout = table_layout(path)
    names = layout.columns
    where = {_canonical(layout, column): value for column, value in where.items()}
    needed = [name for name in names if name in columns or name in where]
    with readable(path):
        if layout.text is None:
            frame = _read_parquet(layout, needed)
            frame = frame.astype("str") if as_text else frame
        elif layout.wide:
            frame = _read_wide(layout, layout.text)[needed]
        else:
            frame = _read_text(layout, layout.text, needed, needed if as_text else ALWAYS_TEXT)
    for column, value in where.items():
        kept = frame[column].astype("str") == value
        if not kept.any():
            present = ", ".join(sorted(frame[column].astype("str").unique())[:5])
            raise DataFileError(f"{path} has no row with {column} {value!r}", f"it has {present}")
        frame = frame[kept]
    return frame[[name for name in needed if name in columns]]


def read_texts(path: Path, where: Mapping[str, str]) -> pd.DataFrame:
    """Every column under its own name, every cell as text ("" where empty), of the rows that satisfy ``where``."""
    names = column_names(path)
    read = read_columns(path, list(names), where, as_text=True)
    return read.rename(columns=names).fillna("")


def parse_dates(path: Path, column: pd.Series) -> pd.Series:
    """Exchange dates (datetime64[us], midnight, no zone); what is no date raises `DataFileError` with its line.

    A time zone is dropped, not converted: the written day is the exchange's day.
    """
    if isinstance(column.dtype, pd.DatetimeTZDtype):
        parsed = column.dt.tz_localize(None).dt.normalize()
    elif pd.api.types.is_datetime64_any_dtype(column.dtype):
        parsed = column.dt.normalize()
    else:
        parsed = pd.Series(_written_days(column), index=column.index)
    bad = parsed.isna()
    if bad.any():
        row = int(np.flatnonzero(bad)[0])
        raise DataFileError(
            f"{path} {line_of(path, column.index[row])}: {column.iloc[row]!r} is not a date",
            "write dates as YYYY-MM-DD",
        )
    dates: pd.Series = parsed.astype("datetime64[us]")
    return dates


def _written_days(column: pd.Series) -> DateArray:
    codes, texts = pd.factorize(column.astype("str"))
    fits = [text[:10] if DATE_PATTERN.fullmatch(text) else None for text in map(str, texts)]
    if not any(fits):
        stamps = read_stamps(column)
        usable = np.full(len(column), not stamps.ambiguous)
        return np.where(usable, stamps.values.astype("datetime64[D]").astype("datetime64[us]"), np.datetime64("NaT"))
    days = pd.to_datetime(pd.Series(fits, dtype="object"), format="%Y-%m-%d", errors="coerce")
    values = days.to_numpy().astype("datetime64[us]")
    return np.where(codes >= 0, values[codes], np.datetime64("NaT"))


def parse_instants(path: Path, column: pd.Series, *, naive_is_utc: bool) -> pd.Series:
    """Instants in UTC (datetime64[us, UTC]); what is none raises `DataFileError` with its line.

    Parameters
    ----------
    naive_is_utc
        Whether a time without a zone is UTC; otherwise it is an error, for nothing says which clock it is.
    """
    if pd.api.types.is_datetime64_any_dtype(column.dtype):
        parsed = column
    else:
        # Text; of mixed zones pandas makes no column unless told to convert.
        texts = column.astype("str").str.strip()
        naive = ~texts.str.contains(r"(?:Z|[+-]\d{2}:?\d{2})$", regex=True)
        if naive.any() and not naive_is_utc:
            raise _without_zone(path, column, int(np.flatnonzero(naive)[0]))
        parsed = pd.to_datetime(texts, format="ISO8601", errors="coerce", utc=True)
    if not isinstance(parsed.dtype, pd.DatetimeTZDtype):
        if not naive_is_utc:
            raise _without_zone(path, column, 0)
        parsed = parsed.dt.tz_localize("UTC")
    bad = parsed.isna()
    if bad.any():
        row = int(np.flatnonzero(bad)[0])
        raise DataFileError(
            f"{path} {line_of(path, column.index[row])}: {column.iloc[row]!r} is not a time",
            "write times as YYYY-MM-DDTHH:MM:SSZ",
        )
    instants: pd.Series = parsed.dt.tz_convert("UTC").astype("datetime64[us, UTC]")
    return instants


def parse_numbers(path: Path, column: pd.Series, missing: Sequence[str] = ()) -> pd.Series:
    """Numbers as float64, empty cells and ``missing`` texts as NaN; other text raises `DataFileError` with its line."""
    if pd.api.types.is_numeric_dtype(column.dtype):
        return column.astype("float64")
    present = column.where(~column.isin(missing)) if missing else column
    parsed = pd.to_numeric(present, errors="coerce").astype("float64")
    bad = parsed.isna() & present.notna() & (present.astype("str").str.strip().str.lower() != "nan")
    if bad.any():
        row = int(np.flatnonzero(bad)[0])
        raise DataFileError(
            f"{path} {line_of(path, column.index[row])}: {column.iloc[row]!r} in column {column.name} is not a number",
            "write plain decimal numbers, or nothing where there is none",
        )
    return parsed


def _without_zone(path: Path, column: pd.Series, row: int) -> DataFileError:
    return DataFileError(
        f"{path} {line_of(path, column.index[row])}: {column.iloc[row]!r} in column {column.name} has no time zone",
        f"write it with one, or name the column {column.name}_utc if it is UTC",
    )


def _canonical(layout: TableLayout, column: str) -> str:
    """Name of the column that a filter means, which may call it by its canonical name or as the file does."""
    if column in layout.columns:
        return column
    names = {plain_name(layout.written[position]): name for name, position in layout.columns.items()}
    if column not in names:
        raise DataFileError(
            f"{layout.path} has no column {column!r} to filter on", f"it has {', '.join(layout.columns)}"
        )
    return names[column]


def _read_text(layout: TableLayout, text: TextLayout, needed: Sequence[str], as_text: Sequence[str]) -> pd.DataFrame:
    positions = {layout.columns[name]: name for name in needed}
    frame = _cells(layout.path, text, [at for at, name in positions.items() if name in as_text])
    return frame.rename(columns=positions)[list(needed)].dropna(how="all")


def _cells(path: Path, text: TextLayout, as_text: Sequence[int]) -> pd.DataFrame:
    """Read every cell below the header; a line with more cells than the header has names is a `ValueError`."""
    with warnings.catch_warnings():
        warnings.simplefilter("error", pd.errors.ParserWarning)
        try:
            # Blank lines stay in, so that row positions are line numbers; they are dropped once those are fixed.
            return pd.read_csv(
                path,
                sep=text.separator,
                encoding=text.encoding,
                header=None,
                names=list(range(len(text.names))),
                index_col=False,
                skiprows=text.first_line,
                dtype=dict.fromkeys(as_text, "str"),
                skip_blank_lines=False,
                skipinitialspace=True,
                low_memory=False,
            )
        except pd.errors.ParserWarning:
            raise ValueError("a line has more cells than the header has names") from None


def _read_wide(layout: TableLayout, text: TextLayout) -> pd.DataFrame:
    """Rows of every symbol below each other; a symbol's days without any value are left out."""
    frame = _cells(layout.path, text, [0]).dropna(how="all")
    canonical = {position: name for name, position in layout.columns.items()}
    fields = list(layout.written)
    pieces = []
    for symbol in dict.fromkeys(text.symbols[1:]):
        columns = [at for at, name in enumerate(text.symbols) if name == symbol]
        piece = frame[[0, *columns]].dropna(how="all", subset=columns)
        names = {0: "date", **{at: canonical[fields.index(text.names[at])] for at in columns}}
        pieces.append(piece.rename(columns=names).assign(symbol=symbol))
    return pd.concat(pieces)


def _read_parquet(layout: TableLayout, needed: Sequence[str]) -> pd.DataFrame:
    written = {name: layout.written[layout.columns[name]] for name in needed}
    # On one thread and without pyarrow.dataset: for files of this size both cost more than they save.
    with pa.parquet.ParquetFile(layout.path) as file:
        table = file.read(columns=list(written.values()), use_threads=False)
    columns = {}
    for name in needed:
        values = table.column(written[name])
        if pa.types.is_date(values.type):
            values = pa.compute.cast(values, pa.timestamp("us"))
        elif pa.types.is_decimal(values.type):
            values = pa.compute.cast(values, pa.float64())
        elif pa.types.is_dictionary(values.type):
            values = pa.compute.cast(values, values.type.value_type)
        columns[name] = values.to_pandas()
    return pd.DataFrame(columns)
