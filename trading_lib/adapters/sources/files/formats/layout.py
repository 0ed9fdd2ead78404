"""Which files of a folder are tables, and the columns of one. Input: folder or path. Output: paths, `TableLayout`."""

from __future__ import annotations

import zlib
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet

from trading_lib.adapters.sources.files.formats.columns import meanings
from trading_lib.adapters.sources.files.formats.text import TextLayout, layout_of, read_head
from trading_lib.domain.errors import DataFileError

SUFFIXES = (".csv", ".parquet")
# Vendors also deliver prices under these; nothing else is looked for in them.
PRICE_SUFFIXES = (*SUFFIXES, ".txt", ".tsv", ".csv.gz")


@dataclass(frozen=True, slots=True)
class TableLayout:
    """Columns of a file.

    Attributes
    ----------
    written
        Names in the file, in its order.
    columns
        Canonical name -> position.
    text
        Where the cells are, None for Parquet.
    """

    path: Path
    written: tuple[str, ...]
    columns: Mapping[str, int]
    text: TextLayout | None

    @property
    def wide(self) -> bool:
        """Whether several symbols stand side by side."""
        return self.text is not None and self.text.wide


def table_files(folder: Path) -> tuple[Path, ...]:
    """CSV and Parquet files of a folder in the order of their names; hidden files are left out."""
    return _files(folder, SUFFIXES)


def price_candidates(folder: Path) -> tuple[Path, ...]:
    """`table_files` and the other files that may hold a table of prices."""
    return _files(folder, PRICE_SUFFIXES)


def stem_of(path: Path) -> str:
    """Name of a file without its suffixes ("SPY" of SPY.csv.gz)."""
    name = path.name
    for suffix in PRICE_SUFFIXES:
        if name.lower().endswith(suffix):
            return name[: -len(suffix)]
    return path.stem


def is_parquet(path: Path) -> bool:
    """Whether a file is Parquet by its name; every other table is text."""
    return path.suffix.lower() == ".parquet"


def table_layout(path: Path) -> TableLayout:
    """Columns of ``path``, found once per version of the file.

    Raises
    ------
    DataFileError
        The file cannot be read, is no table, or has two columns for one meaning.
    """
    with readable(path):
        state = path.stat()
    return _layout(path, state.st_mtime_ns, state.st_size)


@lru_cache(maxsize=1024)
def _layout(path: Path, _changed: int, _size: int) -> TableLayout:
    if is_parquet(path):
        with readable(path):
            written = tuple(pa.parquet.read_schema(path).names)
        return TableLayout(path, written, meanings(path, written), None)
    with readable(path):
        text = layout_of(read_head(path))
    if text.wide:
        fields = tuple(dict.fromkeys(text.names))
        columns = {**meanings(path, fields), "symbol": len(fields)}
        return TableLayout(path, (*fields, "Ticker"), columns, text)
    written = _distinct(text.names)
    return TableLayout(path, written, meanings(path, text.names), text)


def line_of(path: Path, row: int) -> str:
    """Where an editor shows row ``row`` of a file, e.g. "line 3"."""
    text = None if is_parquet(path) else table_layout(path).text
    return f"row {row + 1}" if text is None else f"line {row + text.first_line + 1}"


def _files(folder: Path, suffixes: Sequence[str]) -> tuple[Path, ...]:
    with readable(folder):
        return tuple(
            path
            for path in sorted(folder.iterdir())
            if path.name.lower().endswith(tuple(suffixes)) and path.is_file() and not path.name.startswith(".")
        )


def _distinct(names: Sequence[str]) -> tuple[str, ...]:
    seen: dict[str, int] = {}
    result = []
    for name in names:
        seen[name] = seen.get(name, 0) + 1
        result.append(name if seen[name] == 1 else f"{name}.{seen[name] - 1}")
    return tuple(result)


@contextmanager
def readable(path: Path) -> Iterator[None]:
    """Turn whatever a broken file makes a reader raise into one line that names the file."""
    try:
        yield
    except (OSError, ValueError, EOFError, zlib.error, pa.ArrowException) as error:
        detail = " ".join(str(error).split())[:200]
        raise DataFileError(f"{path} cannot be read ({detail})", "replace it with a valid file") from error
