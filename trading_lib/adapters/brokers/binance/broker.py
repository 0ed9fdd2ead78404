"""Binance spot as a broker: coins against USDT, orders by client order id, fills by polling.

Input: orders that passed the pre-trade checks. Output: what became of them, as far as Binance says it. What it does not
say is unknown; a request that could make a second order is never sent twice.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime, timedelta
from decimal import Decimal

from trading_lib.adapters.brokers.binance.access.client import BinanceClient, Surroundings
from trading_lib.adapters.brokers.binance.answers.amounts import UnreadableError, items, moment, when, whole
from trading_lib.adapters.brokers.binance.answers.balances import Balances, balances_from
from trading_lib.adapters.brokers.binance.answers.markets import QUOTE, Pair, pairs_of
from trading_lib.adapters.brokers.binance.answers.orders import broker_order
from trading_lib.adapters.brokers.binance.coin_fees import coin_fees
from trading_lib.adapters.brokers.binance.desk import OrderDesk
from trading_lib.adapters.brokers.binance.executions import FeePrices, execution
from trading_lib.adapters.brokers.binance.fill_cursor import FillCursor
from trading_lib.adapters.brokers.binance.histories import client_ids, orders_since, trades_from
from trading_lib.adapters.brokers.binance.market_book import MarketBook
from trading_lib.adapters.brokers.binance.preflight import (
    account_finding,
    answers_finding,
    coins_finding,
    key_finding,
    market_finding,
    peg_finding,
)
from trading_lib.adapters.brokers.shared.account_marks import account_mark
from trading_lib.domain.book.orders import OrderType, TimeInForce
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
    IdsUnique,
    LookUp,
    Movement,
    Readiness,
)
from trading_lib.execution.polling import poll_fills

BINANCE = "binance"
POLL_SECONDS = 5.0
NOTHING = Decimal(0)
# After so long an order that Binance does not find is one that it has forgotten.
LONGEST_LAG = timedelta(days=1)


async def _a_while() -> None:
    await asyncio.sleep(POLL_SECONDS)


class BinanceBroker:
    """One spot account at Binance; a `Broker`, `Preflights`, `TellsTime` and `TellsMovements`.

    Parameters
    ----------
    wait
        Awaited by `subscribe` between two looks.
    surroundings
        Clocks, threads and network.
    """

    capabilities = Capabilities(
        asset_classes=frozenset({AssetClass.CRYPTO}),
        currency=QUOTE,
        order_types=frozenset(OrderType),
        times_in_force=frozenset({TimeInForce.OPENING, TimeInForce.UNTIL_CANCELLED}),
        ids_unique=IdsUnique.WHILE_OPEN,
        fractional=True,
        next_utc_day=True,
    )
    name = BINANCE

    def __init__(
        self,
        setting: BrokerSetting,
        wait: Callable[[], Awaitable[object]] = _a_while,
        surroundings: Surroundings | None = None,
    ) -> None:
        outside = surroundings or (Surroundings(clock=setting.clock) if setting.clock else Surroundings())
        self._setting, self._wait = setting, wait
        self._pairs = pairs_of(setting.instruments)
        self._client = BinanceClient(setting, outside)
        self._markets = MarketBook(self._client, self._pairs, outside.monotonic)
        self._desk = OrderDesk(self._client, self._pairs, self._markets)
        self._prices = FeePrices(self._client)
        # Whose an order is never changes.
        self._client_ids: dict[str, dict[int, str]] = {pair.name: {} for pair in self._pairs}

    async def connect(self) -> None:
        """Compare the clocks, and make sure that the account is the one that was configured."""
        await self._client.connect()
        if self._setting.account:
            await self._balances()

    async def close(self) -> None:
        """Close connections; they open again when they are needed."""
        await self._client.close()

    async def account(self) -> BrokerAccount:
        """USDT of the account: all of it, and what is not locked in orders."""
        balances = await self._balances()
        cash, free = balances.total.get(QUOTE, NOTHING), balances.free.get(QUOTE, NOTHING)
        return BrokerAccount(self._setting.account or account_mark(balances.number), QUOTE, cash, free)

    async def positions(self) -> Mapping[str, Decimal]:
        """Units held of the account's coins, those locked in orders too; other coins are the preflight's business."""
        total = (await self._balances()).total
        return {pair.symbol: total[pair.base] for pair in self._pairs if pair.base in total}

    async def open_orders(self) -> tuple[BrokerOrder, ...]:
        """Open orders in the account's pairs, whoever sent them."""
        found: list[BrokerOrder] = []
        for pair in self._pairs:
            with self._reading("open orders"):
                records = items(await self._client.read("private_get_openorders", {"symbol": pair.name}))
                listed = [broker_order(record, pair, self._client.raw) for record in records]
                found += [order for order in listed if order.status.is_open]
        return tuple(found)

    async def closed_orders(self, since: datetime) -> tuple[BrokerOrder, ...]:
        """Orders in the account's pairs that Binance took since then and that have ended."""
        found: list[BrokerOrder] = []
        for pair in self._pairs:
            with self._reading("closed orders"):
                records = await orders_since(self._client, pair, since)
                listed = [broker_order(record, pair, self._client.raw) for record in records]
                found += [order for order in listed if not order.status.is_open]
        return tuple(found)

    async def submit(self, cleared: ClearedOrder) -> Answer:
        """Send an order, once; see `OrderDesk.submit`."""
        return await self._desk.submit(cleared.order)

    async def find(self, client_order_id: str) -> LookUp:
        """Look an order up, whatever its status."""
        return await self._desk.find(client_order_id)

    async def cancel(self, client_order_id: str) -> Answer:
        """Ask to cancel what is left of an order."""
        return await self._desk.cancel(client_order_id)

    async def fills_since(self, cursor: str) -> Executions:
        """Return the account's trades after a cursor, whoever made them; see `FillCursor`."""
        told = FillCursor.parse(cursor)
        fills: list[tuple[Execution, str, int]] = []
        for pair in self._pairs:
            with self._reading("trades"):
                records = await trades_from(self._client, pair, told.of(pair.name).floor + 1)
                fresh = [each for each in records if not told.of(pair.name).knows(whole(each, "id"))]
                ids = await self._ids(pair, {whole(each, "orderId"): when(each, "time") for each in fresh})
                made = [
                    await execution(each, ids[whole(each, "orderId")], pair, self._client, self._prices)
                    for each in fresh
                ]
                fills += [(fill, pair.name, whole(each, "id")) for fill, each in zip(made, fresh, strict=True)]
                told = told.with_trades(pair.name, [(whole(each, "id"), when(each, "time")) for each in records])
        fills.sort(key=lambda entry: (entry[0].filled_at, entry[1], entry[2]))
        return Executions(tuple(fill for fill, _, _ in fills), str(told))

    async def movements_since(self, since: datetime) -> tuple[Movement, ...]:
        """Return the fees that a coin paid which is neither traded nor USDT; transfers of USDT are not read."""
        found: list[Movement] = []
        for pair in self._pairs:
            with self._reading("trades"):
                found += coin_fees(await trades_from(self._client, pair, 0), pair, since)
        return tuple(sorted(found, key=lambda one: (one.at, one.movement_id)))

    async def subscribe(self, cursor: str) -> AsyncIterator[Execution]:
        """Ask again and again."""
        async for fill in poll_fills(self.fills_since, cursor, self._wait):
            yield fill

    async def server_time(self) -> datetime:
        """Return Binance's clock."""
        return await self._client.server_time()

    async def preflight(self, symbols: Sequence[str]) -> tuple[Readiness, ...]:
        """Say what Binance would refuse, and what is odd about the account."""
        clock = await self._finding("clock", self._clock_finding())
        if not clock.ok:
            return (clock,)
        try:
            balances = await self._balances()
        except BrokerUnavailableError as error:
            account = [Readiness("account", str(error), blocking=True)]
            answers = []
        else:
            account = [account_finding(balances), coins_finding(balances, self._pairs)]
            if self._setting.endpoint == "live":
                # Demo trading has no such question.
                account.append(await self._finding("key", key_finding(self._client), blocking=False))
            told = answers_finding(self._client, self._pairs, self._markets, balances)
            answers = [("answers", told)]
        peg = await self._finding("peg", peg_finding(self._client), blocking=False)
        symbols_found = [await self._finding(symbol, self._symbol_finding(symbol)) for symbol in symbols]
        last = [await self._finding(subject, found, blocking=False) for subject, found in answers]
        return (clock, *account, peg, *symbols_found, *last)

    async def _symbol_finding(self, symbol: str) -> Readiness:
        traded = {each.symbol: each for each in self._setting.instruments}
        pair = next((pair for pair in self._pairs if pair.symbol == symbol), None)
        if pair is None:
            return Readiness(symbol, "it is not traded in this account", blocking=True)
        return market_finding(await self._markets.market(pair), symbol, traded[symbol])

    async def _clock_finding(self) -> Readiness:
        await self._client.server_time()
        return Readiness("clock")

    async def _finding(self, subject: str, found: Awaitable[Readiness], blocking: bool = True) -> Readiness:
        try:
            with self._reading(subject):
                return await found
        except BrokerUnavailableError as error:
            return Readiness(subject, str(error), blocking)

    async def _balances(self) -> Balances:
        with self._reading("balances"):
            content = await self._client.read("private_get_account", {"omitZeroBalances": "true"})
            balances = balances_from(content)
        asked = self._setting.account
        if asked and balances.number != asked:
            raise BrokerUnavailableError(
                f"the key at {self._client.host} is of account {balances.number or 'without a number'}, not {asked}",
                "set the key of that account, or correct broker_account in execution.yaml",
            )
        return balances

    async def _ids(self, pair: Pair, times: Mapping[int, datetime]) -> Mapping[int, str]:
        """Return the client order ids of orders that traded at ``times``."""
        known = self._client_ids[pair.name]
        known |= await client_ids(self._client, pair, times.keys() - known.keys())
        forgotten = times.keys() - known.keys()
        late = moment(self._client.milliseconds()) - LONGEST_LAG
        if any(times[number] > late for number in forgotten):
            # An order that traded exists; Binance shows it a little later than its trades.
            raise self._client.unavailable(f"does not say yet whose order {min(forgotten)} of {pair.name} is")
        return known | dict.fromkeys(forgotten, "")

    @contextmanager
    def _reading(self, what: str) -> Iterator[None]:
        try:
            yield
        except UnreadableError as error:
            raise self._client.unavailable(f"cannot be understood about {what}: the answer {error}") from None
