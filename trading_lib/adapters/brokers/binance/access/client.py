"""Binance's API as the adapter asks it: in its own time, no faster than it allows, and never twice where that matters.

Input: endpoint, parameters. Output: a `Reply`, or the JSON of a question that was answered.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from trading_lib.adapters.brokers.binance.access.connection import KEY_VARIABLE, SECRET_VARIABLE, Connection
from trading_lib.adapters.brokers.binance.answers.amounts import LAST_MILLISECOND, milliseconds, moment
from trading_lib.adapters.brokers.binance.answers.classification import (
    Meaning,
    Reply,
    banned_until,
    code_of,
    content_of,
    meaning_of,
    message_of,
)
from trading_lib.adapters.brokers.shared.bodies import recorded
from trading_lib.adapters.logs.redaction import secret_values, without_secrets
from trading_lib.adapters.sources.shared.http import retry_after
from trading_lib.domain.errors import BrokerUnavailableError
from trading_lib.execution.broker import BrokerSetting

# A clock that is off further than this may decide the wrong day; nearer, it is made up for.
LARGEST_SKEW = timedelta(seconds=60)
# How long a question waits for its turn; what would wait longer is not sent.
PATIENCE_SECONDS = 60.0
# Where it does not say: the window of its limits of orders, and its shortest ban.
PAUSE_SECONDS, BAN_SECONDS = 10.0, 120.0
QUESTION_TRIES = 3
# Limits of requests (weight a minute) and of orders (in 10 seconds), and the part of them that is used.
LIMITS = {"x-mbx-used-weight-1m": (6_000, 60.0), "x-mbx-order-count-10s": (100, 10.0)}
USED_PART = 0.9
DETAIL_LENGTH = 200


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What the adapter does not reach for itself: clocks, waiting, threads, the network.

    Attributes
    ----------
    clock
        Time of this machine.
    monotonic
        Seconds, to measure waiting by.
    sleep
        Waits so many seconds.
    in_thread
        Calls a function that blocks.
    mount
        See `Connection`.
    """

    clock: Callable[[], datetime] = lambda: datetime.now(UTC)
    monotonic: Callable[[], float] = time.monotonic
    sleep: Callable[[float], Awaitable[object]] = asyncio.sleep
    in_thread: Callable[..., Awaitable[Any]] = asyncio.to_thread
    mount: Callable[[Any], object] | None = None


class BinanceClient:
    """Requests to one account; connects when it is first asked."""

    def __init__(self, setting: BrokerSetting, surroundings: Surroundings) -> None:
        self._setting, self._outside = setting, surroundings
        self._secrets = secret_values(setting.environment)
        self._connection: Connection | None = None
        # Binance's clock less ours; None until it was asked.
        self._skew: timedelta | None = None
        self._quiet_until = 0.0
        # When the last request left, after whatever it had to wait for.
        self._sent_at = surroundings.clock()

    async def connect(self) -> None:
        """Set the time and check that somebody answers."""
        await self.server_time()

    async def close(self) -> None:
        """Close what is open."""
        if self._connection is not None:
            self._connection.close()

    async def server_time(self) -> datetime:
        """Return Binance's time, and go by it from now on.

        Raises
        ------
        BrokerUnavailableError
            When it does not answer, or this machine's clock is off by more than `LARGEST_SKEW`.
        """
        content = await self._answered("public_get_time", {})
        after = self._outside.clock()
        stamp = content.get("serverTime") if isinstance(content, dict) else None
        if not isinstance(stamp, int) or isinstance(stamp, bool) or not 0 <= stamp <= LAST_MILLISECOND:
            raise self.unavailable("does not tell its time")
        told = moment(stamp)
        skew = told - (self._sent_at + (after - self._sent_at) / 2)
        self._skew = None if abs(skew) > LARGEST_SKEW else skew
        if self._skew is None:
            side = "behind" if skew > timedelta(0) else "ahead of"
            raise BrokerUnavailableError(
                f"the clock of this machine is {abs(skew).total_seconds():.0f} s {side} that of {self.host}",
                "set it by NTP; nothing is sent until then",
            )
        return told

    async def ask(self, method: str, parameters: Mapping[str, Any], patience: float = PATIENCE_SECONDS) -> Reply:
        """Send one signed request, once.

        Parameters
        ----------
        patience
            Seconds that it may wait for its turn.

        Raises
        ------
        BrokerUnavailableError
            When it was not sent: it would have had to wait too long, or the clocks differ too much.
        """
        if self._skew is None:
            await self.server_time()
        reply = await self._ask(method, parameters, patience)
        if meaning_of(reply) is Meaning.CLOCK:
            # The next request asks for the time first.
            self._skew = None
        return reply

    async def question(self, method: str, parameters: Mapping[str, Any]) -> Reply:
        """Send a request that changes nothing, again where that may help."""
        reply = Reply()
        for _ in range(QUESTION_TRIES):
            reply = await self.ask(method, parameters)
            if meaning_of(reply) not in (Meaning.NOT_NOW, Meaning.CLOCK):
                break
        return reply

    async def read(self, method: str, parameters: Mapping[str, Any]) -> Any:
        """Return the JSON that answers a question.

        Raises
        ------
        BrokerUnavailableError
            When it is not answered.
        """
        return self._content(await self.question(method, parameters), str(parameters.get("symbol", "")))

    def told(self, reply: Reply) -> str:
        """Say in one line without secrets what a reply says."""
        meaning, code = meaning_of(reply), code_of(reply)
        if not reply.status:
            return f"{self.host}: {reply.trouble}"
        said = self._safe(message_of(reply))
        what = f"{said} ({code})" if code is not None else f"HTTP {reply.status}"
        if meaning is Meaning.ANSWERED or (200 <= reply.status < 300 and code is None):
            return f"{self.host}: the answer cannot be read"
        if meaning is Meaning.KEY_REFUSED:
            return (
                f"{self.host} refuses the key: {what}; check {KEY_VARIABLE} and {SECRET_VARIABLE}, their expiry, their"
                " addresses (IP) and permissions; demo and live trading have keys of their own"
            )
        return what

    def raw(self, text: str) -> str:
        """Return an answer as it may be stored."""
        return recorded(text, self._secrets)

    def unavailable(self, problem: str) -> BrokerUnavailableError:
        """Report that no answer can be given; ``problem`` continues the name of the host."""
        return BrokerUnavailableError(f"{self.host} {self._safe(problem)}", "try again later")

    def monotonic(self) -> float:
        """Seconds, to measure by."""
        return self._outside.monotonic()

    def milliseconds(self) -> int:
        """Binance's time, as well as it is known."""
        return milliseconds(self._outside.clock() + (self._skew or timedelta(0)))

    @property
    def host(self) -> str:
        """Where requests go."""
        return self._connected.host

    @property
    def _connected(self) -> Connection:
        if self._connection is None:
            outside, setting = self._outside, self._setting
            self._connection = Connection(setting.environment, setting.endpoint, self.milliseconds, outside.mount)
        return self._connection

    async def _answered(self, method: str, parameters: Mapping[str, Any]) -> Any:
        reply = Reply()
        for _ in range(QUESTION_TRIES):
            reply = await self._ask(method, parameters)
            if meaning_of(reply) is not Meaning.NOT_NOW:
                break
        return self._content(reply)

    def _content(self, reply: Reply, subject: str = "") -> Any:
        if meaning_of(reply) is Meaning.ANSWERED:
            return content_of(reply)
        told = f"{subject}: {self.told(reply)}" if subject else self.told(reply)
        # What refuses a key says what to do, and later is no better.
        remedy = "" if meaning_of(reply) is Meaning.KEY_REFUSED else "try again later"
        raise BrokerUnavailableError(told if self.host in told else f"{self.host}: {told}", remedy)

    async def _ask(self, method: str, parameters: Mapping[str, Any], patience: float = PATIENCE_SECONDS) -> Reply:
        connection = self._connected
        wait = self._quiet_until - self._outside.monotonic()
        if wait > patience:
            raise self.unavailable(f"asked to be left alone for {wait:.1f} s more; nothing was sent")
        if wait > 0:
            await self._outside.sleep(wait)
        self._sent_at = self._outside.clock()
        reply: Reply = await self._outside.in_thread(connection.ask, method, parameters)
        self._quiet_until = max(self._quiet_until, self._outside.monotonic() + self._pause(reply))
        return reply

    def _pause(self, reply: Reply) -> float:
        """Return how many seconds nothing may be asked after a reply."""
        if meaning_of(reply) is Meaning.NOT_NOW:
            stated, ban = retry_after(reply.headers), banned_until(reply)
            if stated is None and ban is not None:
                stated = max(0.0, (ban - self.milliseconds()) / 1000)
            shortest = BAN_SECONDS if reply.status == 418 else PAUSE_SECONDS
            return shortest if stated is None else stated
        for name, (limit, window) in LIMITS.items():
            used = reply.headers.get(name, "")
            if used.isdecimal() and int(used) >= USED_PART * limit:
                # Counted from the full minute, or the full ten seconds, of its own clock.
                return window - (self.milliseconds() / 1000) % window
        return 0.0

    def _safe(self, text: str) -> str:
        return " ".join(without_secrets(text, self._secrets).split())[:DETAIL_LENGTH]
