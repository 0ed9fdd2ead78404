"""An HTTP session whose answers end, on real sockets: dripping, endless, cut off, redirected."""

from __future__ import annotations

import gzip
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest
import requests

from trading_lib.adapters.brokers.binance.access import bounded_session
from trading_lib.adapters.brokers.binance.access.bounded_session import (
    BoundedSession,
    LargeAnswerError,
    SlowAnswerError,
)

Speech = Callable[[socket.socket], None]


@contextmanager
def speaking(speech: Speech) -> Iterator[str]:
    """A server that says one thing to whoever connects."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        # Nobody need come: the environment's proxy may get the request.
        server.settimeout(1)

        def serve() -> None:
            try:
                connection, _ = server.accept()
            except OSError:
                return
            with connection:
                connection.settimeout(5)
                connection.recv(65_536)
                try:
                    speech(connection)
                except OSError:
                    return

        thread = threading.Thread(target=serve)
        thread.start()
        yield f"http://127.0.0.1:{server.getsockname()[1]}/"
        server.close()
        thread.join(10)
        assert not thread.is_alive()


def ticking(step: float) -> Callable[[], float]:
    """A clock that moves on whenever it is read."""
    seconds = iter(range(1_000_000))
    return lambda: next(seconds) * step


def test_an_answer_that_drips_is_given_up_when_its_time_is_over() -> None:
    over = threading.Event()

    def drip(connection: socket.socket) -> None:
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n")
        while not over.is_set():
            connection.sendall(b"x")
            over.wait(0.005)

    with speaking(drip) as address:
        with pytest.raises(SlowAnswerError):
            # The clock moves a second at each byte that is read: nobody waits for ten of them.
            BoundedSession(10.0, ticking(1.0)).get(address, timeout=5)
        over.set()


def test_an_answer_without_end_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bounded_session, "LARGEST_ANSWER", 100_000)

    def flood(connection: socket.socket) -> None:
        connection.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
        while True:
            connection.sendall(b"x" * 10_000)

    with speaking(flood) as address, pytest.raises(LargeAnswerError):
        BoundedSession(60.0).get(address, timeout=5)


def test_an_answer_that_is_cut_off_is_none() -> None:
    def cut(connection: socket.socket) -> None:
        connection.sendall(b'HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{"orderId":')

    with speaking(cut) as address, pytest.raises(Exception, match="IncompleteRead"):
        BoundedSession(60.0).get(address, timeout=5)


def test_a_redirect_is_an_answer() -> None:
    def elsewhere(connection: socket.socket) -> None:
        connection.sendall(b"HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:1/steal\r\nContent-Length: 0\r\n\r\n")

    with speaking(elsewhere) as address:
        answer = BoundedSession(60.0).post(address, data="order", timeout=5)
    assert (answer.status_code, answer.text) == (302, "")


def test_a_whole_answer_is_read_as_ever() -> None:
    def whole(connection: socket.socket) -> None:
        connection.sendall(b'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n{"a":\r\n2\r\n1}\r\n0\r\n\r\n')

    with speaking(whole) as address:
        answer = BoundedSession(60.0).get(address, timeout=5)
    assert answer.json() == {"a": 1}


def test_a_compressed_answer_that_comes_byte_by_byte_is_whole() -> None:
    content = gzip.compress(b'{"a":1}')

    def compressed(connection: socket.socket) -> None:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        head = f"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: {len(content)}\r\n\r\n"
        connection.sendall(head.encode())
        for byte in content:
            connection.sendall(bytes([byte]))
            time.sleep(0.001)

    with speaking(compressed) as address:
        assert BoundedSession(60.0).get(address, timeout=5).json() == {"a": 1}


def test_no_proxy_of_the_environment_sees_an_order(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:1")
    monkeypatch.setenv("NO_PROXY", "")

    def whole(connection: socket.socket) -> None:
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")

    with speaking(whole) as address:
        assert BoundedSession(60.0).get(address, timeout=5).text == "ok"
    with speaking(whole) as address, pytest.raises(requests.exceptions.ProxyError):
        # The proxy is there for everybody else.
        requests.get(address, timeout=5)
