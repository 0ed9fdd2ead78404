"""The HTTP session handed to the yfinance client: remembers the last status and can stand in another address."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlsplit, urlunsplit

from curl_cffi.requests import Response, Session


class YahooSession(Session[Response]):
    """A browser-like session, as the client would make for itself.

    Parameters
    ----------
    base_url
        Replaces scheme and host of every request; None leaves them alone.

    Attributes
    ----------
    last_status
        HTTP status of the newest answer, None before the first; the client's errors do not carry it.
    last_headers
        Headers of the newest answer.
    """

    def __init__(self, base_url: str | None = None) -> None:
        super().__init__(impersonate="chrome")
        self._stand_in = urlsplit(base_url) if base_url else None
        self.last_status: int | None = None
        self.last_headers: dict[str, str] = {}

    def request(self, method: Any, url: str, *positional: Any, **arguments: Any) -> Any:
        """Send one request; see `curl_cffi.requests.Session.request`."""
        if self._stand_in is not None:
            parts = urlsplit(url)
            path = self._stand_in.path.rstrip("/") + parts.path
            url = urlunsplit((self._stand_in.scheme, self._stand_in.netloc, path, parts.query, parts.fragment))
        self.last_status, self.last_headers = None, {}
        response = super().request(method, url, *positional, **arguments)
        self.last_status = response.status_code
        self.last_headers = {name: value or "" for name, value in response.headers.items()}
        return response
