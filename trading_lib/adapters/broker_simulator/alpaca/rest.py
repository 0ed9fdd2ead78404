"""Alpaca's trading REST, version 2."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from datetime import date
from typing import Any
from urllib.parse import unquote

from trading_lib.adapters.broker_simulator.alpaca.activities import activities
from trading_lib.adapters.broker_simulator.alpaca.errors import AlpacaRefusalError, malformed, not_found, unprocessable
from trading_lib.adapters.broker_simulator.alpaca.orders import order_terms
from trading_lib.adapters.broker_simulator.alpaca.shapes import (
    account_shape,
    asset_shape,
    calendar_shape,
    configuration_shape,
    holdings,
    order_shape,
    position_shape,
)
from trading_lib.adapters.broker_simulator.exchange import Exchange
from trading_lib.adapters.broker_simulator.ledger.records import Account, Order, parse_time
from trading_lib.adapters.broker_simulator.market.hours import next_session, running_session, sessions
from trading_lib.adapters.broker_simulator.messages import Reply, Request, json_reply
from trading_lib.domain.market.sessions import NEW_YORK

Route = Callable[[Account, Request, str], Reply]
LARGEST_PAGE, USUAL_PAGE = 500, 50
UUID_TEXT = re.compile("[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.IGNORECASE)


class AlpacaRest:
    """Answers of Alpaca's trading API.

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
        self._routes: tuple[tuple[str, re.Pattern[str], Route], ...] = tuple(
            (method, re.compile(f"/v2/{path}"), route)
            for method, path, route in (
                ("GET", "account", self._account),
                ("GET", "account/configurations", self._configuration),
                ("PATCH", "account/configurations", self._configure),
                ("GET", "account/activities(?:/([A-Z]+))?", self._activities),
                ("GET", "positions", self._positions),
                ("GET", "positions/([^/]+)", self._position),
                ("GET", "clock", self._clock),
                ("GET", "calendar", self._calendar),
                ("GET", "assets", self._assets),
                ("GET", "assets/([^/]+)", self._asset),
                ("POST", "orders", self._place),
                ("GET", "orders", self._orders),
                ("DELETE", "orders", self._cancel_all),
                ("GET", "orders:by_client_order_id", self._by_client_id),
                ("GET", "orders/([^/]+)", self._order),
                ("DELETE", "orders/([^/]+)", self._cancel),
            )
        )

    def answer(self, account: Account, request: Request) -> Reply:
        """Answer a request of an account."""
        path_known = False
        for method, pattern, route in self._routes:
            match = pattern.fullmatch(request.path)
            if match is None:
                continue
            path_known = True
            if method == request.method:
                try:
                    return route(account, request, unquote((*match.groups(), "")[0] or ""))
                except AlpacaRefusalError as refusal:
                    return refusal.reply
        return json_reply({"message": "method not allowed" if path_known else "Not Found"}, 405 if path_known else 404)

    def _account(self, account: Account, request: Request, given: str) -> Reply:
        return json_reply(account_shape(self._exchange, account))

    def _configuration(self, account: Account, request: Request, given: str) -> Reply:
        return json_reply(configuration_shape(account))

    def _configure(self, account: Account, request: Request, given: str) -> Reply:
        return json_reply(configuration_shape(account))

    def _activities(self, account: Account, request: Request, given: str) -> Reply:
        asked = request.parameters
        kinds = given or asked.get("activity_types", "")
        return json_reply(activities(self._exchange, account, frozenset(kinds.split(",")) - {""}, asked))

    def _positions(self, account: Account, request: Request, given: str) -> Reply:
        return json_reply([position_shape(self._exchange, account, symbol) for symbol in sorted(holdings(account))])

    def _position(self, account: Account, request: Request, given: str) -> Reply:
        symbol = next(
            (each.symbol for each in self._exchange.assets.values() if given in (each.symbol, each.id)), given
        )
        if not account.balance(symbol):
            raise not_found("position does not exist")
        return json_reply(position_shape(self._exchange, account, symbol))

    def _clock(self, account: Account, request: Request, given: str) -> Reply:
        now = self._exchange.told()
        running, following = running_session(now), next_session(now)
        return json_reply(
            {
                "timestamp": now.astimezone(NEW_YORK).isoformat(),
                "is_open": self._exchange.is_open(),
                "next_open": following.opens.astimezone(NEW_YORK).isoformat(),
                "next_close": (running or following).closes.astimezone(NEW_YORK).isoformat(),
            }
        )

    def _calendar(self, account: Account, request: Request, given: str) -> Reply:
        asked, today = request.parameters, self._exchange.now().date()
        try:
            first = date.fromisoformat((asked.get("start") or today.isoformat())[:10])
            last = date.fromisoformat((asked.get("end") or today.replace(month=12, day=31).isoformat())[:10])
        except ValueError:
            raise malformed("start and end must be dates") from None
        return json_reply([calendar_shape(each) for each in sessions(first, last)])

    def _assets(self, account: Account, request: Request, given: str) -> Reply:
        wanted = request.parameters.get("status")
        shapes = [asset_shape(each) for each in self._exchange.assets.values()]
        return json_reply([each for each in shapes if wanted in (None, each["status"])])

    def _asset(self, account: Account, request: Request, given: str) -> Reply:
        for asset in self._exchange.assets.values():
            if given in (asset.symbol, asset.id):
                return json_reply(asset_shape(asset))
        raise not_found(f"asset not found for {given}")

    def _place(self, account: Account, request: Request, given: str) -> Reply:
        extra, self.next_order = self.next_order, {}
        order = self._exchange.book({**order_terms(self._exchange, account, request.body), **extra})
        reply = json_reply(order_shape(order))
        self._exchange.tell(order.status, order)
        # The real one fills after it has answered.
        if order.time_in_force != "opg":
            self._exchange.match(order)
            if order.is_open and order.time_in_force in ("ioc", "fok"):
                self._exchange.cancel(order)
        return reply

    def _shown(self, orders: Iterable[Order]) -> list[Order]:
        now = self._exchange.now()
        return [order for order in orders if order.visible_at <= now]

    def _orders(self, account: Account, request: Request, given: str) -> Reply:
        asked = request.parameters
        found = self._shown(self._exchange.state.orders_of(account.id))
        wanted = asked.get("status", "open")
        if wanted not in ("open", "closed", "all"):
            raise malformed(f"invalid status: {wanted}")
        if wanted != "all":
            found = [order for order in found if order.is_open == (wanted == "open")]
        symbols = frozenset((asked.get("symbols") or "").split(",")) - {""}
        found = [order for order in found if not symbols or order.symbol in symbols]
        found = [order for order in found if asked.get("side") in (None, order.side)]
        try:
            after, until = (parse_time(asked[name]) if asked.get(name) else None for name in ("after", "until"))
            limit = int(asked.get("limit") or USUAL_PAGE)
        except ValueError:
            raise malformed("after and until must be times, limit a number") from None
        found = [order for order in found if after is None or order.created_at > after]
        found = [order for order in found if until is None or order.created_at < until]
        if not 1 <= limit <= LARGEST_PAGE:
            raise unprocessable(f"limit must be between 1 and {LARGEST_PAGE}")
        if asked.get("direction", "desc") == "desc":
            found.reverse()
        return json_reply([order_shape(order) for order in found[:limit]])

    def _by_client_id(self, account: Account, request: Request, given: str) -> Reply:
        identity = request.parameters.get("client_order_id", "")
        found = self._shown(self._exchange.state.by_client_id.get((account.id, identity), []))
        if not found:
            raise not_found(f"order not found for {identity}")
        return json_reply(order_shape(found[-1]))

    def _known(self, account: Account, identity: str) -> Order:
        if not UUID_TEXT.fullmatch(identity):
            raise malformed("order_id is missing")
        order = self._exchange.state.orders.get(identity)
        if order is None or order.account != account.id or not self._shown([order]):
            raise not_found(f"order not found for {identity}")
        return order

    def _order(self, account: Account, request: Request, given: str) -> Reply:
        return json_reply(order_shape(self._known(account, given)))

    def _cancel(self, account: Account, request: Request, given: str) -> Reply:
        order = self._known(account, given)
        if not order.is_open:
            raise unprocessable(f'order is already in "{order.status}" state')
        if order.status == "pending_cancel":
            raise unprocessable("order pending cancel")
        self._exchange.set_status(order, "pending_cancel")
        self._exchange.cancel_as(order, self.next_cancel)
        return Reply(204)

    def _cancel_all(self, account: Account, request: Request, given: str) -> Reply:
        orders = self._shown(self._exchange.state.open_orders(account.id))
        for order in orders:
            self._exchange.cancel(order)
        return json_reply([{"id": order.id, "status": 200} for order in orders], 207)
