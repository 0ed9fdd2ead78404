"""What can go wrong with a vendor's answer, and what every source has to make of it."""

from __future__ import annotations

from collections.abc import Mapping

from trading_lib.domain.errors import (
    RateLimitedError,
    SourceError,
    SourceRefusedError,
    SourceUnavailableError,
    UnreadableAnswerError,
)

# Long enough for a busy machine to answer; a hanging peer costs each test that asks it this long.
TIMEOUT_SECONDS = 1.0
# Fault of a `VendorPeer`, the type of error, words of its message.
FAULTS: list[tuple[int | str, type[SourceError], str]] = [
    (302, SourceError, "HTTP 302"),
    (400, SourceError, "HTTP 400"),
    (401, SourceRefusedError, "HTTP 401"),
    (403, SourceRefusedError, "HTTP 403"),
    (404, SourceError, "HTTP 404"),
    (429, RateLimitedError, "HTTP 429"),
    (500, SourceUnavailableError, "HTTP 500"),
    (503, SourceUnavailableError, "HTTP 503"),
    ("html", UnreadableAnswerError, "is a web page instead of"),
    ("empty", UnreadableAnswerError, "its answer is"),
    ("truncated", UnreadableAnswerError, "its answer is"),
    ("hang", SourceUnavailableError, "no answer"),
]
TRANSIENT = (RateLimitedError, SourceUnavailableError)


def require_typed(
    subject: str, failures: Mapping[str, str], errors: Mapping[str, SourceError], kind: type[SourceError], words: str
) -> None:
    """Assert that ``subject`` alone failed, with one line that names it and an error of exactly this type."""
    assert list(failures) == [subject]
    error, line = errors[subject], failures[subject]
    assert type(error) is kind
    assert error.transient == (kind in TRANSIENT)
    assert line == str(error)
    assert subject in line
    assert words in line
    assert "\n" not in line
    assert "secret-token" not in line
