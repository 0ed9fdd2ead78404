"""The system goes by the broker simulator's time where one stands in for the brokers."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, HTTPServer
from threading import Thread

import pytest

from trading_lib.adapters.brokers.shared.simulator_clock import simulator_clock
from trading_lib.domain.errors import BrokerUnavailableError, ConfigurationError
from trading_lib.workflows.setup.settings import load_settings, system_clock

VARIABLE = "TRADING_BROKER_SIMULATOR"


@contextmanager
def telling(body: bytes) -> Iterator[str]:
    """Serve one answer to every question; yields the address."""

    class Answering(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    server = HTTPServer(("127.0.0.1", 0), Answering)
    thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def test_the_time_is_the_simulators() -> None:
    with telling(json.dumps({"now": "2026-11-25T19:05:00-05:00"}).encode()) as address:
        settings = load_settings({VARIABLE: address})
        assert settings.clock() == datetime(2026, 11, 26, 0, 5, tzinfo=UTC)


def test_without_a_simulator_the_time_is_this_computers() -> None:
    assert load_settings({}).clock is system_clock
    assert load_settings({VARIABLE: " "}).clock is system_clock


@pytest.mark.parametrize("body", [b"", b"<html>", b"[]", b"{}", b'{"now": "yesterday"}', b'{"now": 7}'])
def test_an_answer_without_a_time_is_an_error_and_no_other_clock_is_used(body: bytes) -> None:
    with telling(body) as address:
        clock = simulator_clock({VARIABLE: address})
        with pytest.raises(BrokerUnavailableError, match="does not tell its time"):
            clock()


def test_no_simulator_at_the_address_is_an_error() -> None:
    with telling(b"") as address:
        clock = simulator_clock({VARIABLE: address})
    with pytest.raises(BrokerUnavailableError, match="does not tell its time"):
        clock()


def test_a_simulator_elsewhere_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="is no address of this machine"):
        load_settings({VARIABLE: "http://broker.example:80"})
