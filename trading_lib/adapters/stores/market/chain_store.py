"""The market store that also reads a chain of sources as if it were one (ADR 5)."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from datetime import date, datetime
from typing import Any

import pandas as pd
from sqlalchemy import Connection, Engine, text

from trading_lib.adapters.stores.market.bar_reads import forming_columns
from trading_lib.adapters.stores.market.market_store import MarketStore
from trading_lib.adapters.stores.postgres.bulk_copy import Kind, copy_out
from trading_lib.adapters.stores.postgres.schema import BAR_VALUES
from trading_lib.domain.market.prices import Bars, MacroSeries
from trading_lib.domain.market.sessions import require_aware
from trading_lib.market_data.source_order import SourceOrder


class ChainStore(MarketStore):
    """A `MarketStore` that knows one more source: the chain, whose bars are those of its members.

    Every other source is read and written as ever.

    Parameters
    ----------
    engine
        From `trading_lib.adapters.stores.postgres.database.connect`.
    order
        The chain's name and its members.
    """

    def __init__(self, engine: Engine, order: SourceOrder) -> None:
        super().__init__(engine)
        self._order = order

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
        """Bars as known at ``as_of``; see `MarketStore.read_bars`. Of the chain: per symbol and date one bar."""
        if source != self._order.name:
            return super().read_bars(source, as_of, symbols, first, last, opened, always_open, ranges)
        moment = require_aware(as_of, "as_of")
        bounds = (first or date.min, last or date.max)
        orders = {s: order for s, order in self._order.bars.items() if symbols is None or s in symbols}
        forming = {s: order for s, order in orders.items() if opened and s in always_open}
        with self._engine.begin() as connection:
            # Both queries must see the same rows.
            connection.exec_driver_sql("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY")
            complete = read_preferred(connection, orders, moment, *bounds)
            started = read_preferred_forming(connection, forming, moment, *bounds, ranges) if forming else Bars.empty()
        if not len(started):
            return complete
        return Bars.from_frame(pd.concat([complete.frame, started.frame]))

    def read_macro(self, source: str, as_of: datetime) -> MacroSeries:
        """Macro observations as known at ``as_of``. Of the chain: each series from the first member that has it."""
        if source != self._order.name:
            return super().read_macro(source, as_of)
        frames: list[pd.DataFrame] = []
        covered: set[str] = set()
        for member in self._order.macro:
            frame = super().read_macro(member, as_of).frame
            new = frame[~frame["series"].isin(covered)]
            covered |= set(new["series"].unique())
            frames += [new] if len(new) else []
        return MacroSeries.from_frame(pd.concat(frames, ignore_index=True)) if frames else MacroSeries.empty()

    def read_macro_vintages(self, source: str, as_of: datetime) -> tuple[MacroSeries, ...]:
        """All revisions of macro observations; see `MarketStore`. Of the chain: those of each member in its order."""
        read = super().read_macro_vintages
        members = self._order.macro if source == self._order.name else (source,)
        return tuple(found for member in members for found in read(member, as_of))

    def quarantined(self, source: str, session: date) -> dict[str, tuple[str, ...]]:
        """Symbol -> rules that failed with severity ERROR; see `MarketStore.quarantined`.

        Of the chain: a symbol counts only while no member has an accepted bar of the session, since that bar is used.
        """
        if source != self._order.name:
            return super().quarantined(source, session)
        members = [self._order.name, *self._order.sources]
        rules: dict[str, set[str]] = defaultdict(set)
        for member in members:
            for symbol, failed in super().quarantined(member, session).items():
                if member == self._order.name or member in self._order.bars.get(symbol, ()):
                    rules[symbol].update(failed)
        query = text("SELECT DISTINCT symbol, source FROM bars WHERE session = :session AND source = ANY(:sources)")
        with self._engine.connect() as connection:
            pairs = connection.execute(query, {"session": session, "sources": members}).all()
        usable = {row.symbol for row in pairs if row.source in self._order.bars.get(row.symbol, ())}
        return {symbol: tuple(sorted(rules[symbol])) for symbol in sorted(set(rules) - usable)}

    def sources_of(self, source: str) -> tuple[str, ...]:
        """Names under which the bars of ``source`` are stored; of the chain all its members'."""
        return self._order.sources if source == self._order.name else super().sources_of(source)

    def coverage(self, source: str) -> Mapping[str, tuple[date, date, int]]:
        """Symbol -> first date, last date and number of dates with a bar, of any member for the chain."""
        if source != self._order.name:
            return super().coverage(source)
        query = text(
            "SELECT symbol, min(session), max(session), count(DISTINCT session)"
            " FROM bars WHERE source = ANY(:sources) GROUP BY symbol"
        )
        with self._engine.connect() as connection:
            rows = connection.execute(query, {"sources": list(self._order.sources)})
            return {row[0]: (row[1], row[2], row[3]) for row in sorted(rows) if row[0] in self._order.bars}


KINDS = {
    "symbol": Kind.INTEGER,
    "session": Kind.DATE,
    **dict.fromkeys(BAR_VALUES, Kind.FLOAT),
    "source": Kind.INTEGER,
    "adjustment": Kind.INTEGER,
    "available_at": Kind.INSTANT,
}
CANDIDATES = """
    WITH candidate AS (
        SELECT choice.position, choice.rank, b.*,
            CASE WHEN b.ingested_at <= min(b.ingested_at) OVER (PARTITION BY choice.position, b.session)
                THEN b.available_at ELSE greatest(b.available_at, b.ingested_at) END AS known_at
        FROM bars b
        JOIN unnest(%(symbols)s::text[], %(positions)s::integer[], %(sources)s::text[], %(ranks)s::integer[])
            AS choice(symbol, position, source, rank) USING (symbol, source)
        WHERE b.session BETWEEN %(first)s AND %(last)s
    )
"""
LABELS = """
    array_position(%(source_names)s::text[], source), array_position(%(adjustments)s::text[], adjustment), known_at
"""
Order = Mapping[str, Sequence[str]]


def read_preferred(connection: Connection, order: Order, as_of: datetime, first: date, last: date) -> Bars:
    """Bars known at ``as_of``, each of the first source of its symbol's ``order`` that has one, newest revision.

    ``available_at`` is when the bar became known through this combination of sources.
    """
    values = ", ".join(f"COALESCE({name}, 'NaN')" for name in BAR_VALUES)
    select = f"""
        {CANDIDATES}
        SELECT DISTINCT ON (position, session) position, session, {values}, {LABELS}
        FROM candidate WHERE known_at <= %(as_of)s
        ORDER BY position, session, rank, known_at DESC
    """  # noqa: S608 - built from constants
    return _read(connection, select, order, as_of, first, last)


def read_preferred_forming(
    connection: Connection, order: Order, as_of: datetime, first: date, last: date, ranges: bool = False
) -> Bars:
    """Bars whose UTC day has begun by ``as_of`` and that no source had by then, with their opening price only.

    With ``ranges`` high and low come along; see `MarketStore.read_bars`. The source that delivered first stands, so
    that a fill once made at an opening price is found again.
    """
    select = f"""
        {CANDIDATES}
        SELECT DISTINCT ON (position, session) position, session,
            {forming_columns(ranges)}, 0::float8, 1::float8, {LABELS}
        FROM candidate
        WHERE session <= (%(as_of)s AT TIME ZONE 'UTC')::date
            AND (position, session) NOT IN (SELECT position, session FROM candidate WHERE known_at <= %(as_of)s)
        ORDER BY position, session, ingested_at, rank, known_at
    """  # noqa: S608 - built from constants
    return _read(connection, select, order, as_of, first, last)


def _read(connection: Connection, select: str, order: Order, as_of: datetime, first: date, last: date) -> Bars:
    names = sorted(order)
    choices = [
        (symbol, position, source, rank)
        for position, symbol in enumerate(names, start=1)
        for rank, source in enumerate(order[symbol])
    ]
    sources = sorted({source for _, _, source, _ in choices})
    stored = text("SELECT DISTINCT adjustment FROM bars WHERE source = ANY(:sources)")
    adjustments = sorted(connection.execute(stored, {"sources": sources}).scalars())
    if not choices or not adjustments:
        return Bars.empty()
    parameters: dict[str, Any] = {
        "symbols": [choice[0] for choice in choices],
        "positions": [choice[1] for choice in choices],
        "sources": [choice[2] for choice in choices],
        "ranks": [choice[3] for choice in choices],
        "source_names": sources,
        "adjustments": adjustments,
        "as_of": as_of,
        "first": first,
        "last": last,
    }
    columns = copy_out(connection, select, KINDS, parameters)
    frame = pd.DataFrame(
        {
            "symbol": pd.array(names, dtype="str").take(columns["symbol"] - 1),
            "date": columns["session"].astype("datetime64[us]"),
            **{name: columns[name] for name in BAR_VALUES},
            "source": pd.array(sources, dtype="str").take(columns["source"] - 1),
            "adjustment": pd.array(adjustments, dtype="str").take(columns["adjustment"] - 1),
            "available_at": pd.DatetimeIndex(columns["available_at"]).tz_localize("UTC"),
        }
    )
    return Bars(frame)
