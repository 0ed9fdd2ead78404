"""Single orders at Binance: what is refused here, what is looked up before and after, and what is never sent twice."""

from __future__ import annotations

import asyncio
import json
from decimal import Decimal
from typing import Any

import pytest
import requests
from urllib3.exceptions import MaxRetryError, NewConnectionError

from tests.peers.binance_account import BITCOIN, ETHER, BinanceAccount, Said
from trading_lib.adapters.broker_simulator.faults.script import read_script
from trading_lib.domain.book.orders import OrderType, Side, TimeInForce
from trading_lib.domain.errors import BrokerUnavailableError
from trading_lib.execution.broker import Answer, BrokerStatus, LookUp, Outcome, Seen

KEY_GONE = Said(401, '{"code":-2015,"msg":"Invalid API-key, IP, or permissions for action."}')
LOST = requests.ConnectionError("Connection aborted.", ConnectionResetError(104, "Connection reset by peer"))


def unreachable() -> Exception:
    dialled = NewConnectionError(None, "Failed to establish a new connection")  # type: ignore[arg-type]
    return requests.ConnectionError(MaxRetryError(None, "/", dialled))  # type: ignore[arg-type]


def submit(account: BinanceAccount, **changes: Any) -> Answer:
    return asyncio.run(account.broker.submit(account.intend(account.order(**changes))))


def find(account: BinanceAccount, identity: str) -> LookUp:
    return asyncio.run(account.broker.find(identity))


def cancel(account: BinanceAccount, identity: str) -> Answer:
    return asyncio.run(account.broker.cancel(identity))


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"order_type": OrderType.LIMIT, "limit_price": Decimal("80000.01")},
        {"order_type": OrderType.LIMIT, "limit_price": Decimal(80_000), "time_in_force": TimeInForce.OPENING},
        {"order_type": OrderType.STOP, "stop_price": Decimal(120_000)},
        {"order_type": OrderType.STOP_LIMIT, "stop_price": Decimal(120_000), "limit_price": Decimal(121_000)},
    ],
)
def test_every_type_of_order_is_taken_as_it_was_meant(changes: dict[str, Any]) -> None:
    account = BinanceAccount()
    order = account.order(**changes)
    answer = asyncio.run(account.broker.submit(account.intend(order)))
    assert answer.outcome is Outcome.ACCEPTED
    (booked,) = account.simulator.exchange.state.orders.values()
    assert booked.client_order_id == order.client_order_id
    assert (booked.quantity, booked.limit_price, booked.stop_price) == (
        order.quantity, order.limit_price, order.stop_price,
    )  # fmt: skip
    assert ("quoteOrderQty" in account.way.sent("POST", "/order")[0]) is False
    if order.order_type is OrderType.LIMIT and order.time_in_force is TimeInForce.OPENING:
        assert booked.time_in_force == "ioc"
        found = find(account, order.client_order_id).order
        assert found is not None
        assert found.status is BrokerStatus.EXPIRED


def test_an_order_for_which_there_is_no_money_is_rejected_in_the_brokers_words() -> None:
    account = BinanceAccount()
    answer = submit(account, quantity=Decimal(50), expected_price=Decimal(91_000))
    assert answer.outcome is Outcome.REJECTED
    assert "insufficient balance" in answer.reason
    assert "-2010" in answer.raw


def test_an_id_that_has_filled_is_not_sent_again_although_binance_would_take_it() -> None:
    account = BinanceAccount(resting=False)
    order = account.order()
    first = asyncio.run(account.broker.submit(account.intend(order)))
    found = find(account, order.client_order_id).order
    assert found is not None
    assert found.status is BrokerStatus.FILLED
    account.restart()
    again = asyncio.run(account.broker.submit(account.intend(order)))
    assert (again.outcome, again.broker_order_id) == (Outcome.DUPLICATE, first.broker_order_id)
    assert len(account.simulator.exchange.state.orders) == 1


@pytest.mark.parametrize(
    "trouble",
    [unreachable(), KEY_GONE, Said(500, ""), Said(200, "<html>"), LOST, requests.ReadTimeout("Read timed out.")],
)
def test_what_cannot_be_looked_up_is_not_sent(trouble: Said | Exception) -> None:
    account = BinanceAccount()
    account.way.instead["GET", "order"] = [trouble]
    with pytest.raises(BrokerUnavailableError, match="nothing was sent"):
        submit(account)
    assert account.way.sent("POST", "/order") == []


def test_an_order_that_would_leave_late_does_not_leave() -> None:
    """Its absence may be proved meanwhile: from then on somebody else may send it."""
    account = BinanceAccount()
    account.way.instead["GET", "order"] = [Said(429, "{}", {"Retry-After": "11"})]
    with pytest.raises(BrokerUnavailableError, match=r"too long .* nothing was sent"):
        submit(account)
    assert account.slept == [11.0]
    account.way.after["GET", "order"] = [lambda body: Said(400, body, {"X-MBX-ORDER-COUNT-10S": "95"})]
    with pytest.raises(BrokerUnavailableError, match="nothing was sent"):
        submit(account)
    assert account.slept == [11.0]
    assert account.way.sent("POST", "/order") == []
    account._monotonic += 10
    assert submit(account).outcome is Outcome.ACCEPTED


def test_an_order_that_did_not_leave_says_so() -> None:
    account = BinanceAccount()
    account.way.instead["POST", "order"] = [unreachable()]
    with pytest.raises(BrokerUnavailableError, match="nothing was sent"):
        submit(account)
    assert account.simulator.exchange.state.orders == {}


def test_a_key_that_expires_between_two_requests_is_said_and_not_tried_for_ever() -> None:
    """After a request that was let in, ccxt takes the refusal of the key for a limit of requests."""
    account = BinanceAccount()
    assert submit(account).outcome is Outcome.ACCEPTED
    account.way.instead["POST", "order"] = [KEY_GONE]
    answer = submit(account)
    assert answer.outcome is Outcome.UNKNOWN
    assert "BINANCE_API_KEY" in answer.reason
    assert account.environment["BINANCE_API_KEY"] not in answer.reason + answer.raw
    account.way.instead["GET", "order"] = [KEY_GONE]
    asked = len(account.way.seen)
    found = find(account, "20261123-BTCUSD-B0-0000000000")
    assert (found.seen, "BINANCE_API_KEY" in found.reason) == (Seen.UNKNOWN, True)
    assert len(account.way.seen) == asked + 1
    assert account.slept == []


def test_a_look_up_asks_every_pair_and_says_unknown_when_one_does_not_answer() -> None:
    account = BinanceAccount((BITCOIN, ETHER))
    order = account.order(symbol="ETH-USD", quantity=Decimal(1), expected_price=Decimal(3_000))
    asyncio.run(account.broker.submit(account.intend(order)))
    account.way.instead["GET", "order"] = [Said(500, "")]
    assert find(account, "20261123-NOBODY-B0-0000000000").seen is Seen.UNKNOWN
    assert find(account, "20261123-NOBODY-B0-0000000000").seen is Seen.NOT_FOUND
    found = find(account, order.client_order_id)
    assert found.order is not None
    assert found.order.symbol == "ETH-USD"
    asked = account.way.sent("GET", "/order")
    assert "symbol=ETHUSDT" in asked[-1], "the pair that the id names is asked first, and alone when it answers"


@pytest.mark.parametrize(
    ("body", "why"),
    [
        ('{"symbol":"BTCUSDT"}', "origQty"),
        ('{"symbol":"ETHUSDT"}', "ETHUSDT"),
        ("[]", "no object"),
        ("ORDER:status=FILLED", "contradicts itself"),
        ("ORDER:executedQty=0.2", "contradicts itself"),
        ("ORDER:executedQty=-1", "impossible"),
        ("ORDER:origQty=1e99", "impossible"),
        ("ORDER:origQty=abc", "no number"),
        ("ORDER:side=HOLD", "side"),
        ("ORDER:clientOrderId=another", "another order"),
        ("ORDER:orderId=", "orderId"),
    ],
)
def test_an_answer_that_makes_no_sense_leaves_an_order_unknown(body: str, why: str) -> None:
    account = BinanceAccount()
    order = account.order()
    asyncio.run(account.broker.submit(account.intend(order)))
    if body.startswith("ORDER:"):
        name, _, value = body.removeprefix("ORDER:").partition("=")
        quoted = f'"{value}"'

        def spoil(answer: bytes) -> Said:
            return Said(200, json.dumps({**json.loads(answer), name: json.loads(quoted)}))

        account.way.after["GET", "order"] = [spoil]
    else:
        account.way.instead["GET", "order"] = [Said(200, body)]
    found = find(account, order.client_order_id)
    assert found.seen is Seen.UNKNOWN
    assert why in found.reason
    assert found.raw


def test_a_status_that_nobody_knows_counts_as_open() -> None:
    account = BinanceAccount()
    order = account.order()
    asyncio.run(account.broker.submit(account.intend(order)))
    account.way.after["GET", "order"] = [lambda body: Said(200, body.replace(b'"NEW"', b'"FROZEN_IN_MATCH"'))]
    found = find(account, order.client_order_id).order
    assert found is not None
    assert found.status is BrokerStatus.WORKING
    assert "FROZEN_IN_MATCH" in found.reason


def test_what_has_ended_is_not_asked_to_be_cancelled() -> None:
    account = BinanceAccount(resting=False)
    order = account.order()
    asyncio.run(account.broker.submit(account.intend(order)))
    assert "FILLED" in cancel(account, order.client_order_id).reason
    assert account.way.sent("DELETE", "/order") == []


@pytest.mark.parametrize("stated", [b"PARTIALLY_FILLED", b"NEW", b"PENDING_CANCEL", b"SOMETHING_NEW"])
def test_an_open_order_of_which_a_part_has_filled_is_partially_filled(stated: bytes) -> None:
    account = BinanceAccount()
    order = account.order()
    asyncio.run(account.broker.submit(account.intend(order)))
    account.way.after["GET", "order"] = [
        lambda body: Said(200, json.dumps({**json.loads(body), "executedQty": "0.04", "status": stated.decode()}))
    ]
    found = find(account, order.client_order_id).order
    assert found is not None
    assert (found.status, found.filled) == (BrokerStatus.PARTIALLY_FILLED, Decimal("0.04"))


def test_an_order_that_fills_in_part_and_is_cancelled_keeps_what_filled() -> None:
    account = BinanceAccount(resting=False, fees_in="quote")
    account.simulator.use_script(read_script({"faults": [{"do": "partial", "portion": 0.4}]}, "test"))
    order = account.order(order_type=OrderType.LIMIT, limit_price=Decimal(200_000), quantity=Decimal("0.1"))
    assert asyncio.run(account.broker.submit(account.intend(order))).outcome is Outcome.ACCEPTED
    account.simulator.exchange.halted.add("BTCUSDT")
    (waiting,) = asyncio.run(account.broker.open_orders())
    assert (waiting.status, waiting.filled) == (BrokerStatus.PARTIALLY_FILLED, Decimal("0.04"))
    assert cancel(account, order.client_order_id).outcome is Outcome.ACCEPTED
    found = find(account, order.client_order_id).order
    assert found is not None
    assert (found.status, found.filled, found.quantity) == (BrokerStatus.CANCELLED, Decimal("0.04"), Decimal("0.1"))
    (fill,) = asyncio.run(account.broker.fills_since("")).fills
    assert (fill.quantity, fill.client_order_id) == (Decimal("0.04"), order.client_order_id)
    assert asyncio.run(account.broker.positions()) == {"BTC-USD": Decimal("0.04")}


@pytest.mark.parametrize("fills_hidden", [True, False])
def test_an_order_that_shows_late_is_not_there_yet_and_its_fill_is_nobody_elses(fills_hidden: bool) -> None:
    account = BinanceAccount(resting=False)
    rule = {"do": "invisible", "seconds": 40, "fills_hidden": fills_hidden}
    account.simulator.use_script(read_script({"faults": [rule]}, "test"))
    order = account.order()
    answer = asyncio.run(account.broker.submit(account.intend(order)))
    assert answer.outcome is Outcome.ACCEPTED
    assert find(account, order.client_order_id).seen is Seen.NOT_FOUND
    if fills_hidden:
        assert asyncio.run(account.broker.fills_since("")).fills == ()
    else:
        with pytest.raises(BrokerUnavailableError, match="whose order"):
            asyncio.run(account.broker.fills_since(""))
    account.simulator.pass_time(41)
    assert find(account, order.client_order_id).seen is Seen.FOUND
    (fill,) = asyncio.run(account.broker.fills_since("")).fills
    assert fill.client_order_id == order.client_order_id


def test_an_archived_order_is_known_but_not_readable() -> None:
    account = BinanceAccount()
    archived = Said(400, '{"code":-2026,"msg":"Order was canceled and has been archived."}')
    account.way.instead["GET", "order"] = [archived, archived]
    assert find(account, "20260101-BTCUSD-B0-0000000000").seen is Seen.UNKNOWN
    with pytest.raises(BrokerUnavailableError, match="archived"):
        submit(account)


def test_a_cancellation_that_comes_too_late_is_rejected_with_what_became_of_the_order() -> None:
    account = BinanceAccount()
    order = account.order()
    asyncio.run(account.broker.submit(account.intend(order)))

    def fills_first(body: bytes) -> Said:
        account.opening()
        return Said(200, body)

    account.way.after["GET", "order"] = [fills_first]
    answer = cancel(account, order.client_order_id)
    assert answer.outcome is Outcome.REJECTED
    assert "FILLED" in answer.reason
    assert len(account.way.sent("DELETE", "/order")) == 1


@pytest.mark.parametrize(
    "spoil",
    [
        lambda body: Said(200, b""),
        lambda body: Said(200, body[:30]),
        lambda body: Said(200, b"<html></html>"),
        lambda body: Said(200, b'{"origClientOrderId":"another","orderId":1}'),
        lambda body: Said(503, b""),
        lambda body: requests.ReadTimeout("Read timed out."),
    ],
)
def test_a_cancellation_whose_answer_is_lost_is_unknown_and_a_look_up_tells(spoil: Any) -> None:
    account = BinanceAccount()
    order = account.order()
    asyncio.run(account.broker.submit(account.intend(order)))
    account.way.after["DELETE", "order"] = [spoil]
    assert cancel(account, order.client_order_id).outcome is Outcome.UNKNOWN
    found = find(account, order.client_order_id).order
    assert found is not None
    assert found.status is BrokerStatus.CANCELLED
    assert len(account.way.sent("DELETE", "/order")) == 1


def test_a_refused_cancellation_of_an_order_that_still_waits_is_unknown() -> None:
    account = BinanceAccount()
    order = account.order()
    asyncio.run(account.broker.submit(account.intend(order)))
    account.way.instead["DELETE", "order"] = [Said(400, '{"code":-2011,"msg":"Unknown order sent."}')]
    assert cancel(account, order.client_order_id).outcome is Outcome.UNKNOWN


def test_what_is_not_traded_in_the_account_is_refused_without_a_request() -> None:
    account = BinanceAccount()
    answer = submit(account, symbol="SPY", side=Side.BUY)
    assert (answer.outcome, "SPY" in answer.reason) == (Outcome.REJECTED, True)
    assert account.way.seen == []
