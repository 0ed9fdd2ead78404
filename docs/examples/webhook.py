"""A notifier of one's own: every message is posted as JSON to an address, as chat services take it."""

from __future__ import annotations

import json
import os
import urllib.request

from trading_lib.monitoring.notifier import Message


class Webhook:
    """Posts to the address in an environment variable, for an address with a key in it is a secret.

    Parameters
    ----------
    variable
        Name of that variable.
    timeout
        Seconds to wait for the other side.
    """

    def __init__(self, variable: str = "NOTIFY_WEBHOOK_URL", timeout: float = 5.0) -> None:
        address = os.environ[variable]
        if not address.startswith(("http://", "https://")):
            raise ValueError(f"{variable} holds no web address")
        self._address, self._timeout = address, timeout

    def send(self, message: Message) -> None:
        """Send one message; whatever is raised here is told by its kind and line, and nothing waits for it."""
        lines = [f"[{message.level}] {message.title}", message.text]
        if message.session:
            lines.append(f"Session {message.session}")
        if message.link:
            lines.append(message.link)
        body = json.dumps({"text": "\n".join(lines)}).encode()
        request = urllib.request.Request(  # noqa: S310 - an address of the web, as checked above
            self._address, data=body, headers={"Content-Type": "application/json"}
        )
        with urllib.request.urlopen(request, timeout=self._timeout):  # noqa: S310
            pass
