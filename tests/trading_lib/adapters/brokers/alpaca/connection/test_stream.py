"""The stream wakes whoever polls, is connected again whatever breaks it, and ends where the key is refused."""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import alpaca.trading.stream
import pytest
from alpaca.trading.stream import TradingStream
from websockets.asyncio.server import Request, Response, ServerConnection, serve
from websockets.datastructures import Headers

from trading_lib.adapters.brokers.alpaca.connection import stream
from trading_lib.adapters.brokers.alpaca.connection.keys import KeyRefusedError, Keys
from trading_lib.adapters.brokers.alpaca.connection.stream import TradeUpdates
from trading_lib.domain.errors import BrokerUnavailableError

KEYS = Keys("PKSTREAM123", "stream-secret-value")
# Longer than any test may take: who waits for polling in place of the stream fails.
NEVER = 30.0
Play = Callable[[ServerConnection, int], Awaitable[None]]


class Pauses:
    """Counts pauses, and takes none."""

    def __init__(self) -> None:
        self.seconds: list[float] = []

    async def __call__(self, seconds: float) -> None:
        self.seconds.append(seconds)
        await asyncio.sleep(0)


async def fine() -> None:
    """REST takes the key."""


def frame(stream: str, **data: object) -> bytes:
    return json.dumps({"stream": stream, "data": data}).encode()


async def welcome(connection: ServerConnection, authorized: bool = True) -> None:
    """Take the key as Alpaca does, in binary frames."""
    asked = json.loads(await connection.recv())
    assert asked["data"] == {"key_id": KEYS.key, "secret_key": KEYS.secret}
    await connection.send(frame("authorization", status="authorized" if authorized else "unauthorized"))
    if authorized:
        assert json.loads(await connection.recv())["data"] == {"streams": ["trade_updates"]}


@asynccontextmanager
async def alpaca_that(
    play: Play, confirm: Callable[[], Awaitable[object]] = fine, refused: int = 0, poll: float = NEVER
) -> AsyncIterator[tuple[TradeUpdates, Pauses, list[int]]]:
    """Serve a stream by ``play``; yields the updates, the pauses, and a list of a 1 for each connection."""
    connections: list[int] = []
    pauses = Pauses()

    async def handle(connection: ServerConnection) -> None:
        connections.append(1)
        await play(connection, len(connections))

    def handshake(connection: ServerConnection, request: Request) -> Response | None:
        return Response(refused, "No", Headers(), b"") if refused else None

    async with serve(handle, "127.0.0.1", 0, process_request=handshake) as server:
        port = server.sockets[0].getsockname()[1]
        async with TradeUpdates(KEYS, confirm, f"ws://127.0.0.1:{port}/stream", poll, pauses) as updates:
            yield updates, pauses, connections


def in_time(test: Callable[[], Awaitable[None]]) -> None:
    async def limited() -> None:
        async with asyncio.timeout(NEVER / 2):
            await test()

    asyncio.run(limited())


def test_whoever_waits_is_woken_at_connecting_and_by_every_update() -> None:
    go_on = asyncio.Event()

    async def play(connection: ServerConnection, number: int) -> None:
        await welcome(connection)
        await go_on.wait()
        await connection.send(frame("trade_updates", event="fill"))
        await connection.wait_closed()

    async def test() -> None:
        async with alpaca_that(play) as (updates, _, _):
            await updates.wait()
            go_on.set()
            await updates.wait()

    in_time(test)


@pytest.mark.parametrize("garbage", ["", "{", "null", "[]", '{"stream": null}', b"\xff\xfe"])
def test_after_a_frame_that_cannot_be_read_it_goes_on(garbage: str | bytes) -> None:
    async def play(connection: ServerConnection, number: int) -> None:
        await welcome(connection)
        if number < 3:
            await connection.send(garbage)
            await connection.close()
        await connection.wait_closed()

    async def test() -> None:
        async with alpaca_that(play) as (updates, _, connections):
            while len(connections) < 3:
                await updates.wait()

    in_time(test)


def test_a_connection_that_is_lost_is_made_again_with_longer_pauses_while_it_fails() -> None:
    async def play(connection: ServerConnection, number: int) -> None:
        if number < 5:
            await connection.close()
            return
        await welcome(connection)
        await connection.wait_closed()

    async def test() -> None:
        async with alpaca_that(play) as (updates, pauses, connections):
            await updates.wait()
            assert len(connections) == 5
            assert pauses.seconds == [1.0, 2.0, 4.0, 8.0]

    in_time(test)


@pytest.mark.parametrize("by_handshake", [False, True])
def test_a_refused_key_ends_it_with_one_error_that_names_the_key(by_handshake: bool) -> None:
    async def play(connection: ServerConnection, number: int) -> None:
        await welcome(connection, authorized=False)

    async def refused() -> None:
        raise KeyRefusedError("Alpaca refuses the key in ALPACA_API_KEY_ID", "check it")

    async def test() -> None:
        async with alpaca_that(play, refused, 401 if by_handshake else 0) as (updates, pauses, _):
            for _ in range(2):
                with pytest.raises(KeyRefusedError, match="ALPACA_API_KEY_ID"):
                    await updates.wait()
            assert pauses.seconds == []

    in_time(test)


@pytest.mark.parametrize("answers", [True, False])
def test_a_stream_that_another_connection_holds_is_asked_for_again(
    answers: bool, caplog: pytest.LogCaptureFixture
) -> None:
    async def play(connection: ServerConnection, number: int) -> None:
        await welcome(connection, authorized=number == 3)
        await connection.wait_closed()

    async def confirm() -> None:
        if not answers:
            raise BrokerUnavailableError("Alpaca does not answer")

    async def test() -> None:
        async with alpaca_that(play, confirm) as (updates, pauses, _):
            await updates.wait()
            assert pauses.seconds == [1.0, 2.0]

    with caplog.at_level(logging.WARNING):
        in_time(test)
    assert "taken by another connection" in caplog.text
    assert KEYS.secret not in caplog.text
    assert KEYS.key not in caplog.text


def test_without_any_stream_whoever_waits_goes_on_after_the_time_to_poll() -> None:
    async def play(connection: ServerConnection, number: int) -> None:
        await connection.wait_closed()

    async def test() -> None:
        async with alpaca_that(play, poll=0.01) as (updates, _, _):
            for _ in range(3):
                await updates.wait()

    in_time(test)


def test_leaving_it_closes_the_connection() -> None:
    closed = asyncio.Event()

    async def play(connection: ServerConnection, number: int) -> None:
        await welcome(connection)
        await connection.wait_closed()
        closed.set()

    async def test() -> None:
        async with alpaca_that(play) as (updates, _, _):
            await updates.wait()
        await closed.wait()

    in_time(test)


def test_a_cancellation_that_the_client_loses_is_made_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """As before Python 3.12, where it meets a message: the client goes on as if nothing had been asked."""
    monkeypatch.setattr(stream, "AGAIN_SECONDS", 0.01)
    lost = []

    class Losing(TradingStream):  # type: ignore[misc]
        async def _consume(self) -> None:
            while True:
                try:
                    await super()._consume()
                except asyncio.CancelledError:
                    if lost:
                        raise
                    lost.append(1)

    monkeypatch.setattr(alpaca.trading.stream, "TradingStream", Losing)

    async def play(connection: ServerConnection, number: int) -> None:
        await welcome(connection)
        await connection.wait_closed()

    async def test() -> None:
        async with alpaca_that(play) as (updates, _, _):
            await updates.wait()
        assert lost == [1]
        assert updates._task is not None
        assert updates._task.done()

    in_time(test)
