"""A proxy on loopback before a real S3 server: it counts the requests, and lets the one that is told fail."""

from __future__ import annotations

import contextlib
import http.client
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

# Sent on once more by each side for itself.
HOP = ("connection", "keep-alive", "transfer-encoding", "content-length", "expect")


class FaultyProxy:
    """Passes requests on, signatures and all.

    Attributes
    ----------
    seen
        What was asked for, e.g. "PUT content.tar"; the first is number 1.
    fail_at
        Number of the request that fails; 0 for none.
    how
        "before" the server gets it, "half" of it, "answer" half of which comes back, "after" the server has done it, or
        "503".
    fault
        Called when the request fails, e.g. to kill the server.
    """

    def __init__(self, port: int) -> None:
        self.target = port
        self.seen: list[str] = []
        self.fail_at, self.how = 0, "before"
        self.fault: Callable[[], object] = lambda: None
        self.endpoint = ""

    def reset(self, fail_at: int = 0, how: str = "before") -> None:
        """Count from 1 again."""
        self.seen, self.fail_at, self.how = [], fail_at, how


@contextlib.contextmanager
def faulty_proxy(port: int) -> Iterator[FaultyProxy]:
    """Run a proxy before the server of ``port``."""
    proxy = FaultyProxy(port)

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def _pass(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            proxy.seen.append(f"{self.command} {self.path.partition('?')[0].rpartition('/')[2]}")
            fails = len(proxy.seen) == proxy.fail_at
            if fails and proxy.how == "503":
                self._answer(503, [], b"<Error><Code>ServiceUnavailable</Code></Error>")
                return
            if fails and proxy.how == "before":
                proxy.fault()
                self._hang_up()
                return
            try:
                answer, content = self._forward(body, half=fails and proxy.how == "half")
            except OSError:
                self._hang_up()
                return
            if fails:
                proxy.fault()
            if fails and proxy.how != "answer":
                self._hang_up()
                return
            self._answer(answer.status, answer.getheaders(), content, half=fails)

        def _forward(self, body: bytes, half: bool) -> tuple[http.client.HTTPResponse, bytes]:
            connection = http.client.HTTPConnection("127.0.0.1", proxy.target, timeout=20)
            connection.putrequest(self.command, self.path, skip_host=True, skip_accept_encoding=True)
            for name, value in self.headers.items():
                if name.lower() not in HOP:
                    connection.putheader(name, value)
            connection.putheader("Content-Length", str(len(body)))
            connection.endheaders()
            connection.send(body[: len(body) // 2] if half else body)
            if half:
                proxy.fault()
                connection.close()
                raise ConnectionAbortedError
            answer = connection.getresponse()
            content = answer.read()
            connection.close()
            return answer, content

        def _answer(self, status: int, headers: list[tuple[str, str]], body: bytes, half: bool = False) -> None:
            self.send_response_only(status)
            for name, value in headers:
                if name.lower() not in HOP:
                    self.send_header(name, value)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(body[: len(body) // 2] if half else body)
            if half:
                self._hang_up()

        def _hang_up(self) -> None:
            self.close_connection = True
            with contextlib.suppress(OSError):
                self.wfile.flush()
                self.connection.shutdown(2)

        do_GET = do_PUT = do_POST = do_DELETE = do_HEAD = _pass

        def log_message(self, format: str, *arguments: object) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, daemon=True).start()
    proxy.endpoint = f"http://127.0.0.1:{server.server_address[1]}"
    try:
        yield proxy
    finally:
        server.shutdown()
        server.server_close()
