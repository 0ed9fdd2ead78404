"""A book at Alpaca's own client on the broker simulator, which is at the book's time."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, date, datetime
from pathlib import Path

import pytest

from tests.builders.markets import FRIDAY, MONDAY
from tests.builders.own_code.broker import BOOK, OwnBroker, make_project
from tests.peers.broker_clients import served
from trading_lib.adapters.broker_simulator.market.clock import Clock
from trading_lib.adapters.broker_simulator.simulator import PAPER_KEY, PAPER_SECRET, Simulator
from trading_lib.domain.book.portfolio import Portfolio
from trading_lib.workflows.orders.reconciling import reconcile_book

# 19:30 in New York on the evening of the session, one minute after the next opening, and the evening after it.
EVENING = datetime(2023, 2, 11, 0, 30, tzinfo=UTC)
OPENED = datetime(2023, 2, 13, 14, 31, tzinfo=UTC)


class AtAlpaca(OwnBroker):
    """The book, and the simulator at the same time as it."""

    simulator: Simulator

    def at(self, moment: datetime) -> None:
        self.now = moment
        self.simulator.clock.stand(moment)

    def reconciled(self) -> list[tuple[str, str]]:
        return [(one["kind"], one["status"]) for one in reconcile_book(BOOK, self.settings)["breaks"]]

    def settled(self, session: date = MONDAY) -> Portfolio:
        last = self.run().state.latest_portfolio(BOOK)
        assert last is not None
        self.at(self.settings.calendar.decision_time(session))
        portfolio = self.settle(last, session)
        self.run(session).state.save_portfolio(BOOK, portfolio, "main")
        return portfolio


@contextmanager
def at_alpaca(database_url: str, folder: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[AtAlpaca]:
    """Yield a book that was opened with the cash of its account."""
    simulator = Simulator(seed=7, clock=Clock(EVENING))
    with served(simulator) as address:
        monkeypatch.setenv("TRADING_BROKER_SIMULATOR", address)
        monkeypatch.setenv("ALPACA_API_KEY_ID", PAPER_KEY)
        monkeypatch.setenv("ALPACA_API_SECRET_KEY", PAPER_SECRET)
        made = AtAlpaca(database_url, make_project(folder / "project", broker="alpaca"), folder / "server", EVENING)
        made.simulator = simulator
        cash = made.book.initial_cash
        made.run().state.save_portfolio(BOOK, Portfolio.opened(FRIDAY, cash), "main")
        yield made
