"""One price file -> checked rows. Input: path, universe, filter. Output: `PriceFile`, or what the file lacks."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pandas as pd

from trading_lib.adapters.sources.files.formats.layout import line_of
from trading_lib.adapters.sources.files.formats.price_rows import (
    REQUIRED,
    Misfit,
    PriceRows,
    lacking_dividends,
    misfit,
    not_taken,
    read_price_rows,
    repeated_rows,
    without_income,
)
from trading_lib.domain.errors import DataFileError
from trading_lib.domain.market.instruments import Universe
from trading_lib.domain.market.prices import VOLATILITY_INDEX

# Sessions are one day apart, and at most four around a holiday.
DAYS_APART, FEWEST_TO_JUDGE = 5, 12
OPTIONAL = ("adj_close", "volume", "dividend", "split")


@dataclass(frozen=True, slots=True)
class PriceFile:
    """The rows of one file that belong to the universe or to ^VIX.

    Attributes
    ----------
    rows
        symbol, date, the prices, adj_close, volume, dividend, split and adjustment; NaN or None where not stated.
    foreign_symbols
        Symbols in the file that are not in the universe; their rows are left out.
    notes
        What reading it has to say.
    contradictions
        Symbol -> why it has no rows: two rows of the file differ about one bar.
    """

    path: Path
    rows: pd.DataFrame
    foreign_symbols: tuple[str, ...]
    notes: tuple[str, ...] = ()
    contradictions: Mapping[str, str] = field(default_factory=dict)


def read_price_file(
    path: Path,
    universe: Universe,
    where: Mapping[str, str] | None = None,
    adjustment: str | None = None,
    *,
    without_dividends: bool = False,
) -> PriceFile | Misfit:
    """Read ``path``; a file that is no price file is a `Misfit`, one with unusable cells a `DataFileError`.

    Parameters
    ----------
    without_dividends
        Whether prices of a vendor that states no dividends are wanted all the same.
    """
    refused = misfit(path, universe)
    if refused is not None:
        return refused
    read = read_price_rows(path, universe, where)
    belongs = ~read.rows["symbol"].isin(read.foreign)
    rows = read.rows[belongs] if read.foreign else read.rows
    if "volume" not in read.stated and (rows["symbol"] != VOLATILITY_INDEX).any():
        return not_taken(path, universe, "lacks volume")
    _require_days(path, rows)
    lacking = lacking_dividends(read, universe)
    if lacking and not without_dividends:
        raise DataFileError(
            f"{path} {lacking}", "take prices with dividends, or list the file in dataset.yaml with dividends: none"
        )
    rows = rows[["symbol", *REQUIRED, *OPTIONAL]]
    rows, dropped, differing = repeated_rows(rows)
    contradictions = _contradictions(path, differing)
    rows = rows[~rows["symbol"].isin(list(contradictions))] if contradictions else rows
    rows = rows.assign(adjustment=pd.Series(adjustment, index=rows.index, dtype="str"))
    notes = [
        *read.notes,
        *_income_notes(path, read, universe),
        *(f"{path.name}: {reason}" for reason in contradictions.values()),
    ]
    if dropped:
        notes.append(f"{path.name}: {dropped} rows that repeat another row word for word are dropped")
    gains = int((read.rows["capital_gains"] > 0).sum()) if "capital_gains" in read.stated else 0
    if gains:
        notes.append(f"{path.name}: capital gains of {gains} days are judged, not booked as cash")
    return PriceFile(path, rows, read.foreign, tuple(notes), contradictions)


def _require_days(path: Path, rows: pd.DataFrame) -> None:
    """Raise where most bars of a symbol are several days apart: they are of weeks or months."""
    days = rows["date"].to_numpy().astype("datetime64[D]").astype(np.int64)
    if len(days) < FEWEST_TO_JUDGE:
        return
    # Where a file goes through its symbols day by day, most neighbours are of one day.
    apart = float(np.median(np.abs(np.diff(days))))
    if apart >= DAYS_APART:
        # Rows in no order at all say nothing by their neighbours; sorting every file would be the slower question.
        within = rows.sort_values(["symbol", "date"]).groupby("symbol", observed=True)["date"].diff().dropna()
        apart = float(np.median(within.dt.days)) if len(within) else apart
    if apart >= DAYS_APART:
        raise DataFileError(
            f"{path} has bars that are {apart:.0f} days apart: they are of weeks or months",
            "give one bar per day",
        )


def _income_notes(path: Path, read: PriceRows, universe: Universe) -> list[str]:
    lacking = without_income(read, universe)
    return (
        [f"{path.name}: no dividends are stated, {', '.join(lacking)} count by their prices alone"] if lacking else []
    )


def _contradictions(path: Path, differing: pd.DataFrame) -> dict[str, str]:
    contradictions: dict[str, str] = {}
    for (symbol, day), pair in differing.groupby(["symbol", "date"], sort=True):
        lines = " and ".join(line_of(path, int(row)) for row in pair.index[:2])
        contradictions.setdefault(
            str(symbol), f"ERROR {symbol} is left out: {lines} differ about {day:%Y-%m-%d}; keep one of them"
        )
    return contradictions
