"""The simulated broker: orders fill at the openings of the price panel.

The book's own stored orders stand in for a real broker's records, so the broker answers the same after a crash: an
order whose sending is stored counts as sent.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from functools import cached_property
from typing import Protocol

from trading_lib.domain.book.orders import (
    OPEN_STATUSES,
    TERMINAL_STATUSES,
    Cancellation,
    Fill,
    Order,
    OrderStatus,
)
from trading_lib.domain.book.portfolio import Portfolio
from trading_lib.domain.market.instruments import AssetClass
from trading_lib.execution.broker import (
    Answer,
    BrokerAccount,
    BrokerOrder,
    BrokerSetting,
    BrokerStatus,
    Capabilities,
    ClearedOrder,
    Execution,
    Executions,
    LookUp,
    Outcome,
    Seen,
)
from trading_lib.execution.polling import poll_fills
from trading_lib.execution.simulated import SIMULATED_BROKER

# Unlisted are those that never were at the broker.
STATUSES: Mapping[OrderStatus, BrokerStatus] = {
    OrderStatus.UNKNOWN: BrokerStatus.WORKING,
    OrderStatus.WORKING: BrokerStatus.WORKING,
    OrderStatus.PARTIALLY_FILLED: BrokerStatus.PARTIALLY_FILLED,
    OrderStatus.PENDING_CANCEL: BrokerStatus.WORKING,
    OrderStatus.FILLED: BrokerStatus.FILLED,
    OrderStatus.REJECTED: BrokerStatus.REJECTED,
    OrderStatus.CANCELLED: BrokerStatus.CANCELLED,
    OrderStatus.EXPIRED: BrokerStatus.EXPIRED,
}


class StoredOrders(Protocol):
    """The book's orders as they are stored."""

    def stored(self, client_order_id: str) -> tuple[Order, OrderStatus, Decimal] | None:
        """Return an order that was sent, its status and what of it is filled; None for any other."""
        ...

    def sent(self, statuses: Sequence[OrderStatus], since: datetime | None = None) -> list[Order]:
        """Orders of the account that were sent, ``since`` or later, and have one of the statuses."""
        ...

    def fills(self) -> list[Fill]:
        """Return the stored fills of the account, the oldest first."""
        ...


@dataclass(frozen=True)
class SimulatedOpening:
    """An opening that the waiting orders meet; it answers the same however often it is asked.

    Attributes
    ----------
    meet
        Makes the fills, and what was not filled.
    cursor
        Names the opening: its session.
    """

    meet: Callable[[], tuple[list[Fill], list[Cancellation]]]
    cursor: str

    @cached_property
    def fills(self) -> list[Fill]:
        """Fills in the order they were made."""
        return self._met[0]

    @cached_property
    def cancelled(self) -> dict[str, Cancellation]:
        """Client order id -> what was not filled."""
        return {cancellation.client_order_id: cancellation for cancellation in self._met[1]}

    @cached_property
    def _met(self) -> tuple[list[Fill], list[Cancellation]]:
        return self.meet()


async def _at_once() -> None:
    """Nothing happens between two questions: whoever settles opens the market."""


class SimulatedBroker:
    """One account of a book at the simulated broker; a `Broker`.

    Parameters
    ----------
    orders
        The account's orders as they are stored.
    portfolio
        What the account holds; None for an empty one.
    opening
        The opening to meet; None before it.
    wait
        Awaited by `subscribe` between two looks.
    """

    capabilities = Capabilities(
        asset_classes=frozenset(AssetClass),
        order_types=frozenset({"MARKET"}),
        fractional=True,
        short=True,
        simulated=True,
    )
    name = SIMULATED_BROKER

    def __init__(
        self,
        setting: BrokerSetting,
        orders: StoredOrders,
        portfolio: Portfolio | None = None,
        opening: SimulatedOpening | None = None,
        wait: Callable[[], Awaitable[object]] = _at_once,
    ) -> None:
        self._setting, self._orders, self._portfolio = setting, orders, portfolio
        self._opening, self._wait = opening, wait
        self._cancelled: set[str] = set()

    async def connect(self) -> None:
        """Nothing is there to connect to."""

    async def close(self) -> None:
        """Nothing is open."""

    async def account(self) -> BrokerAccount:
        """Cash of the account; all of it buys."""
        cash = self._portfolio.cash if self._portfolio else Decimal(0)
        return BrokerAccount(self._setting.account, self.capabilities.currency, cash, max(cash, Decimal(0)))

    async def positions(self) -> Mapping[str, Decimal]:
        """Units held, negative for perpetuals that are sold short."""
        if self._portfolio is None:
            return {}
        held = {symbol: position.quantity for symbol, position in self._portfolio.positions.items()}
        return held | {symbol: position.quantity for symbol, position in self._portfolio.perpetuals.items()}

    async def open_orders(self) -> tuple[BrokerOrder, ...]:
        """Orders that wait for an opening."""
        found = [await self.find(order.client_order_id) for order in self._orders.sent(OPEN_STATUSES)]
        return tuple(one.order for one in found if one.order is not None and one.order.status.is_open)

    async def closed_orders(self, since: datetime) -> tuple[BrokerOrder, ...]:
        """Orders sent since that are done, at this opening too."""
        ended = (*OPEN_STATUSES, *TERMINAL_STATUSES)
        found = [await self.find(order.client_order_id) for order in self._orders.sent(ended, since)]
        return tuple(one.order for one in found if one.order is not None and not one.order.status.is_open)

    async def submit(self, cleared: ClearedOrder) -> Answer:
        """Take an order for the next opening. Its intent is stored before, which makes it known here."""
        identity = cleared.order.client_order_id
        known = self._orders.stored(identity)
        if known is None:
            return Answer(Outcome.REJECTED, reason="its intent is not stored as sent")
        if known[1] is not OrderStatus.UNKNOWN:
            return Answer(Outcome.DUPLICATE, identity, "client order id is known")
        return Answer(Outcome.ACCEPTED, identity)

    async def find(self, client_order_id: str) -> LookUp:
        """Look an order up among the stored ones, and at the opening."""
        known = self._orders.stored(client_order_id)
        if known is None:
            return LookUp(Seen.NOT_FOUND)
        order, status, filled = known
        return LookUp(Seen.FOUND, self._at_broker(order, STATUSES[status], filled))

    def _at_broker(self, order: Order, status: BrokerStatus, filled: Decimal) -> BrokerOrder:
        identity, reason = order.client_order_id, ""
        if status.is_open and identity in self._cancelled:
            status, reason = BrokerStatus.CANCELLED, "cancelled on request"
        elif status.is_open and self._opening is not None:
            met = [fill for fill in self._opening.fills if fill.client_order_id == identity]
            left = self._opening.cancelled.get(identity)
            filled = sum((fill.quantity for fill in met), Decimal(0))
            if left is not None:
                status, reason = BrokerStatus.CANCELLED, left.reason
            elif met:
                status = BrokerStatus.FILLED
        return BrokerOrder(identity, identity, order.symbol, order.side, order.quantity, filled, status, reason)

    async def cancel(self, client_order_id: str) -> Answer:
        """Cancel an order that waits."""
        found = (await self.find(client_order_id)).order
        if found is None or not found.status.is_open:
            return Answer(Outcome.REJECTED, reason="there is no such open order")
        self._cancelled.add(client_order_id)
        return Answer(Outcome.ACCEPTED, client_order_id)

    async def fills_since(self, cursor: str) -> Executions:
        """Return the fills after a session: the stored ones, and those of the opening."""
        stored = {fill.trade_id: fill for fill in self._orders.fills() if fill.session.isoformat() > cursor}
        newest = max([cursor, *(fill.session.isoformat() for fill in stored.values())])
        if self._opening is not None and self._opening.cursor > cursor:
            newest = max(newest, self._opening.cursor)
            for fill in self._opening.fills:
                if fill.client_order_id not in self._cancelled:
                    stored.setdefault(fill.trade_id, fill)
        # As they are stored, so that the answer is the same before and after they are.
        oldest_first = sorted(stored.values(), key=lambda fill: (fill.filled_at, fill.trade_id))
        return Executions(tuple(_execution(fill) for fill in oldest_first), newest)

    async def subscribe(self, cursor: str) -> AsyncIterator[Execution]:
        """Ask again and again; it streams nothing."""
        async for fill in poll_fills(self.fills_since, cursor, self._wait):
            yield fill


def _execution(fill: Fill) -> Execution:
    return Execution(
        fill.trade_id,
        fill.client_order_id,
        fill.symbol,
        fill.side,
        fill.quantity,
        fill.price,
        fill.commission,
        fill.filled_at,
        fill.reference_price,
    )
