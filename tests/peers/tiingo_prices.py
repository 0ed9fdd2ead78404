"""A loopback server that speaks Tiingo's end-of-day prices, with a script of faults for the requests to come."""

from __future__ import annotations

import json
import threading
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import date
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, unquote, urlsplit

HANG = "hang"
HTML = "html"
CUT = "cut"


@dataclass(frozen=True)
class TooMany:
    """HTTP 429 with a Retry-After header."""

    seconds: int


Fault = int | str | TooMany


@dataclass
class TiingoPeer:
    """The server's state.

    Attributes
    ----------
    closes
        Symbol -> date -> close; every other price follows from it.
    script
        What happens to the next requests, in order; None means a good answer, as does an empty script.
    always
        What happens to every request the script does not speak of.
    asked
        Symbols in the order they were asked for.
    """

    closes: dict[str, dict[date, float]] = field(default_factory=dict)
    script: deque[Fault | None] = field(default_factory=deque)
    always: Fault | None = None
    asked: list[str] = field(default_factory=list)
    address: str = ""
    released: threading.Event = field(default_factory=threading.Event)

    def next_fault(self) -> Fault | None:
        return self.script.popleft() if self.script else self.always

    def rows(self, symbol: str, first: str, last: str) -> list[dict[str, object]]:
        return [
            {
                "date": f"{day.isoformat()}T00:00:00.000Z",
                "open": close,
                "high": close + 1,
                "low": close - 1,
                "close": close,
                "volume": 1000,
                "adjClose": close,
                "divCash": 0.0,
                "splitFactor": 1.0,
            }
            for day, close in sorted(self.closes.get(symbol, {}).items())
            if first <= day.isoformat() <= last
        ]


@contextmanager
def tiingo_peer() -> Iterator[TiingoPeer]:
    """Serve on a free loopback port until the block ends."""
    peer = TiingoPeer()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            parts = urlsplit(self.path)
            symbol = unquote(parts.path.split("/")[3])
            peer.asked.append(symbol)
            fault = peer.next_fault()
            if fault == HANG:
                peer.released.wait(30)
                return
            headers: dict[str, str] = {}
            query = parse_qs(parts.query)
            body, status = json.dumps(peer.rows(symbol, query["startDate"][0], query["endDate"][0])), 200
            if isinstance(fault, int):
                body, status = "<html>error</html>", fault
            elif isinstance(fault, TooMany):
                body, status, headers = '{"detail": "slow down"}', 429, {"Retry-After": str(fault.seconds)}
            elif fault == HTML:
                body = "<html><body>maintenance</body></html>"
            elif fault == CUT:
                body = body[: len(body) // 2]
            elif symbol not in peer.closes:
                body, status = '{"detail": "Not found."}', 404
            content = body.encode()
            self.send_response(status)
            for name, value in headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, format: str, *arguments: object) -> None:
            """Keep test output quiet."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    peer.address = f"http://127.0.0.1:{server.server_address[1]}"
    try:
        yield peer
    finally:
        peer.released.set()
        server.shutdown()
        server.server_close()
        thread.join()
