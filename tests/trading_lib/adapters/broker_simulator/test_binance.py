"""ccxt against the simulator: orders, look-ups, lists, fees, signatures, refusals."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import ccxt
import pytest

from tests.peers.broker_clients import Clients
from trading_lib.adapters.broker_simulator.ledger.records import BINANCE

PAIR = "BTC/USDT"


def test_a_market_order_fills_at_once_and_pays_its_fee_in_coin(reached: Clients) -> None:
    client = reached.binance()
    placed = client.create_order(PAIR, "market", "buy", 0.01, None, {"clientOrderId": "one"})
    assert (placed["status"], placed["filled"]) == ("closed", 0.01)
    assert placed["fee"] == {"currency": "BTC", "cost": 0.00001}
    assert client.fetch_balance()["BTC"]["total"] == pytest.approx(0.00999)
    found = client.fetch_order(None, PAIR, {"clientOrderId": "one"})
    assert (found["id"], found["status"]) == (placed["id"], "closed")
    assert [each["order"] for each in client.fetch_my_trades(PAIR)] == [placed["id"]]


@pytest.mark.parametrize(("paid_in", "coin"), [("received", "BTC"), ("BNB", "BNB"), ("quote", "USDT")])
def test_fees_are_taken_in_the_coin_that_the_account_pays_in(reached: Clients, paid_in: str, coin: str) -> None:
    account = reached.simulator.account_of(BINANCE, "live")
    reached.simulator.exchange.record("settings", account=account.id, settings={"fees_in": paid_in})
    placed = reached.binance().create_order(PAIR, "market", "buy", 0.01)
    assert placed["fee"]["currency"] == coin
    held = reached.simulator.judge().positions(account.id)
    assert held == {asset: units for asset, units in account.balances.items() if units}


def test_a_limit_order_below_the_market_works_and_locks_its_money(reached: Clients) -> None:
    client = reached.binance()
    client.create_order(PAIR, "limit", "buy", 0.01, 50_000, {"clientOrderId": "low"})
    assert client.fetch_balance()["USDT"]["used"] == 500
    assert [each["clientOrderId"] for each in client.fetch_open_orders(PAIR)] == ["low"]
    client.cancel_order(None, PAIR, {"clientOrderId": "low"})
    assert client.fetch_open_orders(PAIR) == []
    assert client.fetch_order(None, PAIR, {"clientOrderId": "low"})["status"] == "canceled"
    with pytest.raises(ccxt.OrderNotFound, match="-2011"):
        client.cancel_order(None, PAIR, {"clientOrderId": "low"})


def test_an_id_is_unique_among_open_orders_only(reached: Clients) -> None:
    client = reached.binance()
    client.create_order(PAIR, "limit", "buy", 0.01, 50_000, {"clientOrderId": "same"})
    with pytest.raises(ccxt.ExchangeError, match="Duplicate order sent"):
        client.create_order(PAIR, "limit", "buy", 0.01, 50_000, {"clientOrderId": "same"})
    client.cancel_order(None, PAIR, {"clientOrderId": "same"})
    client.create_order(PAIR, "market", "buy", 0.01, None, {"clientOrderId": "same"})
    client.create_order(PAIR, "market", "buy", 0.01, None, {"clientOrderId": "same"})
    assert [len(each["orders"]) for each in reached.simulator.judge().duplicates()] == [3]


def test_a_stop_limit_order_waits_for_its_stop(reached: Clients) -> None:
    client, simulator = reached.binance(), reached.simulator
    client.create_order(PAIR, "market", "buy", 0.01)
    client.create_order(PAIR, "limit", "sell", 0.005, 49_000, {"clientOrderId": "stop", "stopLossPrice": 50_000})
    simulator.exchange.record("price", symbol="BTCUSDT", price="50000.01")
    simulator.exchange.match_all("BTCUSDT")
    assert client.fetch_order(None, PAIR, {"clientOrderId": "stop"})["status"] == "open"
    simulator.exchange.record("price", symbol="BTCUSDT", price="49999")
    simulator.exchange.match_all("BTCUSDT")
    found = client.fetch_order(None, PAIR, {"clientOrderId": "stop"})
    assert (found["status"], found["average"]) == ("closed", 49_999)


@pytest.mark.parametrize(
    ("terms", "kind", "words"),
    [
        ((PAIR, "market", "buy", 0.00002), ccxt.BadRequest, "NOTIONAL"),
        ((PAIR, "market", "buy", 9001), ccxt.InvalidOrder, "LOT_SIZE|lot size"),
        ((PAIR, "market", "buy", 5), ccxt.InsufficientFunds, "insufficient balance"),
        ((PAIR, "market", "sell", 0.01), ccxt.InsufficientFunds, "insufficient balance"),
        ((PAIR, "market", "buy", 0.01, None, {"clientOrderId": "x" * 37}), ccxt.BadRequest, "newClientOrderId"),
    ],
)
def test_what_binance_refuses_is_refused_and_not_booked(
    reached: Clients, terms: tuple[Any, ...], kind: type[Exception], words: str
) -> None:
    with pytest.raises(kind, match=words):
        reached.binance().create_order(*terms)
    assert reached.simulator.judge().orders() == []


def test_requests_of_another_secret_key_or_time_are_refused(reached: Clients) -> None:
    with pytest.raises(ccxt.AuthenticationError, match="-1022"):
        reached.binance(secret="another").fetch_balance()
    with pytest.raises(ccxt.AuthenticationError, match="-2015"):
        reached.binance(key="another").fetch_balance()
    for seconds in (-180, 180):
        client = reached.binance()
        now = reached.simulator.clock.now().timestamp()
        client.nonce = lambda at=now + seconds: int(at * 1000)
        with pytest.raises(ccxt.InvalidNonce, match="-1021"):
            client.fetch_balance()


def test_trades_are_paged_by_their_id(reached: Clients) -> None:
    client = reached.binance()
    for _ in range(4):
        client.create_order(PAIR, "market", "buy", 0.001)
    first = client.fetch_my_trades(PAIR, limit=3, params={"fromId": 0})
    rest = client.fetch_my_trades(PAIR, limit=3, params={"fromId": int(first[-1]["id"]) + 1})
    assert [len(first), len(rest)] == [3, 1]
    assert sum(Decimal(str(each["amount"])) for each in first + rest) == Decimal("0.004")


def test_a_signature_is_over_what_was_sent_whatever_an_id_is_made_of(reached: Clients) -> None:
    client = reached.binance()
    client.create_order(PAIR, "market", "buy", 0.01, None, {"clientOrderId": "a:b/c.d_e-F"})
    assert client.fetch_order(None, PAIR, {"clientOrderId": "a:b/c.d_e-F"})["status"] == "closed"


def test_candles_of_a_minute_open_at_the_price_of_its_first_instant(reached: Clients) -> None:
    client, exchange = reached.binance(), reached.simulator.exchange
    begun = [datetime(2026, 11, 23, 12, minute, tzinfo=UTC) for minute in range(3)]
    candles = client.fetch_ohlcv("BNB/USDT", "1m", None, 3, {"until": int(begun[-1].timestamp() * 1000) + 59_000})
    assert [candle[0] for candle in candles] == [int(at.timestamp() * 1000) for at in begun]
    assert [candle[1] for candle in candles] == [float(exchange.prices.at("BNBUSDT", at)) for at in begun]
    assert all(candle[3] <= candle[1] <= candle[2] and candle[3] <= candle[4] <= candle[2] for candle in candles)
    with pytest.raises(ccxt.BaseError, match="-1121"):
        client.public_get_klines({"symbol": "XYZUSDT", "interval": "1m"})


def test_money_can_be_spent_instead_of_a_quantity_bought(reached: Clients) -> None:
    reached.simulator.exchange.record("price", symbol="BTCUSDT", price="80000")
    placed = reached.binance().create_market_buy_order_with_cost(PAIR, 1000)
    assert (placed["filled"], placed["cost"]) == (0.0125, 1000)


@pytest.mark.parametrize("in_force", ["IOC", "FOK"])
def test_what_is_not_filled_at_once_expires_where_that_was_asked(reached: Clients, in_force: str) -> None:
    placed = reached.binance().create_order(PAIR, "limit", "buy", 0.01, 50_000, {"timeInForce": in_force})
    assert placed["status"] == "expired"


def test_a_stop_that_is_met_already_is_refused_and_a_profit_is_taken_above(reached: Clients) -> None:
    client, exchange = reached.binance(), reached.simulator.exchange
    exchange.record("price", symbol="BTCUSDT", price="80000")
    client.create_order(PAIR, "market", "buy", 0.02)
    with pytest.raises(ccxt.OrderImmediatelyFillable, match="Stop price would trigger immediately"):
        client.create_order(PAIR, "market", "sell", 0.01, None, {"stopLossPrice": 80_001})
    client.create_order(PAIR, "market", "sell", 0.01, None, {"takeProfitPrice": 81_000, "clientOrderId": "up"})
    assert client.fetch_order(None, PAIR, {"clientOrderId": "up"})["status"] == "open"
    exchange.record("price", symbol="BTCUSDT", price="81500")
    exchange.match_all("BTCUSDT")
    assert client.fetch_order(None, PAIR, {"clientOrderId": "up"})["average"] == 81_500


def test_orders_and_trades_are_listed_by_time_within_a_day(reached: Clients) -> None:
    client, simulator = reached.binance(), reached.simulator
    starts = []
    for _ in range(3):
        starts.append(int(simulator.clock.now().timestamp() * 1000))
        client.create_order(PAIR, "market", "buy", 0.001)
        simulator.pass_time(20 * 3600)
    for listed in (client.fetch_orders, client.fetch_my_trades):
        assert len(listed(PAIR)) == 3
        assert len(listed(PAIR, starts[0])) == 2
        assert len(listed(PAIR, starts[1], None, {"endTime": starts[1] + 1})) == 1
        assert len(listed(PAIR, limit=2)) == 2
    with pytest.raises(ccxt.BadRequest, match="-1127"):
        client.fetch_orders(PAIR, starts[0], None, {"endTime": starts[0] + 86_400_001})


def test_all_open_orders_of_a_pair_can_be_cancelled_at_once(reached: Clients) -> None:
    client = reached.binance()
    for price in (50_000, 50_001):
        client.create_order(PAIR, "limit", "buy", 0.001, price)
    client.create_order("ETH/USDT", "limit", "buy", 0.1, 1000)
    assert len(client.cancel_all_orders(PAIR)) == 2
    assert [each["symbol"] for each in client.fetch_open_orders("ETH/USDT")] == ["ETH/USDT"]
    with pytest.raises(ccxt.OrderNotFound, match="-2011"):
        client.cancel_all_orders(PAIR)


@pytest.mark.parametrize(
    ("changed", "code"),
    [
        ({"symbol": "NOPEUSDT"}, -1121),
        ({"symbol": ""}, -1102),
        ({"side": "HOLD"}, -1117),
        ({"type": "ODD"}, -1116),
        ({"type": "LIMIT"}, -1102),
        ({"type": "LIMIT", "timeInForce": "DAY"}, -1115),
        ({"type": "LIMIT", "timeInForce": "GTC", "price": "100.001"}, -1013),
        ({"price": "100"}, -1106),
        ({"quantity": "-1"}, -1100),
        ({"quantity": "NaN"}, -1100),
        ({"quantity": "0.123456789"}, -1111),
        ({"quantity": ""}, -1102),
        ({"recvWindow": "60001"}, -1131),
    ],
)
def test_a_broken_request_is_refused_with_binances_code(reached: Clients, changed: dict[str, str], code: int) -> None:
    client = reached.binance()
    terms = {"symbol": "BTCUSDT", "side": "BUY", "type": "MARKET", "quantity": "0.01", "newClientOrderId": "x"}
    with pytest.raises(ccxt.BaseError, match=rf'"code":{code}\b'):
        client.private_post_order({**terms, **changed})
    assert reached.simulator.judge().orders() == []
