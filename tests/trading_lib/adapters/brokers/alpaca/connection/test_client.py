"""Requests to Alpaca: what is repeated and after which pauses, and what is no answer."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping
from typing import Any

import pytest
import requests
from requests.adapters import HTTPAdapter
from urllib3.response import HTTPResponse

from tests.peers.brokers.alpaca_account import KEYS
from tests.peers.brokers.scripted_answers import Scripted, ScriptedAdapter
from trading_lib.adapters.brokers.alpaca.connection.client import AlpacaConnection
from trading_lib.adapters.brokers.alpaca.connection.keys import KeyRefusedError
from trading_lib.adapters.brokers.alpaca.connection.session import BoundedSession
from trading_lib.domain.errors import BrokerUnavailableError
from trading_lib.execution.broker import BrokerSetting


class Pauses:
    """Counts pauses, and takes none."""

    def __init__(self) -> None:
        self.seconds: list[float] = []

    async def __call__(self, seconds: float) -> None:
        self.seconds.append(seconds)


class Waiting(HTTPAdapter):
    """Answers 429 and how long to wait."""

    def __init__(self, retry_after: str) -> None:
        super().__init__()
        self._retry_after = retry_after

    def send(self, request: requests.PreparedRequest, *positional: Any, **options: Any) -> requests.Response:
        headers = {"Retry-After": self._retry_after}
        return self.build_response(request, HTTPResponse(b"", headers, status=429, preload_content=False))


def connection_over(adapter: HTTPAdapter) -> tuple[AlpacaConnection, Pauses]:
    pauses = Pauses()

    def session() -> BoundedSession:
        made = BoundedSession()
        made.mount("https://", adapter)
        return made

    return AlpacaConnection(BrokerSetting("", KEYS, "paper"), session, pauses), pauses


def answering(*answers: Scripted) -> tuple[AlpacaConnection, Pauses, ScriptedAdapter]:
    """A connection that gets ``answers`` one after the other, the last for ever."""
    left = list(answers)

    def script(method: str, path: str, parameters: Mapping[str, str]) -> Scripted:
        return left.pop(0) if len(left) > 1 else left[0]

    adapter = ScriptedAdapter(script)
    return (*connection_over(adapter), adapter)


def test_a_question_is_asked_again_until_it_is_answered() -> None:
    connection, pauses, adapter = answering((503, ""), (200, "<html>"), (200, {"a": 1}))
    assert asyncio.run(connection.read("/clock")) == {"a": 1}
    assert (pauses.seconds, adapter.count("GET")) == ([0.5, 1.0], 3)


@pytest.mark.parametrize("status", [400, 404, 422])
def test_a_refusal_is_not_asked_for_again(status: int) -> None:
    connection, pauses, adapter = answering((status, {"message": "no such thing"}))
    with pytest.raises(BrokerUnavailableError, match=f"HTTP {status}: no such thing"):
        asyncio.run(connection.read("/clock"))
    assert (pauses.seconds, adapter.count("GET")) == ([], 1)


@pytest.mark.parametrize(
    ("said", "pauses"),
    [("2", [2.0, 2.0]), ("0", [0.5, 1.0]), ("86400", [5.0, 5.0]), ("soon", [0.5, 1.0]), ("-9", [0.5, 1.0])],
)
def test_alpaca_says_how_long_to_wait_within_bounds(said: str, pauses: list[float]) -> None:
    connection, taken = connection_over(Waiting(said))
    assert asyncio.run(connection.look("/clock")).status == 429
    assert taken.seconds == pauses


@pytest.mark.parametrize(
    "body", ['{"a": NaN}', '{"a": Infinity}', '{"a": 1', "[" * 200_000, '{"a": ' + "9" * 10_000 + "}"]
)
def test_a_body_that_is_no_json_of_today_is_no_answer(body: str) -> None:
    connection, _, _ = answering((200, body))
    reply = asyncio.run(connection.once("GET", "/clock"))
    assert (reply.fine, reply.content, reply.failure) == (False, None, "the answer is cut off or no JSON")


def test_fractions_keep_every_digit() -> None:
    connection, _, _ = answering((200, '{"qty": 0.1000000000000000055}'))
    assert str(asyncio.run(connection.read("/x"))["qty"]) == "0.1000000000000000055"


def test_errors_and_logs_show_neither_key_nor_secret(caplog: pytest.LogCaptureFixture) -> None:
    key, secret = KEYS.values()
    leak = f"{key} and {secret}"
    with caplog.at_level(logging.DEBUG):
        for answer in ((422, {"message": leak}), (500, leak), (401, leak), requests.ConnectionError(leak)):
            connection, _, _ = answering(answer)
            with pytest.raises(BrokerUnavailableError) as caught:
                asyncio.run(connection.read("/account"))
            assert key not in str(caught.value)
            assert secret not in str(caught.value)
    assert secret not in caplog.text


def test_a_refused_key_is_an_error_of_its_own_and_asked_once() -> None:
    connection, pauses, adapter = answering((401, {"message": "unauthorized"}))
    with pytest.raises(KeyRefusedError, match="ALPACA_API_KEY_ID at its paper endpoint"):
        asyncio.run(connection.read("/account"))
    assert (pauses.seconds, adapter.count("GET")) == ([], 1)


def test_requests_go_to_the_endpoint_of_the_setting_with_the_keys() -> None:
    seen: list[tuple[str, str]] = []

    class Seeing(ScriptedAdapter):
        def send(self, request: requests.PreparedRequest, *positional: Any, **options: Any) -> requests.Response:
            seen.append((str(request.url), str(request.headers["APCA-API-KEY-ID"])))
            return super().send(request, *positional, **options)

    for endpoint, host in (("paper", "paper-api.alpaca.markets"), ("live", "api.alpaca.markets")):

        def session() -> BoundedSession:
            made = BoundedSession()
            made.mount("https://", Seeing(lambda method, path, asked: (200, {})))
            return made

        asyncio.run(AlpacaConnection(BrokerSetting("", KEYS, endpoint), session).once("GET", "/clock"))
        assert seen[-1] == (f"https://{host}/v2/clock", KEYS["ALPACA_API_KEY_ID"])
