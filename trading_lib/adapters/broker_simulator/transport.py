"""Transports that carry real clients' production URLs to the simulator: over loopback, or in the same process.

Mount one on the client's `requests` session; the client keeps its URLs and thereby its classes of errors. A host that
is not simulated is refused: nothing leaves this machine.
"""

from __future__ import annotations

import logging
from http.client import RemoteDisconnected
from io import BytesIO
from typing import Any, cast
from urllib.parse import urlsplit

import requests
from requests.adapters import HTTPAdapter
from urllib3.exceptions import MaxRetryError, NewConnectionError, ProtocolError
from urllib3.response import HTTPResponse

from trading_lib.adapters.broker_simulator.messages import HOST_HEADER, HOSTS, Reply, Request
from trading_lib.adapters.broker_simulator.simulator import Simulator

LOG = logging.getLogger(__name__)


def mount(session: requests.Session, address: str) -> None:
    """Send everything of a session to the simulator at ``address``, such as http://127.0.0.1:8765."""
    _mount(session, LoopbackAdapter(address), address)


def in_process(session: requests.Session, simulator: Simulator) -> None:
    """Let a simulator in this process answer everything of a session."""
    _mount(session, InProcessAdapter(simulator), "this process")


def stream_address(address: str) -> str:
    """Return the address of the simulator's stream of trade updates, for `TradingStream(url_override=...)`."""
    return f"ws{address.removeprefix('http')}/stream"


def _mount(session: requests.Session, adapter: HTTPAdapter, where: str) -> None:
    for prefix in list(session.adapters):
        del session.adapters[prefix]
    session.mount("https://", adapter)
    session.mount("http://", adapter)
    # A proxy of the environment would get the requests instead.
    session.trust_env = False
    LOG.warning("brokers are SIMULATED: requests go to the broker simulator at %s, no broker is reached", where)


class LoopbackAdapter(HTTPAdapter):
    """Dials the simulator, whatever the URL's host is, and names that host in a header."""

    def __init__(self, address: str) -> None:
        super().__init__()
        self._address = address.rstrip("/")

    def send(self, request: requests.PreparedRequest, *positional: Any, **options: Any) -> requests.Response:
        """Send a request to the simulator; the response carries the URL that was asked for."""
        host, rest = _split(request)
        dialled = request.copy()
        dialled.url = self._address + rest
        dialled.headers[HOST_HEADER] = host
        options.update(proxies={}, verify=False, cert=None)
        response = super().send(dialled, *positional[:2], **options)
        response.url, response.request = str(request.url), request
        return response


class InProcessAdapter(HTTPAdapter):
    """Calls the simulator; what a socket would do to the client happens to it all the same."""

    def __init__(self, simulator: Simulator) -> None:
        super().__init__()
        self._simulator = simulator

    def send(
        self,
        request: requests.PreparedRequest,
        stream: bool = False,
        timeout: Any = None,
        verify: Any = True,
        cert: Any = None,
        proxies: Any = None,
    ) -> requests.Response:
        """Answer a request; delays pass on the simulator's clock, and one beyond the time-out is one."""
        host, rest = _split(request)
        path, _, query = rest.partition("?")
        body = request.body or b""
        content = body.encode() if isinstance(body, str) else body
        reply = self._simulator.answer(Request(str(request.method), host, path, query, dict(request.headers), content))
        self._wait(reply, timeout, request)
        if reply.unreachable:
            refused = NewConnectionError(cast(Any, None), "Failed to establish a new connection: Connection refused")
            raise requests.ConnectionError(MaxRetryError(cast(Any, None), str(request.url), refused), request=request)
        if reply.dropped:
            ended = RemoteDisconnected("Remote end closed connection without response")
            fault = ProtocolError("Connection aborted.", ended)
            raise requests.ConnectionError(fault, request=request)
        if reply.cut:
            raise requests.exceptions.ChunkedEncodingError(ProtocolError("Connection broken: IncompleteRead"))
        raw = HTTPResponse(
            BytesIO(reply.body),
            headers=dict(reply.headers),
            status=reply.status,
            reason=reply.reason,
            preload_content=False,
        )
        return self.build_response(request, raw)

    def _wait(self, reply: Reply, timeout: Any, request: requests.PreparedRequest) -> None:
        limit = timeout[1] if isinstance(timeout, tuple) else timeout
        if reply.delay:
            self._simulator.pass_time(reply.delay if limit is None else min(reply.delay, float(limit)))
        if limit is not None and reply.delay >= float(limit):
            raise requests.ReadTimeout(f"Read timed out. (read timeout={limit})", request=request)


def _split(request: requests.PreparedRequest) -> tuple[str, str]:
    """Return the host of a request's URL, and its path with the query.

    Raises
    ------
    requests.ConnectionError
        When no such host is simulated.
    """
    parts = urlsplit(str(request.url))
    host = (parts.hostname or "").lower()
    if host not in HOSTS:
        raise requests.ConnectionError(f"host {host} is not simulated; nothing was sent", request=request)
    return host, parts.path + (f"?{parts.query}" if parts.query else "")
