"""Alpaca's answers: accounts, orders, positions, activities, clock and calendar in its own fields."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from typing import Any
from uuid import NAMESPACE_URL, uuid5

from trading_lib.adapters.broker_simulator.exchange import Exchange
from trading_lib.adapters.broker_simulator.ledger.records import Account, Execution, Movement, Order, iso, plain
from trading_lib.adapters.broker_simulator.market.hours import Session
from trading_lib.adapters.broker_simulator.market.instruments import Asset
from trading_lib.domain.market.sessions import NEW_YORK

ZERO = Decimal(0)
DOLLAR = "USD"


def order_shape(order: Order) -> dict[str, Any]:
    """Return an order as Alpaca shows it."""
    ended = {order.status: iso(order.ended_at) if order.ended_at else None}
    return {
        "id": order.id,
        "client_order_id": order.client_order_id,
        "created_at": iso(order.created_at),
        "updated_at": iso(order.updated_at),
        "submitted_at": iso(order.created_at),
        "filled_at": ended.get("filled"),
        "expired_at": ended.get("expired"),
        "canceled_at": ended.get("canceled"),
        "failed_at": ended.get("rejected"),
        "replaced_at": None,
        "replaced_by": None,
        "replaces": None,
        "asset_id": order.wire.get("asset_id"),
        "symbol": order.symbol,
        "asset_class": "us_equity",
        "notional": order.wire.get("notional"),
        "qty": None if order.wire.get("notional") else plain(order.quantity),
        "filled_qty": plain(order.filled),
        "filled_avg_price": None if order.average is None else plain(round(order.average, 9)),
        "order_class": "",
        "order_type": order.type,
        "type": order.type,
        "side": order.side,
        "position_intent": "buy_to_open" if order.side == "buy" else "sell_to_close",
        "time_in_force": order.time_in_force,
        "limit_price": None if order.limit_price is None else plain(order.limit_price),
        "stop_price": None if order.stop_price is None else plain(order.stop_price),
        "status": order.status,
        "extended_hours": order.wire.get("extended_hours", False),
        "legs": None,
        "trail_percent": None,
        "trail_price": None,
        "hwm": None,
        "subtag": None,
        "source": None,
        "expires_at": None,
    }


def holdings(account: Account) -> dict[str, Decimal]:
    """Symbol -> shares held, without the dollars."""
    return {asset: units for asset, units in account.balances.items() if units and asset != DOLLAR}


def reserved(exchange: Exchange, account: Account) -> Decimal:
    """Return the dollars that open purchases will need."""
    return sum(
        (
            order.left * (order.limit_price or order.stop_price or exchange.price(order.symbol))
            for order in exchange.state.open_orders(account.id)
            if order.side == "buy"
        ),
        ZERO,
    )


def buying_power(exchange: Exchange, account: Account) -> Decimal:
    """Return what the account may still buy for."""
    worth = sum((units * exchange.price(symbol) for symbol, units in holdings(account).items()), ZERO)
    equity = account.balance(DOLLAR) + worth
    return max(ZERO, equity * Decimal(account.settings["multiplier"]) - abs(worth) - reserved(exchange, account))


def account_shape(exchange: Exchange, account: Account) -> dict[str, Any]:
    """Return an account as Alpaca shows it since July 2026, without the day-trading fields."""
    worth = {symbol: units * exchange.price(symbol) for symbol, units in holdings(account).items()}
    long = sum((value for value in worth.values() if value > 0), ZERO)
    short = sum((value for value in worth.values() if value < 0), ZERO)
    cash = account.balance(DOLLAR)
    power = plain(round(buying_power(exchange, account), 2))
    equity = plain(round(cash + long + short, 2))
    blocked = bool(account.settings.get("trading_blocked", False))
    return {
        "id": account.id,
        "admin_configurations": {},
        "user_configurations": None,
        "account_number": account.number,
        "status": account.settings.get("status", "ACTIVE"),
        "crypto_status": "ACTIVE",
        "currency": DOLLAR,
        "buying_power": power,
        "regt_buying_power": power,
        "effective_buying_power": power,
        "non_marginable_buying_power": plain(round(max(ZERO, cash - reserved(exchange, account)), 2)),
        "options_buying_power": power,
        "bod_dtbp": "0",
        "cash": plain(round(cash, 2)),
        "accrued_fees": "0",
        "portfolio_value": equity,
        "trading_blocked": blocked,
        "transfers_blocked": False,
        "account_blocked": bool(account.settings.get("account_blocked", False)),
        "created_at": iso(account.created_at),
        "trade_suspended_by_user": bool(account.settings.get("suspend_trade", False)),
        "multiplier": str(account.settings["multiplier"]),
        "shorting_enabled": bool(account.settings.get("shorting", False)),
        "equity": equity,
        "last_equity": equity,
        "long_market_value": plain(round(long, 2)),
        "short_market_value": plain(round(short, 2)),
        "position_market_value": plain(round(long + abs(short), 2)),
        "initial_margin": "0",
        "maintenance_margin": "0",
        "last_maintenance_margin": "0",
        "sma": "0",
        "balance_asof": exchange.now().date().isoformat(),
        "options_approved_level": 0,
        "options_trading_level": 0,
        "intraday_adjustments": "0",
        "pending_reg_taf_fees": "0",
    }


def configuration_shape(account: Account) -> dict[str, Any]:
    """Return an account's configuration."""
    return {
        "fractional_trading": bool(account.settings.get("fractional", True)),
        "max_margin_multiplier": str(account.settings["multiplier"]),
        "max_options_trading_level": None,
        "no_shorting": not account.settings.get("shorting", False),
        "suspend_trade": bool(account.settings.get("suspend_trade", False)),
        "trade_confirm_email": "all",
        "ptp_no_exception_entry": bool(account.settings.get("ptp_no_exception_entry", False)),
        "disable_overnight_trading": False,
    }


def position_shape(exchange: Exchange, account: Account, symbol: str) -> dict[str, Any]:
    """Return what an account holds of a symbol."""
    units, price = account.balance(symbol), exchange.price(symbol)
    cost = account.costs.get(symbol, ZERO)
    worth = units * price
    asset = exchange.assets.get(symbol)
    selling = sum((each.left for each in exchange.state.open_orders(account.id) if _sells(each, symbol)), ZERO)
    gain = worth - cost
    share = plain(round(gain / abs(cost), 10)) if cost else "0"
    return {
        "asset_id": asset.id if asset else str(uuid5(NAMESPACE_URL, symbol)),
        "symbol": symbol,
        "exchange": asset.exchange if asset else "",
        "asset_class": "us_equity",
        "asset_marginable": True,
        "qty": plain(units),
        "avg_entry_price": plain(round(cost / units, 9)),
        "side": "long" if units > 0 else "short",
        "market_value": plain(worth),
        "cost_basis": plain(round(cost, 9)),
        "unrealized_pl": plain(round(gain, 9)),
        "unrealized_plpc": share,
        "unrealized_intraday_pl": plain(round(gain, 9)),
        "unrealized_intraday_plpc": share,
        "current_price": plain(price),
        "lastday_price": plain(price),
        "change_today": "0",
        "qty_available": plain(units - selling if units > 0 else units),
    }


def _sells(order: Order, symbol: str) -> bool:
    return order.side == "sell" and order.symbol == symbol


def asset_shape(asset: Asset) -> dict[str, Any]:
    """Return an asset as Alpaca lists it."""
    return {
        "id": asset.id,
        "class": "us_equity",
        "exchange": asset.exchange,
        "symbol": asset.symbol,
        "name": asset.name,
        "status": "active" if asset.tradable else "inactive",
        "tradable": asset.tradable,
        "marginable": True,
        "maintenance_margin_requirement": 30,
        "margin_requirement_long": "30",
        "margin_requirement_short": "30",
        "shortable": asset.shortable,
        "easy_to_borrow": asset.shortable,
        "fractionable": asset.fractionable,
        "attributes": [*(["ptp_no_exception"] if asset.partnership else []), "has_options"],
    }


def activity_id(at: datetime, identity: str) -> str:
    """Return an activity's id: its time to the millisecond, and an id."""
    return f"{at:%Y%m%d%H%M%S}{at.microsecond // 1000:03d}::{identity}"


def fill_shape(execution: Execution) -> dict[str, Any]:
    """Return a fill as an account activity."""
    kind = "fill" if execution.left <= 0 else "partial_fill"
    if execution.bust_of or execution.corrects:
        kind = "trade_bust" if execution.bust_of else "trade_correct"
    shape = {
        "id": activity_id(execution.at, execution.id),
        "activity_type": "FILL",
        "transaction_time": iso(execution.at),
        "type": kind,
        "price": plain(execution.price),
        "qty": plain(execution.quantity),
        "side": execution.side,
        "symbol": execution.symbol,
        "leaves_qty": plain(execution.left),
        "order_id": execution.order,
        "cum_qty": plain(execution.cumulative),
        "order_status": execution.status,
    }
    replaced = execution.bust_of or execution.corrects
    return {**shape, "previous_execution_id": replaced} if replaced else shape


def movement_shape(movement: Movement) -> dict[str, Any]:
    """Return a dividend, fee, split or transfer as an account activity."""
    shape: dict[str, Any] = {
        "id": activity_id(movement.at, movement.id),
        "activity_type": movement.activity,
        "date": movement.at.astimezone(NEW_YORK).date().isoformat(),
        "net_amount": plain(movement.amount) if movement.asset == DOLLAR else "0",
        "description": movement.note,
        "status": "executed",
        "created_at": iso(movement.at),
    }
    if movement.symbol:
        shape["symbol"] = movement.symbol
    if movement.asset != DOLLAR:
        shape["qty"] = plain(movement.amount)
    if movement.per_share is not None:
        shape["per_share_amount"] = plain(movement.per_share)
    return shape


def calendar_shape(session: Session) -> dict[str, Any]:
    """Return a day of the calendar."""
    opens, closes = session.opens.astimezone(NEW_YORK), session.closes.astimezone(NEW_YORK)
    return {
        "date": session.day.isoformat(),
        "open": f"{opens:%H:%M}",
        "close": f"{closes:%H:%M}",
        "session_open": "0400",
        "session_close": "2000",
        "settlement_date": session.day.isoformat(),
    }
