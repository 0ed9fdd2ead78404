"""HTTP Basic login in front of a whole ASGI application, whatever routes it has."""

from __future__ import annotations

import base64
import binascii
import hmac
from collections.abc import Awaitable, Callable, Mapping, MutableMapping
from typing import Any
from urllib.parse import urlsplit

from trading_lib.domain.errors import ConfigurationError

# MLflow's clients log in with these; the server expects the same values.
USER_VARIABLE = "MLFLOW_TRACKING_USERNAME"
PASSWORD_VARIABLE = "MLFLOW_TRACKING_PASSWORD"  # noqa: S105
SHORTEST_PASSWORD = 12
# Says "OK" and nothing else, for health checks that know no password.
OPEN_PATH = "/health"

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
Application = Callable[[Scope, Receive, Send], Awaitable[None]]


def login_of(environment: Mapping[str, str]) -> tuple[str, str]:
    """User and password from the environment; a server without a good login must not start.

    Raises
    ------
    ConfigurationError
        When a variable is missing or the password is short; names the variable, never the value.
    """
    user, password = environment.get(USER_VARIABLE, ""), environment.get(PASSWORD_VARIABLE, "")
    if not user or ":" in user:
        raise ConfigurationError(f"{USER_VARIABLE} names no user", "set it to a name without a colon")
    if len(password) < SHORTEST_PASSWORD:
        raise ConfigurationError(
            f"{PASSWORD_VARIABLE} has fewer than {SHORTEST_PASSWORD} characters", "set it to a long random one"
        )
    return user, password


class LoginRequired:
    """Lets a request through only with the right user and password.

    It stands in front of the application and knows none of its routes: what MLflow adds in a later version is closed
    as well. A request that a page of another origin makes is refused even with the password, which a browser adds by
    itself once a person has typed it.

    Parameters
    ----------
    origins
        Further origins whose pages may send requests, e.g. ``https://mlflow.example.com`` of a reverse proxy.
    """

    def __init__(self, application: Application, user: str, password: str, origins: tuple[str, ...] = ()) -> None:
        self._application = application
        self._expected = f"{user}:{password}".encode()
        self._origins = origins

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request, or hand it on."""
        if scope["type"] == "lifespan":
            await self._application(scope, receive, send)
        elif scope["type"] != "http":
            # MLflow has no web sockets; closing before accepting is a refusal.
            await send({"type": "websocket.close", "code": 1008})
        elif scope["path"] == OPEN_PATH and scope["method"] in ("GET", "HEAD"):
            await self._application(scope, receive, send)
        elif not self._may_enter(scope):
            challenge = (b"www-authenticate", b'Basic realm="MLflow", charset="UTF-8"')
            await answer(send, 401, b"login required\n", challenge)
        elif not self._same_origin(scope):
            await answer(send, 403, b"refused: sent by a page of another origin\n")
        else:
            await self._application(scope, receive, send)

    def _may_enter(self, scope: Scope) -> bool:
        kind, _, encoded = _header(scope, b"authorization").partition(b" ")
        if kind.lower() != b"basic":
            return False
        try:
            given = base64.b64decode(encoded.strip(), validate=True)
        except (binascii.Error, ValueError):
            return False
        return hmac.compare_digest(given, self._expected)

    def _same_origin(self, scope: Scope) -> bool:
        origin = _header(scope, b"origin").decode("latin-1")
        if not origin or origin in self._origins:
            return True
        return urlsplit(origin).netloc == _header(scope, b"host").decode("latin-1")


def _header(scope: Scope, name: bytes) -> bytes:
    """Value of the header; nothing when it is absent or, which no honest client does, given twice."""
    values = [bytes(value) for key, value in scope["headers"] if key == name]
    return values[0] if len(values) == 1 else b""


async def answer(send: Send, status: int, text: bytes, *headers: tuple[bytes, bytes]) -> None:
    """Answer with a line of plain text, without asking the application."""
    kind = (b"content-type", b"text/plain; charset=utf-8")
    await send({"type": "http.response.start", "status": status, "headers": [kind, *headers]})
    await send({"type": "http.response.body", "body": text})
