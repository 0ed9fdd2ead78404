"""What Binance lists: balances, open and closed orders, all pages of them, and nothing that cannot be read."""

from __future__ import annotations

import asyncio
import json
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal

import pytest

from tests.peers.binance_account import BITCOIN, ETHER, OPENING, BinanceAccount, Said
from trading_lib.adapters.brokers.binance import histories
from trading_lib.domain.book.orders import OrderType, Side
from trading_lib.domain.errors import BrokerUnavailableError, ConfigurationError
from trading_lib.execution.broker import BrokerStatus

LOW = {"order_type": OrderType.LIMIT, "limit_price": Decimal(50_000)}


def closed(account: BinanceAccount, days: float) -> list[str]:
    orders = asyncio.run(account.broker.closed_orders(account.simulator.clock.now() - timedelta(days=days)))
    return [order.client_order_id for order in orders]


def test_the_account_tells_all_its_money_and_what_of_it_is_free() -> None:
    account = BinanceAccount()
    asyncio.run(account.broker.submit(account.intend(account.order(**LOW))))
    told = asyncio.run(account.broker.account())
    assert (told.currency, told.cash, told.buying_power) == ("USDT", Decimal(100_000), Decimal(95_000))


def test_positions_are_of_the_accounts_coins_alone_those_in_orders_too() -> None:
    account = BinanceAccount(resting=False, fees_in="quote")
    asyncio.run(account.broker.submit(account.intend(account.order())))
    high = {"order_type": OrderType.LIMIT, "limit_price": Decimal(900_000), "quantity": Decimal("0.04")}
    asyncio.run(account.broker.submit(account.intend(account.order(side=Side.SELL, **high))))
    held = asyncio.run(account.broker.positions())
    assert held == {"BTC-USD": Decimal("0.1")}, "10 BNB are there, too, and are not the book's"


@pytest.mark.parametrize(
    ("body", "why"),
    [
        ("{}", "no balances"),
        ("[]", "no balances"),
        ('{"balances":{}}', "no list"),
        ('{"balances":[{"asset":"BTC","free":"1"}]}', "no locked"),
        ('{"balances":[{"asset":"BTC","free":"-1","locked":"0"}]}', "impossible free"),
        ('{"balances":[{"asset":"BTC","free":"NaN","locked":"0"}]}', "impossible free"),
        ('{"balances":[{"asset":"BTC","free":"1","locked":"0"},{"asset":"BTC","free":"1","locked":"0"}]}', "twice"),
        ('{"balances":[', "cannot be read"),
        ("", "cannot be read"),
    ],
)
def test_balances_that_cannot_be_read_are_not_empty_ones(body: str, why: str) -> None:
    account = BinanceAccount()
    account.way.instead["GET", "account"] = [Said(200, body)] * 2
    for question in (account.broker.account, account.broker.positions):
        with pytest.raises(BrokerUnavailableError, match=why):
            asyncio.run(question())


def test_an_order_of_somebody_else_is_listed_with_its_own_id() -> None:
    account = BinanceAccount()
    asyncio.run(account.broker.submit(account.intend(account.order(client_order_id="web_42", **LOW))))
    (order,) = asyncio.run(account.broker.open_orders())
    assert (order.client_order_id, order.symbol, order.created_at) == ("web_42", "BTC-USD", OPENING)


@pytest.mark.parametrize("page", [1, 2, 3, 1000])
@pytest.mark.parametrize("days", [0.5, 3.0, 400.0])
def test_closed_orders_are_all_there_whatever_the_page_and_the_time(page: int, days: float) -> None:
    account = BinanceAccount((BITCOIN, ETHER))
    ended = []
    for number in range(5):
        order = account.order(**LOW)
        asyncio.run(account.broker.submit(account.intend(order)))
        asyncio.run(account.broker.cancel(order.client_order_id))
        ended.append((account.simulator.clock.now(), order.client_order_id))
        ether = account.order(symbol="ETH-USD", quantity=Decimal(1), expected_price=Decimal(3_000))
        asyncio.run(account.broker.submit(account.intend(ether)))
        account.opening() if number == 2 else account.simulator.pass_time(20_000)
        if number == 2:
            ended.append((ended[-1][0], ether.client_order_id))
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(histories, "PAGE", page)
        found = closed(account, days)
    since = account.simulator.clock.now() - timedelta(days=days)
    ethers = [order for order in account.simulator.exchange.state.orders.values() if order.symbol == "ETHUSDT"]
    filled = [order.client_order_id for order in ethers if not order.is_open and order.created_at >= since]
    bitcoins = [identity for at, identity in ended if at >= since and "BTC" in identity]
    assert sorted(found) == sorted(bitcoins + filled)
    assert len(found) == len(set(found))


def test_orders_of_days_are_asked_by_day_and_those_of_years_by_number() -> None:
    account = BinanceAccount()
    closed(account, 2.0)
    spans = [dict(part.split("=") for part in text.split("&")) for text in account.way.sent("GET", "/allOrders")]
    assert len(spans) == 3
    assert all(int(span["endTime"]) - int(span["startTime"]) == 86_400_000 - 1 for span in spans)
    closed(account, 400.0)
    assert "orderId=0" in account.way.sent("GET", "/allOrders")[-1]


@pytest.mark.parametrize("path", ["openOrders", "allOrders"])
@pytest.mark.parametrize("body", ["{}", "[1]", "null", "", "<html>", '[{"symbol":"BTCUSDT"}]', '[{"symbol":"XUSDT"}]'])
def test_a_list_of_orders_that_cannot_be_read_is_no_empty_list(path: str, body: str) -> None:
    account = BinanceAccount()
    account.way.instead["GET", path] = [Said(200, body)]
    with pytest.raises(BrokerUnavailableError):
        asyncio.run(account.broker.open_orders()) if path == "openOrders" else closed(account, 0.5)


def test_an_order_by_hand_for_a_sum_of_money_has_the_quantity_that_came_of_it() -> None:
    account = BinanceAccount(resting=False)
    order = account.order()
    asyncio.run(account.broker.submit(account.intend(order)))
    account.way.after["GET", "order"] = [
        lambda body: Said(200, json.dumps({**json.loads(body), "origQty": "0", "origQuoteOrderQty": "9000.0"}))
    ]
    found = asyncio.run(account.broker.find(order.client_order_id)).order
    assert found is not None
    assert (found.quantity, found.status) == (Decimal("0.1"), BrokerStatus.FILLED)


def test_an_account_without_coins_and_coins_without_a_pair_are_refused_at_once() -> None:
    with pytest.raises(ConfigurationError, match="trades nothing"):
        BinanceAccount(())
    for symbol in ("BTC", "BTC-EUR", "-USD", "btc-USD", "B-T-USD"):
        with pytest.raises(ConfigurationError, match="which pair"):
            BinanceAccount((replace(BITCOIN, symbol=symbol),))
