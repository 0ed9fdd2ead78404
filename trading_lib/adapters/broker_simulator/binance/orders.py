"""Binance's checks of an order request, and the terms that pass; what it takes as fees."""

from __future__ import annotations

import re
from collections.abc import Mapping
from decimal import ROUND_DOWN, Decimal, InvalidOperation
from typing import Any

from trading_lib.adapters.broker_simulator.binance.errors import BinanceRefusalError, filtered, missing, refused_order
from trading_lib.adapters.broker_simulator.binance.shapes import ORDER_TYPES, locked
from trading_lib.adapters.broker_simulator.exchange import Exchange
from trading_lib.adapters.broker_simulator.ledger.records import ALPACA, Account, Order
from trading_lib.adapters.broker_simulator.market.instruments import Pair

ZERO = Decimal(0)
# What our matching calls them.
KINDS = {
    "MARKET": "market",
    "LIMIT": "limit",
    "LIMIT_MAKER": "limit",
    "STOP_LOSS": "stop",
    "TAKE_PROFIT": "stop",
    "STOP_LOSS_LIMIT": "stop_limit",
    "TAKE_PROFIT_LIMIT": "stop_limit",
}
CLIENT_ID = re.compile(r"[.A-Z:/a-z0-9_-]{1,36}")
SMALLEST_FEE = Decimal("0.00000001")


def order_terms(exchange: Exchange, account: Account, form: Mapping[str, str]) -> dict[str, Any]:
    """Return the terms of the order that a request asks for.

    Raises
    ------
    BinanceRefusalError
        When Binance would refuse it.
    """
    pair = known_pair(exchange, form)
    side, kind = _choice(form, "side", ("BUY", "SELL")), _choice(form, "type", tuple(ORDER_TYPES))
    limited, stopped = KINDS[kind] in ("limit", "stop_limit"), KINDS[kind] in ("stop", "stop_limit")
    in_force = _choice(form, "timeInForce", ("GTC", "IOC", "FOK")) if limited and kind != "LIMIT_MAKER" else "GTC"
    limit = _price(pair, form, "price") if limited else None
    stop = _price(pair, form, "stopPrice") if stopped else None
    if not limited and form.get("price"):
        raise BinanceRefusalError(-1106, "Parameter 'price' sent when not required.")
    market = exchange.price(pair.symbol)
    price = limit or market
    funds = _amount(form, "quoteOrderQty") if kind == "MARKET" and "quoteOrderQty" in form else None
    quantity = _quantity(pair, form) if funds is None else (funds / price).quantize(pair.step, ROUND_DOWN)
    if quantity <= 0 or quantity * price < pair.least_value:
        raise filtered("NOTIONAL")
    falls = (side == "SELL") == kind.startswith("STOP")
    if stop is not None and (market <= stop if falls else market >= stop):
        raise refused_order("Stop price would trigger immediately.")
    identity = _client_order_id(exchange, account, form)
    _check_account(exchange, account, pair, side, quantity, price)
    return {
        "account": account.id,
        "client_order_id": identity,
        "symbol": pair.symbol,
        "base": pair.base,
        "quote": pair.quote,
        "side": side.lower(),
        "type": KINDS[kind],
        "time_in_force": in_force.lower(),
        "quantity": str(quantity),
        "limit_price": None if limit is None else str(limit),
        "stop_price": None if stop is None else str(stop),
        "status": "new",
        "wire": {"type": kind, "falling": falls, "funds": None if funds is None else str(funds)},
    }


def known_pair(exchange: Exchange, form: Mapping[str, str]) -> Pair:
    """Return the pair that a request names."""
    if not form.get("symbol"):
        raise missing("symbol")
    pair = exchange.pairs.get(form["symbol"])
    if pair is None:
        raise BinanceRefusalError(-1121, "Invalid symbol.")
    return pair


def fees(account: Account, order: Order, quantity: Decimal, price: Decimal, bnb_price: Decimal) -> tuple[Decimal, str]:
    """Return the fee of a fill and the coin in which it is taken.

    Of what is received, unless the account pays in BNB and has enough, or always in the quote coin.
    """
    if account.face == ALPACA:
        return ZERO, order.quote
    rate, paid_in = Decimal(account.settings["fee_rate"]), account.settings["fees_in"]
    in_quote = quantity * price * rate
    if paid_in == "BNB":
        in_bnb = (in_quote / bnb_price).quantize(SMALLEST_FEE)
        if account.balance("BNB") >= in_bnb:
            return in_bnb, "BNB"
    if paid_in == "quote" or order.side == "sell":
        return in_quote.quantize(SMALLEST_FEE), order.quote
    return (quantity * rate).quantize(SMALLEST_FEE), order.base


def _choice(form: Mapping[str, str], name: str, choices: tuple[str, ...]) -> str:
    given = form.get(name)
    if not given:
        raise missing(name)
    if given not in choices:
        codes = {"side": (-1117, "Invalid side."), "type": (-1116, "Invalid orderType.")}
        raise BinanceRefusalError(*codes.get(name, (-1115, "Invalid timeInForce.")))
    return given


def _amount(form: Mapping[str, str], name: str) -> Decimal:
    given = form.get(name)
    if not given:
        raise missing(name)
    if not re.fullmatch(r"[0-9]{1,20}(\.[0-9]{1,20})?", given):
        raise BinanceRefusalError(
            -1100,
            f"Illegal characters found in parameter '{name}'; legal range is '^([0-9]{{1,20}})(\\.[0-9]{{1,20}})?$'.",
        )
    try:
        value = Decimal(given)
    except InvalidOperation:
        raise missing(name) from None
    if value != round(value, 8):
        raise BinanceRefusalError(-1111, f"Parameter '{name}' has too much precision.")
    return value


def _price(pair: Pair, form: Mapping[str, str], name: str) -> Decimal:
    value = _amount(form, name)
    if value <= 0 or value % pair.tick or value > 1_000_000:
        raise filtered("PRICE_FILTER")
    return value


def _quantity(pair: Pair, form: Mapping[str, str]) -> Decimal:
    value = _amount(form, "quantity")
    if not pair.least <= value <= pair.most or value % pair.step:
        raise filtered("LOT_SIZE")
    return value


def _client_order_id(exchange: Exchange, account: Account, form: Mapping[str, str]) -> str:
    given = form.get("newClientOrderId")
    if given is None:
        return exchange.new_id("client-order", len(exchange.state.orders) + 1).replace("-", "")[:22]
    if not CLIENT_ID.fullmatch(given):
        raise BinanceRefusalError(
            -1100,
            "Illegal characters found in parameter 'newClientOrderId'; legal range is '^[\\.A-Z\\:/a-z0-9_-]{1,36}$'.",
        )
    # Among the open orders only: an id whose order has ended is taken again, as Binance does.
    if any(each.is_open for each in exchange.state.by_client_id.get((account.id, given), [])):
        raise refused_order("Duplicate order sent.")
    return given


def _check_account(
    exchange: Exchange, account: Account, pair: Pair, side: str, quantity: Decimal, price: Decimal
) -> None:
    if account.settings.get("trading_blocked"):
        raise refused_order("This action is disabled on this account.")
    if not pair.trading:
        raise BinanceRefusalError(-1013, "Market is closed.")
    asset, needed = (pair.quote, quantity * price) if side == "BUY" else (pair.base, quantity)
    if needed > account.balance(asset) - locked(exchange, account).get(asset, ZERO):
        raise refused_order("Account has insufficient balance for requested action.")
