"""What Binance's answers mean: every row of the table, and what becomes of an order on either host."""

from __future__ import annotations

import asyncio
import json

import pytest
import requests
from hypothesis import given
from hypothesis import strategies as st

from tests.peers.binance_account import BinanceAccount, Said
from trading_lib.adapters.brokers.binance.answers.classification import (
    BY_CODE,
    REQUEST_ISSUES,
    Meaning,
    Reply,
    code_of,
    content_of,
    meaning_of,
)
from trading_lib.domain.book.orders import Side
from trading_lib.execution.broker import Answer, Outcome

ORDER = '{"symbol":"BTCUSDT","orderId":7,"clientOrderId":"x"}'


def error(status: int, code: object, message: str = "No words.") -> Reply:
    return Reply(status, json.dumps({"code": code, "msg": message}))


@pytest.mark.parametrize(
    ("reply", "meaning"),
    [
        (Reply(200, ORDER), Meaning.ANSWERED),
        (Reply(200, "[]"), Meaning.ANSWERED),
        (Reply(201, "{}"), Meaning.ANSWERED),
        (Reply(200, ""), Meaning.UNKNOWN),
        (Reply(200, ORDER[:40]), Meaning.UNKNOWN),
        (Reply(200, "<html><body>OK</body></html>"), Meaning.UNKNOWN),
        (Reply(200, "null"), Meaning.UNKNOWN),
        (Reply(200, '"ok"'), Meaning.UNKNOWN),
        (Reply(200, '{"origQty": NaN}'), Meaning.UNKNOWN),
        (Reply(200, "[" * 100_000), Meaning.UNKNOWN),
        (error(200, -2010, "Account has insufficient balance for requested action."), Meaning.UNKNOWN),
        (error(200, 0, "success"), Meaning.UNKNOWN),
        (Reply(302, "", {"location": "https://elsewhere.example"}), Meaning.UNKNOWN),
        (Reply(304), Meaning.UNKNOWN),
        (error(400, -1000, "An unknown error occurred while processing the request."), Meaning.UNKNOWN),
        (error(500, -1000), Meaning.UNKNOWN),
        (error(400, -1001), Meaning.UNKNOWN),
        (error(401, -1002, "You are not authorized to execute this request."), Meaning.KEY_REFUSED),
        (error(400, -1003, "Too much request weight used."), Meaning.NOT_NOW),
        (error(400, -1006, "Execution status unknown."), Meaning.UNKNOWN),
        (error(400, -1007, "Send status unknown; execution status unknown."), Meaning.UNKNOWN),
        (error(504, -1007), Meaning.UNKNOWN),
        (error(503, -1008, "Server is currently overloaded with other requests."), Meaning.NOT_NOW),
        (error(400, -1008), Meaning.NOT_NOW),
        (error(400, -1013, "Filter failure: LOT_SIZE"), Meaning.REFUSED),
        (error(400, -1013, "Market is closed."), Meaning.REFUSED),
        (error(400, -1014, "Unsupported order combination."), Meaning.REFUSED),
        (error(400, -1015, "Too many new orders."), Meaning.NOT_NOW),
        (error(400, -1016, "This service is no longer available."), Meaning.UNKNOWN),
        (error(400, -1021, "Timestamp for this request is outside of the recvWindow."), Meaning.CLOCK),
        (error(400, -1022, "Signature for this request is not valid."), Meaning.KEY_REFUSED),
        (error(400, -1100, "Illegal characters found in a parameter."), Meaning.REFUSED),
        (error(400, -1111, "Parameter 'quantity' has too much precision."), Meaning.REFUSED),
        (error(400, -1121, "Invalid symbol."), Meaning.REFUSED),
        (error(400, -1199), Meaning.REFUSED),
        (error(400, -1200), Meaning.UNKNOWN),
        (error(400, -2010, "Account has insufficient balance for requested action."), Meaning.REFUSED),
        (error(400, -2010, "This symbol is not permitted for this account."), Meaning.REFUSED),
        (error(400, -2010, "Duplicate order sent."), Meaning.DUPLICATE),
        (error(400, -1010, "Duplicate order sent."), Meaning.DUPLICATE),
        (error(400, "-2010", "Duplicate order sent."), Meaning.DUPLICATE),
        (error(400, -2011, "Unknown order sent."), Meaning.CANCEL_REFUSED),
        (error(400, -2013, "Order does not exist."), Meaning.NO_SUCH_ORDER),
        (error(401, -2014, "API-key format invalid."), Meaning.KEY_REFUSED),
        (error(401, -2015, "Invalid API-key, IP, or permissions for action."), Meaning.KEY_REFUSED),
        (error(400, -2026, "Order was canceled over 90 days ago and has been archived."), Meaning.ARCHIVED),
        (error(400, -9999), Meaning.UNKNOWN),
        (error(400, True), Meaning.UNKNOWN),
        (error(500, -2010, "Account has insufficient balance for requested action."), Meaning.UNKNOWN),
        (error(503, -2013, "Order does not exist."), Meaning.UNKNOWN),
        (error(429, -2010, "Duplicate order sent."), Meaning.NOT_NOW),
        (Reply(418), Meaning.NOT_NOW),
        (Reply(429, "<html>"), Meaning.NOT_NOW),
        (Reply(401, "<html>"), Meaning.KEY_REFUSED),
        (Reply(403, "<html>firewall</html>"), Meaning.UNKNOWN),
        (Reply(404, "<html>"), Meaning.UNKNOWN),
        (Reply(451, "{}"), Meaning.UNKNOWN),
        (Reply(503, "Unknown error, please check your request or try again later."), Meaning.UNKNOWN),
        (Reply(503, "Service Unavailable."), Meaning.UNKNOWN),
        (Reply(502, "<html>"), Meaning.UNKNOWN),
        (Reply(trouble="no answer"), Meaning.UNKNOWN),
        (Reply(trouble="cannot be reached", sent=False), Meaning.NOT_SENT),
    ],
)
def test_an_answer_means_what_status_code_and_words_say(reply: Reply, meaning: Meaning) -> None:
    assert meaning_of(reply) is meaning


@given(status=st.integers(100, 599), code=st.integers(-99_999, 0), message=st.text(max_size=40))
def test_no_order_is_called_refused_unless_its_code_is_in_the_table(status: int, code: int, message: str) -> None:
    meaning = meaning_of(error(status, code, message))
    if meaning in (Meaning.REFUSED, Meaning.DUPLICATE):
        assert 400 <= status < 500
        assert code in REQUEST_ISSUES or BY_CODE[code] is Meaning.REFUSED


@given(st.binary(max_size=200).map(lambda raw: raw.decode("utf-8", "replace")) | st.text(max_size=200))
def test_no_body_at_all_upsets_the_reading(body: str) -> None:
    reply = Reply(200, body)
    assert (meaning_of(reply) is Meaning.ANSWERED) is (content_of(reply) is not None and code_of(reply) is None)


def submitted(account: BinanceAccount) -> Answer:
    return asyncio.run(account.broker.submit(account.intend(account.order())))


LOST = requests.ConnectionError("Connection aborted.", ConnectionResetError(104, "Connection reset by peer"))
OUTCOMES = [
    (Said(400, '{"code":-2010,"msg":"Account has insufficient balance for requested action."}'), Outcome.REJECTED),
    (Said(400, '{"code":-2010,"msg":"Duplicate order sent."}'), Outcome.DUPLICATE),
    (Said(400, '{"code":-1013,"msg":"Filter failure: NOTIONAL"}'), Outcome.REJECTED),
    (Said(400, '{"code":-1111,"msg":"Parameter \'quantity\' has too much precision."}'), Outcome.REJECTED),
    (Said(401, '{"code":-2015,"msg":"Invalid API-key, IP, or permissions for action."}'), Outcome.UNKNOWN),
    (Said(400, '{"code":-1021,"msg":"Timestamp for this request is outside of the recvWindow."}'), Outcome.UNKNOWN),
    (Said(503, '{"code":-1008,"msg":"Server is currently overloaded."}'), Outcome.UNKNOWN),
    (Said(400, '{"code":-1000,"msg":"An unknown error occurred."}'), Outcome.UNKNOWN),
    (Said(504, '{"code":-1007,"msg":"Send status unknown; execution status unknown."}'), Outcome.UNKNOWN),
    (Said(503, "Service Unavailable."), Outcome.UNKNOWN),
    (Said(500, ""), Outcome.UNKNOWN),
    (Said(429, "{}", {"Retry-After": "3"}), Outcome.UNKNOWN),
    (Said(418, "{}", {"Retry-After": "3"}), Outcome.UNKNOWN),
    (Said(403, "<html>firewall</html>"), Outcome.UNKNOWN),
    (Said(302, "", {"Location": "https://elsewhere.example/order"}), Outcome.UNKNOWN),
    (Said(200, ""), Outcome.UNKNOWN),
    (Said(200, "<html></html>"), Outcome.UNKNOWN),
    (Said(200, "[]"), Outcome.UNKNOWN),
    (Said(200, "{}"), Outcome.UNKNOWN),
    (Said(200, ORDER), Outcome.UNKNOWN),
    (Said(200, '{"symbol":"BTCUSDT","orderId":null,"clientOrderId":"x"}'), Outcome.UNKNOWN),
    (LOST, Outcome.UNKNOWN),
    (requests.ReadTimeout("Read timed out."), Outcome.UNKNOWN),
]


@pytest.mark.parametrize("endpoint", ["live", "paper"])
@pytest.mark.parametrize(("said", "outcome"), OUTCOMES)
def test_an_order_becomes_what_the_answer_proves_whatever_the_host(
    said: Said | Exception, outcome: Outcome, endpoint: str
) -> None:
    account = BinanceAccount(endpoint=endpoint)
    account.way.instead["POST", "order"] = [said]
    answer = submitted(account)
    assert answer.outcome is outcome
    assert answer.reason
    assert len(account.way.sent("POST", "/order")) == 1, "it was sent again"


@pytest.mark.parametrize(
    "spoil",
    [
        lambda body: Said(200, body[: len(body) // 2]),
        lambda body: Said(200, b""),
        lambda body: Said(200, b"<html>" + body),
        lambda body: Said(504, b'{"code":-1007,"msg":"Timeout waiting for response from backend server."}'),
        lambda body: Said(500, b'{"code":-1000,"msg":"An unknown error occurred."}'),
        lambda body: LOST,
        lambda body: requests.ReadTimeout("Read timed out."),
    ],
)
def test_an_order_whose_answer_is_lost_is_unknown_then_found_and_never_doubled(spoil: object) -> None:
    account = BinanceAccount()
    account.way.after["POST", "order"] = [spoil]
    order = account.order(side=Side.BUY)
    first = asyncio.run(account.broker.submit(account.intend(order)))
    assert first.outcome is Outcome.UNKNOWN
    again = asyncio.run(account.broker.submit(account.intend(order)))
    assert again.outcome is Outcome.DUPLICATE
    assert again.broker_order_id
    assert len(account.way.sent("POST", "/order")) == 1
    assert len(account.simulator.exchange.state.orders) == 1
