"""Alpaca's checks of an order request, in the order in which it makes them, and the terms that pass."""

from __future__ import annotations

import json
from collections.abc import Mapping
from decimal import Decimal, InvalidOperation
from typing import Any

from trading_lib.adapters.broker_simulator.alpaca.errors import forbidden, malformed, unprocessable
from trading_lib.adapters.broker_simulator.alpaca.shapes import DOLLAR, buying_power
from trading_lib.adapters.broker_simulator.exchange import Exchange
from trading_lib.adapters.broker_simulator.ledger.records import Account, Order, plain
from trading_lib.adapters.broker_simulator.market.hours import takes_opening_orders
from trading_lib.adapters.broker_simulator.market.instruments import CENT, Asset

ZERO = Decimal(0)
TYPES = ("market", "limit", "stop", "stop_limit")
TIMES_IN_FORCE = ("day", "gtc", "opg", "ioc", "fok")
LONGEST_ID = 128
# Beyond it Alpaca's own risk check refuses, whatever the account could pay.
MOST_SHARES = Decimal(10) ** 9
# In dollars, of an order in parts of a share.
LEAST_VALUE = 1


def order_terms(exchange: Exchange, account: Account, body: bytes) -> dict[str, Any]:
    """Return the terms of the order that a request asks for.

    Raises
    ------
    AlpacaRefusalError
        When Alpaca would refuse it.
    """
    request = _read(body)
    _check_account(account)
    asset = _asset(exchange, request)
    side, kind, in_force = _choices(request)
    limit, stop = _prices(request, kind)
    quantity, notional = _quantity(exchange, request, asset, limit)
    _check_fraction(quantity, notional, asset, in_force)
    if quantity != int(quantity) and quantity * (limit or exchange.price(asset.symbol)) < LEAST_VALUE:
        raise forbidden(f"cost basis must be >= minimal amount of order {LEAST_VALUE}")
    _check_hours(exchange, in_force, kind)
    identity = _client_order_id(exchange, account, request)
    _check_partnership(account, asset, side)
    _check_opposite(exchange, account, asset.symbol, side, kind, limit)
    if side == "buy":
        _check_money(exchange, account, quantity, limit or stop or exchange.price(asset.symbol))
    else:
        _check_holding(exchange, account, asset.symbol, quantity)
    return {
        "account": account.id,
        "client_order_id": identity,
        "symbol": asset.symbol,
        "base": asset.symbol,
        "quote": DOLLAR,
        "side": side,
        "type": kind,
        "time_in_force": in_force,
        "quantity": str(quantity),
        "limit_price": None if limit is None else str(limit),
        "stop_price": None if stop is None else str(stop),
        "status": "pending_new" if exchange.is_open() and in_force != "opg" else "accepted",
        "wire": {"asset_id": asset.id, "notional": None if notional is None else plain(notional)},
    }


def _read(body: bytes) -> Mapping[str, Any]:
    try:
        request = json.loads(body, parse_float=Decimal, parse_constant=_refuse_constant)
    except (ValueError, RecursionError):
        raise malformed("request body format is invalid") from None
    if not isinstance(request, dict):
        raise malformed("request body format is invalid")
    return request


def _refuse_constant(name: str) -> None:
    raise ValueError(name)


def _check_account(account: Account) -> None:
    settings = account.settings
    if settings.get("trading_blocked") or settings.get("account_blocked"):
        raise forbidden("account is restricted to liquidation only" if settings.get("trading_blocked") else "blocked")
    if settings.get("suspend_trade"):
        raise forbidden("new orders are rejected by user request")


def _asset(exchange: Exchange, request: Mapping[str, Any]) -> Asset:
    symbol = request.get("symbol")
    if not isinstance(symbol, str) or not symbol:
        raise malformed("symbol is required")
    asset = exchange.assets.get(symbol)
    if asset is None:
        raise unprocessable(f'asset "{symbol}" not found')
    if not asset.tradable:
        raise unprocessable(f'asset "{symbol}" is not active')
    return asset


def _choices(request: Mapping[str, Any]) -> tuple[str, str, str]:
    side, kind, in_force = request.get("side"), request.get("type"), request.get("time_in_force")
    if side not in ("buy", "sell"):
        raise malformed("side must be buy or sell")
    if kind not in TYPES:
        raise malformed(f"invalid order type: {kind}")
    if in_force not in TIMES_IN_FORCE:
        raise malformed(f"invalid time_in_force: {in_force}")
    if request.get("extended_hours") and (kind, in_force) != ("limit", "day"):
        raise unprocessable("extended hours order must be DAY limit orders")
    return str(side), str(kind), str(in_force)


def amount(request: Mapping[str, Any], name: str) -> Decimal | None:
    """Read an amount of a request, given as text or as a number.

    Raises
    ------
    AlpacaRefusalError
        When it is neither, or not above zero.
    """
    given = request.get(name)
    if given is None or given == "":
        return None
    try:
        value = Decimal(str(given))
    except InvalidOperation:
        raise malformed(f"{name} must be a number") from None
    if not value.is_finite() or isinstance(given, bool):
        raise malformed(f"{name} must be a number")
    if value <= 0:
        raise unprocessable(f"{name} must be > 0")
    return value


def _prices(request: Mapping[str, Any], kind: str) -> tuple[Decimal | None, Decimal | None]:
    limit, stop = amount(request, "limit_price"), amount(request, "stop_price")
    wanted = {"market": (False, False), "limit": (True, False), "stop": (False, True), "stop_limit": (True, True)}[kind]
    for name, price, needed in (("limit_price", limit, wanted[0]), ("stop_price", stop, wanted[1])):
        if needed and price is None:
            raise unprocessable(f"{kind} orders require {name.replace('_', ' ')}")
        if not needed and price is not None:
            raise unprocessable(f"{kind} orders require no {name.replace('_', ' ')}")
        if price is not None and price >= 1 and price != price.quantize(CENT):
            raise unprocessable(
                f"invalid {name} {plain(price)}. sub-penny increment does not fulfill minimum pricing criteria"
            )
    return limit, stop


def _quantity(
    exchange: Exchange, request: Mapping[str, Any], asset: Asset, limit: Decimal | None
) -> tuple[Decimal, Decimal | None]:
    quantity, notional = amount(request, "qty"), amount(request, "notional")
    if (quantity is None) == (notional is None):
        raise unprocessable("qty or notional is required" if quantity is None else "only one of qty or notional")
    if notional is not None:
        return round(notional / (limit or exchange.price(asset.symbol)), 9), notional
    assert quantity is not None
    if quantity != round(quantity, 9):
        raise unprocessable("qty must not have more than 9 decimal places")
    if quantity > MOST_SHARES:
        raise unprocessable("qty exceeds the limit of one order")
    return quantity, None


def _check_fraction(quantity: Decimal, notional: Decimal | None, asset: Asset, in_force: str) -> None:
    if notional is None and quantity == quantity.to_integral_value():
        return
    if not asset.fractionable:
        raise forbidden(f'asset "{asset.symbol}" is not fractionable')
    if in_force != "day":
        raise unprocessable("fractional orders must be DAY orders")


def _check_hours(exchange: Exchange, in_force: str, kind: str) -> None:
    if in_force == "opg":
        if kind not in ("market", "limit"):
            raise unprocessable("opg orders must be market or limit orders")
        if not takes_opening_orders(exchange.now()):
            raise unprocessable("opg orders are not accepted between 9:28am and 7:00pm ET")
    if in_force in ("ioc", "fok") and not exchange.is_open():
        raise unprocessable(f"{in_force} orders are only accepted during market hours")


def _client_order_id(exchange: Exchange, account: Account, request: Mapping[str, Any]) -> str:
    given = request.get("client_order_id")
    if given is None or given == "":
        return exchange.new_id("client-order", len(exchange.state.orders) + 1)
    if not isinstance(given, str) or len(given) > LONGEST_ID:
        raise malformed(f"client_order_id must be no more than {LONGEST_ID} characters")
    if (account.id, given) in exchange.state.by_client_id:
        raise malformed("client_order_id must be unique")
    return given


def _check_partnership(account: Account, asset: Asset, side: str) -> None:
    if asset.partnership and side == "buy" and not account.settings.get("ptp_no_exception_entry"):
        raise forbidden(f'asset "{asset.symbol}" is a PTP without exception; opening a position is not allowed')


def _check_opposite(
    exchange: Exchange, account: Account, symbol: str, side: str, kind: str, limit: Decimal | None
) -> None:
    """Refuse an order that could trade with another one of the account."""
    for other in exchange.state.open_orders(account.id):
        if other.symbol == symbol and other.side != side and _may_cross(other, side, kind, limit):
            what = "limit" if other.limit_price is not None else "market/stop"
            raise forbidden(
                "potential wash trade detected. use complex orders",
                existing_order_id=other.id,
                reject_reason=f"opposite side {what} order exists",
            )


def _may_cross(other: Order, side: str, kind: str, limit: Decimal | None) -> bool:
    if kind in ("market", "stop") or limit is None or other.limit_price is None:
        return True
    return limit >= other.limit_price if side == "buy" else limit <= other.limit_price


def _check_money(exchange: Exchange, account: Account, quantity: Decimal, price: Decimal) -> None:
    cost, power = quantity * price, buying_power(exchange, account)
    if cost > power:
        raise forbidden(
            "insufficient buying power", buying_power=plain(round(power, 2)), cost_basis=plain(round(cost, 2))
        )


def _check_holding(exchange: Exchange, account: Account, symbol: str, quantity: Decimal) -> None:
    held = account.balance(symbol)
    selling = [each for each in exchange.state.open_orders(account.id) if each.side == "sell" and each.symbol == symbol]
    promised = sum((each.left for each in selling), ZERO)
    free = held - promised
    if quantity <= free or (account.settings.get("shorting") and held <= 0 and quantity == int(quantity)):
        return
    raise forbidden(
        f"insufficient qty available for order (requested: {plain(quantity)}, available: {plain(max(ZERO, free))})",
        available=plain(max(ZERO, free)),
        existing_qty=plain(held),
        held_for_orders=plain(promised),
        related_orders=[each.id for each in selling],
        symbol=symbol,
    )
