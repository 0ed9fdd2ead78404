"""A webhook on the loopback address: takes JSON, or refuses, or does not answer until it is released."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

SECRET = "hunter2-in-the-path"


class WebhookServer(ThreadingHTTPServer):
    """The server; ``status`` is what it answers, ``hanging`` keeps every answer back until it is cleared."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Posts)
        self.posts: list[dict[str, Any]] = []
        self.asked = 0
        self.status = 200
        self.released = threading.Event()
        self.released.set()

    @property
    def address(self) -> str:
        """What the webhook channel is given."""
        return f"json://127.0.0.1:{self.server_port}/{SECRET}"

    @property
    def titles(self) -> list[str]:
        """Titles of what it took, without the project's name."""
        return [post["title"].removeprefix("[trading] ") for post in self.posts]


class _Posts(BaseHTTPRequestHandler):
    def do_POST(self) -> None:
        server = self.server
        assert isinstance(server, WebhookServer)
        server.asked += 1
        content = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        server.released.wait(60.0)
        if server.status == 200:
            server.posts.append(content)
        try:
            self.send_response(server.status)
            self.end_headers()
        except OSError:
            pass  # the other side has given up

    def log_message(self, *_: Any) -> None:
        pass


@contextmanager
def webhook_server() -> Iterator[WebhookServer]:
    """Run the server for the duration of a block."""
    with WebhookServer() as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield server
        finally:
            server.released.set()
            server.shutdown()
            thread.join()
