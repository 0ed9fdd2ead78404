"""Sending, finding and cancelling single orders.

Input: an order or its client order id. Output: what Binance says became of it. A request that takes or cancels an order
is sent once; what came of it is looked up, never assumed.
"""

from __future__ import annotations

from collections.abc import Sequence

from trading_lib.adapters.brokers.binance.access.client import BinanceClient
from trading_lib.adapters.brokers.binance.answers.amounts import UnreadableError
from trading_lib.adapters.brokers.binance.answers.classification import Meaning, Reply, content_of, meaning_of
from trading_lib.adapters.brokers.binance.answers.markets import Pair
from trading_lib.adapters.brokers.binance.answers.orders import broker_order, check_cancelled, id_of_new
from trading_lib.adapters.brokers.binance.market_book import MarketBook
from trading_lib.adapters.brokers.binance.order_requests import request_of
from trading_lib.domain.book.orders import Order
from trading_lib.domain.errors import BrokerUnavailableError
from trading_lib.execution.broker import Answer, BrokerOrder, LookUp, Outcome, Seen

# Whoever proves that an order is not at Binance counts from when its sending was stored: later than this it must not
# leave any more.
HAND_OVER_SECONDS = 10.0
NEW, CANCEL, LOOK_UP = "private_post_order", "private_delete_order", "private_get_order"


class OrderDesk:
    """Single orders of one account.

    Parameters
    ----------
    pairs
        Those the account trades.
    markets
        Their definitions.
    """

    def __init__(self, client: BinanceClient, pairs: Sequence[Pair], markets: MarketBook) -> None:
        self._client, self._pairs, self._markets = client, pairs, markets

    async def submit(self, order: Order) -> Answer:
        """Send an order, unless it does not fit its market or Binance knows its id.

        Raises
        ------
        BrokerUnavailableError
            When nothing was sent, because Binance cannot be asked.
        """
        begun = self._client.monotonic()
        pair = next((pair for pair in self._pairs if pair.symbol == order.symbol), None)
        if pair is None:
            return Answer(Outcome.REJECTED, reason=f"{order.symbol} is not traded in this account; nothing was sent")
        request = request_of(order, await self._markets.market(pair))
        if isinstance(request, str):
            return Answer(Outcome.REJECTED, reason=f"{request}; nothing was sent")
        # Binance takes the id of a filled order again: it has to be asked before.
        known = await self._find_at(pair, order.client_order_id)
        if known.seen is Seen.UNKNOWN:
            raise BrokerUnavailableError(f"{known.reason}; nothing was sent", "it is looked up before it is sent")
        if known.order is not None:
            return Answer(Outcome.DUPLICATE, known.order.broker_order_id, "its id is known at Binance", known.raw)
        if self._client.monotonic() - begun > HAND_OVER_SECONDS:
            raise BrokerUnavailableError(
                f"{self._client.host} took too long to say whether it knows the order; nothing was sent",
                "it is looked up before it is sent",
            )
        reply = await self._client.ask(NEW, request, patience=0.0)
        return self._taken(reply, order.client_order_id, pair)

    async def find(self, client_order_id: str) -> LookUp:
        """Look an order up in every pair of the account, first in the one that its id names."""
        named = [pair for pair in self._pairs if f"-{f'{pair.base}USD'[:8]}-" in client_order_id]
        seen = LookUp(Seen.NOT_FOUND)
        for pair in [*named, *(pair for pair in self._pairs if pair not in named)]:
            found = await self._find_at(pair, client_order_id)
            if found.seen is Seen.FOUND:
                return found
            if found.seen is Seen.UNKNOWN or not seen.raw:
                seen = found if seen.seen is Seen.NOT_FOUND else seen
        return seen

    async def cancel(self, client_order_id: str) -> Answer:
        """Ask to cancel what is left of an order."""
        found = await self.find(client_order_id)
        if found.seen is Seen.UNKNOWN:
            return Answer(Outcome.UNKNOWN, reason=f"not cancelled: {found.reason}", raw=found.raw)
        if found.order is None:
            return Answer(Outcome.REJECTED, reason="Binance knows no such order", raw=found.raw)
        if not found.order.status.is_open:
            return _ended(found.order)
        pair = next(pair for pair in self._pairs if pair.symbol == found.order.symbol)
        number = found.order.broker_order_id
        identity = {"symbol": pair.name, "orderId": number, "origClientOrderId": client_order_id}
        reply = await self._client.ask(CANCEL, identity)
        return await self._cancelled(reply, client_order_id, number, pair)

    def _taken(self, reply: Reply, client_order_id: str, pair: Pair) -> Answer:
        meaning, raw, told = meaning_of(reply), self._raw(reply), self._client.told(reply)
        if meaning is Meaning.NOT_SENT:
            raise BrokerUnavailableError(f"{told}; nothing was sent", "it is looked up before it is sent")
        if meaning is Meaning.ANSWERED:
            try:
                return Answer(Outcome.ACCEPTED, id_of_new(content_of(reply), client_order_id, pair), raw=raw)
            except UnreadableError as error:
                return Answer(Outcome.UNKNOWN, reason=f"the answer {error}", raw=raw)
        outcome = {Meaning.REFUSED: Outcome.REJECTED, Meaning.DUPLICATE: Outcome.DUPLICATE}.get(
            meaning, Outcome.UNKNOWN
        )
        return Answer(outcome, reason=told, raw=raw)

    async def _cancelled(self, reply: Reply, client_order_id: str, number: str, pair: Pair) -> Answer:
        meaning, raw, told = meaning_of(reply), self._raw(reply), self._client.told(reply)
        if meaning is Meaning.NOT_SENT:
            raise BrokerUnavailableError(f"{told}; nothing was sent", "ask again later")
        if meaning is Meaning.ANSWERED:
            try:
                check_cancelled(content_of(reply), client_order_id, number)
            except UnreadableError as error:
                return Answer(Outcome.UNKNOWN, number, f"the answer {error}", raw)
            return Answer(Outcome.ACCEPTED, number, raw=raw)
        if meaning is Meaning.CANCEL_REFUSED:
            # Mostly because it has filled meanwhile.
            now = (await self._find_at(pair, client_order_id)).order
            if now is not None and not now.status.is_open:
                return _ended(now)
        refused = meaning is Meaning.REFUSED
        return Answer(Outcome.REJECTED if refused else Outcome.UNKNOWN, number, told, raw)

    async def _find_at(self, pair: Pair, client_order_id: str) -> LookUp:
        reply = await self._client.question(LOOK_UP, {"symbol": pair.name, "origClientOrderId": client_order_id})
        meaning, raw, told = meaning_of(reply), self._raw(reply), self._client.told(reply)
        if meaning is Meaning.NOT_SENT:
            raise BrokerUnavailableError(f"{told}; nothing was sent", "ask again later")
        if meaning is Meaning.NO_SUCH_ORDER:
            return LookUp(Seen.NOT_FOUND, reason=told, raw=raw)
        if meaning is not Meaning.ANSWERED:
            return LookUp(Seen.UNKNOWN, reason=told, raw=raw)
        try:
            order = self._read(reply, pair)
        except UnreadableError as error:
            return LookUp(Seen.UNKNOWN, reason=f"the answer {error}", raw=raw)
        if order.client_order_id != client_order_id:
            return LookUp(Seen.UNKNOWN, reason="the answer is about another order", raw=raw)
        return LookUp(Seen.FOUND, order, raw=order.raw)

    def _read(self, reply: Reply, pair: Pair) -> BrokerOrder:
        content = content_of(reply)
        if not isinstance(content, dict):
            raise UnreadableError("is no object")
        return broker_order(content, pair, self._client.raw)

    def _raw(self, reply: Reply) -> str:
        return self._client.raw(reply.body)


def _ended(order: BrokerOrder) -> Answer:
    return Answer(Outcome.REJECTED, order.broker_order_id, f"nothing of it waits: it is {order.status}", order.raw)
