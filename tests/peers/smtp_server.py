"""A mail server on the loopback address that keeps what it is given: enough of SMTP for Python's smtplib."""

from __future__ import annotations

import email
import socketserver
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from email.message import Message


class _Session(socketserver.StreamRequestHandler):
    server: SmtpPeer

    def handle(self) -> None:
        self._say("220 peer ready")
        while line := self.rfile.readline():
            command = line.decode().strip()
            verb = command.split(" ", 1)[0].upper()
            if verb == "DATA":
                self._say("354 go on")
                self.server.messages.append(email.message_from_bytes(self._content()))
                self._say("250 kept")
            elif verb == "QUIT":
                self._say("221 bye")
                return
            elif verb == "RCPT" and self.server.refusing:
                self._say("550 no such person")
            else:
                self._say("250 fine")

    def _content(self) -> bytes:
        lines = []
        while (line := self.rfile.readline()) not in (b".\r\n", b""):
            lines.append(line[1:] if line.startswith(b"..") else line)
        return b"".join(lines)

    def _say(self, text: str) -> None:
        self.wfile.write(f"{text}\r\n".encode())


class SmtpPeer(socketserver.ThreadingTCPServer):
    """The server; ``messages`` are the mails it took, ``refusing`` makes it turn every recipient away."""

    allow_reuse_address = True
    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Session)
        self.messages: list[Message] = []
        self.refusing = False

    @property
    def port(self) -> int:
        return int(self.server_address[1])


@contextmanager
def smtp_peer() -> Iterator[SmtpPeer]:
    """Run the server for the duration of a block."""
    with SmtpPeer() as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join()
