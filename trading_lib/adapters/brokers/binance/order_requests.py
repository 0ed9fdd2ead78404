"""From an order to the request that sends it, or to the reason why it is not sent.

Input: an order, its market. Output: parameters, all texts. Nothing is rounded or cut to size: an order that does not
fit is refused.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from decimal import Decimal

from trading_lib.adapters.brokers.binance.answers.markets import Market
from trading_lib.domain.book.orders import Order, OrderType, TimeInForce

CLIENT_ID = re.compile(r"[.A-Z:/a-z0-9_-]{1,36}")
TYPES: Mapping[OrderType, str] = {
    OrderType.MARKET: "MARKET",
    OrderType.LIMIT: "LIMIT",
    OrderType.STOP: "STOP_LOSS",
    OrderType.STOP_LIMIT: "STOP_LOSS_LIMIT",
}
PRICED = (OrderType.LIMIT, OrderType.STOP_LIMIT)
STOPPED = (OrderType.STOP, OrderType.STOP_LIMIT)
# Nothing is traded in more units, or in smaller parts; within them every number of steps is computed exactly.
LARGEST, FINEST = Decimal("1e12"), Decimal("1e-12")


def request_of(order: Order, market: Market) -> Mapping[str, str] | str:
    """Return the parameters of an order, or why it is refused here.

    An order for the opening is sent when the UTC day has opened and trades at once: a market order is by nature such
    a one, a limit order is one that is cancelled where it does not trade at once (IOC).
    """
    problem = _problem(order, market)
    if problem:
        return f"{order.symbol}: {problem}"
    parameters = {
        "symbol": market.name,
        "side": str(order.side),
        "type": TYPES[OrderType(order.order_type)],
        "quantity": plain(order.quantity),
        "newClientOrderId": order.client_order_id,
        "newOrderRespType": "RESULT",
    }
    if order.limit_price is not None:
        opening = order.time_in_force is TimeInForce.OPENING
        parameters |= {"price": plain(order.limit_price), "timeInForce": "IOC" if opening else "GTC"}
    if order.stop_price is not None:
        parameters["stopPrice"] = plain(order.stop_price)
    return parameters


def plain(value: Decimal) -> str:
    """Return a number without exponent and without zeros at its end."""
    return f"{value.normalize():f}"


def _problem(order: Order, market: Market) -> str:
    kind = OrderType(order.order_type)
    if not CLIENT_ID.fullmatch(order.client_order_id):
        return f"Binance takes no client order id such as {order.client_order_id!r}"
    for problem in (
        _impossible(order.quantity, "quantity"),
        _price_problem(order.limit_price, "limit price", kind in PRICED, market),
        _price_problem(order.stop_price, "stop price", kind in STOPPED, market),
        _time_problem(order, kind),
    ):
        if problem:
            return problem
    return _lot_problem(order, kind, market) or _notional_problem(order, kind, market)


def _impossible(value: Decimal, what: str) -> str:
    if not isinstance(value, Decimal) or not value.is_finite():
        return f"{what} {value} is no number"
    if value <= 0:
        return f"{what} {value} is not above 0"
    if value > LARGEST or value < FINEST or value != value.normalize():
        return f"{what} {value} is beyond anything that is traded"
    return ""


def _price_problem(price: Decimal | None, what: str, needed: bool, market: Market) -> str:
    if price is None:
        return f"its type needs a {what}" if needed else ""
    if not needed:
        return f"its type has no {what}"
    return _impossible(price, what) or market.price.problem(price, what)


def _time_problem(order: Order, kind: OrderType) -> str:
    if order.time_in_force is TimeInForce.DAY:
        return "Binance has no orders for a day"
    if order.time_in_force is TimeInForce.OPENING and kind in STOPPED:
        return "a stop order waits, and cannot be one for the opening"
    if order.time_in_force is TimeInForce.UNTIL_CANCELLED and kind is OrderType.MARKET:
        return "a market order trades at once, and cannot wait until it is cancelled"
    return ""


def _lot_problem(order: Order, kind: OrderType, market: Market) -> str:
    lots = [market.lot, market.market_lot] if kind in (OrderType.MARKET, OrderType.STOP) else [market.lot]
    return next((problem for lot in lots if (problem := lot.problem(order.quantity, "quantity"))), "")


def _notional_problem(order: Order, kind: OrderType, market: Market) -> str:
    at_market = kind in (OrderType.MARKET, OrderType.STOP)
    price = order.limit_price or order.stop_price or order.expected_price
    if _impossible(price, "price"):
        return ""
    notional = order.quantity * price
    if market.least and notional < market.least and (market.least_at_market or not at_market):
        return f"{notional:.2f} USDT is less than the least order, {plain(market.least)} USDT"
    if market.most and notional > market.most and (market.most_at_market or not at_market):
        return f"{notional:.2f} USDT is more than the largest order, {plain(market.most)} USDT"
    return ""
