"""Binance's spot REST, version 3, and the wallet calls that clients make when they load markets."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from trading_lib.adapters.broker_simulator.alpaca.activities import is_hidden
from trading_lib.adapters.broker_simulator.binance.errors import BinanceRefusalError, missing
from trading_lib.adapters.broker_simulator.binance.orders import known_pair, order_terms
from trading_lib.adapters.broker_simulator.binance.shapes import (
    account_shape,
    cancelled_shape,
    candle_shape,
    coin_shape,
    eight,
    exchange_shape,
    order_shape,
    placed_shape,
    trade_shape,
)
from trading_lib.adapters.broker_simulator.exchange import Exchange
from trading_lib.adapters.broker_simulator.ledger.records import Account, Execution, Order, from_millis, millis
from trading_lib.adapters.broker_simulator.messages import Reply, Request, json_reply

Form = Mapping[str, str]
LARGEST_PAGE, USUAL_PAGE = 1000, 500
MINUTE, DAY = 60_000, 86_400_000
PUBLIC = frozenset(("/api/v3/ping", "/api/v3/time", "/api/v3/exchangeInfo", "/api/v3/ticker/price", "/api/v3/klines"))
FUTURES = ("/fapi/v1/exchangeInfo", "/dapi/v1/exchangeInfo")


class BinanceRest:
    """Answers of Binance's spot API.

    Parameters
    ----------
    exchange
        Where the orders are booked.
    """

    def __init__(self, exchange: Exchange) -> None:
        self._exchange = exchange
        # What a fault adds to the next order that is booked: when it shows, how much of it fills.
        self.next_order: dict[str, Any] = {}
        # How the next cancellation goes: seconds until it is done, portion that fills before it.
        self.next_cancel: Mapping[str, float] = {}
        self._public: Mapping[tuple[str, str], Callable[[Form], Any]] = {
            ("GET", "/api/v3/ping"): lambda form: {},
            ("GET", "/api/v3/time"): self._time,
            ("GET", "/api/v3/exchangeInfo"): self._pairs,
            ("GET", "/api/v3/ticker/price"): self._prices,
            ("GET", "/api/v3/klines"): self._candles,
            # Clients that load every market ask for those of futures too; there are none.
            **{("GET", path): lambda form: {"timezone": "UTC", "symbols": []} for path in FUTURES},
        }
        self._signed: Mapping[tuple[str, str], Callable[[Account, Form], Any]] = {
            ("GET", "/api/v3/account"): self._account,
            ("POST", "/api/v3/order"): self._place,
            ("GET", "/api/v3/order"): self._order,
            ("DELETE", "/api/v3/order"): self._cancel,
            ("GET", "/api/v3/openOrders"): self._open_orders,
            ("DELETE", "/api/v3/openOrders"): self._cancel_all,
            ("GET", "/api/v3/allOrders"): self._all_orders,
            ("GET", "/api/v3/myTrades"): self._trades,
            ("GET", "/sapi/v1/capital/config/getall"): self._coins,
            ("GET", "/sapi/v1/account/apiRestrictions"): self._restrictions,
            ("GET", "/sapi/v1/margin/allPairs"): lambda account, form: [],
            ("GET", "/sapi/v1/margin/isolated/allPairs"): lambda account, form: [],
        }

    @staticmethod
    def is_public(request: Request) -> bool:
        """Whether a request needs no key."""
        return request.path in PUBLIC or request.path in FUTURES

    def answer(self, account: Account, request: Request) -> Reply:
        """Answer a request of an account."""
        route = self._signed.get((request.method, request.path))
        return self._reply(lambda: route(account, request.form)) if route is not None else Reply(404)

    def answer_public(self, request: Request) -> Reply:
        """Answer a request that needs no key."""
        route = self._public.get((request.method, request.path))
        return self._reply(lambda: route(request.form)) if route is not None else Reply(404)

    @staticmethod
    def _reply(answer: Callable[[], Any]) -> Reply:
        try:
            return json_reply(answer())
        except BinanceRefusalError as refusal:
            return refusal.reply

    def _time(self, form: Form) -> Any:
        return {"serverTime": millis(self._exchange.told())}

    def _pairs(self, form: Form) -> Any:
        wanted = frozenset({form["symbol"]} if "symbol" in form else json.loads(form.get("symbols", "[]")))
        for symbol in wanted:
            known_pair(self._exchange, {"symbol": symbol})
        return exchange_shape(self._exchange, wanted)

    def _prices(self, form: Form) -> Any:
        if "symbol" in form:
            pair = known_pair(self._exchange, form)
            return {"symbol": pair.symbol, "price": eight(self._exchange.price(pair.symbol))}
        return [{"symbol": each, "price": eight(self._exchange.price(each))} for each in self._exchange.pairs]

    def _candles(self, form: Form) -> Any:
        """Return candles of a minute, the newest that have begun by the end that is asked for."""
        pair = known_pair(self._exchange, form)
        if form.get("interval") != "1m":
            raise BinanceRefusalError(-1120, "Invalid interval.")
        now = millis(self._exchange.now())
        end = min(int(form.get("endTime", now)), now) // MINUTE * MINUTE
        count = min(int(form.get("limit", USUAL_PAGE)), LARGEST_PAGE)
        price = self._exchange.prices.at
        return [
            candle_shape(begin, price(pair.symbol, from_millis(begin)), price(pair.symbol, from_millis(begin + MINUTE)))
            for begin in range(end - (count - 1) * MINUTE, end + 1, MINUTE)
        ]

    def _account(self, account: Account, form: Form) -> Any:
        return account_shape(self._exchange, account, form.get("omitZeroBalances") == "true")

    def _place(self, account: Account, form: Form) -> Any:
        extra, self.next_order = self.next_order, {}
        terms = order_terms(self._exchange, account, form)
        order = self._exchange.book({**terms, **extra})
        self._exchange.tell("new", order)
        self._exchange.match(order)
        if order.is_open and order.time_in_force in ("ioc", "fok"):
            self._exchange.set_status(order, "expired")
        usual = "FULL" if order.wire["type"] in ("MARKET", "LIMIT") else "ACK"
        executions = self._exchange.state.executions_of(order)
        return placed_shape(order, executions, form.get("newOrderRespType", usual))

    def _order(self, account: Account, form: Form) -> Any:
        found = self._named(account, form)
        if not found:
            raise BinanceRefusalError(-2013, "Order does not exist.")
        return order_shape(found[-1])

    def _cancel(self, account: Account, form: Form) -> Any:
        found = [order for order in self._named(account, form) if order.is_open]
        if not found:
            raise BinanceRefusalError(-2011, "Unknown order sent.")
        order = found[-1]
        self._exchange.cancel_as(order, self.next_cancel)
        if order.status == "filled":
            raise BinanceRefusalError(-2011, "Unknown order sent.")
        return cancelled_shape(order)

    def _named(self, account: Account, form: Form) -> list[Order]:
        """Return the orders that a request names by either id, the oldest first."""
        pair = known_pair(self._exchange, form)
        if form.get("orderId"):
            order = self._exchange.state.orders.get(form["orderId"])
            found = [order] if order is not None and order.account == account.id else []
        elif form.get("origClientOrderId"):
            found = self._exchange.state.by_client_id.get((account.id, form["origClientOrderId"]), [])
        else:
            raise missing("orderId")
        return self._shown(order for order in found if order.symbol == pair.symbol)

    def _shown(self, orders: Any) -> list[Order]:
        now = self._exchange.now()
        return [order for order in orders if order.visible_at <= now]

    def _open_orders(self, account: Account, form: Form) -> Any:
        wanted = known_pair(self._exchange, form).symbol if form.get("symbol") else None
        found = self._shown(self._exchange.state.open_orders(account.id))
        return [order_shape(order) for order in found if wanted in (None, order.symbol)]

    def _cancel_all(self, account: Account, form: Form) -> Any:
        pair = known_pair(self._exchange, form)
        found = self._shown(self._exchange.state.open_orders(account.id))
        orders = [order for order in found if order.symbol == pair.symbol]
        if not orders:
            raise BinanceRefusalError(-2011, "Unknown order sent.")
        for order in orders:
            self._exchange.cancel(order)
        return [cancelled_shape(order) for order in orders]

    def _all_orders(self, account: Account, form: Form) -> Any:
        pair = known_pair(self._exchange, form)
        found = self._shown(self._exchange.state.orders_of(account.id))
        rows = [(int(order.id), order) for order in found if order.symbol == pair.symbol]
        times = [millis(order.created_at) for _, order in rows]
        return [order_shape(order) for order in _page(rows, times, form, "orderId")]

    def _trades(self, account: Account, form: Form) -> Any:
        pair = known_pair(self._exchange, form)
        rows: list[tuple[int, Execution]] = [
            (each.number, each)
            for each in self._exchange.state.executions
            if each.account == account.id
            and each.symbol == pair.symbol
            and form.get("orderId") in (None, each.order)
            and not is_hidden(self._exchange, each)
        ]
        times = [millis(each.at) for _, each in rows]
        return [trade_shape(each) for each in _page(rows, times, form, "fromId")]

    def _coins(self, account: Account, form: Form) -> Any:
        coins = sorted({coin for pair in self._exchange.pairs.values() for coin in (pair.base, pair.quote)})
        return [coin_shape(self._exchange, account, coin) for coin in coins]

    def _restrictions(self, account: Account, form: Form) -> Any:
        return {
            "ipRestrict": True,
            "createTime": millis(account.created_at),
            "enableReading": True,
            "enableSpotAndMarginTrading": True,
            "enableWithdrawals": False,
            "enableInternalTransfer": False,
            "enableMargin": False,
            "enableFutures": False,
            "permitsUniversalTransfer": False,
        }


def _page(rows: Sequence[tuple[int, Any]], times: Sequence[int], form: Form, start: str) -> list[Any]:
    """Return a page: from an id on, or within times that span a day at most, or the newest."""
    try:
        limit = int(form.get("limit", USUAL_PAGE))
        first = None if form.get(start) is None else int(form[start])
        since = None if form.get("startTime") is None else int(form["startTime"])
        until = None if form.get("endTime") is None else int(form["endTime"])
    except ValueError:
        raise BinanceRefusalError(-1100, "Illegal characters found in a parameter.") from None
    limit = min(limit, LARGEST_PAGE)
    if since is not None and until is not None and until - since > DAY:
        raise BinanceRefusalError(-1127, "More than 24 hours between startTime and endTime.")
    by_order = start == "fromId" and form.get("orderId") is not None
    if first is not None:
        return [row for number, row in rows if number >= first][:limit]
    if since is not None or until is not None:
        low = since if since is not None else (until or 0) - DAY
        high = until if until is not None else low + DAY
        return [row for (_, row), at in zip(rows, times, strict=True) if low <= at <= high][:limit]
    found = [row for _, row in rows]
    return found[:limit] if by_order else found[-limit:]
