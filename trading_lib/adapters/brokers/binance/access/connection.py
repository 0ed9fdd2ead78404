"""The ccxt client of Binance: where it connects, how it signs, and what of an answer is kept.

Input: the name of an endpoint, parameters. Output: a `Reply`. The client signs, knows the addresses and sends; its
unified methods are not used, since they turn amounts into floats and a broken answer into an order without an id.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Mapping
from typing import Any

from trading_lib.adapters.brokers.binance.answers.classification import Reply
from trading_lib.adapters.brokers.shared.simulator_mount import mount_simulator
from trading_lib.domain.errors import ConfigurationError

KEY_VARIABLE, SECRET_VARIABLE = "BINANCE_API_KEY", "BINANCE_API_SECRET"
ENDPOINTS = ("paper", "live")
# From sending to the last byte; a signed request is refused when it arrives later than this after it was signed.
ANSWER_SECONDS = 10.0
RECEIVE_MILLISECONDS = 5_000


class Connection:
    """Requests to one endpoint, one at a time; used from worker threads.

    Parameters
    ----------
    environment
        Where the keys are.
    endpoint
        "paper" for Binance's demo trading, "live".
    milliseconds
        Time by Binance's clock, to sign with.
    mount
        Puts something else in place of the network under every address of the client's session; None for the network,
        or the simulator that the environment names.
    """

    def __init__(
        self,
        environment: Mapping[str, str],
        endpoint: str,
        milliseconds: Callable[[], int],
        mount: Callable[[Any], object] | None = None,
    ) -> None:
        if endpoint not in ENDPOINTS:
            raise ConfigurationError(
                f"broker binance has no endpoint {endpoint!r}", f"let `endpoint` be {' or '.join(ENDPOINTS)}"
            )
        self._lock, self._reply = threading.Lock(), Reply()
        self._client = _client(environment, self._keep, milliseconds)
        if endpoint == "paper":
            self._client.enable_demo_trading(True)
        session = self._client.session
        if mount is None:
            mount_simulator(session, environment)
        else:
            mount(session)
        self.host = str(self._client.urls["api"]["private"]).split("/")[2]

    def ask(self, method: str, parameters: Mapping[str, Any]) -> Reply:
        """Send one request, never twice.

        Parameters
        ----------
        method
            As ccxt names the endpoint, such as "private_get_order".
        """
        with self._lock:
            self._reply = Reply()
            try:
                getattr(self._client, method)(dict(parameters))
            except Exception as error:  # whatever the client makes of an answer, the answer itself is what counts
                return self._reply if self._reply.status else _without_answer(error)
            return self._reply if self._reply.status else Reply(trouble="no answer was seen")

    def close(self) -> None:
        """Close what is open; a later request opens it again."""
        self._client.session.close()

    def _keep(self, status: int, headers: Mapping[str, str], body: str) -> None:
        self._reply = Reply(status, body, {name.lower(): value for name, value in headers.items()})


def _client(
    environment: Mapping[str, str], keep: Callable[[int, Mapping[str, str], str], None], milliseconds: Callable[[], int]
) -> Any:
    # Imported when a broker is used: every command line call reads the registry of brokers.
    import ccxt

    from trading_lib.adapters.brokers.binance.access.bounded_session import BoundedSession

    class Recording(ccxt.binance):  # type: ignore[misc]
        """The client, which shows every answer as it came, and signs with the time it is given."""

        def on_rest_response(
            self, code: int, reason: str, url: str, method: str, headers: Any, body: str, *request: Any
        ) -> str:
            keep(code, headers, body)
            return body.strip()

        def nonce(self) -> int:
            return milliseconds()

    silent = logging.Logger("trading_lib.ccxt.silent", logging.CRITICAL + 1)
    return Recording(
        {
            "apiKey": _printable(environment, KEY_VARIABLE),
            "secret": _printable(environment, SECRET_VARIABLE),
            "session": BoundedSession(ANSWER_SECONDS),
            "timeout": round(ANSWER_SECONDS * 1000),
            # Paced by what Binance says of the limits, see `client`.
            "enableRateLimit": False,
            # It writes requests with their key and signature.
            "logger": silent,
            "options": {
                "fetchCurrencies": False,
                "fetchMargins": False,
                "fetchMarkets": {"types": ["spot"]},
                "maxRetriesOnFailure": 0,
                "recvWindow": RECEIVE_MILLISECONDS,
            },
        }
    )


def _printable(environment: Mapping[str, str], name: str) -> str:
    value = environment.get(name, "").strip()
    if not value:
        raise ConfigurationError(f"{name} is not set", "set BINANCE_API_KEY and BINANCE_API_SECRET, or change broker")
    if not value.isascii():
        raise ConfigurationError(f"{name} is no key of Binance", "set it to the key as Binance shows it")
    return value


def _without_answer(error: Exception) -> Reply:
    """Say whether a request that has no answer may have left."""
    import ccxt
    import requests
    from urllib3.exceptions import ConnectTimeoutError, MaxRetryError, NewConnectionError, SSLError

    cause = error.__cause__
    if cause is None:
        # The client itself refused to send.
        return Reply(trouble=type(error).__name__, sent=not isinstance(error, ccxt.BaseError))
    inner = cause.args[0] if cause.args else None
    reason = inner.reason if isinstance(inner, MaxRetryError) else inner
    unsent = isinstance(cause, requests.exceptions.ConnectTimeout) or isinstance(
        reason, ConnectTimeoutError | NewConnectionError | SSLError
    )
    if isinstance(cause, requests.exceptions.Timeout):
        return Reply(trouble=f"no whole answer within {ANSWER_SECONDS:g} s", sent=not unsent)
    what = "cannot be reached" if unsent else "connection lost"
    return Reply(trouble=f"{what} ({type(reason or cause).__name__})", sent=not unsent)
