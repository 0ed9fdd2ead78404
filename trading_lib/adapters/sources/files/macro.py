"""Macro series from files (series, date, value), and the window of them that was published at an instant."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date, datetime
from pathlib import Path

import pandas as pd

from trading_lib.adapters.sources.files.formats.fred import MISSING, fred_series, read_fred
from trading_lib.adapters.sources.files.tables import column_names, parse_dates, parse_numbers, read_columns
from trading_lib.domain.errors import DataFileError
from trading_lib.domain.market.prices import DateArray, MacroSeries
from trading_lib.market_data.availability.release_calendar import macro_available_at

COLUMNS = ("series", "date", "value")


def read_macro_files(files: Sequence[tuple[Path, Mapping[str, str]]], source: str, *, strict: bool) -> MacroSeries:
    """Read every file that has the columns series, date and value, or FRED's: a date and one column per series.

    Parameters
    ----------
    files
        Paths with the filter for each.
    strict
        Whether a file without the columns is a `DataFileError`; otherwise it is passed over.

    Notes
    -----
    Observations without a value are dropped. The same (series, date) twice is an error that names the files.
    """
    frames = []
    for path, where in files:
        names = column_names(path)
        lacking = [name for name in COLUMNS if name not in names]
        if not lacking:
            frames.append(_read(path, where))
        elif fred_series(path):
            frames.append(read_fred(path).assign(path=str(path)))
        elif strict:
            raise DataFileError(
                f"{path} lacks {', '.join(lacking)}", "a macro file needs series, date and value, or FRED's own columns"
            )
    if not frames:
        return MacroSeries.empty()
    rows = pd.concat(frames, ignore_index=True)
    repeated = rows.duplicated(["series", "date"])
    if repeated.any():
        second = rows[repeated].iloc[0]
        same = rows[(rows["series"] == second["series"]) & (rows["date"] == second["date"])]
        paths = " and ".join(dict.fromkeys(same["path"]))
        raise DataFileError(
            f"{second['series']} on {second['date']:%Y-%m-%d} is there more than once in {paths}",
            "keep one, or filter the rows with 'where' in dataset.yaml",
        )
    return stamp_macro(rows, source)


def is_macro_file(path: Path) -> bool:
    """Whether `read_macro_files` takes a file."""
    names = column_names(path)
    return all(name in names for name in COLUMNS) or bool(fred_series(path))


def stamp_macro(rows: pd.DataFrame, source: str) -> MacroSeries:
    """Add ``source`` and each series' time of publication to (series, date, value) rows."""
    pieces = []
    for series, group in rows.groupby("series", sort=True):
        observed: DateArray = group["date"].to_numpy()
        available = pd.Series(macro_available_at(str(series), observed), index=group.index).dt.tz_localize("UTC")
        pieces.append(group.assign(source=source, available_at=available))
    return MacroSeries.from_frame(pd.concat(pieces, ignore_index=True)) if pieces else MacroSeries.empty()


def macro_window(history: MacroSeries, first: date, last: date, as_of: datetime) -> MacroSeries:
    """Observations with ``first <= date <= last`` that were published by ``as_of``."""
    frame = history.frame
    inside = (
        (frame["date"] >= pd.Timestamp(first))
        & (frame["date"] <= pd.Timestamp(last))
        & (frame["available_at"] <= pd.Timestamp(as_of))
    )
    return MacroSeries(frame[inside].reset_index(drop=True))


def _read(path: Path, where: Mapping[str, str]) -> pd.DataFrame:
    read = read_columns(path, COLUMNS, where)
    rows = pd.DataFrame(
        {
            "series": read["series"].astype("str").str.strip(),
            "date": parse_dates(path, read["date"]),
            "value": parse_numbers(path, read["value"], MISSING),
        }
    )
    return rows.dropna(subset="value").assign(path=str(path))
