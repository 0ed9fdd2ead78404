"""The account's fills after a cursor, all pages. Input: the connection, a cursor. Output: `Executions`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any
from urllib.parse import quote

from trading_lib.adapters.brokers.alpaca.connection.client import AlpacaConnection
from trading_lib.adapters.brokers.alpaca.fills import Position, bust, execution, is_struck, struck_id
from trading_lib.adapters.brokers.alpaca.listing import list_orders
from trading_lib.adapters.brokers.alpaca.values import UnreadableError, records, text_of, time_of
from trading_lib.domain.errors import BrokerUnavailableError
from trading_lib.execution.broker import Executions

PAGE = 100
# A year of a daily system; a server that repeats itself ends before.
MOST_PAGES = 1_000
# So many orders are looked up one by one; more are listed, from some days before the first of their fills.
FEW_ORDERS = 3
BEFORE_FILLS = timedelta(days=7)


class FillHistory:
    """Fills of one account.

    Activities name orders by Alpaca's ids, so ours are looked up once and remembered.
    """

    def __init__(self, connection: AlpacaConnection) -> None:
        self._connection = connection
        self._ours: dict[str, str] = {}

    def remember(self, broker_order_id: str, client_order_id: str) -> None:
        """Note an order's two ids."""
        self._ours[broker_order_id] = client_order_id

    async def since(self, cursor: str) -> Executions:
        """Return the fills after a cursor, the oldest first.

        Raises
        ------
        BrokerUnavailableError
            When some page or order cannot be had or read: then no fill is told.
        """
        position = Position.at(cursor)
        try:
            activities = await self._pages(position.token)
            fresh = position.fresh(activities)
            struck = [one for one in fresh if is_struck(one)]
            filled = [one for one in fresh if not is_struck(one)]
            await self._learn(filled)
            record = self._connection.record
            fills = [execution(one, self._ours.get(text_of(one, "order_id"), ""), record) for one in filled]
            busts = [bust(one, await self._trade(one, activities), record) for one in fresh if struck_id(one)]
            busts += [bust(one, text_of(one, "id"), record) for one in struck if not struck_id(one)]
            after = position.after(activities)
        except UnreadableError as error:
            raise BrokerUnavailableError(
                f"Alpaca's list of fills cannot be read ({error})", "try again later"
            ) from None
        fills.sort(key=lambda fill: (fill.filled_at, fill.trade_id))
        return Executions(tuple(fills), after, tuple(sorted(busts, key=lambda one: (one.at, one.trade_id))))

    async def _pages(self, token: str) -> list[Mapping[str, Any]]:
        found: dict[str, Mapping[str, Any]] = {}
        for _ in range(MOST_PAGES):
            fields = {"direction": "asc", "page_size": str(PAGE)}
            content = await self._connection.read(
                "/account/activities/FILL", {**fields, "page_token": token} if token else fields
            )
            page, before = records(content, "fills"), len(found)
            for activity in page:
                found[text_of(activity, "id")] = activity
            # A page that is exactly full may be the last: the next one is empty then.
            if len(page) < PAGE:
                return list(found.values())
            if len(found) == before:
                break
            token = text_of(page[-1], "id")
        raise UnreadableError("its pages do not end")

    async def _learn(self, activities: Sequence[Mapping[str, Any]]) -> None:
        """Find our ids of the orders of fills; an order that Alpaca does not find stays without."""
        missing = dict.fromkeys(text_of(one, "order_id") for one in activities)
        missing = {identity: None for identity in missing if identity not in self._ours}
        if len(missing) > FEW_ORDERS:
            first = min(time_of(one, "transaction_time") for one in activities)
            for order in await list_orders(self._connection, "all", first - BEFORE_FILLS):
                self.remember(text_of(order, "id"), text_of(order, "client_order_id"))
        for identity in missing:
            if identity not in self._ours:
                await self._look_up(identity)

    async def _look_up(self, identity: str) -> None:
        path = f"/orders/{quote(identity, safe='')}"
        reply = await self._connection.look(path)
        if reply.status == 404 and "order not found" in reply.message.lower():
            return
        content = reply.content if reply.fine else self._connection.refuse(reply, path)
        if not isinstance(content, dict):
            raise UnreadableError("no order")
        self.remember(identity, text_of(content, "client_order_id"))

    async def _trade(self, activity: Mapping[str, Any], activities: Sequence[Mapping[str, Any]]) -> str:
        """Return the id of the trade that an activity strikes; it may lie before all that was read."""
        struck = struck_id(activity)
        for listed in (activities, await self._pages("")):
            for one in listed:
                identity = text_of(one, "id")
                if identity != activity.get("id") and struck in (identity, identity.rpartition("::")[2]):
                    return identity
        raise UnreadableError(f"the trade {struck}, which was struck, is not in it")
