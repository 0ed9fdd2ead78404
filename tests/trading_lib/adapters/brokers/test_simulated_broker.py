"""The simulated broker keeps the contract on PostgreSQL, and brokers that break one rule of it each fail it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from dataclasses import replace
from datetime import UTC, date, datetime
from decimal import Decimal
from itertools import count
from typing import Any

import pytest
from sqlalchemy import Engine

from tests.builders.books import NOW, open_books
from tests.builders.books import order as stored_order
from tests.builders.markets import FRIDAY, UNIVERSE, row_of, small_market
from tests.contracts.broker_contract import BrokerContract, BrokerHarness
from trading_lib.adapters.brokers.simulated import SimulatedBroker, SimulatedOpening
from trading_lib.adapters.stores.books.order_store import OrderStore
from trading_lib.domain.book.accounts import Account
from trading_lib.domain.book.orders import OPEN_STATUSES, Order, OrderEvent, Side
from trading_lib.domain.book.portfolio import Portfolio
from trading_lib.domain.market.instruments import AssetClass
from trading_lib.execution.broker import (
    Answer,
    Broker,
    BrokerAccount,
    BrokerOrder,
    BrokerSetting,
    BrokerStatus,
    ClearedOrder,
    Execution,
    Executions,
    LookUp,
    Outcome,
    Seen,
)
from trading_lib.session.opening import execute
from trading_lib.session.settle import settle_row
from trading_lib.workflows.trade.broker_access import AccountOrders

pytestmark = pytest.mark.postgres

BOOK = "paper"
SYMBOLS = {AssetClass.US_ETF: "SPY", AssetClass.CRYPTO: "BTC-USD"}


class SimulatedHarness:
    """A book on PostgreSQL and a market of SPY and Bitcoin, from Friday 2023-02-10 on."""

    def __init__(self, engine: Engine, made: type[SimulatedBroker] = SimulatedBroker) -> None:
        open_books(engine, BOOK)
        self._made, self._store, self._data = made, OrderStore(engine), small_market()
        self._numbers = count()
        # In the order in which they were sent, as a decision lists its orders.
        self._sent: list[str] = []
        self._session: date = FRIDAY
        self._portfolio = Portfolio.opened(FRIDAY, Decimal(100_000))
        self._opening: SimulatedOpening | None = None
        self.restart()

    @property
    def broker(self) -> Broker:
        return self._broker

    def order(self, asset_class: AssetClass, side: Side = Side.BUY) -> Order:
        quantity = Decimal("0.5") if asset_class is AssetClass.CRYPTO else Decimal(10)
        number, session = next(self._numbers), self._session
        return stored_order(SYMBOLS[asset_class], side, BOOK, number, session=session, quantity=quantity)

    def intend(self, order: Order) -> ClearedOrder:
        self._sent.append(order.client_order_id)
        self._store.store_intents([order], NOW)
        self._store.record(order.client_order_id, OrderEvent.SUBMIT, NOW, broker=self._broker.name)
        return ClearedOrder(order)

    def note(self, order: Order, answer: Answer) -> None:
        self._store.record(
            order.client_order_id, OrderEvent.ACCEPT, NOW, broker_order_id=answer.broker_order_id or None
        )

    def note_cancelled(self, order: Order) -> None:
        self._store.record(order.client_order_id, OrderEvent.CANCEL, NOW)

    def opening(self) -> None:
        data, portfolio, day = self._data, self._portfolio, self._data.calendar.next(self._session)
        found = {order.client_order_id: order for order, _ in self._store.orders(BOOK, statuses=OPEN_STATUSES)}
        waiting = [found[identity] for identity in self._sent if identity in found]
        self._opening = SimulatedOpening(
            lambda: execute(data, portfolio, waiting, row_of(data, day), day), day.isoformat()
        )
        self.restart()

    def end_of_day(self) -> None:
        if self._opening is None:
            return
        fills, day = self._opening.fills, self._data.calendar.next(self._session)
        self._store.save_fills(fills, BOOK)
        for fill in fills:
            self._store.record(fill.client_order_id, OrderEvent.FILL, fill.filled_at)
        self._portfolio = settle_row(self._data, self._portfolio, row_of(self._data, day), day, fills)
        self._session, self._opening = day, None
        self.restart()

    def restart(self) -> None:
        self._broker = self._made(BrokerSetting("U1"), self._orders(), self._portfolio, self._opening)

    def waiting_with(self, wait: Callable[[], Awaitable[object]]) -> Broker:
        return self._made(BrokerSetting("U1"), self._orders(), self._portfolio, self._opening, wait)

    def _orders(self) -> AccountOrders:
        return AccountOrders(BOOK, self._store, Account(), UNIVERSE)


class TestSimulatedBroker(BrokerContract):
    @pytest.fixture
    def harness(self, engine: Engine) -> BrokerHarness:
        return SimulatedHarness(engine)


def test_a_stored_fill_stands_whatever_the_opening_says_now(engine: Engine) -> None:
    """A price may be corrected between an interrupted settlement and the next."""
    harness = SimulatedHarness(engine)
    order = harness.order(AssetClass.US_ETF)
    answer = asyncio.run(harness.broker.submit(harness.intend(order)))
    harness.note(order, answer)
    harness.opening()
    assert harness._opening is not None
    (fill,) = harness._opening.fills
    harness._store.save_fills([replace(fill, price=Decimal("77.7777"))], BOOK)
    (told,) = asyncio.run(harness.broker.fills_since("")).fills
    assert (told.trade_id, told.price) == (fill.trade_id, Decimal("77.7777"))


class Boastful(SimulatedBroker):
    async def submit(self, cleared: ClearedOrder) -> Answer:
        refused = cleared.order.symbol == "SPY"
        return Answer(Outcome.REJECTED, reason="no funds listed") if refused else await super().submit(cleared)


class Silent(SimulatedBroker):
    capabilities = property(lambda self: SimulatedBroker.capabilities)


class ClosesOnce(SimulatedBroker):
    closed = False

    async def close(self) -> None:
        if self.closed:
            raise RuntimeError("is closed")
        self.closed = True


class Nameless(SimulatedBroker):
    async def submit(self, cleared: ClearedOrder) -> Answer:
        return replace(await super().submit(cleared), broker_order_id="")


class Doubling(SimulatedBroker):
    """Takes the same id again as another order."""

    async def submit(self, cleared: ClearedOrder) -> Answer:
        answer = await super().submit(cleared)
        return Answer(Outcome.ACCEPTED, answer.broker_order_id + "-2") if answer.reason else answer


class Raising(SimulatedBroker):
    async def find(self, client_order_id: str) -> LookUp:
        found = await super().find(client_order_id)
        if found.seen is Seen.NOT_FOUND:
            raise LookupError(client_order_id)
        return found


class Forgetful(SimulatedBroker):
    """Knows only what it was sent itself."""

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        self._mine: set[str] = set()

    async def submit(self, cleared: ClearedOrder) -> Answer:
        self._mine.add(cleared.order.client_order_id)
        return await super().submit(cleared)

    async def find(self, client_order_id: str) -> LookUp:
        known = client_order_id in self._mine
        return await super().find(client_order_id) if known else LookUp(Seen.NOT_FOUND)


class WaitsForEver(SimulatedBroker):
    """Never tells that an order has ended."""

    async def find(self, client_order_id: str) -> LookUp:
        found = await super().find(client_order_id)
        if found.order is None:
            return found
        return LookUp(Seen.FOUND, replace(found.order, status=BrokerStatus.WORKING))


class ListsEverything(SimulatedBroker):
    """Takes no notice of since when."""

    async def closed_orders(self, since: datetime) -> tuple[BrokerOrder, ...]:
        return await super().closed_orders(datetime.min.replace(tzinfo=UTC))


class ListsNothing(SimulatedBroker):
    async def closed_orders(self, since: datetime) -> tuple[BrokerOrder, ...]:
        return ()


class CannotCancel(SimulatedBroker):
    async def cancel(self, client_order_id: str) -> Answer:
        return Answer(Outcome.ACCEPTED, client_order_id)


class Early(SimulatedBroker):
    async def fills_since(self, cursor: str) -> Executions:
        found = await super().fills_since(cursor)
        return found if found.cursor else replace(found, cursor="2023-02-10")


class Floating(SimulatedBroker):
    async def fills_since(self, cursor: str) -> Executions:
        found = await super().fills_since(cursor)
        fills = tuple(replace(fill, price=float(fill.price)) for fill in found.fills)  # type: ignore[arg-type]
        return replace(found, fills=fills)


class Timeless(SimulatedBroker):
    async def fills_since(self, cursor: str) -> Executions:
        found = await super().fills_since(cursor)
        return replace(
            found, fills=tuple(replace(one, filled_at=one.filled_at.replace(tzinfo=None)) for one in found.fills)
        )


class NewestFirst(SimulatedBroker):
    async def fills_since(self, cursor: str) -> Executions:
        found = await super().fills_since(cursor)
        return replace(found, fills=found.fills[::-1])


class TellsOnce(SimulatedBroker):
    """Forgets what it has told, as a queue does."""

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        self._told: set[str] = set()

    async def fills_since(self, cursor: str) -> Executions:
        found = await super().fills_since(cursor)
        fills = tuple(fill for fill in found.fills if fill.trade_id not in self._told)
        self._told |= {fill.trade_id for fill in fills}
        return replace(found, fills=fills)


class StandsStill(SimulatedBroker):
    """Tells everything whatever the cursor."""

    async def fills_since(self, cursor: str) -> Executions:
        found = await super().fills_since("")
        return replace(found, cursor=max(found.cursor, cursor))


class Skipping(SimulatedBroker):
    """Its cursor runs ahead of its fills."""

    async def fills_since(self, cursor: str) -> Executions:
        found = await super().fills_since(cursor)
        return replace(found, cursor="2023-12-31") if found.fills else found


class Stuttering(SimulatedBroker):
    async def subscribe(self, cursor: str) -> AsyncIterator[Execution]:
        async for fill in super().subscribe(cursor):
            yield fill
            yield fill


class Hoarding(SimulatedBroker):
    """Lists what it holds nothing of."""

    async def positions(self) -> Mapping[str, Decimal]:
        return {"SPY": Decimal(0), "BTC-USD": Decimal(0), **await super().positions()}


class Foreign(SimulatedBroker):
    async def account(self) -> BrokerAccount:
        return replace(await super().account(), currency="EUR")


# Rule of the contract -> brokers that break it, and should do nothing else wrong.
BROKEN: Mapping[str, tuple[type[SimulatedBroker], ...]] = {
    "test_capabilities_are_known_without_an_instance": (Silent,),
    "test_it_takes_what_its_capabilities_promise": (Boastful,),
    "test_connecting_and_closing_twice_is_as_good_as_once": (ClosesOnce,),
    "test_an_accepted_order_has_an_id_and_waits": (Nameless,),
    "test_the_same_id_again_makes_no_second_order": (Doubling,),
    "test_an_unknown_id_is_not_found": (Raising,),
    "test_an_order_is_known_after_a_restart": (Forgetful,),
    "test_a_filled_order_is_found_as_filled_and_waits_no_more": (WaitsForEver,),
    "test_what_has_ended_is_among_the_closed_orders_and_what_waits_is_not": (ListsEverything, ListsNothing),
    "test_a_waiting_order_can_be_cancelled": (CannotCancel,),
    "test_what_does_not_wait_cannot_be_cancelled": (CannotCancel,),
    "test_nothing_is_filled_before_the_opening": (Early,),
    "test_fills_are_whole_exact_and_timed": (Floating, Timeless),
    "test_fills_come_oldest_first": (NewestFirst,),
    "test_the_same_question_has_the_same_answer": (TellsOnce,),
    "test_a_cursor_neither_loses_a_fill_nor_repeats_one": (StandsStill, Skipping),
    "test_a_subscription_tells_each_fill_once": (Stuttering,),
    "test_positions_follow_the_fills_and_hold_nothing_else": (Hoarding,),
    "test_the_account_tells_its_money_in_its_currency": (Foreign,),
}
RULES = [name for name in vars(BrokerContract) if name.startswith("test_")]


def test_every_rule_has_a_broker_that_breaks_it() -> None:
    assert sorted(BROKEN) == sorted(RULES)


@pytest.mark.parametrize(("rule", "broken"), [(rule, one) for rule, found in BROKEN.items() for one in found])
def test_a_broken_broker_fails_the_contract(rule: str, broken: type[SimulatedBroker], engine: Engine) -> None:
    harness = SimulatedHarness(engine, broken)
    with pytest.raises((AssertionError, RuntimeError, LookupError)):
        getattr(BrokerContract(), rule)(harness)
