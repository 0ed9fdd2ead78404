"""Requests and replies as the faces see them, free of any socket."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from decimal import Decimal
from http import HTTPStatus
from typing import Any
from urllib.parse import parse_qsl

ALPACA_HOSTS = {"paper-api.alpaca.markets": "paper", "api.alpaca.markets": "live"}
BINANCE_HOSTS = {
    "api.binance.com": "live",
    "api1.binance.com": "live",
    "demo-api.binance.com": "paper",
    "testnet.binance.vision": "paper",
}
HOSTS = frozenset((*ALPACA_HOSTS, *BINANCE_HOSTS, "fapi.binance.com", "dapi.binance.com"))
# In which a transport names the host of the production URL that it carries.
HOST_HEADER = "X-Simulated-Host"


@dataclass(frozen=True)
class Request:
    """A request of a client.

    Attributes
    ----------
    host
        That of its production URL.
    query
        Text behind the question mark, as it was sent.
    """

    method: str
    host: str
    path: str
    query: str = ""
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""

    @property
    def parameters(self) -> dict[str, str]:
        """Of the query."""
        return dict(parse_qsl(self.query, keep_blank_values=True))

    @property
    def form(self) -> dict[str, str]:
        """Of the query and of a form in the body."""
        return {**self.parameters, **dict(parse_qsl(self.body.decode(errors="replace"), keep_blank_values=True))}

    @property
    def json(self) -> dict[str, Any]:
        """Of the body; empty where it is no JSON object."""
        try:
            content = json.loads(self.body)
        except (ValueError, RecursionError):
            return {}
        return content if isinstance(content, dict) else {}

    def header(self, name: str) -> str:
        """Return a header, "" where there is none."""
        wanted = name.lower()
        return next((value for key, value in self.headers.items() if key.lower() == wanted), "")


@dataclass(frozen=True)
class Reply:
    """What is sent back.

    Attributes
    ----------
    dropped
        The connection is closed and nothing is sent.
    unreachable
        No connection comes about at all; over a socket it is closed instead.
    delay
        Seconds before anything is sent.
    cut
        The head promises the whole body, of which only the first half comes.
    """

    status: int
    body: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict)
    dropped: bool = False
    unreachable: bool = False
    delay: float = 0.0
    cut: bool = False

    @property
    def reason(self) -> str:
        """Words of the status."""
        try:
            return HTTPStatus(self.status).phrase
        except ValueError:
            return "Unknown"

    def with_headers(self, **more: str) -> Reply:
        """Add headers; an underscore in a name is a hyphen."""
        return replace(self, headers={**self.headers, **{key.replace("_", "-"): each for key, each in more.items()}})


def json_reply(content: Any, status: int = 200) -> Reply:
    """Reply with JSON."""
    body = json.dumps(content, separators=(",", ":"), default=_text).encode()
    return Reply(status, body, {"Content-Type": "application/json; charset=UTF-8"})


def _text(value: Any) -> str:
    if isinstance(value, Decimal | datetime):
        return str(value)
    raise TypeError(type(value).__name__)
