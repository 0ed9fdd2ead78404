"""The HTTP session ends whatever a server does to it: silence, drops of bytes, cut bodies, bodies without end."""

from __future__ import annotations

import gzip
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest
import requests
import urllib3

from trading_lib.adapters.brokers.alpaca.connection import session as bounds
from trading_lib.adapters.brokers.alpaca.connection.session import BoundedSession

Serve = Callable[[socket.socket], None]
BROKEN = (requests.RequestException, urllib3.exceptions.HTTPError)


def head(length: int | None, *more: str) -> bytes:
    lines = ["HTTP/1.1 200 OK", "Content-Type: application/json", *more]
    lines += [f"Content-Length: {length}"] if length is not None else []
    return "\r\n".join([*lines, "", ""]).encode()


@contextmanager
def server(serve: Serve) -> Iterator[tuple[str, list[int]]]:
    """Serve every connection in turn; yields the address, and a list of a 1 for each connection."""
    listening = socket.create_server(("127.0.0.1", 0))
    accepted: list[int] = []

    def run() -> None:
        while True:
            try:
                connection, _ = listening.accept()
            except OSError:
                return
            accepted.append(1)
            with connection:
                try:
                    serve(connection)
                except OSError:
                    continue

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{listening.getsockname()[1]}/", accepted
    finally:
        listening.close()


def answering(*bodies: bytes, **more: str) -> Serve:
    def serve(connection: socket.socket) -> None:
        for body in bodies:
            connection.recv(65_536)
            connection.sendall(head(len(body), *(f"{name}: {value}" for name, value in more.items())) + body)

    return serve


def test_an_answer_is_read_and_the_connection_serves_the_next_request() -> None:
    with server(answering(b'{"a": 1}', b'{"a": 2}')) as (address, accepted):
        session = BoundedSession()
        assert session.get(address).json() == {"a": 1}
        assert session.get(address).json() == {"a": 2}
        assert len(accepted) == 1
        answer = session.taken()
        assert answer is not None
        assert answer.json() == {"a": 2}
        assert session.taken() is None


def test_a_packed_body_is_unpacked_and_taken_for_utf_8() -> None:
    body = gzip.compress('{"name": "Crédit"}'.encode())
    with server(answering(body, **{"Content-Encoding": "gzip"})) as (address, _):
        assert BoundedSession().get(address).text == '{"name": "Crédit"}'


def test_a_chunked_body_is_put_together() -> None:
    def serve(connection: socket.socket) -> None:
        connection.recv(65_536)
        connection.sendall(head(None, "Transfer-Encoding: chunked") + b"4\r\n[1, \r\n2\r\n2]\r\n0\r\n\r\n")

    with server(serve) as (address, _):
        assert BoundedSession().get(address).json() == [1, 2]


def test_a_body_that_is_cut_off_is_no_answer() -> None:
    def serve(connection: socket.socket) -> None:
        connection.recv(65_536)
        connection.sendall(head(100) + b'{"id": "x", "status"')

    with server(serve) as (address, _):
        session = BoundedSession()
        with pytest.raises(BROKEN):
            session.get(address)
        assert session.taken() is None


def test_a_server_that_says_nothing_is_left_after_the_pause() -> None:
    with server(lambda connection: time.sleep(5)) as (address, _):
        before = time.monotonic()
        with pytest.raises(requests.ReadTimeout):
            BoundedSession(read=0.05).get(address)
        assert time.monotonic() - before < 2


def test_a_server_that_sends_drop_by_drop_is_left_after_the_whole_time() -> None:
    def serve(connection: socket.socket) -> None:
        connection.recv(65_536)
        connection.sendall(head(10_000))
        while True:
            connection.sendall(b" ")
            time.sleep(0.01)

    with server(serve) as (address, _):
        before = time.monotonic()
        with pytest.raises(BROKEN):
            BoundedSession(read=1.0, whole=0.2).get(address)
        assert time.monotonic() - before < 2


def test_a_body_without_end_is_left(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bounds, "LONGEST_ANSWER", 200_000)

    def serve(connection: socket.socket) -> None:
        connection.recv(65_536)
        connection.sendall(head(10**12))
        while True:
            connection.sendall(b"x" * 65_536)

    with server(serve) as (address, _), pytest.raises(BROKEN):
        BoundedSession().get(address)


def test_each_thread_takes_the_answer_of_its_own() -> None:
    with server(answering(b"1")) as (address, _):
        session = BoundedSession()
        thread = threading.Thread(target=session.get, args=(address,))
        thread.start()
        thread.join()
        assert session.taken() is None
