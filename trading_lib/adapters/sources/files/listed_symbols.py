"""Which symbols the price files of a folder are about, whatever the universe is."""

from __future__ import annotations

from pathlib import Path

from trading_lib.adapters.sources.files.folder_lists import require_folder
from trading_lib.adapters.sources.files.formats.layout import price_candidates, stem_of
from trading_lib.adapters.sources.files.formats.symbols import INDEX_NAMES
from trading_lib.adapters.sources.files.tables import column_names, read_columns


def listed_symbols(folder: Path) -> tuple[str, ...]:
    """Distinct symbols without ^VIX, ascending: those of a file's column ``symbol``, or its name where it has none.

    Raises
    ------
    DataFileError
        When the folder is missing or a file cannot be read.
    """
    require_folder(folder)
    found: set[str] = set()
    for path in price_candidates(folder):
        names = column_names(path)
        if "close" not in names:
            continue
        if "symbol" in names:
            cells = read_columns(path, ("symbol",), {})["symbol"].dropna()
            found.update(str(name).strip() for name in cells.unique())
        else:
            found.add(stem_of(path).upper())
    return tuple(sorted(found - INDEX_NAMES))
