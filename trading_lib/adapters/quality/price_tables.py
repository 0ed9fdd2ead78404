"""One price table -> `PriceDataset`s, leniently: what `FileSource` refuses is a finding here wherever that makes sense.

Rows of symbols outside the universe stay, a repeated bar stays, a cell that is no number becomes a missing price with a
finding. Only what leaves nothing to judge (no date, an unreadable file) is still a `DataFileError`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from trading_lib.adapters.sources.files.corporate_actions import with_corporate_actions
from trading_lib.adapters.sources.files.formats.price_cells import BadNumber
from trading_lib.adapters.sources.files.formats.price_rows import (
    lacking_dividends,
    read_price_rows,
    repeated_rows,
)
from trading_lib.adapters.sources.files.tables import column_names
from trading_lib.adapters.sources.shared.bar_windows import stamp_bars
from trading_lib.domain.market.instruments import Universe
from trading_lib.domain.market.prices import Bars
from trading_lib.validation.quality import PriceDataset
from trading_lib.validation.report import Finding, Severity

PRICES = ("open", "high", "low", "close")
LEVEL_ADJUSTMENTS = ("raw", "split")
# This many rows a day are no daily bars that came twice, they are bars of minutes or hours.
INTRADAY_ROWS = 3


@dataclass(frozen=True, slots=True)
class PriceTable:
    """What one file holds.

    Attributes
    ----------
    datasets
        One per capture: a file whose ``source`` column tells of several has several.
    findings
        About cells that could not be read.
    """

    datasets: tuple[PriceDataset, ...]
    findings: tuple[Finding, ...]
    notes: tuple[str, ...] = ()


def is_price_table(path: Path) -> bool:
    """Whether a file has a date and a close, and says whose they are."""
    names = column_names(path)
    return "date" in names and "close" in names


def read_price_table(
    path: Path,
    universe: Universe,
    where: Mapping[str, str] | None = None,
    adjustment: str | None = None,
    *,
    without_dividends: bool = True,
) -> PriceTable:
    """Read the rows of ``path`` that satisfy ``where``.

    Parameters
    ----------
    adjustment
        What a manifest says about the prices; with it, or with an adjusted close beside them, their level can be
        compared with another source's.
    without_dividends
        Whether a vendor's file that states no dividends is fit for its purpose.
    """
    read = read_price_rows(path, universe, where, lenient=True)
    findings = [_unreadable(path, bad) for bad in read.bad]
    lacking = "" if without_dividends else lacking_dividends(read, universe)
    if lacking:
        first = read.rows.iloc[0]
        message = f"{path.name} {lacking}: take prices with dividends, or say dividends: none in dataset.yaml"
        day, symbol = first["date"].date(), str(first["symbol"])
        findings.append(Finding(symbol, day, "no_dividends", Severity.ERROR, None, message, path.stem))
    rows, dropped, _ = repeated_rows(read.rows)
    notes = list(read.notes)
    if dropped:
        notes.append(f"{path.name}: {dropped} rows that repeat another row word for word are dropped")
    pieces = _captures(path, _with_time_of_day(rows), where or {})
    level = adjustment in LEVEL_ADJUSTMENTS or (adjustment is None and rows["adj_close"].notna().any())
    datasets = tuple(_dataset(name, piece, universe, bool(level), adjustment) for name, piece in pieces.items())
    return PriceTable(datasets, tuple(findings), tuple(notes))


def _unreadable(path: Path, bad: BadNumber) -> Finding:
    message = (
        f"{bad.symbol} {bad.day:%Y-%m-%d}: {bad.text[:40]!r} in column {bad.column} of {path.name} is not a number"
    )
    return Finding(bad.symbol, bad.day.date(), "unreadable_number", Severity.ERROR, None, message, path.stem)


def _with_time_of_day(rows: pd.DataFrame) -> pd.DataFrame:
    """Keep instants where the file holds intraday bars, else dates; those of the universe are dates already."""
    day = rows["date"].dt.normalize()
    if (rows["date"] == day).all():
        return rows
    rows_per_day = pd.DataFrame({"symbol": rows["symbol"], "day": day}).value_counts()
    return rows if rows_per_day.median() >= INTRADAY_ROWS else rows.assign(date=day)


def _captures(path: Path, rows: pd.DataFrame, where: Mapping[str, str]) -> dict[str, pd.DataFrame]:
    """Split a file by its ``source`` column when that keeps the same bar of two captures apart."""
    plain = rows.drop(columns="source", errors="ignore")
    several = "source" in rows and rows["source"].nunique() > 1
    if several and plain.duplicated(["symbol", "date"]).any():
        return {
            f"{path.stem}/{capture}": piece.drop(columns="source")
            for capture, piece in rows.groupby("source", sort=False)
        }
    suffix = f"/{where['source']}" if "source" in where else ""
    return {f"{path.stem}{suffix}": plain}


def _dataset(
    name: str, rows: pd.DataFrame, universe: Universe, own_level: bool, adjustment: str | None
) -> PriceDataset:
    ordered = rows.sort_values(["symbol", "date"], kind="stable", ignore_index=True)
    ordered = ordered.rename(columns={"capital_gains": "capital_gain"})
    # A capture of closes alone is judged by its closes.
    lone = ordered[list(PRICES[:3])].isna().all(axis=None)
    usable = ordered.assign(**dict.fromkeys(PRICES[:3], ordered["close"])) if lone else ordered
    usable = usable.assign(adjustment=pd.Series(adjustment, index=usable.index, dtype="str"))
    bars = Bars(stamp_bars(with_corporate_actions(usable), universe, name).frame)
    return PriceDataset(name, bars, ordered, own_level)
