"""Requests to Alpaca through its own client. Input: method, path, fields. Output: the answer, or why there is none.

Nothing that a broker or the network does raises here. The client's own retries are off: whatever makes orders is sent
once, and questions are repeated a few times by `AlpacaConnection.read`.
"""

from __future__ import annotations

import asyncio
import json
import warnings
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING, Any, NoReturn

from requests.exceptions import ConnectionError as NoConnectionError
from requests.exceptions import ConnectTimeout, Timeout
from urllib3.exceptions import ConnectTimeoutError, NewConnectionError
from urllib3.exceptions import TimeoutError as NoAnswerInTime

from trading_lib.adapters.brokers.alpaca.connection.keys import KeyRefusedError, Keys, keys_of, refusal
from trading_lib.adapters.brokers.alpaca.connection.session import BoundedSession
from trading_lib.adapters.brokers.shared.bodies import recorded
from trading_lib.adapters.brokers.shared.simulator_mount import mount_simulator
from trading_lib.domain.errors import BrokerUnavailableError
from trading_lib.execution.broker import BrokerSetting

if TYPE_CHECKING:
    from alpaca.trading.client import TradingClient

READ_TRIES = 3
FIRST_PAUSE_SECONDS, LONGEST_PAUSE_SECONDS = 0.5, 5.0
# Answers that a question may get otherwise a moment later.
PASSING = frozenset({429, 500, 502, 503, 504})
LONGEST_WORDS = 300


@dataclass(frozen=True, slots=True)
class Reply:
    """What came back.

    Attributes
    ----------
    status
        Of HTTP; 0 where no answer came.
    content
        The body as JSON, with `Decimal` for fractions; None where it is none.
    text
        The body as it came.
    failure
        Why there is no answer, or none that can be read; "" where all is well.
    sent
        Whether the request may have reached Alpaca.
    retry_after
        Seconds that Alpaca asks to wait, 0 where it does not.
    """

    status: int = 0
    content: Any = None
    text: str = ""
    failure: str = ""
    sent: bool = True
    retry_after: float = 0.0

    @property
    def fine(self) -> bool:
        """Whether it is the answer that was asked for."""
        return 200 <= self.status < 300 and not self.failure

    @property
    def message(self) -> str:
        """Alpaca's own words about what it refuses; "" where they are not its own."""
        said = self.content.get("message") if isinstance(self.content, dict) else None
        return " ".join(said.split()) if isinstance(said, str) else ""

    @property
    def refuses_key(self) -> bool:
        """Whether the key is the trouble, and not what was asked."""
        forbidden = self.status == 403 and self.message.lower().strip(".") in ("forbidden", "access denied")
        return self.status == 401 or forbidden


class AlpacaConnection:
    """One account's connection.

    Parameters
    ----------
    session
        Makes the HTTP session; for tests.
    pause
        Awaited with seconds before a question is repeated.
    """

    def __init__(
        self,
        setting: BrokerSetting,
        session: Callable[[], BoundedSession] = BoundedSession,
        pause: Callable[[float], Awaitable[object]] = asyncio.sleep,
    ) -> None:
        self._setting, self._make_session, self._pause = setting, session, pause
        self._opened: tuple[TradingClient, BoundedSession] | None = None
        # Struck out of everything that is recorded or shown.
        self.secrets: set[str] = set()

    def open(self) -> Keys:
        """Make the client; the same again changes nothing. Nothing is asked yet."""
        keys = keys_of(self._setting)
        if self._opened is None:
            # It takes a while to import, which only those wait for who trade at Alpaca.
            with warnings.catch_warnings():
                # The client's stream uses a part of websockets that is to go.
                warnings.simplefilter("ignore", DeprecationWarning)
                from alpaca.trading.client import TradingClient

            self.secrets |= {keys.key, keys.secret}
            client = TradingClient(keys.key, keys.secret, paper=keys.paper, raw_data=True)
            # The constructor takes no empty list. Else a POST answered with 504 is sent again, up to three times.
            client._retry_codes = []
            session = client._session = self._make_session()
            mount_simulator(session, self._setting.environment)
            self._opened = client, session
        return keys

    def close(self) -> None:
        """Close what is open; a later request opens it again."""
        opened, self._opened = self._opened, None
        if opened is not None:
            opened[1].close()

    async def once(self, method: str, path: str, fields: Mapping[str, str] | None = None) -> Reply:
        """Make a request a single time, without keeping the event loop waiting."""
        self.open()
        return await asyncio.to_thread(self._request, method, path, dict(fields) if fields else None)

    async def look(self, path: str, fields: Mapping[str, str] | None = None) -> Reply:
        """Ask, and ask again a few times while no answer comes that says anything."""
        pause = FIRST_PAUSE_SECONDS
        for tried in range(1, READ_TRIES + 1):
            reply = await self.once("GET", path, fields)
            passing = reply.status in PASSING or (reply.failure and reply.status < 400)
            if not passing or tried == READ_TRIES:
                break
            await self._pause(min(max(pause, reply.retry_after), LONGEST_PAUSE_SECONDS))
            pause *= 2
        return reply

    async def read(self, path: str, fields: Mapping[str, str] | None = None) -> Any:
        """Return the content of an answer.

        Raises
        ------
        BrokerUnavailableError
            When there is none.
        """
        reply = await self.look(path, fields)
        return reply.content if reply.fine else self.refuse(reply, path)

    def refuse(self, reply: Reply, path: str) -> NoReturn:
        """Raise what a reply that answers nothing means."""
        if reply.refuses_key:
            raise KeyRefusedError(*refusal(keys_of(self._setting)))
        raise BrokerUnavailableError(
            f"Alpaca does not answer {path.partition('?')[0]} ({self.words(reply)})",
            "try again later; see https://status.alpaca.markets" if reply.status in PASSING or not reply.status else "",
        )

    def words(self, reply: Reply) -> str:
        """Say in one short line what a reply says, without secrets."""
        said = reply.message or reply.failure
        status = f"HTTP {reply.status}" if reply.status else ""
        return self.record(f"{status}: {said}" if status and said else said or status)[:LONGEST_WORDS]

    def record(self, body: str) -> str:
        """Return a body as it may be stored."""
        return recorded(body, self.secrets)

    def _request(self, method: str, path: str, fields: dict[str, str] | None) -> Reply:
        if self._opened is None:
            return Reply(failure="the connection was closed meanwhile", sent=False)
        client, session = self._opened
        session.taken()
        trouble: Exception | None = None
        try:
            if method == "POST":
                client.post(path, fields)
            elif method == "DELETE":
                client.delete(path)
            else:
                client.get(path, fields)
        except Exception as error:
            # Whatever it is, the request may have arrived. What the answer's content is, its text tells below.
            trouble = error
        response = session.taken()
        if response is None:
            return Reply(failure=_failure(trouble), sent=not _never_left(trouble))
        text = response.content.decode("utf-8", "replace")
        content, failure = _parsed(text) if text or response.status_code != 204 else (None, "")
        return Reply(response.status_code, content, text, failure, True, _seconds(response.headers.get("Retry-After")))


def _parsed(text: str) -> tuple[Any, str]:
    if not text.strip():
        return None, "the answer is empty"
    try:
        return json.loads(text, parse_float=Decimal, parse_constant=_no_number), ""
    except (ValueError, RecursionError):
        page = text.lstrip()[:1] == "<"
        return None, "the answer is a page of HTML" if page else "the answer is cut off or no JSON"


def _no_number(name: str) -> NoReturn:
    raise ValueError(name)


def _seconds(header: str | None) -> float:
    return min(float(header), 3600.0) if header and header.isascii() and header.isdigit() else 0.0


def _failure(trouble: Exception | None) -> str:
    if isinstance(trouble, ConnectTimeout):
        return "no connection in time"
    if isinstance(trouble, Timeout | NoAnswerInTime):
        return "no answer in time"
    if _never_left(trouble):
        return "no connection"
    # By its kind alone: its text holds the address with its parameters.
    return f"the connection broke ({type(trouble).__name__})"


def _never_left(trouble: Exception | None) -> bool:
    """Whether a request failed before any of it was sent."""
    if isinstance(trouble, ConnectTimeout):
        return True
    if not isinstance(trouble, NoConnectionError) or not trouble.args:
        return False
    return isinstance(getattr(trouble.args[0], "reason", None), NewConnectionError | ConnectTimeoutError)
