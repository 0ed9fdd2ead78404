"""Fills at Binance and their fees: in USDT, in the bought coin, in another coin, and in one that has no price."""

from __future__ import annotations

import asyncio
import json
import logging
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest

from tests.peers.binance_account import OPENING, BinanceAccount, Said
from trading_lib.domain.book.orders import Side
from trading_lib.domain.errors import BrokerUnavailableError
from trading_lib.execution.broker import Execution, Executions

NO_PAIR = Said(400, '{"code":-1121,"msg":"Invalid symbol."}')


def bought(account: BinanceAccount, **changes: Any) -> Execution:
    asyncio.run(account.broker.submit(account.intend(account.order(**changes))))
    return fills(account).fills[-1]


def fills(account: BinanceAccount, cursor: str = "") -> Executions:
    return asyncio.run(account.broker.fills_since(cursor))


def test_a_fee_in_the_quote_coin_is_money() -> None:
    fill = bought(BinanceAccount(resting=False, fees_in="quote"))
    assert fill.commission == fill.quantity * fill.price * Decimal("0.001")
    assert fill.fee_quantity == 0


def test_a_fee_in_the_bought_coin_is_units_kept_and_its_value() -> None:
    account = BinanceAccount(resting=False)
    fill = bought(account)
    assert fill.fee_quantity == fill.quantity * Decimal("0.001")
    assert fill.commission == fill.fee_quantity * fill.price
    held = asyncio.run(account.broker.positions())
    assert held == {"BTC-USD": fill.quantity - fill.fee_quantity}


def test_a_fee_of_a_sale_is_money() -> None:
    account = BinanceAccount(resting=False)
    bought(account)
    sale = bought(account, side=Side.SELL, quantity=Decimal("0.05"))
    assert (sale.side, sale.fee_quantity) == (Side.SELL, 0)
    assert sale.commission == sale.quantity * sale.price * Decimal("0.001")


def test_a_fee_in_bnb_is_valued_at_the_first_price_of_the_minute() -> None:
    account = BinanceAccount(resting=False, fees_in="BNB")
    account.simulator.pass_time(33)
    fill = bought(account)
    told = json.loads(fill.raw)
    price = account.simulator.exchange.prices.at("BNBUSDT", OPENING)
    assert told["commissionAsset"] == "BNB"
    assert fill.commission == Decimal(told["commission"]) * price
    assert fill.fee_quantity == 0
    assert f"1 BNB = {price:.8f} USDT" in told["valued"]
    assert abs(fill.commission / (fill.quantity * fill.price) - Decimal("0.001")) < Decimal("0.00001")
    # It is the same later, when BNB costs something else.
    account.simulator.pass_time(40_000)
    account.restart()
    assert fills(account).fills == (fill,)


def test_the_price_of_a_minute_is_asked_once() -> None:
    account = BinanceAccount(resting=False, fees_in="BNB")
    for _ in range(2):
        account.simulator.pass_time(7)
        asyncio.run(account.broker.submit(account.intend(account.order())))
    first, second = fills(account).fills
    assert first.filled_at != second.filled_at
    assert len(account.way.sent("GET", "/klines")) == 1


def test_a_fill_whose_fee_cannot_be_valued_now_is_told_later_and_not_wrongly() -> None:
    account = BinanceAccount(resting=False, fees_in="BNB")
    asyncio.run(account.broker.submit(account.intend(account.order())))
    account.way.instead["GET", "klines"] = [Said(500, "")]
    with pytest.raises(BrokerUnavailableError, match="what BNB cost"):
        fills(account)
    assert len(fills(account).fills) == 1


@pytest.mark.parametrize("said", [NO_PAIR, Said(200, "[]"), Said(200, '[[1600000000000,"1.5"]]')])
def test_a_fee_in_a_coin_without_a_price_is_assumed_and_the_fill_says_so(
    said: Said, caplog: pytest.LogCaptureFixture
) -> None:
    account = BinanceAccount(resting=False, fees_in="BNB")
    account.way.instead["GET", "klines"] = [said]
    with caplog.at_level(logging.WARNING):
        fill = bought(account)
    assert fill.commission == fill.quantity * fill.price * Decimal("0.0010")
    assert "no price of BNB in USDT" in json.loads(fill.raw)["valued"]
    assert "BTCUSDT-" in caplog.text


@pytest.mark.parametrize("body", ["{}", "[1]", "[[]]", '[["x","1"]]', '[[1795478700000,"-1"]]', "[[1795478700000]]"])
def test_a_price_that_makes_no_sense_is_none(body: str) -> None:
    account = BinanceAccount(resting=False, fees_in="BNB")
    account.way.instead["GET", "klines"] = [Said(200, body)]
    with pytest.raises(BrokerUnavailableError, match="trades"):
        bought(account)


def test_a_trade_by_hand_is_told_with_the_id_that_is_not_ours() -> None:
    account = BinanceAccount(resting=False)
    fill = bought(account, client_order_id="web_1234567890")
    assert fill.client_order_id == "web_1234567890"


def test_whose_a_fill_is_is_asked_again_until_binance_says_it() -> None:
    """An order shows up a moment after its trades: until then its fill would look like somebody else's."""
    account = BinanceAccount(resting=False)
    order = account.order()
    asyncio.run(account.broker.submit(account.intend(order)))
    missing = Said(400, '{"code":-2013,"msg":"Order does not exist."}')
    account.way.instead |= {("GET", "allOrders"): [Said(200, "[]")], ("GET", "order"): [missing]}
    with pytest.raises(BrokerUnavailableError, match="whose order"):
        fills(account)
    account.way.instead["GET", "allOrders"] = [Said(200, "[]")]
    (fill,) = fills(account).fills
    assert fill.client_order_id == order.client_order_id


def test_a_fill_of_an_order_that_binance_has_forgotten_is_nobodys() -> None:
    account = BinanceAccount(resting=False)
    asyncio.run(account.broker.submit(account.intend(account.order())))
    account.simulator.pass_time(timedelta(days=2).total_seconds())
    missing = Said(400, '{"code":-2013,"msg":"Order does not exist."}')
    account.way.instead |= {("GET", "allOrders"): [Said(200, "[]")], ("GET", "order"): [missing]}
    (fill,) = fills(account).fills
    assert fill.client_order_id == ""


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("qty", "0"), ("qty", "NaN"), ("qty", "-1"), ("qty", None), ("price", "0"), ("price", "1e400"),
        ("commission", "x"), ("commission", "-0.1"), ("commissionAsset", ""), ("time", "now"), ("time", -1),
        ("time", 10**17), ("id", True), ("orderId", None), ("isBuyer", "yes"), ("symbol", "ETHUSDT"),
    ],
)  # fmt: skip
def test_a_trade_that_makes_no_sense_is_neither_booked_nor_skipped(name: str, value: object) -> None:
    account = BinanceAccount(resting=False)
    asyncio.run(account.broker.submit(account.intend(account.order())))
    account.way.after["GET", "myTrades"] = [
        lambda body: Said(200, json.dumps([{**trade, name: value} for trade in json.loads(body)]))
    ]
    with pytest.raises(BrokerUnavailableError, match="trades"):
        fills(account)
    assert len(fills(account).fills) == 1
