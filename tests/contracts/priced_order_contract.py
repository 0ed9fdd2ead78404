"""What a `Broker` that takes limit and stop orders must do; beside `BrokerContract`, which is about market orders."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from itertools import product
from typing import Protocol

import pytest

from tests.contracts.broker_contract import BrokerHarness, in_one_loop, open_ids, sent
from trading_lib.domain.book.orders import Order, OrderType, Side, TimeInForce
from trading_lib.execution.broker import BrokerStatus, Outcome, Seen

LIMITED = (OrderType.LIMIT, OrderType.STOP_LIMIT)
STOPPED = (OrderType.STOP, OrderType.STOP_LIMIT)
WAITING = (TimeInForce.DAY, TimeInForce.UNTIL_CANCELLED)
CENT = Decimal("0.01")


class PricedHarness(BrokerHarness, Protocol):
    """A broker's surroundings where the market's prices are known."""

    def price(self, symbol: str) -> Decimal:
        """Return about what a unit trades at now."""
        ...


def priced(harness: PricedHarness, order: Order, kind: OrderType, in_force: TimeInForce, away: Decimal) -> Order:
    """Return an order with its prices ``away`` from the market, as a fraction."""
    price = (harness.price(order.symbol) * (1 + away)).quantize(CENT)
    return replace(
        order,
        order_type=kind,
        time_in_force=in_force,
        limit_price=price if kind in LIMITED else None,
        stop_price=price if kind in STOPPED else None,
    )


def far(kind: OrderType, side: Side) -> Decimal:
    """How far off an order waits: below the market are purchases at a limit and sales at a stop."""
    below = (side is Side.BUY) != (kind in STOPPED)
    return Decimal("-0.1") if below else Decimal("0.1")


async def held(harness: PricedHarness) -> None:
    """Buy what sales then sell."""
    await sent(harness)
    harness.opening()
    harness.end_of_day()


def skip_unless_taken(harness: PricedHarness, kind: OrderType, in_force: TimeInForce) -> None:
    capabilities = harness.broker.capabilities
    if kind not in capabilities.order_types or in_force not in capabilities.times_in_force:
        pytest.skip(f"{harness.broker.name} takes no {kind} orders that are in force {in_force}")


class PricedOrderContract:
    """Subclasses provide the fixture ``harness``."""

    @pytest.fixture
    def harness(self) -> PricedHarness:
        raise NotImplementedError("a contract test class provides its harness")

    @pytest.mark.parametrize("side", Side)
    @pytest.mark.parametrize("in_force", WAITING)
    @pytest.mark.parametrize("kind", [OrderType.LIMIT, OrderType.STOP, OrderType.STOP_LIMIT])
    def test_away_from_the_market_it_waits_is_known_after_a_restart_and_can_be_cancelled_once(
        self, harness: PricedHarness, kind: OrderType, in_force: TimeInForce, side: Side
    ) -> None:
        skip_unless_taken(harness, kind, in_force)

        @in_one_loop
        async def test() -> None:
            await held(harness)
            order = harness.order(min(harness.broker.capabilities.asset_classes), side)
            order = priced(harness, order, kind, in_force, far(kind, side))
            answer = await harness.broker.submit(harness.intend(order))
            assert answer.outcome is Outcome.ACCEPTED, answer
            harness.note(order, answer)
            found = await harness.broker.find(order.client_order_id)
            assert (found.seen, found.order is not None) == (Seen.FOUND, True)
            assert found.order is not None
            assert (found.order.side, found.order.quantity, found.order.status) == (
                side, order.quantity, BrokerStatus.WORKING,
            )  # fmt: skip
            harness.restart()
            assert await harness.broker.open_orders() == (found.order,)
            assert (await harness.broker.cancel(order.client_order_id)).outcome is Outcome.ACCEPTED
            harness.note_cancelled(order)
            assert await open_ids(harness.broker) == []
            ended = (await harness.broker.find(order.client_order_id)).order
            assert ended is not None
            assert (ended.status, ended.filled) == (BrokerStatus.CANCELLED, Decimal(0))
            assert (await harness.broker.cancel(order.client_order_id)).outcome is Outcome.REJECTED

        test()

    @pytest.mark.parametrize("side", Side)
    @pytest.mark.parametrize("in_force", WAITING)
    def test_a_limit_that_the_market_meets_is_filled_at_no_worse_price(
        self, harness: PricedHarness, in_force: TimeInForce, side: Side
    ) -> None:
        skip_unless_taken(harness, OrderType.LIMIT, in_force)

        @in_one_loop
        async def test() -> None:
            await held(harness)
            before = await harness.broker.fills_since("")
            order = harness.order(min(harness.broker.capabilities.asset_classes), side)
            order = priced(harness, order, OrderType.LIMIT, in_force, -far(OrderType.LIMIT, side))
            answer = await harness.broker.submit(harness.intend(order))
            assert answer.outcome is Outcome.ACCEPTED, answer
            harness.note(order, answer)
            harness.opening()
            fills = (await harness.broker.fills_since(before.cursor)).fills
            assert sum(fill.quantity for fill in fills) == order.quantity
            assert order.limit_price is not None
            # Neither bought above the limit nor sold below it.
            assert [
                fill for fill in fills if (fill.price - order.limit_price) * (1 if side is Side.BUY else -1) > 0
            ] == []

        test()

    @pytest.mark.parametrize("kind", [OrderType.LIMIT, OrderType.STOP, OrderType.STOP_LIMIT])
    def test_an_order_is_replaced_by_cancelling_it_and_sending_another(
        self, harness: PricedHarness, kind: OrderType
    ) -> None:
        skip_unless_taken(harness, kind, TimeInForce.UNTIL_CANCELLED)

        @in_one_loop
        async def test() -> None:
            await held(harness)
            first, second = (
                priced(
                    harness,
                    harness.order(min(harness.broker.capabilities.asset_classes), Side.SELL),
                    kind,
                    TimeInForce.UNTIL_CANCELLED,
                    times * far(kind, Side.SELL),
                )
                for times in (1, 2)
            )
            answer = await harness.broker.submit(harness.intend(first))
            assert answer.outcome is Outcome.ACCEPTED, answer
            harness.note(first, answer)
            await harness.broker.cancel(first.client_order_id)
            harness.note_cancelled(first)
            answer = await harness.broker.submit(harness.intend(second))
            assert answer.outcome is Outcome.ACCEPTED, answer
            harness.note(second, answer)
            assert await open_ids(harness.broker) == [second.client_order_id]

        test()

    @in_one_loop
    async def test_every_type_and_time_in_force_is_taken_or_refused_with_a_reason(self, harness: PricedHarness) -> None:
        capabilities = harness.broker.capabilities
        for kind, in_force in product(OrderType, TimeInForce):
            order = harness.order(min(capabilities.asset_classes))
            order = priced(harness, order, kind, in_force, far(kind, Side.BUY))
            answer = await harness.broker.submit(harness.intend(order))
            assert answer.outcome in (Outcome.ACCEPTED, Outcome.REJECTED), answer
            is_there = (await harness.broker.find(order.client_order_id)).seen is Seen.FOUND
            assert is_there is (answer.outcome is Outcome.ACCEPTED)
            if answer.outcome is Outcome.REJECTED:
                assert answer.reason
            else:
                assert (kind in capabilities.order_types, in_force in capabilities.times_in_force) == (True, True)
                harness.note(order, answer)
