"""Binance's answers: accounts, orders, trades and pairs in its own fields."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from trading_lib.adapters.broker_simulator.exchange import Exchange
from trading_lib.adapters.broker_simulator.ledger.records import Account, Execution, Order, millis
from trading_lib.adapters.broker_simulator.market.instruments import Pair

ZERO = Decimal(0)
STATUSES = {
    "accepted": "NEW",
    "pending_new": "NEW",
    "new": "NEW",
    "partially_filled": "PARTIALLY_FILLED",
    "filled": "FILLED",
    "canceled": "CANCELED",
    "pending_cancel": "PENDING_CANCEL",
    "expired": "EXPIRED",
    "rejected": "REJECTED",
}
ORDER_TYPES = ["LIMIT", "LIMIT_MAKER", "MARKET", "STOP_LOSS", "STOP_LOSS_LIMIT", "TAKE_PROFIT", "TAKE_PROFIT_LIMIT"]


def eight(amount: Decimal | None) -> str:
    """Write an amount with eight decimals, as Binance does."""
    return f"{amount or ZERO:.8f}"


def order_shape(order: Order) -> dict[str, Any]:
    """Return an order as look-ups and lists show it."""
    return {
        "symbol": order.symbol,
        "orderId": int(order.id),
        "orderListId": -1,
        "clientOrderId": order.client_order_id,
        "price": eight(order.limit_price),
        "origQty": eight(order.quantity),
        "executedQty": eight(order.filled),
        "origQuoteOrderQty": eight(_funds(order)),
        "cummulativeQuoteQty": eight(order.paid),
        "status": STATUSES.get(order.status, order.status.upper()),
        "timeInForce": order.time_in_force.upper(),
        "type": order.wire["type"],
        "side": order.side.upper(),
        "stopPrice": eight(order.stop_price),
        "icebergQty": eight(None),
        "time": millis(order.created_at),
        "updateTime": millis(order.updated_at),
        "isWorking": order.stop_price is None or order.triggered,
        "workingTime": millis(order.created_at),
        "selfTradePreventionMode": "EXPIRE_MAKER",
    }


def _funds(order: Order) -> Decimal | None:
    given = order.wire.get("funds")
    return None if given is None else Decimal(given)


def placed_shape(order: Order, executions: list[Execution], kind: str) -> dict[str, Any]:
    """Return the answer to a new order.

    Parameters
    ----------
    kind
        ACK, RESULT or FULL, as the request asks.
    """
    shape = order_shape(order)
    shape["transactTime"] = millis(order.updated_at)
    if kind == "ACK":
        return {name: shape[name] for name in ("symbol", "orderId", "orderListId", "clientOrderId", "transactTime")}
    for name in ("time", "updateTime", "isWorking", "icebergQty", "stopPrice"):
        del shape[name]
    if kind == "FULL":
        shape["fills"] = [
            {
                "price": eight(each.price),
                "qty": eight(each.quantity),
                "commission": eight(each.fee),
                "commissionAsset": each.fee_asset,
                "tradeId": each.number,
            }
            for each in executions
        ]
    return shape


def cancelled_shape(order: Order) -> dict[str, Any]:
    """Return the answer to a cancellation, which carries an id of its own."""
    shape = order_shape(order)
    for name in ("time", "updateTime", "isWorking", "workingTime"):
        del shape[name]
    own = f"cancel{order.id}"
    return {
        **shape,
        "origClientOrderId": order.client_order_id,
        "clientOrderId": own,
        "transactTime": millis(order.updated_at),
    }


def trade_shape(execution: Execution) -> dict[str, Any]:
    """Return a fill as the list of trades shows it."""
    return {
        "symbol": execution.symbol,
        "id": execution.number,
        "orderId": int(execution.order) if execution.order.isdigit() else 0,
        "orderListId": -1,
        "price": eight(execution.price),
        "qty": eight(execution.quantity),
        "quoteQty": eight(execution.quantity * execution.price),
        "commission": eight(execution.fee),
        "commissionAsset": execution.fee_asset,
        "time": millis(execution.at),
        "isBuyer": execution.side == "buy",
        "isMaker": False,
        "isBestMatch": True,
    }


def candle_shape(begin: int, opening: Decimal, closing: Decimal) -> list[Any]:
    """Return a candle of a minute in which nothing else is traded."""
    high, low = max(opening, closing), min(opening, closing)
    prices = [eight(price) for price in (opening, high, low, closing)]
    return [begin, *prices, eight(None), begin + 59_999, eight(None), 0, eight(None), eight(None), "0"]


def locked(exchange: Exchange, account: Account) -> dict[str, Decimal]:
    """Asset -> units that open orders hold."""
    held: dict[str, Decimal] = {}
    for order in exchange.state.open_orders(account.id):
        if order.side == "sell":
            held[order.base] = held.get(order.base, ZERO) + order.left
        else:
            price = order.limit_price or exchange.price(order.symbol)
            held[order.quote] = held.get(order.quote, ZERO) + order.left * price
    return held


def account_shape(exchange: Exchange, account: Account, omit_zero: bool = False) -> dict[str, Any]:
    """Return an account as Binance shows it."""
    held = locked(exchange, account)
    listed = sorted({*account.balances, *_coins(exchange)})
    balances = [
        {
            "asset": asset,
            "free": eight(account.balance(asset) - held.get(asset, ZERO)),
            "locked": eight(held.get(asset)),
        }
        for asset in listed
        if account.balance(asset) or not omit_zero
    ]
    rate = eight(Decimal(account.settings["fee_rate"]))
    return {
        "makerCommission": 10,
        "takerCommission": 10,
        "buyerCommission": 0,
        "sellerCommission": 0,
        "commissionRates": {"maker": rate, "taker": rate, "buyer": eight(None), "seller": eight(None)},
        "canTrade": not account.settings.get("trading_blocked", False),
        "canWithdraw": False,
        "canDeposit": True,
        "brokered": False,
        "requireSelfTradePrevention": False,
        "preventSor": False,
        "updateTime": millis(exchange.now()),
        "accountType": "SPOT",
        "balances": balances,
        "permissions": ["SPOT"],
        "uid": int(account.number),
    }


def _coins(exchange: Exchange) -> set[str]:
    return {coin for pair in exchange.pairs.values() for coin in (pair.base, pair.quote)}


def exchange_shape(exchange: Exchange, symbols: frozenset[str]) -> dict[str, Any]:
    """Return the pairs and their filters."""
    return {
        "timezone": "UTC",
        "serverTime": millis(exchange.now()),
        "rateLimits": [
            {"rateLimitType": "REQUEST_WEIGHT", "interval": "MINUTE", "intervalNum": 1, "limit": 6000},
            {"rateLimitType": "ORDERS", "interval": "SECOND", "intervalNum": 10, "limit": 100},
            {"rateLimitType": "ORDERS", "interval": "DAY", "intervalNum": 1, "limit": 200000},
        ],
        "exchangeFilters": [],
        "symbols": [pair_shape(each) for each in exchange.pairs.values() if not symbols or each.symbol in symbols],
    }


def pair_shape(pair: Pair) -> dict[str, Any]:
    """Return a pair with its filters."""
    return {
        "symbol": pair.symbol,
        "status": "TRADING" if pair.trading else "BREAK",
        "baseAsset": pair.base,
        "baseAssetPrecision": 8,
        "quoteAsset": pair.quote,
        "quotePrecision": 8,
        "quoteAssetPrecision": 8,
        "baseCommissionPrecision": 8,
        "quoteCommissionPrecision": 8,
        "orderTypes": ORDER_TYPES,
        "icebergAllowed": True,
        "ocoAllowed": True,
        "otoAllowed": True,
        "quoteOrderQtyMarketAllowed": True,
        "allowTrailingStop": True,
        "cancelReplaceAllowed": True,
        "isSpotTradingAllowed": True,
        "isMarginTradingAllowed": False,
        "filters": [
            {
                "filterType": "PRICE_FILTER",
                "minPrice": eight(pair.tick),
                "maxPrice": "1000000.00000000",
                "tickSize": eight(pair.tick),
            },
            {
                "filterType": "LOT_SIZE",
                "minQty": eight(pair.least),
                "maxQty": eight(pair.most),
                "stepSize": eight(pair.step),
            },
            {
                "filterType": "MARKET_LOT_SIZE",
                "minQty": eight(None),
                "maxQty": eight(pair.most),
                "stepSize": eight(None),
            },
            {
                "filterType": "NOTIONAL",
                "minNotional": eight(pair.least_value),
                "applyMinToMarket": True,
                "maxNotional": "9000000.00000000",
                "applyMaxToMarket": False,
                "avgPriceMins": 5,
            },
            {"filterType": "MAX_NUM_ORDERS", "maxNumOrders": 200},
        ],
        "permissions": [],
        "permissionSets": [["SPOT"]],
        "defaultSelfTradePreventionMode": "EXPIRE_MAKER",
        "allowedSelfTradePreventionModes": ["EXPIRE_TAKER", "EXPIRE_MAKER", "EXPIRE_BOTH"],
    }


def coin_shape(exchange: Exchange, account: Account, coin: str) -> dict[str, Any]:
    """Return a coin as the wallet lists it."""
    return {
        "coin": coin,
        "depositAllEnable": True,
        "withdrawAllEnable": False,
        "name": coin,
        "free": eight(account.balance(coin)),
        "locked": "0",
        "freeze": "0",
        "withdrawing": "0",
        "ipoing": "0",
        "ipoable": "0",
        "storage": "0",
        "isLegalMoney": False,
        "trading": True,
        "networkList": [],
    }
