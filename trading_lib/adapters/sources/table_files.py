"""Reading one CSV or Parquet file: columns by name, rows by filter, dates and numbers checked.

Output frames keep the file's row positions as their index, so that an error can name the line.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute
import pyarrow.parquet

from trading_lib.domain.errors import DataFileError

SUFFIXES = (".csv", ".parquet")
ALIASES = {"adjclose": "adj_close", "dividends": "dividend", "stock_splits": "split", "splits": "split"}
# A zone or a time of day behind the date does not change which exchange date is meant.
DATE_PATTERN = re.compile(r"\d{4}-\d{2}-\d{2}(?:[T ].*)?")


def table_files(folder: Path) -> tuple[Path, ...]:
    """CSV and Parquet files of a folder in the order of their names; hidden files are left out."""
    return tuple(
        path
        for path in sorted(folder.iterdir())
        if path.suffix.lower() in SUFFIXES and path.is_file() and not path.name.startswith(".")
    )


def column_names(path: Path) -> dict[str, str]:
    """Canonical column name -> the name in the file ("Adj Close" is ``adj_close``)."""
    if _is_csv(path):
        with _readable(path):
            written = [str(name) for name in pd.read_csv(path, nrows=0).columns]
    else:
        with _readable(path):
            written = list(pa.parquet.read_schema(path).names)
    names: dict[str, str] = {}
    for name in written:
        canonical = name.strip().lower().replace(" ", "_")
        canonical = ALIASES.get(canonical, canonical)
        if canonical in names:
            raise DataFileError(f"{path} has two columns for {canonical}", f"remove {names[canonical]!r} or {name!r}")
        names[canonical] = name
    return names


def read_columns(path: Path, wanted: Sequence[str], where: Mapping[str, str], *, as_text: bool = False) -> pd.DataFrame:
    """Read the ``wanted`` columns that exist, canonically named, of the rows that satisfy ``where``.

    Parameters
    ----------
    as_text
        Whether every cell is text, so that a code such as 088691 keeps its zero.

    Raises
    ------
    DataFileError
        The file cannot be read, a ``where`` column is absent, or no row satisfies it.
    """
    names = column_names(path)
    for column in where:
        if column not in names:
            raise DataFileError(f"{path} has no column {column!r} to filter on", f"it has {', '.join(names)}")
    needed = [name for name in names if name in wanted or name in where]
    with _readable(path):
        if _is_csv(path):
            frame = _read_csv(path, names, needed, needed if as_text else ("symbol", "series"))
        else:
            frame = _read_parquet(path, names, needed)
            frame = frame.astype("str") if as_text else frame
    for column, value in where.items():
        kept = frame[column].astype("str") == value
        if not kept.any():
            present = ", ".join(sorted(frame[column].astype("str").unique())[:5])
            raise DataFileError(f"{path} has no row with {column} {value!r}", f"it has {present}")
        frame = frame[kept]
    return frame[[name for name in needed if name in wanted]]


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
        codes, texts = pd.factorize(column.astype("str"))
        fits = [text[:10] if DATE_PATTERN.fullmatch(text) else None for text in map(str, texts)]
        days = pd.to_datetime(pd.Series(fits, dtype="object"), format="%Y-%m-%d", errors="coerce")
        values = days.to_numpy().astype("datetime64[us]")
        parsed = pd.Series(np.where(codes >= 0, values[codes], np.datetime64("NaT")), index=column.index)
    bad = parsed.isna()
    if bad.any():
        row = int(np.flatnonzero(bad)[0])
        raise DataFileError(
            f"{path} {_line(path, column.index[row])}: {column.iloc[row]!r} is not a date", "write dates as YYYY-MM-DD"
        )
    dates: pd.Series = parsed.astype("datetime64[us]")
    return dates


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
            f"{path} {_line(path, column.index[row])}: {column.iloc[row]!r} is not a time",
            "write times as YYYY-MM-DDTHH:MM:SSZ",
        )
    instants: pd.Series = parsed.dt.tz_convert("UTC").astype("datetime64[us, UTC]")
    return instants


def parse_numbers(path: Path, column: pd.Series, missing: Sequence[str] = ()) -> pd.Series:
    """Numbers as float64, empty cells and ``missing`` texts as NaN; other text raises `DataFileError` with its line."""
    if pd.api.types.is_numeric_dtype(column.dtype):
        return column.astype("float64")
    known = column.where(~column.isin(missing)) if missing else column
    parsed = pd.to_numeric(known, errors="coerce").astype("float64")
    bad = parsed.isna() & known.notna() & (known.astype("str").str.strip().str.lower() != "nan")
    if bad.any():
        row = int(np.flatnonzero(bad)[0])
        raise DataFileError(
            f"{path} {_line(path, column.index[row])}: {column.iloc[row]!r} in column {column.name} is not a number",
            "write plain decimal numbers, or nothing where there is none",
        )
    return parsed


def _without_zone(path: Path, column: pd.Series, row: int) -> DataFileError:
    return DataFileError(
        f"{path} {_line(path, column.index[row])}: {column.iloc[row]!r} in column {column.name} has no time zone",
        f"write it with one, or name the column {column.name}_utc if it is UTC",
    )


def _line(path: Path, row: int) -> str:
    return f"line {row + 2}" if _is_csv(path) else f"row {row + 1}"


def _is_csv(path: Path) -> bool:
    return path.suffix.lower() == ".csv"


def _read_csv(path: Path, names: Mapping[str, str], needed: Sequence[str], as_text: Sequence[str]) -> pd.DataFrame:
    written = {names[name]: name for name in needed}
    texts = {names[name]: "str" for name in as_text if name in needed}
    # Blank lines stay in, so that row positions are line numbers; they are dropped once those are fixed.
    frame = pd.read_csv(
        path,
        usecols=list(written),
        dtype=texts,
        skip_blank_lines=False,
        low_memory=False,
    )
    return frame.rename(columns=written)[list(needed)].dropna(how="all")


def _read_parquet(path: Path, names: Mapping[str, str], needed: Sequence[str]) -> pd.DataFrame:
    table = pa.parquet.read_table(path, columns=[names[name] for name in needed], use_pandas_metadata=False)
    columns = {}
    for name in needed:
        values = table.column(names[name])
        if pa.types.is_date(values.type):
            values = pa.compute.cast(values, pa.timestamp("us"))
        elif pa.types.is_decimal(values.type):
            values = pa.compute.cast(values, pa.float64())
        elif pa.types.is_dictionary(values.type):
            values = pa.compute.cast(values, values.type.value_type)
        columns[name] = values.to_pandas()
    return pd.DataFrame(columns)


@contextmanager
def _readable(path: Path) -> Iterator[None]:
    """Turn whatever a broken file makes a reader raise into one line that names the file."""
    try:
        yield
    except (OSError, ValueError, pa.ArrowException) as error:
        detail = " ".join(str(error).split())[:200]
        raise DataFileError(f"{path} cannot be read ({detail})", "replace it with a valid file") from error
