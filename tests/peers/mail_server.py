"""A real mail server (aiosmtpd) on the loopback address that keeps what it is given, and checks logins."""

from __future__ import annotations

import email
from collections.abc import Iterator
from contextlib import contextmanager
from email.message import Message
from email.policy import default
from typing import Any

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import AuthResult, LoginPassword

USER, PASSWORD = "mailer", "s3cret-of-mail"


class MailServer:
    """The server's handler; ``refusing`` makes it turn every mail away."""

    def __init__(self) -> None:
        self.messages: list[Message] = []
        self.refusing = False
        self.logins: list[str] = []
        self.port = 0

    @property
    def address(self) -> str:
        """What the mail channel is given."""
        return (
            f"mailto://{USER}:{PASSWORD}@127.0.0.1:{self.port}?from=trading@example.com&to=person@example.com"
            "&mode=insecure"
        )

    async def handle_DATA(self, server: Any, session: Any, envelope: Any) -> str:
        if self.refusing:
            return "554 not today"
        self.messages.append(email.message_from_bytes(envelope.content, policy=default))
        return "250 kept"

    def authenticate(self, server: Any, session: Any, envelope: Any, mechanism: str, data: Any) -> AuthResult:
        assert isinstance(data, LoginPassword)
        self.logins.append(data.login.decode())
        return AuthResult(success=data.password.decode() == PASSWORD)

    def part(self, number: int, kind: str) -> str:
        """The text of a part of a mail, by its type."""
        found = [part for part in self.messages[number].walk() if part.get_content_type() == kind]
        return bytes(found[0].get_payload(decode=True)).decode()  # type: ignore[arg-type]


class _AnyPort(Controller):
    """Learns its port before it asks itself whether it answers."""

    def _trigger_server(self) -> None:
        self.port = self.server.sockets[0].getsockname()[1]
        super()._trigger_server()


@contextmanager
def mail_server() -> Iterator[MailServer]:
    """Run the server for the duration of a block."""
    handler = MailServer()
    controller = _AnyPort(
        handler,
        hostname="127.0.0.1",
        port=0,
        authenticator=handler.authenticate,
        auth_require_tls=False,
        auth_required=False,
    )
    controller.start()
    handler.port = controller.port
    try:
        yield handler
    finally:
        controller.stop()
