"""Files of a folder that are not price files. Input: folder or path. Output: notes, or a refusal."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from pathlib import Path

from trading_lib.adapters.sources.files.formats.fred import fred_series
from trading_lib.adapters.sources.files.formats.layout import PRICE_SUFFIXES, SUFFIXES, stem_of
from trading_lib.adapters.sources.files.formats.price_rows import Misfit
from trading_lib.adapters.sources.files.formats.symbols import SymbolNames
from trading_lib.adapters.sources.files.macro import is_macro_file
from trading_lib.adapters.sources.files.positioning import is_cot_file, is_funding_file
from trading_lib.domain.errors import DataFileError
from trading_lib.domain.market.instruments import Universe

# Forms in which prices are also delivered, and that are not read here.
OTHER_FORMS = (
    ".json", ".jsonl", ".xlsx", ".xls", ".ods", ".feather", ".arrow", ".orc", ".pkl", ".h5", ".hdf5", ".xml", ".zip",
    ".gz", ".bz2", ".xz", ".zst", ".dat", ".prn", ".html", ".parq", ".pq",
)  # fmt: skip


def roles_of(path: Path) -> str:
    """Say what a file that holds no bars is used for, "" when for nothing."""
    if not path.name.lower().endswith(SUFFIXES):
        return ""
    series = fred_series(path)
    if series:
        return f"macro series of FRED taken: {', '.join(series)}"
    if is_macro_file(path):
        return "macro series taken"
    if is_funding_file(path):
        return "funding rates taken"
    return "reports of trader positions taken" if is_cot_file(path) else ""


def refused_for_symbols(misfits: Sequence[Misfit], present: Collection[str]) -> None:
    """Raise for a file that should have been a symbol's prices.

    Raises
    ------
    DataFileError
        A file named after a symbol was not taken, or one whose name mentions a symbol that has no prices otherwise.
    """
    for misfit in misfits:
        if belongs_to_nobody(misfit, present):
            raise DataFileError(
                f"{misfit.path} is named after {misfit.symbol} and cannot be used: it {misfit.reason}",
                "correct it, or list the files to use in dataset.yaml",
            )


def belongs_to_nobody(misfit: Misfit, present: Collection[str]) -> bool:
    """Whether leaving a file out would leave a symbol's prices out."""
    return misfit.symbol is not None and (misfit.exact or misfit.symbol not in present) and not roles_of(misfit.path)


def unread_files(folder: Path) -> tuple[tuple[Path, str], ...]:
    """Files and folders that may be meant as prices and are not looked into, with the reason."""
    unread = []
    for path in sorted(folder.iterdir()):
        name = path.name.lower()
        if name.startswith("."):
            continue
        table = name.endswith(PRICE_SUFFIXES)
        if path.is_dir():
            unread.append((path, "it is a folder"))
        elif table and not path.is_file():
            unread.append((path, "it is a link to nothing"))
        elif not table and name.endswith(OTHER_FORMS):
            unread.append((path, f"{path.suffix} is not CSV, TXT, TSV or Parquet"))
    return tuple(unread)


def folder_notes(folder: Path, universe: Universe, present: Collection[str]) -> tuple[str, ...]:
    """Note `unread_files`.

    Raises
    ------
    DataFileError
        One of them is named after a symbol that has no prices otherwise.
    """
    names = SymbolNames(universe)
    notes = []
    for path, reason in unread_files(folder):
        named = names.of_cell(stem_of(path)) or names.of_cell(path.name.split(".")[0])
        if named is not None and named.symbol not in present:
            raise DataFileError(
                f"{path} is named after {named.symbol} and cannot be read: {reason}",
                "convert it, or list the files to use in dataset.yaml",
            )
        notes.append(f"{path.name}: not read, {reason}")
    return tuple(notes)
