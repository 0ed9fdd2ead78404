"""Answers by script, for what no simulator of a broker would say: in place of the network, below the real client."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from io import BytesIO
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import requests
from requests.adapters import HTTPAdapter
from urllib3.exceptions import MaxRetryError, NewConnectionError
from urllib3.response import HTTPResponse

# A body with its status, or an exception that the transport raises.
Scripted = tuple[int, Any] | Exception
Script = Callable[[str, str, Mapping[str, str]], Scripted]


class ScriptedAdapter(HTTPAdapter):
    """Asks a script what to answer, and keeps what was asked.

    Parameters
    ----------
    script
        Gets method, path and parameters; returns status and body: text as it is, anything else as JSON.
    """

    def __init__(self, script: Script) -> None:
        super().__init__()
        self._script = script
        self.asked: list[tuple[str, str, Mapping[str, str]]] = []
        self.bodies: list[str] = []

    def send(self, request: requests.PreparedRequest, *positional: Any, **options: Any) -> requests.Response:
        parts = urlsplit(str(request.url))
        parameters = dict(parse_qsl(parts.query))
        self.asked.append((str(request.method), parts.path, parameters))
        body = request.body or b""
        self.bodies.append(body if isinstance(body, str) else body.decode())
        answer = self._script(str(request.method), parts.path, parameters)
        if isinstance(answer, Exception):
            raise answer
        status, content = answer
        text = content if isinstance(content, str) else json.dumps(content)
        raw = HTTPResponse(BytesIO(text.encode()), status=status, preload_content=False)
        return self.build_response(request, raw)

    def count(self, method: str, path: str = "/") -> int:
        """How often a method was used below a path."""
        return sum(asked[0] == method and path in asked[1] for asked in self.asked)


def refused_connection() -> requests.ConnectionError:
    """What requests raises when nobody listens: nothing was sent."""
    reason = NewConnectionError(None, "Connection refused")  # type: ignore[arg-type]
    return requests.ConnectionError(MaxRetryError(None, "/", reason))  # type: ignore[arg-type]
