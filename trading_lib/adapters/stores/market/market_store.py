"""Market data in PostgreSQL: versioned bars and macro values, validation results, factor values.

Everything is written in bulk and idempotently, and prices are read as of an instant
(docs/specification.md#point-in-time).
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import date, datetime

import pandas as pd
from sqlalchemy import Engine, text

from trading_lib.adapters.stores.market.bar_reads import read_complete, read_forming, read_macro, read_macro_vintages
from trading_lib.adapters.stores.market.factors import read_factors, save_factors
from trading_lib.adapters.stores.market.validation import (
    FindingLike,
    alerts_of_session,
    owed_actions,
    quarantined_days,
    quarantined_symbols,
    save_findings,
)
from trading_lib.adapters.stores.postgres.bulk_copy import Columns, Kind
from trading_lib.adapters.stores.postgres.revisions import (
    UpsertCounts,
    VersionedTable,
    has_vintages,
    upsert_versions,
    upsert_vintages,
)
from trading_lib.adapters.stores.postgres.schema import BAR_VALUES
from trading_lib.domain.market.prices import Bars, FloatArray, MacroSeries
from trading_lib.domain.market.sessions import require_aware

BAR_KINDS = {
    "source": Kind.TEXT,
    "symbol": Kind.TEXT,
    "session": Kind.DATE,
    **dict.fromkeys(BAR_VALUES, Kind.FLOAT),
    "adjustment": Kind.TEXT,
    "available_at": Kind.INSTANT,
}
BARS = VersionedTable("bars", ("source", "symbol", "session"), BAR_KINDS, BAR_VALUES, ("adjustment",))
MACRO = VersionedTable(
    "macro",
    ("source", "series", "observed"),
    {
        "source": Kind.TEXT,
        "series": Kind.TEXT,
        "observed": Kind.DATE,
        "value": Kind.FLOAT,
        "available_at": Kind.INSTANT,
    },
    ("value",),
)


class MarketStore:
    """Market data of every source in one database.

    Parameters
    ----------
    engine
        From `trading_lib.adapters.stores.postgres.database.connect`.
    """

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    @property
    def engine(self) -> Engine:
        """The database the store is in."""
        return self._engine

    def upsert_bars(self, bars: Bars, now: datetime) -> UpsertCounts:
        """Store bars in one transaction.

        A bar never seen keeps its own ``available_at``. One equal to the newest stored revision (every price
        field, NaN equal to NaN) changes nothing. One that differs becomes a new revision known from ``now`` on.

        Raises
        ------
        NaiveDatetimeError
            When ``now`` has no time zone.
        InputError
            When two bars have the same source, symbol and date; nothing is stored then.
        """
        moment = require_aware(now, "now")
        with self._engine.begin() as connection:
            return upsert_versions(connection, BARS, bar_columns(bars), moment)

    def read_bars(
        self,
        source: str,
        as_of: datetime,
        symbols: Sequence[str] | None = None,
        first: date | None = None,
        last: date | None = None,
        opened: bool = False,
        always_open: Sequence[str] = (),
        ranges: bool = False,
    ) -> Bars:
        """Bars as known at ``as_of``: per symbol and date the newest revision with ``available_at <= as_of``.

        Parameters
        ----------
        symbols
            None for all; symbols without bars are absent from the answer.
        first, last
            Bounds of the dates, both inclusive.
        opened
            Also return bars of ``always_open`` symbols whose UTC day has begun but is not complete, with the
            opening price only: ``high`` to ``volume`` are NaN and ``available_at`` lies after ``as_of``.
        ranges
            Also return high and low of those, which were not known at ``as_of``: they serve to tell whether the
            opening is a price of its own bar at all, and nothing that is decided may look at them.

        Raises
        ------
        NaiveDatetimeError
            When ``as_of`` has no time zone.
        """
        moment = require_aware(as_of, "as_of")
        bounds = (first or date.min, last or date.max)
        forming = [symbol for symbol in always_open if symbols is None or symbol in symbols] if opened else []
        with self._engine.begin() as connection:
            # Both queries must see the same rows.
            connection.exec_driver_sql("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY")
            complete = read_complete(connection, source, moment, symbols, *bounds)
            started = read_forming(connection, source, moment, forming, *bounds, ranges) if forming else Bars.empty()
        if not len(started):
            return complete
        return Bars.from_frame(pd.concat([complete.frame, started.frame]))

    def upsert_macro(self, macro: MacroSeries, now: datetime) -> UpsertCounts:
        """Store macro observations by the same rules as `upsert_bars`.

        Where an observation comes with its revisions, each of them keeps the instant at which it came out.
        """
        moment = require_aware(now, "now")
        columns = _macro_columns(macro)
        with self._engine.begin() as connection:
            upsert = upsert_vintages if has_vintages(connection, MACRO, columns) else upsert_versions
            return upsert(connection, MACRO, columns, moment)

    def read_macro(self, source: str, as_of: datetime) -> MacroSeries:
        """Macro observations as known at ``as_of``, the newest revision of each."""
        moment = require_aware(as_of, "as_of")
        with self._engine.connect() as connection:
            return read_macro(connection, source, moment)

    def read_macro_vintages(self, source: str, as_of: datetime) -> tuple[MacroSeries, ...]:
        """Macro observations as known at ``as_of`` and at any time before: all revisions of each, of one source."""
        moment = require_aware(as_of, "as_of")
        with self._engine.connect() as connection:
            return (read_macro_vintages(connection, source, moment),)

    def save_validation(self, source: str, findings: Sequence[FindingLike], quarantined: Bars, now: datetime) -> None:
        """Store findings and put bad bars into quarantine, in one transaction; a bad bar is never deleted."""
        moment = require_aware(now, "now")
        with self._engine.begin() as connection:
            save_findings(connection, source, findings, bar_columns(quarantined), BAR_KINDS, moment)

    def quarantined(self, source: str, session: date) -> dict[str, tuple[str, ...]]:
        """Symbol -> rules that failed with severity ERROR in ``session``.

        A finding no longer counts once a bar of that day was accepted after it, i.e. the source corrected it.
        """
        with self._engine.connect() as connection:
            return quarantined_symbols(connection, source, session)

    def alerts(self, source: str, session: date) -> list[tuple[str, str, str]]:
        """(symbol, rule, message) of what only alerts about ``session``, by symbol and rule; see `quarantined`."""
        with self._engine.connect() as connection:
            return alerts_of_session(connection, self.sources_of(source), session)

    def quarantined_days(self, source: str, first: date, last: date, before: datetime) -> set[tuple[str, date]]:
        """Symbols and days of which a bar was quarantined earlier than ``before`` and none is accepted so far."""
        with self._engine.connect() as connection:
            return quarantined_days(connection, self.sources_of(source), first, last, require_aware(before, "before"))

    def owed_actions(
        self, source: str, symbols: Sequence[str], first: date, last: date, doubtful: Collection[str]
    ) -> pd.DataFrame:
        """Columns symbol, date, dividend, split of quarantined bars; see `AcceptedHistory.owed`.

        Parameters
        ----------
        doubtful
            Rules after which a bar's dividend counts as none.
        """
        with self._engine.connect() as connection:
            return owed_actions(connection, self.sources_of(source), symbols, first, last, doubtful)

    def sources_of(self, source: str) -> tuple[str, ...]:
        """Names under which the bars of ``source`` are stored."""
        return (source,)

    def save_factors(
        self, source: str, session: date, symbols: Sequence[str], names: Sequence[str], values: FloatArray
    ) -> int:
        """Store one session's factor values and return how many rows changed.

        Parameters
        ----------
        values
            Shape (len(names), len(symbols)); NaN is not stored, and removes a value stored before.
        """
        with self._engine.begin() as connection:
            return save_factors(connection, source, session, symbols, names, values)

    def factors(self, source: str, session: date) -> dict[str, dict[str, float]]:
        """Symbol -> factor -> value of one session; missing factors are absent."""
        with self._engine.connect() as connection:
            return read_factors(connection, source, session)

    def revision_state(self, source: str) -> tuple[tuple[int, datetime | None], ...]:
        """Rows and newest arrival of the source's bars and of all macro series: equal while nothing was added."""
        queries = (
            "SELECT count(*), max(ingested_at) FROM bars WHERE source = ANY(:sources)",
            "SELECT count(*), max(ingested_at) FROM macro",
        )
        with self._engine.connect() as connection:
            rows = [connection.execute(text(query), {"sources": list(self.sources_of(source))}) for query in queries]
            return tuple((int(count), newest) for count, newest in (row.one() for row in rows))

    def coverage(self, source: str) -> Mapping[str, tuple[date, date, int]]:
        """Symbol -> first date, last date and number of dates with a bar."""
        query = text(
            "SELECT symbol, min(session), max(session), count(DISTINCT session)"
            " FROM bars WHERE source = :source GROUP BY symbol"
        )
        with self._engine.connect() as connection:
            rows = connection.execute(query, {"source": source})
            return {row[0]: (row[1], row[2], row[3]) for row in sorted(rows)}


def bar_columns(bars: Bars) -> Columns:
    """Take bars apart into the arrays that `bulk_copy` sends."""
    frame = bars.frame
    return {
        "source": frame["source"].to_numpy(dtype=object),
        "symbol": frame["symbol"].to_numpy(dtype=object),
        "session": frame["date"].to_numpy().astype("datetime64[D]"),
        **{name: frame[name].to_numpy(dtype="float64") for name in BAR_VALUES},
        "adjustment": frame["adjustment"].to_numpy(dtype=object),
        "available_at": frame["available_at"].dt.tz_convert(None).to_numpy().astype("datetime64[us]"),
    }


def _macro_columns(macro: MacroSeries) -> Columns:
    frame = macro.frame
    return {
        "source": frame["source"].to_numpy(dtype=object),
        "series": frame["series"].to_numpy(dtype=object),
        "observed": frame["date"].to_numpy().astype("datetime64[D]"),
        "value": frame["value"].to_numpy(dtype="float64"),
        "available_at": frame["available_at"].dt.tz_convert(None).to_numpy().astype("datetime64[us]"),
    }
