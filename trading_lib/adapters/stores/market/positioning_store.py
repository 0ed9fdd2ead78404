"""Funding rates and Commitments of Traders in PostgreSQL: versioned upserts and reads as of an instant."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime, timedelta
from typing import Any

import numpy as np
import pandas as pd
from sqlalchemy import Engine, text

from trading_lib.adapters.stores.postgres.bulk_copy import Columns, Kind, copy_out
from trading_lib.adapters.stores.postgres.revisions import UpsertCounts, VersionedTable, upsert_versions
from trading_lib.domain.market.positioning import COT_POSITIONS, CotReports, FundingRates
from trading_lib.domain.market.sessions import require_aware

FUNDING_VALUES = ("rate", "interval_hours")
FUNDING = VersionedTable(
    "funding",
    ("source", "venue", "symbol", "settled_at"),
    {
        "source": Kind.TEXT,
        "venue": Kind.TEXT,
        "symbol": Kind.TEXT,
        "settled_at": Kind.INSTANT,
        **dict.fromkeys(FUNDING_VALUES, Kind.FLOAT),
        "available_at": Kind.INSTANT,
    },
    FUNDING_VALUES,
)
COT = VersionedTable(
    "cot",
    ("source", "report", "market", "report_date"),
    {
        "source": Kind.TEXT,
        "report": Kind.TEXT,
        "market": Kind.TEXT,
        "report_date": Kind.DATE,
        **dict.fromkeys(COT_POSITIONS, Kind.FLOAT),
        "available_at": Kind.INSTANT,
    },
    COT_POSITIONS,
)
FIRST_DAY = date(1970, 1, 1)
LAST_DAY = date(9999, 12, 30)


class PositioningStore:
    """Funding rates and trader positions of every source in one database.

    Parameters
    ----------
    engine
        From `trading_lib.adapters.stores.postgres.database.connect`.
    """

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def upsert_funding(self, rates: FundingRates, now: datetime) -> UpsertCounts:
        """Store rates in one transaction, by the rules of `MarketStore.upsert_bars`."""
        moment = require_aware(now, "now")
        columns = _columns(rates.frame, FUNDING)
        with self._engine.begin() as connection:
            return upsert_versions(connection, FUNDING, columns, moment)

    def read_funding(
        self,
        source: str,
        as_of: datetime,
        symbols: Sequence[str] | None = None,
        first: date | None = None,
        last: date | None = None,
    ) -> FundingRates:
        """Rates as known at ``as_of``: the newest revision of each settlement with ``available_at <= as_of``.

        Parameters
        ----------
        symbols
            None for all.
        first, last
            Bounds of the UTC days of settlement, both inclusive.

        Raises
        ------
        NaiveDatetimeError
            When ``as_of`` has no time zone.
        """
        begin, end = first or FIRST_DAY, (last or LAST_DAY) + timedelta(days=1)
        bounds = ("'" + begin.isoformat() + "+00'", "'" + end.isoformat() + "+00'")
        condition = f"t.settled_at >= {bounds[0]}::timestamptz AND t.settled_at < {bounds[1]}::timestamptz"
        pairs, values = self._read(FUNDING, source, as_of, condition)
        frame = pd.DataFrame(
            {
                **pairs,
                "settled_at": pd.DatetimeIndex(values["settled_at"]).tz_localize("UTC"),
                **{name: values[name] for name in FUNDING_VALUES},
                "source": source,
                "available_at": pd.DatetimeIndex(values["available_at"]).tz_localize("UTC"),
            }
        )
        return FundingRates.from_frame(frame if symbols is None else frame[frame["symbol"].isin(list(symbols))])

    def upsert_cot(self, reports: CotReports, now: datetime) -> UpsertCounts:
        """Store reports in one transaction, by the rules of `MarketStore.upsert_bars`."""
        moment = require_aware(now, "now")
        columns = _columns(reports.frame, COT)
        with self._engine.begin() as connection:
            return upsert_versions(connection, COT, columns, moment)

    def read_cot(self, source: str, as_of: datetime, first: date | None = None, last: date | None = None) -> CotReports:
        """All reports as known at ``as_of``: the newest revision of each with ``available_at <= as_of``.

        Parameters
        ----------
        first, last
            Bounds of the report dates, both inclusive.

        Raises
        ------
        NaiveDatetimeError
            When ``as_of`` has no time zone.
        """
        begin, end = (first or FIRST_DAY).isoformat(), (last or LAST_DAY).isoformat()
        return self._read_cot(source, as_of, f"t.report_date BETWEEN '{begin}' AND '{end}'")

    def read_cot_vintages(self, source: str, as_of: datetime) -> CotReports:
        """All reports as known at ``as_of`` and at any time before: every revision of each.

        Raises
        ------
        NaiveDatetimeError
            When ``as_of`` has no time zone.
        """
        return self._read_cot(source, as_of, "true", vintages=True)

    def _read_cot(self, source: str, as_of: datetime, condition: str, *, vintages: bool = False) -> CotReports:
        pairs, values = self._read(COT, source, as_of, condition, vintages=vintages)
        frame = pd.DataFrame(
            {
                **pairs,
                "report_date": values["report_date"].astype("datetime64[us]"),
                **{name: values[name] for name in COT_POSITIONS},
                "source": source,
                "available_at": pd.DatetimeIndex(values["available_at"]).tz_localize("UTC"),
            }
        )
        return CotReports.from_frame(frame)

    def _read(
        self, table: VersionedTable, source: str, as_of: datetime, condition: str, *, vintages: bool = False
    ) -> tuple[dict[str, Any], Columns]:
        """Newest known revision of each key, or every one: its two texts, and its other columns."""
        moment = require_aware(as_of, "as_of")
        _, one, two, moved = table.key
        numbers = ", ".join(f"COALESCE(t.{name}, 'NaN')" for name in table.numbers)
        stored = text(f"SELECT DISTINCT {one}, {two} FROM {table.name} WHERE source = :source")  # noqa: S608
        each = "" if vintages else f"DISTINCT ON (item.position, t.{moved})"
        select = f"""
            SELECT {each}
                item.position::integer, t.{moved}, {numbers}, t.available_at
            FROM {table.name} t
            JOIN unnest(%(ones)s::text[], %(twos)s::text[]) WITH ORDINALITY AS item({one}, {two}, position)
                USING ({one}, {two})
            WHERE t.source = %(source)s AND t.available_at <= %(as_of)s AND {condition}
            ORDER BY item.position, t.{moved}, t.available_at DESC
        """  # noqa: S608 - built from constants and dates
        kinds = {"position": Kind.INTEGER, **{name: table.kinds[name] for name in (moved, *table.numbers)}}
        kinds["available_at"] = Kind.INSTANT
        with self._engine.connect() as connection:
            keys = [(str(row[0]), str(row[1])) for row in connection.execute(stored, {"source": source})]
            ones, twos = [key[0] for key in keys], [key[1] for key in keys]
            parameters = {"source": source, "ones": ones, "twos": twos, "as_of": moment}
            values = copy_out(connection, select, kinds, parameters)
        at = values["position"] - 1
        return {one: np.array(ones, dtype=object)[at], two: np.array(twos, dtype=object)[at]}, values


def _columns(frame: pd.DataFrame, table: VersionedTable) -> Columns:
    columns: dict[str, Any] = {}
    for name, kind in table.kinds.items():
        if kind is Kind.TEXT:
            columns[name] = frame[name].to_numpy(dtype=object)
        elif kind is Kind.FLOAT:
            columns[name] = frame[name].to_numpy(dtype="float64")
        elif kind is Kind.DATE:
            columns[name] = frame[name].to_numpy().astype("datetime64[D]")
        else:
            columns[name] = frame[name].dt.tz_convert(None).to_numpy().astype("datetime64[us]")
    return columns
