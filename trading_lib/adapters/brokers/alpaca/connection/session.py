"""An HTTP session with bounds: how long a connection, a pause and a whole answer may take, and how long a body may be.

alpaca-py sets none of them. The last answer is kept, since the client hands on its parsed content only.
"""

from __future__ import annotations

import threading
import time
from typing import Any

from requests import PreparedRequest, Response, Session
from requests.exceptions import ChunkedEncodingError, ReadTimeout

CONNECT_SECONDS, READ_SECONDS, WHOLE_SECONDS = 5.0, 15.0, 45.0
LONGEST_ANSWER = 32 * 1024 * 1024
CHUNK = 65_536


class BoundedSession(Session):
    """A session for alpaca-py's client.

    Parameters
    ----------
    connect, read, whole
        Seconds until a connection must stand, between two pieces of an answer, and for all of it.
    """

    def __init__(
        self, connect: float = CONNECT_SECONDS, read: float = READ_SECONDS, whole: float = WHOLE_SECONDS
    ) -> None:
        super().__init__()
        self._timeout, self._whole = (connect, read), whole
        # Calls run in threads of their own, and each reads the answer of its own.
        self._answers = threading.local()

    def taken(self) -> Response | None:
        """Return the last answer of this thread and forget it."""
        answer: Response | None = getattr(self._answers, "last", None)
        self._answers.last = None
        return answer

    def send(self, request: PreparedRequest, **options: Any) -> Response:
        """Send within the bounds, and read the whole answer."""
        deadline = time.monotonic() + self._whole
        response = super().send(request, **{**options, "timeout": self._timeout, "stream": True})
        try:
            response._content = self._whole_body(response, deadline)
            # What was read to its end leaves a connection that serves the next request.
            response._content_consumed = True  # type: ignore[attr-defined]
        finally:
            response.close()
        # Else the client guesses the encoding of every body, which takes longer than the request.
        response.encoding = "utf-8"
        self._answers.last = response
        return response

    def _whole_body(self, response: Response, deadline: float) -> bytes:
        body = bytearray()
        while piece := response.raw.read1(CHUNK, decode_content=True):
            body += piece
            if time.monotonic() > deadline:
                raise ReadTimeout(f"the answer was not complete after {self._whole:.0f} s")
            if len(body) > LONGEST_ANSWER:
                raise ChunkedEncodingError(f"the answer is longer than {LONGEST_ANSWER} bytes")
        return bytes(body)
