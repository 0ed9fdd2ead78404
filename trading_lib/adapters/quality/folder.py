"""A data folder as validation sees it: every file, in the role its manifest gives it or the one its columns show.

Folder semantics are `FileSource`'s: with a ``dataset.yaml`` its price files are traded on and its cross-checks
compared; without one every fitting file is a price file. Files that the manifest leaves out are judged as well, last.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import date
from pathlib import Path

import pandas as pd

from trading_lib.adapters.quality.price_tables import is_price_table, read_price_table
from trading_lib.adapters.sources.dataset_manifest import DatasetManifest, read_manifest
from trading_lib.adapters.sources.table_files import column_names, parse_dates, parse_numbers, read_columns, table_files
from trading_lib.domain.errors import DataFileError
from trading_lib.domain.instruments import Universe
from trading_lib.validation.observations import funding_findings, macro_findings, news_findings
from trading_lib.validation.quality import PriceDataset
from trading_lib.validation.report import Finding, Severity

MACRO_COLUMNS = ("series", "date", "value")
FUNDING_COLUMNS = ("exchange", "symbol", "funding_time_utc", "funding_rate")
NEWS_COLUMNS = ("date_raw", "headline")
PRICE_ROLES = ("prices", "cross_check")


@dataclass(slots=True)
class FolderContent:
    """What a folder holds.

    Attributes
    ----------
    prices
        Price data sets: the ones traded on, then cross-checks, then files nobody listed.
    macro
        Data set name -> frame with the columns series, date and value.
    findings
        What reading alone found, and everything about files that are no prices.
    """

    prices: list[PriceDataset] = field(default_factory=list)
    macro: dict[str, pd.DataFrame] = field(default_factory=dict)
    findings: list[Finding] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


def read_folder(folder: Path, universe: Universe, today: date) -> FolderContent:
    """Read everything that can be judged.

    Raises
    ------
    DataFileError
        The folder does not exist, its manifest is broken, a listed file cannot be read, or nothing in it can be judged.
    """
    if not folder.is_dir():
        raise DataFileError(f"data folder {folder} does not exist", "give a folder with CSV or Parquet files")
    manifest = read_manifest(folder)
    content = FolderContent()
    taken = _listed_prices(manifest, universe, content) if manifest else set()
    for path in table_files(folder):
        try:
            _judge_file(path, universe, today, content, taken, listed=manifest is not None)
        except DataFileError as error:
            if manifest is None or any(entry.path == path for entry in manifest.entries):
                raise
            content.notes.append(f"{path.name}: not judged, {error.problem}")
    if manifest is None:
        content.findings += _overlaps(content.prices)
    if not (content.prices or content.macro):
        reason = "; ".join(content.notes) or "no CSV or Parquet file at all"
        raise DataFileError(
            f"data folder {folder} has nothing to validate ({reason})",
            "add a file with symbol, date, open, high, low, close, volume",
        )
    return content


def _listed_prices(manifest: DatasetManifest, universe: Universe, content: FolderContent) -> set[str]:
    names: set[str] = set()
    for role in PRICE_ROLES:
        for entry in manifest.role(role):
            table = read_price_table(entry.path, universe, entry.where, entry.adjustment)
            content.prices += [replace(dataset, traded=role == "prices") for dataset in table.datasets]
            content.findings += table.findings
            names |= {dataset.name for dataset in table.datasets} | ({entry.path.stem} if not entry.where else set())
    return names


def _judge_file(
    path: Path, universe: Universe, today: date, content: FolderContent, taken: set[str], *, listed: bool
) -> None:
    names = column_names(path)
    if is_price_table(path):
        if path.stem in taken:
            return
        table = read_price_table(path, universe)
        further = [dataset for dataset in table.datasets if dataset.name not in taken]
        content.prices += [replace(dataset, traded=not listed) for dataset in further]
        content.findings += table.findings
        if listed and further:
            content.notes.append(f"{', '.join(d.name for d in further)}: not listed in the manifest, judged as well")
        return
    for columns, judge in _OTHER_KINDS.items():
        if all(column in names for column in columns):
            judge(path, today, content)
            return
    content.notes.append(f"{path.name}: not judged, neither prices nor macro, funding or dated headlines")


def _macro(path: Path, _today: date, content: FolderContent) -> None:
    read = read_columns(path, (*MACRO_COLUMNS, "source"), {})
    rows = pd.DataFrame(
        {
            "series": read["series"].astype("str").str.strip(),
            "date": parse_dates(path, read["date"]),
            "value": parse_numbers(path, read["value"], (".",)),
        }
    )
    captures: Mapping[str, pd.DataFrame] = {path.stem: rows}
    if "source" in read:
        captures = {f"{path.stem}/{name}": piece for name, piece in rows.groupby(read["source"].astype("str"))}
    for name, piece in captures.items():
        content.macro[name] = piece
        content.findings += macro_findings(piece, name)


def _funding(path: Path, _today: date, content: FolderContent) -> None:
    read = read_columns(path, FUNDING_COLUMNS, {})
    times = pd.to_datetime(read["funding_time_utc"], errors="coerce", utc=True).dt.tz_localize(None)
    rates = parse_numbers(path, read["funding_rate"])
    rows = pd.DataFrame({"exchange": read["exchange"], "symbol": read["symbol"], "time": times, "rate": rates})
    content.findings += funding_findings(rows.dropna(subset="time"), path.stem)
    content.notes.append(f"{path.name}: {len(rows)} funding settlements judged")


def _news(path: Path, today: date, content: FolderContent) -> None:
    content.findings += news_findings(read_columns(path, NEWS_COLUMNS, {})["date_raw"], path.stem, today)
    content.notes.append(f"{path.name}: dates of headlines judged")


_OTHER_KINDS: dict[tuple[str, ...], Callable[[Path, date, FolderContent], None]] = {
    MACRO_COLUMNS: _macro,
    FUNDING_COLUMNS: _funding,
    NEWS_COLUMNS: _news,
}


def _overlaps(datasets: list[PriceDataset]) -> list[Finding]:
    """Without a manifest nothing says which of two files is traded on: the same bar in both is an error."""
    found = []
    seen: dict[str, tuple[str, pd.Index]] = {}
    for dataset in datasets:
        for symbol, rows in dataset.stated.groupby("symbol", sort=True):
            days = pd.Index(rows["date"].to_numpy())
            name, known = seen.get(str(symbol), ("", pd.Index([])))
            both = days.intersection(known)
            if len(both):
                session = pd.Timestamp(both.min()).date()
                words = f"{len(both)} bars from here on are in both {name} and {dataset.name}"
                message = f"{symbol} {session}: {words}; list the files to use in dataset.yaml"
                severity, value = Severity.ERROR, float(len(both))
                found.append(Finding(str(symbol), session, "bar_in_two_files", severity, value, message, dataset.name))
            else:
                seen[str(symbol)] = (dataset.name, days.union(known))
    return found
