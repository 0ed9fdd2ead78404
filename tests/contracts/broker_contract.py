"""What every `Broker` must do. An implementation's test class inherits `BrokerContract` and gives it a harness.

`priced_order_contract` has the rules of limit and stop orders, `broker_coverage` what other systems ask of an adapter.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from datetime import UTC, datetime
from decimal import Decimal
from functools import wraps
from itertools import pairwise
from typing import Any, ParamSpec, Protocol

import pytest

from trading_lib.domain.book.orders import Order, Side
from trading_lib.domain.market.instruments import AssetClass
from trading_lib.execution.broker import (
    Answer,
    Broker,
    BrokerStatus,
    Capabilities,
    ClearedOrder,
    Execution,
    Outcome,
    Seen,
)

Rule = ParamSpec("Rule")
UNKNOWN_ID = "20230210-NOBODY-B0-0000000000"
LONG_AGO, FAR_AHEAD = datetime(2000, 1, 1, tzinfo=UTC), datetime(2200, 1, 1, tzinfo=UTC)
# How often a subscription looks before the test has seen enough.
LOOKS = 4


class BrokerHarness(Protocol):
    """A broker's surroundings: what the system stores around it, and the market it trades on."""

    @property
    def broker(self) -> Broker:
        """The broker as it is now."""
        ...

    def order(self, asset_class: AssetClass, side: Side = Side.BUY) -> Order:
        """Return an order that was not made before and that the broker can fill."""
        ...

    def intend(self, order: Order) -> ClearedOrder:
        """Store an order and mark it as sent, as the system does before it sends."""
        ...

    def note(self, order: Order, answer: Answer) -> None:
        """Store that the broker has accepted an order."""
        ...

    def note_cancelled(self, order: Order) -> None:
        """Store that an order was cancelled."""
        ...

    def opening(self) -> None:
        """Let the next opening pass."""
        ...

    def end_of_day(self) -> None:
        """Book what the opening filled."""
        ...

    def restart(self) -> None:
        """Make the broker anew, as another process would."""
        ...

    def waiting_with(self, wait: Callable[[], Awaitable[object]]) -> Broker:
        """Return the same broker, whose subscription awaits ``wait`` between two looks."""
        ...


class EnoughError(Exception):
    """Ends a subscription, which has no end of its own."""


def in_one_loop(rule: Callable[Rule, Coroutine[Any, Any, None]]) -> Callable[Rule, None]:
    """Run an asynchronous test to its end."""

    @wraps(rule)
    def run(*arguments: Rule.args, **named: Rule.kwargs) -> None:
        asyncio.run(rule(*arguments, **named))

    return run


async def sent(harness: BrokerHarness, side: Side = Side.BUY, asset_class: AssetClass | None = None) -> Order:
    """Send an order of an asset class that the broker trades, and insist that it is accepted."""
    traded = asset_class or min(harness.broker.capabilities.asset_classes)
    order = harness.order(traded, side)
    answer = await harness.broker.submit(harness.intend(order))
    assert answer.outcome is Outcome.ACCEPTED, answer
    harness.note(order, answer)
    return order


async def _listen(broker: Broker, told: list[Execution]) -> None:
    async for fill in broker.subscribe(""):
        told.append(fill)


async def open_ids(broker: Broker) -> list[str]:
    return sorted(one.client_order_id for one in await broker.open_orders())


class BrokerContract:
    """Subclasses provide the fixture ``harness``."""

    @pytest.fixture
    def harness(self) -> BrokerHarness:
        raise NotImplementedError("a contract test class provides its harness")

    def test_capabilities_are_known_without_an_instance(self, harness: BrokerHarness) -> None:
        stated = type(harness.broker).capabilities
        assert isinstance(stated, Capabilities)
        assert stated == harness.broker.capabilities
        assert stated.asset_classes
        assert harness.broker.name

    @in_one_loop
    async def test_it_takes_what_its_capabilities_promise(self, harness: BrokerHarness) -> None:
        await harness.broker.connect()
        for asset_class in sorted(harness.broker.capabilities.asset_classes):
            await sent(harness, asset_class=asset_class)

    @in_one_loop
    async def test_connecting_and_closing_twice_is_as_good_as_once(self, harness: BrokerHarness) -> None:
        for _ in range(2):
            await harness.broker.connect()
        await harness.broker.account()
        for _ in range(2):
            await harness.broker.close()
        await harness.broker.connect()
        await harness.broker.account()

    @in_one_loop
    async def test_an_accepted_order_has_an_id_and_waits(self, harness: BrokerHarness) -> None:
        order = harness.order(min(harness.broker.capabilities.asset_classes))
        answer = await harness.broker.submit(harness.intend(order))
        assert answer.outcome is Outcome.ACCEPTED
        assert answer.broker_order_id
        found = await harness.broker.find(order.client_order_id)
        assert found.seen is Seen.FOUND
        assert found.order is not None
        told = (found.order.client_order_id, found.order.broker_order_id, found.order.symbol, found.order.side)
        assert told == (order.client_order_id, answer.broker_order_id, order.symbol, order.side)
        assert (found.order.quantity, found.order.filled, found.order.status) == (
            order.quantity, Decimal(0), BrokerStatus.WORKING,
        )  # fmt: skip
        assert await harness.broker.open_orders() == (found.order,)

    @in_one_loop
    async def test_the_same_id_again_makes_no_second_order(self, harness: BrokerHarness) -> None:
        order = harness.order(min(harness.broker.capabilities.asset_classes))
        cleared = harness.intend(order)
        first = await harness.broker.submit(cleared)
        again = [await harness.broker.submit(cleared)]
        harness.note(order, first)
        again.append(await harness.broker.submit(cleared))
        for answer in again:
            assert answer.outcome in (Outcome.DUPLICATE, Outcome.ACCEPTED)
            assert answer.broker_order_id in ("", first.broker_order_id)
        assert await open_ids(harness.broker) == [order.client_order_id]
        harness.opening()
        fills = (await harness.broker.fills_since("")).fills
        assert sum(fill.quantity for fill in fills) == order.quantity

    @in_one_loop
    async def test_an_unknown_id_is_not_found(self, harness: BrokerHarness) -> None:
        found = await harness.broker.find(UNKNOWN_ID)
        assert (found.seen, found.order) == (Seen.NOT_FOUND, None)

    @in_one_loop
    async def test_an_order_is_known_after_a_restart(self, harness: BrokerHarness) -> None:
        order = await sent(harness)
        before = await harness.broker.find(order.client_order_id)
        harness.restart()
        assert await harness.broker.find(order.client_order_id) == before
        assert await open_ids(harness.broker) == [order.client_order_id]

    @in_one_loop
    async def test_a_filled_order_is_found_as_filled_and_waits_no_more(self, harness: BrokerHarness) -> None:
        order = await sent(harness)
        harness.opening()
        for _ in range(2):
            found = (await harness.broker.find(order.client_order_id)).order
            assert found is not None
            assert (found.status, found.filled) == (BrokerStatus.FILLED, order.quantity)
            assert await open_ids(harness.broker) == []
            harness.end_of_day()

    @in_one_loop
    async def test_what_has_ended_is_among_the_closed_orders_and_what_waits_is_not(
        self, harness: BrokerHarness
    ) -> None:
        filled = await sent(harness)
        assert await harness.broker.closed_orders(LONG_AGO) == ()
        harness.opening()
        harness.end_of_day()
        waiting = await sent(harness)
        closed = await harness.broker.closed_orders(LONG_AGO)
        found = (await harness.broker.find(filled.client_order_id)).order
        assert closed == (found,)
        assert await open_ids(harness.broker) == [waiting.client_order_id]
        assert await harness.broker.closed_orders(FAR_AHEAD) == ()

    @in_one_loop
    async def test_a_waiting_order_can_be_cancelled(self, harness: BrokerHarness) -> None:
        cancelled, kept = await sent(harness), await sent(harness)
        answer = await harness.broker.cancel(cancelled.client_order_id)
        assert answer.outcome is Outcome.ACCEPTED
        found = (await harness.broker.find(cancelled.client_order_id)).order
        assert found is not None
        assert found.status is BrokerStatus.CANCELLED
        assert found.reason
        assert await open_ids(harness.broker) == [kept.client_order_id]
        harness.note_cancelled(cancelled)
        harness.opening()
        fills = (await harness.broker.fills_since("")).fills
        assert {fill.client_order_id for fill in fills} == {kept.client_order_id}

    @in_one_loop
    async def test_what_does_not_wait_cannot_be_cancelled(self, harness: BrokerHarness) -> None:
        order = await sent(harness)
        assert (await harness.broker.cancel(UNKNOWN_ID)).outcome is Outcome.REJECTED
        harness.opening()
        assert (await harness.broker.cancel(order.client_order_id)).outcome is Outcome.REJECTED
        assert len((await harness.broker.fills_since("")).fills) == 1

    @in_one_loop
    async def test_nothing_is_filled_before_the_opening(self, harness: BrokerHarness) -> None:
        await sent(harness)
        found = await harness.broker.fills_since("")
        assert (found.fills, found.cursor) == ((), "")

    @in_one_loop
    async def test_fills_are_whole_exact_and_timed(self, harness: BrokerHarness) -> None:
        orders = [await sent(harness, asset_class=one) for one in sorted(harness.broker.capabilities.asset_classes)]
        harness.opening()
        found = await harness.broker.fills_since("")
        by_id = {order.client_order_id: order for order in orders}
        assert {fill.client_order_id for fill in found.fills} == set(by_id)
        assert len({fill.trade_id for fill in found.fills}) == len(found.fills)
        for fill in found.fills:
            order = by_id[fill.client_order_id]
            assert (fill.symbol, fill.side) == (order.symbol, order.side)
            assert all(type(amount) is Decimal for amount in (fill.quantity, fill.price, fill.commission))
            assert fill.price > 0
            assert fill.filled_at.tzinfo is not None
            assert fill.filled_at.utcoffset() is not None
        for order in orders:
            filled = [fill.quantity for fill in found.fills if fill.client_order_id == order.client_order_id]
            assert sum(filled) == order.quantity

    @in_one_loop
    async def test_fills_come_oldest_first(self, harness: BrokerHarness) -> None:
        traded = sorted(harness.broker.capabilities.asset_classes)
        for asset_class in traded:
            await sent(harness, asset_class=asset_class)
        harness.opening()
        harness.end_of_day()
        # Neither the order of sending nor the kind of order counts.
        for asset_class in traded:
            await sent(harness, Side.SELL, asset_class)
            await sent(harness, Side.BUY, asset_class)
        harness.opening()
        times = [fill.filled_at for fill in (await harness.broker.fills_since("")).fills]
        assert len(times) == 3 * len(traded)
        assert all(earlier <= later for earlier, later in pairwise(times))

    @in_one_loop
    async def test_the_same_question_has_the_same_answer(self, harness: BrokerHarness) -> None:
        await sent(harness)
        harness.opening()
        first = await harness.broker.fills_since("")
        assert await harness.broker.fills_since("") == first
        harness.restart()
        assert await harness.broker.fills_since("") == first
        harness.end_of_day()
        assert await harness.broker.fills_since("") == first

    @in_one_loop
    async def test_a_cursor_neither_loses_a_fill_nor_repeats_one(self, harness: BrokerHarness) -> None:
        first = await sent(harness)
        harness.opening()
        before = await harness.broker.fills_since("")
        assert before.cursor
        assert (await harness.broker.fills_since(before.cursor)).fills == ()
        harness.end_of_day()
        second = await sent(harness, Side.SELL)
        harness.opening()
        after = await harness.broker.fills_since(before.cursor)
        assert {fill.client_order_id for fill in before.fills} == {first.client_order_id}
        assert {fill.client_order_id for fill in after.fills} == {second.client_order_id}
        assert after.cursor != before.cursor
        whole = await harness.broker.fills_since("")
        assert (whole.fills, whole.cursor) == (before.fills + after.fills, after.cursor)

    @in_one_loop
    async def test_a_subscription_tells_each_fill_once(self, harness: BrokerHarness) -> None:
        await sent(harness)
        await sent(harness)
        harness.opening()
        expected = await harness.broker.fills_since("")
        looks = 0

        async def wait() -> None:
            nonlocal looks
            looks += 1
            if looks >= LOOKS:
                raise EnoughError

        told: list[Execution] = []
        with pytest.raises(EnoughError):
            await _listen(harness.waiting_with(wait), told)
        assert tuple(told) == expected.fills

    @in_one_loop
    async def test_positions_follow_the_fills_and_hold_nothing_else(self, harness: BrokerHarness) -> None:
        before = dict(await harness.broker.positions())
        assert all(before.values())
        order = await sent(harness)
        harness.opening()
        harness.end_of_day()
        bought = await harness.broker.positions()
        assert all(bought.values())
        assert bought[order.symbol] == before.get(order.symbol, Decimal(0)) + order.quantity
        sold = await sent(harness, Side.SELL)
        assert (sold.symbol, sold.quantity) == (order.symbol, order.quantity)
        harness.opening()
        harness.end_of_day()
        assert dict(await harness.broker.positions()) == before

    @in_one_loop
    async def test_the_account_tells_its_money_in_its_currency(self, harness: BrokerHarness) -> None:
        before = await harness.broker.account()
        assert before.currency == harness.broker.capabilities.currency
        assert all(type(amount) is Decimal for amount in (before.cash, before.buying_power))
        assert before.buying_power >= 0
        await sent(harness)
        harness.opening()
        (fill,) = (await harness.broker.fills_since("")).fills
        harness.end_of_day()
        after = await harness.broker.account()
        paid = fill.quantity * fill.price + fill.commission
        assert abs(before.cash - after.cash - paid) <= Decimal("0.01")
