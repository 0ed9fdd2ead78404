"""Alpaca's stream of order updates as a hint that wakes whoever polls: what happened is told by REST alone.

A dropped event, a lost connection, or no stream at all thus cost time, and never a fill.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from types import TracebackType
from typing import Any

from trading_lib.adapters.brokers.alpaca.connection.keys import KeyRefusedError, Keys
from trading_lib.domain.errors import BrokerUnavailableError

LOG = logging.getLogger(__name__)
# Alpaca takes 200 requests a minute.
POLL_SECONDS = 5.0
START_SECONDS = 20.0
AGAIN_SECONDS = 0.5
FIRST_PAUSE_SECONDS, LONGEST_PAUSE_SECONDS = 1.0, 30.0
REFUSED_HANDSHAKES = (401, 403)


class TradeUpdates:
    """A connection to the stream while it is entered.

    Parameters
    ----------
    confirm
        Awaited when the stream refuses the key; raises `KeyRefusedError` where REST refuses it, too. Else
        another connection is open, of which Alpaca allows one for each key.
    address
        In place of Alpaca's own; "" for that.
    poll
        Seconds after which `wait` returns without an update.
    pause
        Awaited with seconds before the stream is connected again.
    """

    def __init__(
        self,
        keys: Keys,
        confirm: Callable[[], Awaitable[object]],
        address: str = "",
        poll: float = POLL_SECONDS,
        pause: Callable[[float], Awaitable[object]] = asyncio.sleep,
    ) -> None:
        self._keys, self._confirm, self._address = keys, confirm, address
        self._poll, self._pause = poll, pause
        self._woken = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    async def __aenter__(self) -> TradeUpdates:
        self._task = asyncio.create_task(self._follow())
        self._task.add_done_callback(lambda _: self._woken.set())
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        while self._task is not None and not self._task.done():
            self._task.cancel()
            # Once may not do: before Python 3.12 the client's `wait_for` loses a cancellation that meets a message.
            await asyncio.wait((self._task,), timeout=AGAIN_SECONDS)

    async def wait(self) -> None:
        """Return at the next update, or when it is time to poll.

        Raises
        ------
        KeyRefusedError
            When Alpaca refuses the key, which it would for ever.
        """
        try:
            async with asyncio.timeout(self._poll):
                await self._woken.wait()
        except TimeoutError:
            return
        if self._task is not None and self._task.done():
            self._task.result()
        self._woken.clear()

    async def _follow(self) -> None:
        pause = FIRST_PAUSE_SECONDS
        while True:
            stream = self._stream()
            stream.subscribe_trade_updates(self._heard)
            started = False
            try:
                # The client's own loop would try a refused key again for ever, and tell nobody.
                async with asyncio.timeout(START_SECONDS):
                    await stream._start_ws()
                started, pause = True, FIRST_PAUSE_SECONDS
                # Updates of the time without a connection do not come any more.
                await self._heard({})
                await stream._consume()
            except Exception as error:
                refused = not started and _is_refused(error)
                if refused:
                    await self._confirmed()
                why = "is taken by another connection with this key" if refused else f"broke ({type(error).__name__})"
                LOG.warning("Alpaca's stream of order updates %s; polling goes on", why)
            finally:
                await _closed(stream)
            await self._pause(pause)
            pause = min(2 * pause, LONGEST_PAUSE_SECONDS)

    async def _confirmed(self) -> None:
        """Make sure that the key is good; one that cannot be asked about now may be."""
        try:
            await self._confirm()
        except KeyRefusedError:
            raise
        except BrokerUnavailableError as error:
            LOG.warning("%s", error)

    def _stream(self) -> Any:
        # The connection has loaded it.
        from alpaca.trading.stream import TradingStream

        keys = self._keys
        # An empty address is none to the client, too.
        return TradingStream(keys.key, keys.secret, keys.paper, raw_data=True, url_override=self._address)

    async def _heard(self, update: dict[str, Any]) -> None:
        self._woken.set()


async def _closed(stream: Any) -> None:
    try:
        await stream.close()
    except Exception as error:
        LOG.debug("Alpaca's stream did not close (%s)", type(error).__name__)


def _is_refused(error: Exception) -> bool:
    """Whether it is the key: the client raises a plain ValueError, and the handshake an error with a status."""
    return type(error) is ValueError or getattr(error, "status_code", None) in REFUSED_HANDSHAKES
