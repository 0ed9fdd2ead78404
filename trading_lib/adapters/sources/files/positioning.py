"""Funding rates and Commitments of Traders from files of a data folder. Input: paths, filters. Output: stamped values.

Funding files have the columns exchange (or venue), symbol, funding_time_utc (or settled_at with a time zone) and
funding_rate (or rate). Reports come in the CFTC's own layout, or with short columns: market, report_date and positions
such as spec_long or mm_short.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import pandas as pd

from trading_lib.adapters.sources.files.tables import (
    column_names,
    parse_dates,
    parse_instants,
    parse_numbers,
    read_columns,
    read_texts,
)
from trading_lib.adapters.sources.shared.cot_layout import LayoutError, cot_rows, is_cftc_layout
from trading_lib.adapters.sources.shared.positioning_windows import stamp_cot, stamp_funding
from trading_lib.domain.errors import DataFileError
from trading_lib.domain.market.positioning import (
    COT_POSITIONS,
    DISAGGREGATED_REPORT,
    LEGACY_REPORT,
    CotReports,
    FundingRates,
)

Files = Sequence[tuple[Path, Mapping[str, str]]]

VENUES = ("venue", "exchange")
RATES = ("rate", "funding_rate")
# Only a name that says so makes times without a zone UTC; a clock of unknown zone is no time.
UTC_TIMES = ("settled_at_utc", "funding_time_utc")
ZONED_TIMES = ("settled_at", "funding_time")
SHORT_NAMES: Mapping[str, str] = {
    "spec_long": "noncommercial_long",
    "spec_short": "noncommercial_short",
    "spec_spreading": "noncommercial_spreading",
    "comm_long": "commercial_long",
    "comm_short": "commercial_short",
    "nonrept_long": "nonreportable_long",
    "nonrept_short": "nonreportable_short",
    "mm_long": "managed_money_long",
    "mm_short": "managed_money_short",
    "mm_spreading": "managed_money_spreading",
    **{name: name for name in COT_POSITIONS},
}
REPORT_MARKS = {"noncommercial_long": LEGACY_REPORT, "managed_money_long": DISAGGREGATED_REPORT}


def read_funding_files(files: Files, source: str, *, strict: bool) -> FundingRates:
    """Read every file with funding rates.

    Parameters
    ----------
    strict
        Whether a file without the columns is a `DataFileError`; otherwise it is passed over.

    Notes
    -----
    The same settlement twice is an error that names the files.
    """
    frames = []
    for path, where in files:
        names = column_names(path)
        chosen = [next((name for name in choice if name in names), None) for choice in (VENUES, RATES)]
        timed = next((name for name in (*UTC_TIMES, *ZONED_TIMES) if name in names), None)
        if "symbol" in names and timed is not None and None not in chosen:
            frames.append(_funding_rows(path, where, [str(name) for name in chosen], timed))
        elif strict:
            raise DataFileError(
                f"{path} is no funding file", f"it needs symbol, one of {VENUES}, of {UTC_TIMES} and of {RATES}"
            )
    if not frames:
        return FundingRates.empty()
    rows = pd.concat(frames, ignore_index=True)
    _refuse_repetitions(rows, ["venue", "symbol", "settled_at"])
    return stamp_funding(rows, source)


def read_cot_files(files: Files, source: str, *, strict: bool) -> CotReports:
    """Read every file with reports; see `read_funding_files` for ``strict`` and for repetitions."""
    frames = []
    for path, where in files:
        names = column_names(path)
        if is_cftc_layout(list(names.values())):
            frames.append(_cftc_rows(path, where))
        elif {"market", "report_date"} <= names.keys():
            frames.append(_short_rows(path, where, names))
        elif strict:
            raise DataFileError(
                f"{path} is no Commitments of Traders file", "it needs the CFTC's columns, or market and report_date"
            )
    if not frames:
        return CotReports.empty()
    rows = pd.concat(frames, ignore_index=True)
    _refuse_repetitions(rows, ["report", "market", "report_date"])
    return stamp_cot(rows.drop(columns="path"), source)


def is_funding_file(path: Path) -> bool:
    """Whether a file has the columns of funding rates."""
    names = column_names(path)
    required = (VENUES, RATES, (*UTC_TIMES, *ZONED_TIMES))
    return "symbol" in names and all(any(name in names for name in choice) for choice in required)


def is_cot_file(path: Path) -> bool:
    """Whether a file has the columns of Commitments of Traders."""
    names = column_names(path)
    return is_cftc_layout(list(names.values())) or {"market", "report_date"} <= names.keys()


def _funding_rows(path: Path, where: Mapping[str, str], chosen: list[str], timed: str) -> pd.DataFrame:
    venue, rate = chosen
    read = read_columns(path, (venue, "symbol", timed, rate), where)
    rows = pd.DataFrame(
        {
            "venue": read[venue].astype("str").str.strip().str.lower(),
            "symbol": read["symbol"].astype("str").str.strip(),
            "settled_at": parse_instants(path, read[timed], naive_is_utc=timed in UTC_TIMES),
            "rate": parse_numbers(path, read[rate]),
        }
    )
    return rows.dropna(subset="rate").assign(path=str(path))


def _cftc_rows(path: Path, where: Mapping[str, str]) -> pd.DataFrame:
    try:
        return cot_rows(read_texts(path, where)).assign(path=str(path))
    except LayoutError as error:
        raise DataFileError(f"{path} {error}", "replace it with the CFTC's own file") from None


def _short_rows(path: Path, where: Mapping[str, str], names: Mapping[str, str]) -> pd.DataFrame:
    positions = {name: SHORT_NAMES[name] for name in names if name in SHORT_NAMES}
    kinds = [report for mark, report in REPORT_MARKS.items() if mark in positions.values()]
    if len(kinds) != 1:
        raise DataFileError(
            f"{path} has the positions of {len(kinds)} kinds of report", "give it either spec_long or mm_long"
        )
    read = read_columns(path, ("market", "report_date", *positions), where)
    columns = {
        "market": read["market"].astype("str").str.strip(),
        "report_date": parse_dates(path, read["report_date"]),
        **{name: parse_numbers(path, read[column]) for column, name in positions.items()},
    }
    return pd.DataFrame(columns).assign(report=kinds[0], path=str(path))


def _refuse_repetitions(rows: pd.DataFrame, key: list[str]) -> None:
    repeated = rows.duplicated(key)
    if repeated.any():
        second = rows.loc[repeated, key].iloc[0]
        same = (rows[key] == second).all(axis=1)
        paths = " and ".join(dict.fromkeys(rows.loc[same, "path"]))
        named = " ".join(str(value) for value in second)
        raise DataFileError(f"{named} is there more than once in {paths}", "keep one, or filter the rows with 'where'")
