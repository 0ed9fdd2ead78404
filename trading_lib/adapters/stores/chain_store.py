"""The market store that also reads a chain of sources as if it were one (ADR 5)."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from datetime import date, datetime

import pandas as pd
from sqlalchemy import Engine, text

from trading_lib.adapters.stores.chain_reads import read_preferred, read_preferred_forming
from trading_lib.adapters.stores.market_store import MarketStore
from trading_lib.domain.prices import Bars, MacroSeries
from trading_lib.domain.sessions import require_aware
from trading_lib.market_data.preference import SourceOrder


class ChainStore(MarketStore):
    """A `MarketStore` that knows one more source: the chain, whose bars are those of its members.

    Every other source is read and written as ever.

    Parameters
    ----------
    engine
        From `trading_lib.adapters.stores.database.connect`.
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
        wanted = {s: order for s, order in self._order.bars.items() if symbols is None or s in symbols}
        forming = {s: order for s, order in wanted.items() if opened and s in always_open}
        with self._engine.begin() as connection:
            # Both queries must see the same rows.
            connection.exec_driver_sql("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY")
            complete = read_preferred(connection, wanted, moment, *bounds)
            started = read_preferred_forming(connection, forming, moment, *bounds, ranges) if forming else Bars.empty()
        if not len(started):
            return complete
        return Bars.from_frame(pd.concat([complete.frame, started.frame]))

    def read_macro(self, source: str, as_of: datetime) -> MacroSeries:
        """Macro observations as known at ``as_of``. Of the chain: each series from the first member that has it."""
        if source != self._order.name:
            return super().read_macro(source, as_of)
        frames: list[pd.DataFrame] = []
        known: set[str] = set()
        for member in self._order.macro:
            frame = super().read_macro(member, as_of).frame
            new = frame[~frame["series"].isin(known)]
            known |= set(new["series"].unique())
            frames += [new] if len(new) else []
        return MacroSeries.from_frame(pd.concat(frames, ignore_index=True)) if frames else MacroSeries.empty()

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
