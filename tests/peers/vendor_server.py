"""A loopback server that plays a data vendor: answers by a function, and faults on demand."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qsl, unquote, urlsplit

WEB_PAGE = "<!DOCTYPE html><html><body>We are sorry</body></html>"


@dataclass(frozen=True)
class Request:
    """What a client asked."""

    path: str
    query: Mapping[str, str]
    headers: Mapping[str, str]

    @property
    def target(self) -> str:
        """Path and values of the query, to find a symbol in."""
        return " ".join([self.path, *self.query.values()])


@dataclass(frozen=True)
class Reply:
    """An answer; ``content`` that is no text or bytes is sent as JSON."""

    content: object
    status: int = 200
    kind: str = "application/json"
    headers: Mapping[str, str] = field(default_factory=dict)

    @property
    def body(self) -> bytes:
        """The bytes sent."""
        if isinstance(self.content, bytes):
            return self.content
        return (self.content if isinstance(self.content, str) else json.dumps(self.content)).encode()


Answer = Callable[[Request], Reply]


@dataclass
class VendorPeer:
    """The server's state.

    Attributes
    ----------
    faults
        Text that occurs in a request's path or query -> what happens to it: an HTTP status, a `Reply`, "html",
        "empty" (an empty body), "truncated" (half of the JSON), "cut" (the connection ends half-way), "hang".
    requests
        Everything asked so far.
    """

    answer: Answer
    faults: dict[str, int | str | Reply] = field(default_factory=dict)
    requests: list[Request] = field(default_factory=list)
    address: str = ""

    def reply(self, request: Request) -> tuple[Reply, str]:
        """The reply and how to send it: "", "cut" or "hang"."""
        self.requests.append(request)
        fault = next((fault for text, fault in self.faults.items() if text in request.target), None)
        if fault is None:
            return self.answer(request), ""
        if isinstance(fault, Reply):
            return fault, ""
        if isinstance(fault, int):
            return Reply({"message": "planned fault"}, fault), ""
        if fault == "html":
            return Reply(WEB_PAGE, kind="text/html"), ""
        if fault == "empty":
            return Reply(""), ""
        whole = self.answer(request)
        if fault == "truncated":
            return Reply(whole.body[: len(whole.body) // 2], kind=whole.kind), ""
        return whole, fault


@contextmanager
def vendor_peer(answer: Answer) -> Iterator[VendorPeer]:
    """Serve on a free loopback port until the block ends."""
    peer = VendorPeer(answer)
    closing = threading.Event()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            parts = urlsplit(self.path)
            headers = {name.lower(): value for name, value in self.headers.items()}
            reply, manner = peer.reply(Request(unquote(parts.path), dict(parse_qsl(parts.query)), headers))
            if manner == "hang":
                closing.wait(60)
                self.close_connection = True
                return
            self.send_response_only(reply.status)
            self.send_header("Content-Type", reply.kind)
            self.send_header("Content-Length", str(len(reply.body)))
            for name, value in reply.headers.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(reply.body[: len(reply.body) // 2] if manner == "cut" else reply.body)
            self.close_connection = manner == "cut"

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
        closing.set()
        server.shutdown()
        server.server_close()
        thread.join()
