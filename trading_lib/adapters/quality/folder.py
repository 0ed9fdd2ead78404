"""A data folder as validation sees it: every file, in the role its manifest gives it or the one its columns show.

Folder semantics are `FileSource`'s: with a ``dataset.yaml`` its price files are traded on and its cross-checks
compared; without one every fitting file is a price file. Files that the manifest leaves out are judged as well, last.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date
from pathlib import Path

import pandas as pd

from trading_lib.adapters.quality.price_tables import PriceTable, is_price_table, read_price_table
from trading_lib.adapters.sources.files.folder_lists import require_folder
from trading_lib.adapters.sources.files.formats.fred import VOLATILITY_SERIES, fred_series, read_fred
from trading_lib.adapters.sources.files.formats.layout import SUFFIXES, price_candidates, table_layout
from trading_lib.adapters.sources.files.formats.limits import check_size
from trading_lib.adapters.sources.files.formats.listing import roles_of, unread_files
from trading_lib.adapters.sources.files.formats.price_rows import Misfit, misfit
from trading_lib.adapters.sources.files.formats.symbols import SymbolNames
from trading_lib.adapters.sources.files.formats.vendors import is_statement
from trading_lib.adapters.sources.files.manifest import DatasetManifest, read_manifest
from trading_lib.adapters.sources.files.tables import column_names, parse_dates, parse_numbers, read_columns
from trading_lib.domain.errors import DataFileError
from trading_lib.domain.market.instruments import Universe
from trading_lib.domain.market.missing_data import MissingData
from trading_lib.domain.market.prices import VOLATILITY_INDEX
from trading_lib.market_data.config import FileLimits
from trading_lib.market_data.panel import CASH_RATE_SERIES
from trading_lib.validation.macro_checks import funding_findings, macro_findings, news_findings
from trading_lib.validation.quality import PriceDataset
from trading_lib.validation.report import Finding, Severity

MACRO_COLUMNS = ("series", "date", "value")
FUNDING_COLUMNS = ("exchange", "symbol", "funding_time_utc", "funding_rate")
NEWS_COLUMNS = ("date_raw", "headline")
TRADED_ROLE = "prices"
PRICE_ROLES = (TRADED_ROLE, "cross_check")


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
    traded, traded_series
        Symbols and macro series of the files that a backtest would use.
    """

    prices: list[PriceDataset] = field(default_factory=list)
    macro: dict[str, pd.DataFrame] = field(default_factory=dict)
    findings: list[Finding] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    traded: set[str] = field(default_factory=set)
    traded_series: set[str] = field(default_factory=set)

    def missing(self, universe: Universe) -> MissingData:
        """Say what the rules read and nothing that is traded on has; a retired asset needs no prices."""
        lacking = tuple(i.symbol for i in universe if i.symbol not in self.traded and not i.retired)
        rate = self.traded_series.isdisjoint(CASH_RATE_SERIES)
        return MissingData(lacking, VOLATILITY_INDEX not in self.traded, rate)


def read_folder(folder: Path, universe: Universe, today: date, limits: FileLimits | None = None) -> FolderContent:
    """Read everything that can be judged.

    Raises
    ------
    DataFileError
        The folder does not exist, its manifest is broken, a file is too large, a listed file cannot be read, or
        nothing in it can be judged.
    """
    require_folder(folder)
    manifest = read_manifest(folder)
    content = FolderContent()
    candidates = price_candidates(folder)
    for path in candidates:
        check_size(path, limits or FileLimits())
    taken = _listed_prices(manifest, universe, content) if manifest else set()
    for path in candidates:
        try:
            _judge_file(path, universe, today, content, taken, manifest)
        except DataFileError as error:
            if manifest is None or any(entry.path == path for entry in manifest.entries):
                raise
            content.notes.append(f"{path.name}: not judged, {error.problem}")
    if manifest is None:
        content.findings += _overlaps(content.prices)
        content.findings += _unread(folder, universe, today, content)
    if not (content.prices or content.macro or content.findings):
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
            traded = role == TRADED_ROLE
            missed = misfit(entry.path, universe, ("date", "close"))
            if missed is not None:
                raise DataFileError(f"{entry.path} cannot be a {role} file: it {missed.reason}", "correct dataset.yaml")
            accepted = entry.without_dividends or not traded
            table = read_price_table(entry.path, universe, entry.where, entry.adjustment, without_dividends=accepted)
            _add(table, content, [replace(dataset, traded=traded) for dataset in table.datasets])
            if traded:
                content.traded |= _symbols(table.datasets)
            names |= {dataset.name for dataset in table.datasets} | ({entry.path.stem} if not entry.where else set())
    return names


def _add(table: PriceTable, content: FolderContent, datasets: Sequence[PriceDataset]) -> None:
    content.prices += datasets
    content.findings += table.findings
    content.notes += table.notes


def _symbols(datasets: Sequence[PriceDataset]) -> set[str]:
    return {str(symbol) for dataset in datasets for symbol in dataset.stated["symbol"].unique()}


def _judge_file(
    path: Path,
    universe: Universe,
    today: date,
    content: FolderContent,
    taken: set[str],
    manifest: DatasetManifest | None,
) -> None:
    refused = misfit(path, universe)
    if refused is not None and manifest is None and refused.exact and not roles_of(path):
        content.findings.append(_not_taken(path, refused, today))
    if refused is not None and path.suffix.lower() not in SUFFIXES:
        content.notes.append(f"{path.name}: not judged, it {refused.reason}")
        return
    if is_price_table(path) and not is_statement(table_layout(path).written):
        if path.stem in taken:
            return
        table = read_price_table(path, universe, without_dividends=manifest is not None)
        further = [dataset for dataset in table.datasets if dataset.name not in taken]
        _add(table, content, [replace(dataset, traded=manifest is None) for dataset in further])
        if manifest is not None and further:
            content.notes.append(f"{', '.join(d.name for d in further)}: not listed in the manifest, judged as well")
        if manifest is None and refused is None:
            content.traded |= _symbols(further)
        return
    names = column_names(path)
    for columns, judge in _OTHER_KINDS.items():
        if all(column in names for column in columns):
            judge(path, today, content)
            _note_series(path, content, manifest)
            return
    if fred_series(path):
        _fred(path, content)
        _note_series(path, content, manifest)
        return
    reason = "neither prices nor macro, funding or dated headlines"
    if refused is not None and (refused.symbol or is_statement(table_layout(path).written)):
        reason = f"it {refused.reason}"
    content.notes.append(f"{path.name}: not judged, {reason}")


def _not_taken(path: Path, refused: Misfit, today: date) -> Finding:
    message = f"{path.name} is named after {refused.symbol} and is not taken: it {refused.reason}"
    return Finding(str(refused.symbol), today, "file_not_taken", Severity.ERROR, None, message, path.stem)


def _unread(folder: Path, universe: Universe, today: date, content: FolderContent) -> list[Finding]:
    """Note what is not looked into; what is named after a symbol without prices is an error."""
    names = SymbolNames(universe)
    findings = []
    for path, reason in unread_files(folder):
        content.notes.append(f"{path.name}: not read, {reason}")
        named = names.of_cell(path.name.split(".")[0])
        if named is not None and named.symbol not in content.traded:
            findings.append(_not_taken(path, Misfit(path, f"cannot be read ({reason})", named.symbol), today))
    return findings


def _note_series(path: Path, content: FolderContent, manifest: DatasetManifest | None) -> None:
    """Remember which series a backtest would read from a macro file."""
    captures = {name: frame for name, frame in content.macro.items() if name.split("/")[0] == path.stem}
    if manifest is not None:
        entries = [entry for entry in manifest.role("macro") if entry.path == path]
        names = [f"{path.stem}/{entry.where['source']}" for entry in entries if "source" in entry.where]
        if not entries:
            return
        captures = {name: captures[name] for name in names if name in captures} or captures
    for frame in captures.values():
        content.traded_series |= {str(series) for series in frame["series"].unique()}
    if VOLATILITY_SERIES in content.traded_series and fred_series(path):
        content.traded.add(VOLATILITY_INDEX)


def _fred(path: Path, content: FolderContent) -> None:
    rows = read_fred(path)
    content.macro[path.stem] = rows
    content.findings += macro_findings(rows, path.stem)


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
    findings = []
    seen: dict[str, tuple[str, pd.Index]] = {}
    for dataset in datasets:
        for symbol, rows in dataset.stated.groupby("symbol", sort=True):
            days = pd.Index(rows["date"].to_numpy())
            name, covered = seen.get(str(symbol), ("", pd.Index([])))
            both = days.intersection(covered)
            if len(both):
                session = pd.Timestamp(both.min()).date()
                overlap = f"{len(both)} bars from here on are in both {name} and {dataset.name}"
                message = f"{symbol} {session}: {overlap}; list the files to use in dataset.yaml"
                severity, value = Severity.ERROR, float(len(both))
                findings.append(
                    Finding(str(symbol), session, "bar_in_two_files", severity, value, message, dataset.name)
                )
            else:
                seen[str(symbol)] = (dataset.name, days.union(covered))
    return findings
