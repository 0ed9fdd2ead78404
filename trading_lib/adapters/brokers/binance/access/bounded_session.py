"""An HTTP session whose answers end: no redirects, a limit of time and of size for a whole answer.

A client's own time-out is one for the next bytes, so an answer that drips would hold an order for ever. A redirect
would carry the key to another host, and turn an order into a question.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import requests

# The definitions of all markets are the largest answer there is; those of an account's own are asked for, kilobytes.
LARGEST_ANSWER = 8_000_000
PIECE = 65_536


class SlowAnswerError(requests.exceptions.Timeout):
    """An answer began and did not end in time."""


class LargeAnswerError(requests.exceptions.RequestException):
    """An answer is larger than any that makes sense."""


class BoundedSession(requests.Session):
    """A session for one API.

    Parameters
    ----------
    seconds
        Longest time from sending to the last byte of the answer.
    monotonic
        Clock to measure it by.
    """

    def __init__(self, seconds: float, monotonic: Callable[[], float] = time.monotonic) -> None:
        super().__init__()
        self._seconds, self._monotonic = seconds, monotonic
        # An environment's proxies and .netrc have no say in where orders go.
        self.trust_env = False

    def request(self, *positional: Any, **named: Any) -> requests.Response:
        """Ask, and read the whole answer; raises what `requests` raises, `SlowAnswerError` and `LargeAnswerError`."""
        deadline = self._monotonic() + self._seconds
        response = super().request(*positional, **(named | {"allow_redirects": False, "stream": True}))
        try:
            # What `requests` itself would have kept, had it read the answer.
            response._content = self._whole(response, deadline)
            response._content_consumed = True  # type: ignore[attr-defined]
        finally:
            response.close()
        return response

    def _whole(self, response: requests.Response, deadline: float) -> bytes:
        body = bytearray()
        # As much as there is: to wait until a piece is full would be to wait without a limit.
        while piece := response.raw.read1(PIECE, decode_content=True):
            body += piece
            if len(body) > LARGEST_ANSWER:
                raise LargeAnswerError(f"an answer of more than {LARGEST_ANSWER} bytes")
            if self._monotonic() > deadline:
                raise SlowAnswerError(f"an answer that took more than {self._seconds:g} s")
        return bytes(body)
