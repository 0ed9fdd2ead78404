"""Alpaca as a `Broker`: US shares and funds, on its paper and its live endpoint.

Input: cleared orders and questions. Output: what Alpaca's REST interface says; its stream only says when to ask.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from datetime import datetime, time
from decimal import Decimal
from typing import Any, TypeVar
from urllib.parse import quote

from trading_lib.adapters.brokers.alpaca.account import balances, held, is_account, readable_account, why_blocked
from trading_lib.adapters.brokers.alpaca.answers import cancel_answer, look_up, submit_answer
from trading_lib.adapters.brokers.alpaca.connection.client import AlpacaConnection
from trading_lib.adapters.brokers.alpaca.connection.keys import KEY_VARIABLE
from trading_lib.adapters.brokers.alpaca.connection.session import BoundedSession
from trading_lib.adapters.brokers.alpaca.connection.stream import POLL_SECONDS, TradeUpdates
from trading_lib.adapters.brokers.alpaca.history import FillHistory
from trading_lib.adapters.brokers.alpaca.listing import closed_orders, open_orders
from trading_lib.adapters.brokers.alpaca.movements import movements_since
from trading_lib.adapters.brokers.alpaca.orders import IN_FORCE, TYPES, UnsendableError, request_fields
from trading_lib.adapters.brokers.alpaca.preflight import findings
from trading_lib.adapters.brokers.alpaca.values import UnreadableError, text_of, time_of
from trading_lib.adapters.brokers.shared.account_marks import account_mark
from trading_lib.adapters.brokers.shared.simulator_mount import stream_address
from trading_lib.domain.errors import BrokerUnavailableError
from trading_lib.domain.market.instruments import AssetClass
from trading_lib.execution.broker import (
    Answer,
    BrokerAccount,
    BrokerOrder,
    BrokerSetting,
    Capabilities,
    ClearedOrder,
    Execution,
    Executions,
    LookUp,
    Movement,
    Outcome,
    Readiness,
    Seen,
)
from trading_lib.execution.polling import poll_fills

Value = TypeVar("Value")
# Between them Alpaca takes orders for the next opening auction.
SEND_FROM, SEND_UNTIL = time(19, 0), time(9, 28)


class AlpacaBroker:
    """One account at Alpaca; a `Broker` that also `Preflights`, `TellsTime` and `TellsMovements`.

    Parameters
    ----------
    wait
        Awaited by `subscribe` between two looks, in place of the stream.
    session, pause
        See `AlpacaConnection`.
    """

    name = "alpaca"
    # How often a subscription asks while the stream tells of nothing.
    poll_seconds = POLL_SECONDS
    capabilities = Capabilities(
        asset_classes=frozenset({AssetClass.US_ETF}),
        order_types=frozenset(TYPES),
        times_in_force=frozenset(IN_FORCE),
        fractional=True,
        streams=True,
        send_from=SEND_FROM,
        send_until=SEND_UNTIL,
    )

    def __init__(
        self,
        setting: BrokerSetting,
        wait: Callable[[], Awaitable[object]] | None = None,
        session: Callable[[], BoundedSession] = BoundedSession,
        pause: Callable[[float], Awaitable[object]] | None = None,
    ) -> None:
        self._setting, self._wait = setting, wait
        self._connection = AlpacaConnection(setting, session, **({"pause": pause} if pause else {}))
        self._history = FillHistory(self._connection)
        # Alpaca's id of the account that was found to be the right one; "" before.
        self._account = ""

    async def connect(self) -> None:
        """Make sure that the key opens the configured account, and that it may trade.

        Raises
        ------
        ConfigurationError
            When a key is not set, or is of the other endpoint.
        BrokerUnavailableError
            When Alpaca cannot be reached or refuses the key, or the account is another one or blocked.
        """
        if not self._account:
            content = await self._own_account()
            if blocked := why_blocked(content):
                raise BrokerUnavailableError(blocked, "see Alpaca's page, or write to its support")
            self._account = text_of(content, "id")

    async def close(self) -> None:
        """Close the connection; the next question opens it again."""
        self._account = ""
        self._connection.close()

    async def account(self) -> BrokerAccount:
        """Money in the account."""
        await self.connect()
        content = await self._own_account()
        return balances(content, self._setting.account or account_mark(text_of(content, "id")))

    async def positions(self) -> Mapping[str, Decimal]:
        """Symbol -> shares held, negative for what is sold short."""
        await self.connect()
        return await self._read("/positions", held)

    async def open_orders(self) -> tuple[BrokerOrder, ...]:
        """Orders that may still fill."""
        await self.connect()
        return self._remembered(await open_orders(self._connection))

    async def closed_orders(self, since: datetime) -> tuple[BrokerOrder, ...]:
        """Orders that Alpaca took at ``since`` or later and that cannot fill any more."""
        await self.connect()
        return self._remembered(await closed_orders(self._connection, since))

    async def submit(self, cleared: ClearedOrder) -> Answer:
        """Send an order, once; Alpaca refuses an id that it has seen."""
        order = cleared.order
        try:
            fields = request_fields(order, self._is_whole(order.symbol))
        except UnsendableError as error:
            return Answer(Outcome.REJECTED, reason=f"not sent: {error}")
        await self.connect()
        reply = await self._connection.once("POST", "/orders", fields)
        if not reply.sent:
            raise BrokerUnavailableError(
                f"Alpaca cannot be reached ({reply.failure}); order {order.client_order_id} was not sent",
                "check the network; see https://status.alpaca.markets",
            )
        answer = submit_answer(self._connection, reply, order)
        if answer.broker_order_id:
            self._history.remember(answer.broker_order_id, order.client_order_id)
        return answer

    async def find(self, client_order_id: str) -> LookUp:
        """Look an order up, whatever its status."""
        await self.connect()
        reply = await self._connection.look("/orders:by_client_order_id", {"client_order_id": client_order_id})
        found = look_up(self._connection, reply, client_order_id)
        if found.order is not None:
            self._remembered((found.order,))
        return found

    async def cancel(self, client_order_id: str) -> Answer:
        """Ask to cancel an order, which Alpaca wants named by its own id."""
        found = await self.find(client_order_id)
        if found.seen is Seen.UNKNOWN:
            return Answer(Outcome.UNKNOWN, reason=found.reason, raw=found.raw)
        if found.order is None:
            return Answer(Outcome.REJECTED, reason=f"there is no such order at Alpaca ({found.reason})", raw=found.raw)
        if not found.order.status.is_open:
            reason = f"the order has ended ({found.order.status})"
            return Answer(Outcome.REJECTED, found.order.broker_order_id, reason, found.raw)
        reply = await self._connection.once("DELETE", f"/orders/{quote(found.order.broker_order_id, safe='')}")
        return cancel_answer(self._connection, reply, found.order)

    async def fills_since(self, cursor: str) -> Executions:
        """Return the fills after a cursor, the oldest first, and trades that were struck since."""
        await self.connect()
        return await self._history.since(cursor)

    async def subscribe(self, cursor: str) -> AsyncIterator[Execution]:
        """Yield every fill after a cursor once: asked for every few seconds, and as soon as the stream tells of one."""
        await self.connect()
        if self._wait is not None:
            async for fill in poll_fills(self.fills_since, cursor, self._wait):
                yield fill
            return
        address = stream_address(self._setting.environment)
        async with TradeUpdates(self._connection.open(), self._confirm_key, address, self.poll_seconds) as updates:
            async for fill in poll_fills(self.fills_since, cursor, updates.wait):
                yield fill

    async def preflight(self, symbols: Sequence[str]) -> tuple[Readiness, ...]:
        """Say what Alpaca would refuse: of the account, of each symbol, and what has changed in its answers."""
        return tuple(await findings(self._connection, self._setting, symbols))

    async def movements_since(self, since: datetime) -> tuple[Movement, ...]:
        """Return what moved the account's cash without a trade since that day, the oldest first."""
        await self.connect()
        return await movements_since(self._connection, since)

    async def server_time(self) -> datetime:
        """Return Alpaca's clock, in UTC."""
        return await self._read("/clock", lambda content: time_of(_object(content), "timestamp"))

    async def _own_account(self) -> Mapping[str, Any]:
        """Return Alpaca's answer about the account, if it is about the configured one, and the same as before."""
        content = await self._read("/account", readable_account)
        self._connection.secrets |= {text_of(content, "account_number"), text_of(content, "id")}
        if not (is_account(content, self._setting.account) and is_account(content, self._account)):
            raise BrokerUnavailableError(
                f"the key in {KEY_VARIABLE} opens another account at Alpaca than `broker_account` says",
                "correct `broker_account` in execution.yaml, or set the keys of that account",
            )
        return content

    async def _confirm_key(self) -> None:
        await self._connection.read("/account")

    async def _read(self, path: str, reading: Callable[[Any], Value]) -> Value:
        content = await self._connection.read(path)
        try:
            return reading(content)
        except UnreadableError as error:
            raise BrokerUnavailableError(f"Alpaca's answer to {path} cannot be read ({error})", "try again") from None

    def _remembered(self, orders: tuple[BrokerOrder, ...]) -> tuple[BrokerOrder, ...]:
        for order in orders:
            self._history.remember(order.broker_order_id, order.client_order_id)
        return orders

    def _is_whole(self, symbol: str) -> bool:
        """Whether an asset is traded in whole shares only, as the universe says."""
        return any(one.symbol == symbol and one.lot_size % 1 == 0 for one in self._setting.instruments)


def _object(content: Any) -> Mapping[str, Any]:
    if not isinstance(content, dict):
        raise UnreadableError("no object")
    return content
