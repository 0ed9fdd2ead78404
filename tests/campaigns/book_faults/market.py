"""A market in a database for the fault tests: a folder of made-up prices, ingested once, and copies of it to revise."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pandas as pd
from sqlalchemy import Engine

from tests.builders.price_folder import write_price_folder
from tests.builders.settings import make_settings
from trading_lib.domain.market.prices import Bars
from trading_lib.workflows.data import fetch as fetching
from trading_lib.workflows.data import tasks as market_data
from trading_lib.workflows.data.market import Market, market_from_store
from trading_lib.workflows.data.sources import market_store
from trading_lib.workflows.setup.settings import Settings
from trading_lib.workflows.stages.plans import SessionPlan
from trading_lib.workflows.trade.book_run import BookRun

FIRST, LAST = date(2020, 1, 2), date(2021, 2, 26)
OPENED = date(2021, 1, 4)
SESSIONS = 5
# Nobody reads the summaries of these sessions, which take longer than deciding them.
UNTOLD = {"TRADING_MONITORING__ALERTS__DAILY_SUMMARY": "false"}
# After the decision time, when the day's run begins.
DELAY = timedelta(minutes=5)
FAR = datetime(2030, 1, 1, tzinfo=UTC)


class Clock:
    """A clock that a test moves."""

    def __init__(self, now: datetime) -> None:
        self.now = now

    def __call__(self) -> datetime:
        return self.now


@dataclass
class FaultMarket:
    """Prices of one source in one database, and runs of books on them."""

    settings: Settings
    clock: Clock
    engine: Engine
    folder: Path
    source: str
    shared: dict[date, Market]
    revised: bool = False

    @property
    def sessions(self) -> list[date]:
        """The sessions that are traded."""
        return [self.settings.calendar.offset(OPENED, number) for number in range(SESSIONS)]

    def plan(self, session: date, book: str) -> SessionPlan:
        """Return what a daily run of this session is about."""
        return SessionPlan(session=session, source="files", source_name=self.source, data=str(self.folder), book=book)

    def at(self, session: date) -> None:
        """Move the clock to the time at which the session's run begins."""
        self.clock.now = self.settings.calendar.decision_time(session) + DELAY

    def run(self, session: date, book: str) -> BookRun:
        """Open a run as a task does; markets of prices that nobody revises are read once."""
        market = self.shared.get(session)
        if market is None:
            universe, calendar = self.settings.configuration.universe, self.settings.calendar
            store = market_store(self.settings, self.engine)
            market = market_from_store(store, self.source, universe, calendar, session)
            # Where prices are revised every task reads, as in the pipeline, and some kills fall into the reading.
            if not self.revised:
                self.shared[session] = market
        run = BookRun.open(self.plan(session, book), self.settings, market, self.engine)
        return replace(run, market_was_given=False)

    def copy(self, name: str) -> FaultMarket:
        """Return the same prices under another source's name, so that they may be revised."""
        store = market_store(self.settings, self.engine)
        bars = store.read_bars(self.source, FAR)
        store.upsert_bars(Bars(bars.frame.assign(source=name)), self.clock())
        return replace(self, source=name, shared={}, revised=True)

    def revise(self, session: date, factor: float) -> None:
        """Correct every opening of a session by a factor, as a vendor does: new rows, known from now on."""
        store = market_store(self.settings, self.engine)
        frame = store.read_bars(self.source, FAR, first=session, last=session).frame
        moment = pd.Timestamp(self.clock()).as_unit("us")
        store.upsert_bars(Bars(frame.assign(open=frame["open"] * factor, available_at=moment)), self.clock())


def make_market(database_url: str, home: Path) -> FaultMarket:
    """Write the prices, ingest them, and return the market."""
    clock = Clock(make_settings(database_url, home).clock())
    settings = replace(make_settings(database_url, home), clock=clock)
    folder = write_price_folder(home / "prices", FIRST, LAST)
    plan = market_data.plan(LAST.isoformat(), "files", str(folder), "demo", settings)
    fetching.ingest_history(plan, settings, LAST)
    return FaultMarket(settings, clock, settings.engine(), folder, plan.source_name, {})
