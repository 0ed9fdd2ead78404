"""Asking Binance: its limits are kept, its clock is followed within bounds, and no secret leaves in any text."""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import json
import logging
from collections.abc import Iterator
from datetime import timedelta
from urllib.parse import parse_qsl

import pytest

from tests.peers.binance_account import OPENING, BinanceAccount, Said
from trading_lib.adapters.brokers.binance.answers.amounts import milliseconds
from trading_lib.domain.errors import BrokerUnavailableError, ConfigurationError
from trading_lib.execution.broker import Outcome, Seen

KEY, SECRET = "KeyThatNobodyMaySee1234567890", "SecretThatNobodyMaySee1234567890"
CLOCK = Said(400, '{"code":-1021,"msg":"Timestamp for this request is outside of the recvWindow."}')


def positions(account: BinanceAccount) -> object:
    return asyncio.run(account.broker.positions())


@pytest.mark.parametrize(
    ("said", "seconds"),
    [
        (Said(429, "{}", {"Retry-After": "7"}), 7.0),
        (Said(418, "{}", {"Retry-After": "25"}), 25.0),
        (Said(429, '{"code":-1015,"msg":"Too many new orders."}'), 10.0),
        (Said(400, '{"code":-1003,"msg":"Too much request weight used."}'), 10.0),
        (Said(503, '{"code":-1008,"msg":"Server is currently overloaded."}'), 10.0),
    ],
)
def test_a_question_that_came_too_soon_is_asked_again_once_the_time_is_over(said: Said, seconds: float) -> None:
    account = BinanceAccount()
    account.way.instead["GET", "account"] = [said]
    assert positions(account) == {}
    assert account.slept == [seconds]
    assert len(account.way.sent("GET", "/account")) == 2


@pytest.mark.parametrize(
    "said",
    [
        Said(418, "{}"),
        Said(418, "{}", {"Retry-After": "600"}),
        Said(429, "{}", {"Retry-After": "61"}),
        Said(
            418,
            json.dumps(
                {
                    "code": -1003,
                    "msg": f"Way too much request weight used; IP banned until {milliseconds(OPENING) + 90_000}. Wait.",
                }
            ),
        ),
    ],
)
def test_a_ban_is_kept_and_what_would_wait_for_its_end_is_not_sent(said: Said) -> None:
    account = BinanceAccount()
    asyncio.run(account.broker.connect())
    account.way.instead["GET", "account"] = [said]
    for _ in range(3):
        with pytest.raises(BrokerUnavailableError, match=r"left alone for .* nothing was sent"):
            positions(account)
    order = account.order()
    with pytest.raises(BrokerUnavailableError, match="nothing was sent"):
        asyncio.run(account.broker.submit(account.intend(order)))
    assert len(account.way.seen) == 2
    assert account.slept == []


def test_a_ban_ends() -> None:
    account = BinanceAccount()
    account.way.instead["GET", "account"] = [Said(418, "{}", {"Retry-After": "600"})]
    with pytest.raises(BrokerUnavailableError):
        positions(account)
    account._monotonic += 601
    assert positions(account) == {}


def test_an_order_that_came_too_soon_is_not_sent_again_and_the_next_request_waits() -> None:
    account = BinanceAccount()
    account.way.instead["POST", "order"] = [Said(429, "{}", {"Retry-After": "7"})]
    order = account.order()
    assert asyncio.run(account.broker.submit(account.intend(order))).outcome is Outcome.UNKNOWN
    assert account.slept == []
    assert asyncio.run(account.broker.find(order.client_order_id)).seen is Seen.NOT_FOUND
    assert account.slept == [7.0]
    assert len(account.way.sent("POST", "/order")) == 1


@pytest.mark.parametrize(
    ("header", "used", "slept"),
    [
        ("X-MBX-USED-WEIGHT-1M", "5399", []),
        ("X-MBX-USED-WEIGHT-1M", "5400", [pytest.approx(60.0)]),
        ("X-MBX-ORDER-COUNT-10S", "89", []),
        ("X-MBX-ORDER-COUNT-10S", "90", [pytest.approx(10.0)]),
        ("X-MBX-USED-WEIGHT-1M", "many", []),
    ],
)
def test_it_pauses_before_a_limit_is_reached(header: str, used: str, slept: list[float]) -> None:
    account = BinanceAccount()
    account.way.after["GET", "account"] = [lambda body: Said(200, body, {header: used})]
    positions(account)
    positions(account)
    assert account.slept == slept


@pytest.mark.parametrize("ahead", [-59.0, -6.0, 0.0, 2.0, 59.0])
def test_a_clock_that_is_off_a_little_is_made_up_for(ahead: float) -> None:
    account = BinanceAccount()
    account.ahead = timedelta(seconds=ahead)
    assert positions(account) == {}
    assert len(account.way.sent("GET", "/time")) == 1


@pytest.mark.parametrize("ahead", [-180.0, -61.0, 61.0, 180.0])
def test_a_clock_that_is_off_by_minutes_stops_everything_with_one_line(ahead: float) -> None:
    account = BinanceAccount()
    account.ahead = timedelta(seconds=ahead)
    order = account.order()
    with pytest.raises(BrokerUnavailableError, match=rf"clock .* {abs(ahead):.0f} s .* NTP"):
        asyncio.run(account.broker.connect())
    with pytest.raises(BrokerUnavailableError, match="clock"):
        asyncio.run(account.broker.submit(account.intend(order)))
    assert account.simulator.exchange.state.orders == {}
    assert {path.rpartition("/")[2] for _, path, _ in account.way.seen} <= {"time", "exchangeInfo"}


def test_a_clock_that_starts_to_differ_is_noticed_and_followed() -> None:
    account = BinanceAccount()
    asyncio.run(account.broker.connect())
    account.ahead = timedelta(seconds=-20)
    assert positions(account) == {}
    assert len(account.way.sent("GET", "/time")) == 2
    account.ahead = timedelta(seconds=-200)
    with pytest.raises(BrokerUnavailableError, match="clock"):
        positions(account)


def test_waiting_for_the_time_does_not_make_the_clock_seem_wrong() -> None:
    account = BinanceAccount()
    account.way.instead["GET", "time"] = [Said(429, "{}", {"Retry-After": "50"})] * 2
    positions(account)
    assert account.slept == [50.0, 50.0]
    (query,) = account.way.sent("GET", "/account")
    assert f"timestamp={milliseconds(account.simulator.clock.now())}" in query


def test_an_order_signed_at_the_wrong_time_is_not_sent_again() -> None:
    account = BinanceAccount()
    account.way.instead["POST", "order"] = [CLOCK]
    answer = asyncio.run(account.broker.submit(account.intend(account.order())))
    assert answer.outcome is Outcome.UNKNOWN
    assert len(account.way.sent("POST", "/order")) == 1


@pytest.mark.parametrize("stamp", ['"now"', "null", "true", "-1", "99999999999999999", "1e300"])
def test_a_time_that_is_none_is_no_time_and_nothing_is_sent_until_there_is_one(stamp: str) -> None:
    account = BinanceAccount()
    account.way.instead["GET", "time"] = [Said(200, f'{{"serverTime":{stamp}}}')] * 2
    with pytest.raises(BrokerUnavailableError, match="does not tell its time"):
        asyncio.run(account.broker.connect())
    with pytest.raises(BrokerUnavailableError, match="does not tell its time"):
        positions(account)
    assert {path.rpartition("/")[2] for _, path, _ in account.way.seen} == {"time"}
    assert positions(account) == {}


def test_a_redirect_is_not_followed() -> None:
    account = BinanceAccount()
    account.way.instead["GET", "account"] = [Said(307, "", {"Location": "https://api.binance.com/api/v3/elsewhere"})]
    with pytest.raises(BrokerUnavailableError, match="307"):
        positions(account)
    assert not any("elsewhere" in path for _, path, _ in account.way.seen)


def test_requests_are_signed_for_five_seconds_by_the_clock_of_binance() -> None:
    account = BinanceAccount()
    account.ahead = timedelta(seconds=-30)
    positions(account)
    (query,) = account.way.sent("GET", "/account")
    signed, _, signature = query.partition("&signature=")
    fields = dict(parse_qsl(signed))
    assert (fields["recvWindow"], fields["timestamp"]) == ("5000", str(milliseconds(OPENING)))
    secret = account.environment["BINANCE_API_SECRET"].encode()
    assert signature == hmac.new(secret, signed.encode(), hashlib.sha256).hexdigest()


@pytest.mark.parametrize(
    ("endpoint", "host"), [("live", "https://api.binance.com/api/v3"), ("paper", "https://demo-api.binance.com/api/v3")]
)
def test_each_endpoint_has_addresses_of_its_own(endpoint: str, host: str) -> None:
    account = BinanceAccount(endpoint=endpoint)
    asyncio.run(account.broker.connect())
    order = account.order()
    asyncio.run(account.broker.submit(account.intend(order)))
    positions(account)
    assert {path.rpartition("/")[0] for _, path, _ in account.way.seen} == {host}


def test_live_keys_at_the_demo_endpoint_are_refused_and_the_line_says_why() -> None:
    account = BinanceAccount(endpoint="live")
    account.endpoint = "paper"
    account.restart()
    with pytest.raises(BrokerUnavailableError, match=r"demo-api\.binance\.com refuses the key.*keys of their own$"):
        positions(account)


@pytest.mark.parametrize("endpoint", ["", "demo", "LIVE"])
def test_an_endpoint_that_there_is_not_is_refused(endpoint: str) -> None:
    account = BinanceAccount()
    account.endpoint = endpoint
    account.restart()
    with pytest.raises(ConfigurationError, match="paper or live"):
        asyncio.run(account.broker.connect())
    assert account.way.seen == []


@pytest.mark.parametrize("name", ["BINANCE_API_KEY", "BINANCE_API_SECRET"])
@pytest.mark.parametrize("value", [None, "", "  ", "schlüssel"])
def test_a_key_that_is_missing_or_none_is_named_and_nothing_is_asked(name: str, value: str | None) -> None:
    account = BinanceAccount()
    if value is None:
        del account.environment[name]
    else:
        account.environment[name] = value
    account.restart()
    with pytest.raises(ConfigurationError, match=name) as caught:
        asyncio.run(account.broker.connect())
    assert "schl" not in str(caught.value)
    assert account.way.seen == []


@pytest.fixture
def everything_logged() -> Iterator[list[str]]:
    """Text of every record of every logger, however deep."""
    texts: list[str] = []
    root = logging.getLogger()

    class Kept(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            texts.append(record.getMessage() + str(record.__dict__))

    handler, level = Kept(), root.level
    root.addHandler(handler)
    root.setLevel(logging.DEBUG)
    yield texts
    root.removeHandler(handler)
    root.setLevel(level)


def test_no_secret_is_in_any_log_error_reason_or_raw_text(everything_logged: list[str]) -> None:
    account = BinanceAccount()
    account.environment = {"BINANCE_API_KEY": KEY, "BINANCE_API_SECRET": SECRET}
    account.restart()
    echo = Said(400, json.dumps({"code": -2010, "msg": f"key {KEY} and secret={SECRET} are not welcome"}))
    spill = Said(500, f"<html>X-MBX-APIKEY: {KEY}</html>")
    account.way.instead |= {("GET", "order"): [Said(400, '{"code":-2013,"msg":"Order does not exist."}'), spill]}
    account.way.instead["POST", "order"] = [echo]
    answer = asyncio.run(account.broker.submit(account.intend(account.order())))
    found = asyncio.run(account.broker.find("x"))
    account.way.instead["GET", "account"] = [echo]
    with pytest.raises(BrokerUnavailableError) as caught:
        positions(account)
    texts = [str(answer), str(found), str(caught.value), repr(caught.value.__cause__), *everything_logged]
    assert answer.outcome is Outcome.REJECTED
    assert [text for text in texts if KEY in text or SECRET in text] == []
    assert repr(account.broker).find(KEY) == -1


def test_a_raw_answer_is_kept_short_and_without_the_accounts_number() -> None:
    account = BinanceAccount()
    huge = json.dumps({"code": -1000, "uid": 354937868, "msg": "x" * 100_000})
    account.way.instead["POST", "order"] = [Said(400, huge)]
    answer = asyncio.run(account.broker.submit(account.intend(account.order())))
    assert len(answer.raw.encode()) <= 4096
    assert "354937868" not in answer.raw
    assert len(answer.reason) < 400


def test_a_key_of_another_account_is_refused() -> None:
    account = BinanceAccount(account="1")
    with pytest.raises(BrokerUnavailableError, match="354937868, not 1"):
        asyncio.run(account.broker.connect())
    with pytest.raises(BrokerUnavailableError, match="not 1"):
        positions(account)
    account = BinanceAccount(account="354937868")
    asyncio.run(account.broker.connect())
