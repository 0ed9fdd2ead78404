"""The ccxt client of one exchange: which markets are used, where it connects, and what its errors mean."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import urlsplit

from trading_lib.adapters.sources.shared.http import Vendor, looks_like_html, retry_after
from trading_lib.domain.errors import RateLimitedError, SourceError, SourceRefusedError, SourceUnavailableError

QUOTE = "USDT"
# Bybit's "server error", which ccxt does not tell from a bad request.
SERVER_ERROR_CODES = ("10016",)


class CcxtSession:
    """Public requests to one exchange; needs no key.

    The market definitions, megabytes that change every day, are not downloaded: the few markets asked for are
    described here, and the exchange itself refuses what it does not have.

    Parameters
    ----------
    exchange
        ccxt's name of it.
    bases
        Coins whose spot and perpetual markets against USDT may be asked for.
    base_url
        Stands in for scheme and host of every one of the exchange's addresses; None for its own.
    timeout_seconds
        Longest wait for the connection, and for the next bytes of an answer.
    rate_limited
        Whether the client keeps to the pace the exchange publishes.
    """

    def __init__(
        self, exchange: str, bases: tuple[str, ...], base_url: str | None, timeout_seconds: float, rate_limited: bool
    ) -> None:
        import ccxt

        self.vendor = Vendor(exchange)
        self._status = 0
        self._headers: Mapping[str, str] = {}
        self._body = ""
        # ccxt keeps neither, and passes a web page off as an empty answer.
        checked = type("Checked", (getattr(ccxt, exchange),), {"on_rest_response": self._checked})
        self._client: Any = checked(
            {
                "enableRateLimit": rate_limited,
                "timeout": round(timeout_seconds * 1000),
                "options": {"fetchCurrencies": False, "fetchMargins": False},
            }
        )
        self._client.has["fetchCurrencies"] = False
        if base_url is not None:
            self._client.urls["api"] = _readdressed(self._client.urls["api"], base_url)
        structures = [structure for base in bases for structure in (_spot(base), _perpetual(base))]
        self._client.set_markets([self._client.safe_market_structure(structure) for structure in structures])
        self._subject = ""

    def call(self, subject: str, method: str, *positional: Any) -> Any:
        """Call a method of the client; what goes wrong becomes a `SourceError`."""
        import ccxt

        self._subject, self._status, self._headers, self._body = subject, 0, {}, ""
        try:
            response = getattr(self._client, method)(*positional)
            if not response and self._rows_sent():
                raise self.vendor.unreadable(subject, f"has rows without a time, such as {self._body[:80]}")
            return response
        except SourceError:
            raise
        except ccxt.BaseError as error:
            raise self._error(subject, error) from None
        except Exception as error:  # whatever the client's parsing trips over must cost this symbol only
            raise self.vendor.unreadable(subject, f"cannot be taken apart ({error})") from None

    def _rows_sent(self) -> int:
        """Rows in the newest answer; the client drops those whose time it cannot find."""
        content = json.loads(self._body)
        if isinstance(content, dict):
            content = (content.get("result") or {}).get("list")
        return len(content) if isinstance(content, list) else 0

    def _error(self, subject: str, error: Exception) -> SourceError:
        import ccxt

        if self._status > 400 or (self._status == 400 and _own_code(self._body) is None):
            return self.vendor.status_error(subject, self._status, self._headers, self._body)
        if isinstance(error, ccxt.RequestTimeout):
            return self.vendor.unreachable(subject, f"no answer within {self._client.timeout / 1000:g} s")
        if self._status == 0:
            return self.vendor.unreachable(subject, f"cannot be reached ({type(error).__name__})")
        reason = self.vendor.safe(str(error))
        problem = f"{self.vendor.name}: {subject}: {type(error).__name__} ({reason})"
        if isinstance(error, (ccxt.DDoSProtection, ccxt.RateLimitExceeded)):
            return RateLimitedError(problem, "wait, then ask again", retry_after(self._headers))
        if isinstance(error, ccxt.BadResponse):
            return self.vendor.unreadable(subject, f"is not understood ({reason})")
        if isinstance(error, ccxt.OperationFailed) or _own_code(self._body) in SERVER_ERROR_CODES:
            return SourceUnavailableError(problem, "try again later")
        if isinstance(error, (ccxt.AuthenticationError, ccxt.RestrictedLocation)):
            return SourceRefusedError(problem, "the exchange refuses this place; use another source")
        # It concerns this request and says nothing against the exchange.
        return SourceError(problem, "check the symbol or use another source")

    @property
    def _checked(self) -> Callable[..., str]:
        def on_rest_response(client: Any, code: int, reason: str, url: str, *rest: Any) -> str:
            # rest: method, headers of the answer, its body, headers and body of the request
            body: str = rest[2].strip()
            self._status, self._headers, self._body = code, dict(rest[1]), body
            if 200 <= code < 300 and (looks_like_html(body) or not body.endswith(("]", "}"))):
                self.vendor.json(self._subject, body)
                raise self.vendor.unreadable(self._subject, "is no JSON object or list")
            if 300 <= code < 400:
                raise self.vendor.status_error(self._subject, code, self._headers, body)
            return body

        return on_rest_response


def _own_code(body: str) -> str | None:
    """Return the exchange's own code of an error, which the client reads better than the HTTP status."""
    try:
        content = json.loads(body)
    except ValueError:
        return None
    code = content.get("code", content.get("retCode")) if isinstance(content, dict) else None
    return None if code is None else str(code)


def _readdressed(addresses: Any, base_url: str) -> Any:
    if isinstance(addresses, dict):
        return {name: _readdressed(address, base_url) for name, address in addresses.items()}
    return base_url + urlsplit(addresses).path


def _spot(base: str) -> dict[str, Any]:
    return {
        **_market(base),
        "symbol": f"{base}/{QUOTE}",
        "type": "spot",
        "spot": True,
        "swap": False,
        "contract": False,
    }


def _perpetual(base: str) -> dict[str, Any]:
    return {
        **_market(base),
        "symbol": f"{base}/{QUOTE}:{QUOTE}",
        "settle": QUOTE,
        "settleId": QUOTE,
        "type": "swap",
        "spot": False,
        "swap": True,
        "contract": True,
        "linear": True,
        "inverse": False,
        "contractSize": 1,
    }


def _market(base: str) -> dict[str, Any]:
    return {
        "id": base + QUOTE,
        "base": base,
        "quote": QUOTE,
        "baseId": base,
        "quoteId": QUOTE,
        "margin": False,
        "future": False,
        "option": False,
        "active": True,
        "info": {},
    }
