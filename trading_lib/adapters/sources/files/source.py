"""A folder of CSV or Parquet files as a source. Input: folder. Output: bars, macro series, funding rates, reports."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime
from functools import cached_property
from pathlib import Path

import pandas as pd

from trading_lib.adapters.sources.files.corporate_actions import with_corporate_actions
from trading_lib.adapters.sources.files.folder_lists import require_folder
from trading_lib.adapters.sources.files.formats.fred import fred_series, volatility_rows
from trading_lib.adapters.sources.files.formats.layout import price_candidates, table_files
from trading_lib.adapters.sources.files.formats.limits import check_size
from trading_lib.adapters.sources.files.formats.listing import folder_notes, refused_for_symbols, roles_of
from trading_lib.adapters.sources.files.formats.price_rows import REQUIRED, Misfit
from trading_lib.adapters.sources.files.macro import macro_window, read_macro_files
from trading_lib.adapters.sources.files.manifest import DatasetManifest, read_manifest
from trading_lib.adapters.sources.files.positioning import (
    Files,
    is_cot_file,
    is_funding_file,
    read_cot_files,
    read_funding_files,
)
from trading_lib.adapters.sources.files.prices import PriceFile, read_price_file
from trading_lib.adapters.sources.files.proceeds import read_proceeds
from trading_lib.adapters.sources.files.rulings import RULINGS_NAME, read_rulings
from trading_lib.adapters.sources.shared.bar_windows import answer_from_history, stamp_bars
from trading_lib.adapters.sources.shared.positioning_windows import cot_window, funding_window
from trading_lib.domain.book.proceeds import Proceeds
from trading_lib.domain.errors import DataFileError, UnknownSymbolError
from trading_lib.domain.market.instruments import Universe
from trading_lib.domain.market.positioning import CotReports, FundingRates
from trading_lib.domain.market.price_rulings import PriceRuling
from trading_lib.domain.market.prices import VOLATILITY_INDEX, Bars, MacroSeries
from trading_lib.domain.market.sessions import require_aware
from trading_lib.market_data.config import FileLimits
from trading_lib.market_data.source import FundingAnswer, SourceAnswer

TOTAL_RETURN = "total_return"
# Listed for other readers.
UNREAD_ROLES = ("news",)


@dataclass(frozen=True, slots=True)
class _PriceFolder:
    """The parsed prices of a folder and what is worth saying about them."""

    bars: Bars
    notes: tuple[str, ...]
    files: Mapping[str, Path]
    contradictions: Mapping[str, str]


class FileSource:
    """Prices, macro series, funding rates and trader positions from a folder (see `dataset_manifest`).

    Parameters
    ----------
    folder
        Holds CSV or Parquet files, long or one per symbol, and optionally ``dataset.yaml``.
    universe
        A symbol outside it is an error; see the notes of an answer for what was taken.
    limits
        How large a file may be.

    Raises
    ------
    DataFileError
        At construction when the folder or a file of its manifest is missing, or a file is too large; at the first
        read when a file cannot be used. Everything is read once and kept.
    """

    def __init__(self, folder: Path, universe: Universe, limits: FileLimits | None = None) -> None:
        require_folder(folder)
        self._folder = folder
        self._universe = universe
        self._manifest = read_manifest(folder)
        for path in self._files_read():
            check_size(path, limits or FileLimits())

    def _files_read(self) -> Sequence[Path]:
        """Every file that an answer may need."""
        if self._manifest is None:
            return price_candidates(self._folder)
        return [entry.path for entry in self._manifest.entries if entry.role not in UNREAD_ROLES]

    @property
    def name(self) -> str:
        """``files:`` and the folder's name."""
        return f"files:{self._folder.resolve().name}"

    def bars(self, symbols: Sequence[str], first: date, last: date, as_of: datetime) -> SourceAnswer:
        """Bars of ``symbols`` in the date range that were known at ``as_of``; see `MarketDataSource.bars`."""
        moment = require_aware(as_of, "as_of")
        history = self._prices
        response = answer_from_history(history.bars, self.name, symbols, first, last, moment, history.notes)
        reasons = {symbol: text for symbol, text in history.contradictions.items() if symbol in response.failures}
        return replace(response, failures={**response.failures, **reasons}) if reasons else response

    def macro(self, first: date, last: date, as_of: datetime) -> MacroSeries:
        """Macro observations in the date range that were published by ``as_of``; empty when the folder has none."""
        return macro_window(self._macro, first, last, require_aware(as_of, "as_of"))

    def cross_check(self, symbols: Sequence[str], first: date, last: date, as_of: datetime) -> tuple[SourceAnswer, ...]:
        """Second opinions for validation, never traded on: one answer per file under ``cross_check``, in its order.

        Rows carry ``source`` = this source's name, a slash and the file's name. Where ``adjustment`` is
        "total_return", ``open`` to ``close`` are adjusted for dividends and splits, and ``dividend`` is NaN.
        """
        moment = require_aware(as_of, "as_of")
        return tuple(
            answer_from_history(bars, name, symbols, first, last, moment) for name, bars in self._opinions.items()
        )

    def funding(self, symbols: Sequence[str], first: date, last: date, as_of: datetime) -> FundingAnswer:
        """Settled funding rates of perpetuals such as "BTC-USDT", of every venue; see `FundingSource.funding`."""
        return funding_window(self._funding, self.name, symbols, first, last, as_of)

    def cot(self, first: date, last: date, as_of: datetime) -> CotReports:
        """All reports in the range of report dates that were published by ``as_of``; empty when the folder has none."""
        return cot_window(self._cot, first, last, as_of)

    @cached_property
    def proceeds(self) -> tuple[Proceeds, ...]:
        """What the folder's symbols that ended brought, of `proceeds.yaml`."""
        return read_proceeds(self._folder, self._universe)

    def rulings(self) -> tuple[PriceRuling, ...]:
        """Decisions about suspected splits, from the folder's ``rulings.yaml``; each is about a bar of the folder."""
        rulings = read_rulings(self._folder)
        for ruling in rulings:
            frame = self._prices.bars.frame
            same = (frame["symbol"] == ruling.symbol) & (frame["date"] == pd.Timestamp(ruling.session))
            if not same.any():
                path = self._folder / RULINGS_NAME
                about = f"{ruling.symbol} on {ruling.session}"
                raise DataFileError(f"{path} decides about {about}, of which there is no bar", "name a day with a bar")
        return rulings

    def price_file(self, symbol: str) -> Path | None:
        """File with the prices of ``symbol``, None where the folder has none."""
        return self._prices.files.get(symbol)

    def states_unadjusted(self, symbol: str) -> bool:
        """Whether ``dataset.yaml`` says that the prices of ``symbol`` are not adjusted for dividends."""
        listed = self._manifest.role("prices") if self._manifest is not None else ()
        return any(entry.adjustment is not None and entry.path == self.price_file(symbol) for entry in listed)

    @property
    def has_funding(self) -> bool:
        """Whether a file is listed as funding rates or, without a manifest, has their columns."""
        return any(is_funding_file(path) for path, _ in self._files_of("funding")[0])

    @property
    def has_cot(self) -> bool:
        """Whether a file is listed as reports or, without a manifest, has their columns."""
        return any(is_cot_file(path) for path, _ in self._files_of("cot")[0])

    @cached_property
    def _opinions(self) -> dict[str, Bars]:
        entries = self._manifest.role("cross_check") if self._manifest is not None else ()
        opinions = {}
        for entry in entries:
            file = read_price_file(entry.path, self._universe, entry.where, entry.adjustment, without_dividends=True)
            if isinstance(file, Misfit):
                raise DataFileError(
                    f"{file.path} cannot be compared with: it {file.reason}",
                    f"it needs symbol, {', '.join(REQUIRED)}, volume",
                )
            if file.rows.empty:
                raise DataFileError(f"{file.path} has no usable row", "; ".join(file.notes) or "add rows")
            rows = with_corporate_actions(_combine([file]))
            rows["dividend"] = rows["dividend"].where(rows["adjustment"] != TOTAL_RETURN)
            name = f"{self.name}/{entry.path.name}"
            opinions[name] = stamp_bars(rows, self._universe, name)
        return opinions

    @cached_property
    def _funding(self) -> FundingRates:
        files, strict = self._files_of("funding")
        return read_funding_files(files, self.name, strict=strict)

    @cached_property
    def _cot(self) -> CotReports:
        files, strict = self._files_of("cot")
        return read_cot_files(files, self.name, strict=strict)

    def _files_of(self, role: str) -> tuple[Files, bool]:
        """Files to look through, and whether each of them has to fit."""
        if self._manifest is None:
            return [(path, {}) for path in table_files(self._folder)], False
        return [(entry.path, entry.where) for entry in self._manifest.role(role)], True

    @cached_property
    def _prices(self) -> _PriceFolder:
        if self._manifest is None:
            files, misfits = self._fitting_files()
        else:
            files, misfits = self._listed_files(self._manifest), []
        _refuse_unknown_symbols(files)
        contradictions = {symbol: text for file in files for symbol, text in file.contradictions.items()}
        rows = _combine(files)
        rows = rows[~rows["symbol"].isin(list(contradictions))] if contradictions else rows
        if rows.empty:
            raise DataFileError(
                f"data folder {self._folder} has no row of any symbol of the universe"
                + (f" ({'; '.join(contradictions.values())})" if contradictions else ""),
                f"add rows for one of {', '.join(self._universe.symbols)}",
            )
        rows, further = self._with_volatility_index(rows)
        bars = stamp_bars(with_corporate_actions(rows), self._universe, self.name)
        notes = (*_notes(files, misfits), *further)
        others = folder_notes(self._folder, self._universe, set(rows["symbol"])) if self._manifest is None else ()
        origins = {str(symbol): file.path for file in files for symbol in file.rows["symbol"].unique()}
        return _PriceFolder(bars, (*notes, *others), origins, contradictions)

    def _with_volatility_index(self, rows: pd.DataFrame) -> tuple[pd.DataFrame, tuple[str, ...]]:
        """Add ^VIX from FRED's copy of its closes where no file has it."""
        if (rows["symbol"] == VOLATILITY_INDEX).any():
            return rows, ()
        for path, _ in self._files_of("macro")[0]:
            if fred_series(path):
                index = volatility_rows(path)
                if not index.empty:
                    index = index.assign(adjustment=pd.Series(None, index=index.index, dtype="str"))
                    both = pd.concat([rows, index], ignore_index=True)
                    note = f"{path.name}: {len(index)} closes taken as {VOLATILITY_INDEX}"
                    return both.sort_values(["symbol", "date"], kind="stable", ignore_index=True), (note,)
        return rows, ()

    @cached_property
    def _macro(self) -> MacroSeries:
        files, strict = self._files_of("macro")
        return read_macro_files(files, self.name, strict=strict)

    def _listed_files(self, manifest: DatasetManifest) -> list[PriceFile]:
        entries = manifest.role("prices")
        if not entries:
            raise DataFileError(f"{manifest.path} lists no file under 'prices'", "add '- file: NAME' under prices")
        files = []
        for entry in entries:
            file = read_price_file(
                entry.path, self._universe, entry.where, entry.adjustment, without_dividends=entry.without_dividends
            )
            if isinstance(file, Misfit):
                raise DataFileError(
                    f"{file.path} cannot be a prices file: it {file.reason}",
                    f"it needs symbol, {', '.join(REQUIRED)}, volume; correct it or {manifest.path.name}",
                )
            files.append(file)
        return files

    def _fitting_files(self) -> tuple[list[PriceFile], list[Misfit]]:
        read = [read_price_file(path, self._universe) for path in price_candidates(self._folder)]
        files = [file for file in read if isinstance(file, PriceFile)]
        misfits = [file for file in read if isinstance(file, Misfit)]
        refused_for_symbols(misfits, {str(name) for file in files for name in file.rows["symbol"].unique()})
        if not files:
            reasons = "; ".join(f"{misfit.path.name} {misfit.reason}" for misfit in misfits)
            raise DataFileError(
                f"data folder {self._folder} has no usable price file ({reasons or 'no CSV or Parquet file at all'})",
                f"add one with symbol, {', '.join(REQUIRED)}, volume",
            )
        return files, misfits


def _refuse_unknown_symbols(files: Sequence[PriceFile]) -> None:
    """Raise on a symbol outside the universe: it is more likely a slip (BTC for BTC-USD) than meant to be ignored."""
    for file in files:
        if file.foreign_symbols:
            listed = ", ".join(file.foreign_symbols[:5]) + (", ..." if len(file.foreign_symbols) > 5 else "")
            raise UnknownSymbolError(
                f"{file.path} has symbols that are not in the universe: {listed}",
                "rename or remove them, add them to include/config/universe.yaml, or pick rows in dataset.yaml",
            )


def _combine(files: Sequence[PriceFile]) -> pd.DataFrame:
    """All rows, sorted by (symbol, date); the same bar in two files is an error that names both."""
    rows = pd.concat([file.rows.assign(file=number) for number, file in enumerate(files)], ignore_index=True)
    rows = rows.sort_values(["symbol", "date"], kind="stable", ignore_index=True)
    repeated = rows.duplicated(["symbol", "date"])
    if repeated.any():
        later = rows[repeated].iloc[0]
        same = rows[(rows["symbol"] == later["symbol"]) & (rows["date"] == later["date"])]
        earlier, other = (files[number].path for number in same["file"].iloc[:2])
        raise DataFileError(
            f"{later['symbol']} on {later['date']:%Y-%m-%d} is in both {earlier} and {other}",
            "remove one, or list the files to use in dataset.yaml",
        )
    return rows.drop(columns="file")


def _notes(files: Sequence[PriceFile], misfits: Sequence[Misfit]) -> tuple[str, ...]:
    notes = []
    for file in files:
        count = file.rows["symbol"].nunique()
        notes += [f"{file.path.name}: {len(file.rows)} rows of {count} symbols taken", *file.notes]
    for misfit in misfits:
        roles = roles_of(misfit.path)
        notes.append(f"{misfit.path.name}: {roles or f'not taken, it {misfit.reason}'}")
    return tuple(notes)
