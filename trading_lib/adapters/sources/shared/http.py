"""Vendors' HTTP responses. Input: status, headers, body. Output: JSON, or a typed one-line error.

Every vendor's client ends here, so that a chain can tell "ask again later" from "ask someone else", whoever answered.
"""

from __future__ import annotations

import json
import logging
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Any

from trading_lib.domain.errors import (
    ConfigurationError,
    MissingKeyError,
    RateLimitedError,
    SourceError,
    SourceRefusedError,
    SourceUnavailableError,
    UnreadableAnswerError,
)

if TYPE_CHECKING:
    import requests

CONNECT_SECONDS = 5.0
READ_SECONDS = 30.0
DETAIL_LENGTH = 160
# Binance returns 418 when 429 was ignored.
TOO_OFTEN = (418, 429)
PASSING = (408, 425)
# Where vendors put the words of an error.
DETAIL_FIELDS = ("detail", "error_message", "error", "message", "msg", "retMsg")


@dataclass(frozen=True, slots=True)
class Vendor:
    """Who is asked, for messages.

    Attributes
    ----------
    name
        Name of the source.
    key_variable
        Environment variable of its key, None when it needs none.
    key
        The key; it is struck out of every message.
    """

    name: str
    key_variable: str | None = None
    key: str = field(default="", repr=False)

    def status_error(self, subject: str, status: int, headers: Mapping[str, str], body: str) -> SourceError:
        """Turn an answer other than success into the error to raise."""
        problem = f"{self.name}: {subject}: HTTP {status}{self._detail(body)}"
        if status in TOO_OFTEN:
            return RateLimitedError(f"{problem}, too many requests", "wait, then ask again", retry_after(headers))
        if status in PASSING or status >= 500:
            return SourceUnavailableError(problem, "try again later")
        # FRED answers an unknown key with 400.
        about_key = status in (401, 403) or (status == 400 and "api_key" in body.lower())
        if about_key and self.key_variable:
            return SourceRefusedError(f"{problem}, the key is refused", f"check {self.key_variable} and its plan")
        if status in (401, 403, 451):
            return SourceRefusedError(f"{problem}, access is refused from here", "use another source")
        # What follows concerns this request and says nothing against the source.
        if status == 404:
            return SourceError(f"{problem}, it is not known there", "check the symbol or use another source")
        return SourceError(problem, "check the request; asking again would get the same answer")

    def unreachable(self, subject: str, what: str) -> SourceUnavailableError:
        """Report that no answer came, e.g. ``what`` = "no answer within 30 s"."""
        return SourceUnavailableError(f"{self.name}: {subject}: {self.safe(what)}", "try again later")

    def unreadable(self, subject: str, what: str) -> UnreadableAnswerError:
        """Report an answer that cannot be used; ``what`` continues "its answer"."""
        return UnreadableAnswerError(
            f"{self.name}: {subject}: its answer {self.safe(what)}", "try again later; if it stays, its format changed"
        )

    def json(self, subject: str, body: str) -> Any:
        """Parse a body; what is no JSON raises `UnreadableAnswerError`."""
        try:
            return json.loads(body)
        except ValueError as error:
            if looks_like_html(body):
                raise self.unreadable(subject, "is a web page instead of JSON") from None
            what = "is empty" if not body.strip() else f"is cut off or no JSON ({error})"
            raise self.unreadable(subject, what) from None

    def safe(self, text: str) -> str:
        """One line of at most `DETAIL_LENGTH` characters without the key."""
        shown = text.replace(self.key, "***") if self.key else text
        return " ".join(shown.split())[:DETAIL_LENGTH]

    def _detail(self, body: str) -> str:
        if looks_like_html(body) or not body.strip():
            return ""
        try:
            content = json.loads(body)
        except ValueError:
            content = body
        if isinstance(content, dict):
            content = next((content[name] for name in DETAIL_FIELDS if content.get(name)), "")
        return f" ({self.safe(str(content))})" if content else ""


def vendor_with_key(name: str, variable: str, key: str | None) -> Vendor:
    """Return the vendor; without a key raise `MissingKeyError` naming the variable."""
    if not key or not key.strip():
        raise MissingKeyError(f"{name} needs a key", f"set {variable}, or leave the source out")
    return Vendor(name, variable, key.strip())


def checked_address(source: str, base_url: str) -> str:
    """Return ``base_url`` without a final slash; one without a scheme is a `ConfigurationError`."""
    if not base_url.startswith(("http://", "https://")):
        raise ConfigurationError(f"{source} base_url {base_url!r} is no address", "start it with http:// or https://")
    return base_url.rstrip("/")


def looks_like_html(body: str) -> bool:
    """Whether a body is a web page, as proxies and error pages send."""
    return bool(re.match(r"\s*<(?:!doctype\s+html|html|head|body)\b", body, re.IGNORECASE))


def retry_after(headers: Mapping[str, str]) -> float | None:
    """Seconds to wait by the Retry-After header, a number or a date (then counted from the Date header)."""
    lowered = {name.lower(): value for name, value in headers.items()}
    stated = lowered.get("retry-after", "").strip()
    if re.fullmatch(r"\d{1,9}(?:\.\d+)?", stated):
        return float(stated)
    try:
        return max(0.0, (parsedate_to_datetime(stated) - parsedate_to_datetime(lowered["date"])).total_seconds())
    except (KeyError, ValueError, TypeError):
        return None


class HttpService:
    """GET requests to one vendor with time limits, no redirects, and typed errors.

    Parameters
    ----------
    vendor
        Named in errors.
    base_url
        Scheme and host, without a final slash.
    headers
        Sent with every request; a key belongs here and not in the address.
    connect_seconds, read_seconds
        Longest wait for the connection, and for the next bytes of the answer.
    """

    def __init__(
        self,
        vendor: Vendor,
        base_url: str,
        headers: Mapping[str, str] | None = None,
        connect_seconds: float = CONNECT_SECONDS,
        read_seconds: float = READ_SECONDS,
    ) -> None:
        self.vendor = vendor
        self._base_url = base_url
        self._timeout = (connect_seconds, read_seconds)
        # Imported where a vendor is asked: every command line call reads this module.
        import requests

        self._session = requests.Session()
        self._session.headers.update(headers or {})

    def get(self, subject: str, path: str, parameters: Mapping[str, str] | None = None) -> requests.Response:
        """Ask; whatever is no success raises a `SourceError`.

        The causes are not chained: their texts hold the whole address, and for some vendors that holds the key.
        """
        import requests

        try:
            # A redirect could carry the key to another host.
            response = self._session.get(
                self._base_url + path, params=parameters, timeout=self._timeout, allow_redirects=False
            )
        except requests.Timeout:
            raise self.vendor.unreachable(subject, f"no answer within {self._timeout[1]:g} s") from None
        except (requests.exceptions.ChunkedEncodingError, requests.exceptions.ContentDecodingError):
            raise self.vendor.unreadable(subject, "is cut off") from None
        except requests.RequestException as error:
            raise self.vendor.unreachable(subject, f"cannot be reached ({type(error).__name__})") from None
        if response.status_code != 200:
            raise self.vendor.status_error(subject, response.status_code, response.headers, response.text)
        stated = response.headers.get("Content-Length")
        if stated and not response.headers.get("Content-Encoding") and int(stated) != len(response.content):
            raise self.vendor.unreadable(subject, "is cut off")
        return response

    def get_json(self, subject: str, path: str, parameters: Mapping[str, str] | None = None) -> Any:
        """Ask for JSON; see `get`."""
        return self.vendor.json(subject, self.get(subject, path, parameters).text)


class KeyFilter(logging.Filter):
    """Strikes ``api_key=...`` out of log records, for the one vendor that takes its key in the address."""

    def filter(self, record: logging.LogRecord) -> bool:
        """Rewrite the record; always let it pass."""
        text = record.getMessage()
        if "api_key=" in text:
            record.msg, record.args = re.sub(r"api_key=[^&\s\"']+", "api_key=***", text), ()
        return True
