"""The vendor's `massive` client with the two things it lacks: typed errors and no silent empty answers.

On its own the client hides broken JSON and a missing result list behind an empty list, and its errors do not carry
the HTTP status.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import urllib3

from trading_lib.adapters.sources.shared.http import Vendor
from trading_lib.domain.errors import SourceError

MOST_PAGES = 500


class PolygonSession:
    """Calls of the client, one symbol at a time.

    Parameters
    ----------
    vendor
        With the key.
    address
        Scheme and host.
    connect_seconds, read_seconds
        Longest wait for the connection, and for the next bytes of an answer.
    """

    def __init__(self, vendor: Vendor, address: str, connect_seconds: float, read_seconds: float) -> None:
        from massive import RESTClient

        self._vendor = vendor
        self._answers = _CheckedAnswers(vendor)
        # Trying again is the chain's business, so the client's own retries are off.
        self._client = RESTClient(
            api_key=vendor.key,
            base=address,
            connect_timeout=connect_seconds,
            read_timeout=read_seconds,
            retries=0,
            custom_json=self._answers,
        )
        settings = self._client.client.connection_pool_kw
        self._client.client = _CheckedPool(self._answers, **{**settings, "retries": False})

    def all(self, subject: str, method: str, *positional: Any, **named: Any) -> list[Any]:
        """Every object of every page of a listing method of the client."""
        self._answers.begin(subject)
        try:
            return list(getattr(self._client, method)(*positional, **named))
        except SourceError:
            raise
        except urllib3.exceptions.TimeoutError:
            raise self._vendor.unreachable(subject, "no answer in time") from None
        except urllib3.exceptions.ProtocolError as error:
            if "IncompleteRead" in str(error):
                raise self._vendor.unreadable(subject, "is cut off") from None
            raise self._vendor.unreachable(subject, "the connection broke off") from None
        except urllib3.exceptions.HTTPError as error:
            raise self._vendor.unreachable(subject, f"cannot be reached ({type(error).__name__})") from None
        except Exception as error:  # whatever the client's parsing trips over must cost this symbol only
            raise self._vendor.unreadable(subject, f"cannot be taken apart ({error})") from None


class _CheckedAnswers:
    """Stands in for the `json` module inside the client: raises where the client would return nothing."""

    def __init__(self, vendor: Vendor) -> None:
        self._vendor = vendor
        self.subject = ""
        self._pages = 0

    def begin(self, subject: str) -> None:
        self.subject, self._pages = subject, 0

    def check_status(self, status: int, headers: Mapping[str, str], body: bytes) -> None:
        if status != 200:
            raise self._vendor.status_error(self.subject, status, headers, body.decode("utf-8", "replace"))

    def loads(self, text: str) -> Any:
        content = self._vendor.json(self.subject, text)
        self._pages += 1
        if self._pages > MOST_PAGES:
            raise self._vendor.unreadable(self.subject, f"has more than {MOST_PAGES} pages")
        if not isinstance(content, dict):
            raise self._vendor.unreadable(self.subject, "is no JSON object")
        # Aggregates leave the list out when there is nothing; then a count says so.
        counted = content.get("resultsCount", content.get("count"))
        if content.get("results") is None and counted != 0:
            raise self._vendor.unreadable(self.subject, f"has no field 'results', only {', '.join(content)}")
        return {**content, "results": content.get("results") or []}

    def dumps(self, value: Any) -> str:
        return json.dumps(value)


class _CheckedPool(urllib3.PoolManager):
    """Connection pool that follows no redirect and raises on every status but success."""

    def __init__(self, answers: _CheckedAnswers, **settings: Any) -> None:
        super().__init__(**settings)
        self._answers = answers

    def request(self, *positional: Any, **named: Any) -> urllib3.BaseHTTPResponse:
        # A redirect could carry the key to another host.
        response = super().request(*positional, **named, redirect=False)
        self._answers.check_status(response.status, response.headers, response.data)
        return response
