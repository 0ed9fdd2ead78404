"""When an order may be sent again, and how long one waits for the broker in between."""

from __future__ import annotations

from datetime import timedelta
from typing import NamedTuple

from pydantic import Field

from trading_lib.domain.configuration import Configuration


class SendingPolicy(NamedTuple):
    """The rules of `SendingConfig` as values.

    Attributes
    ----------
    window
        After it, an order that reached the broker is in all of the broker's lists.
    tries
        How often an order is sent at most.
    delay
        Between two tries or two questions at least; doubled each time.
    stale
        How long after its sending was stored an order may still be handed to the broker.
    lookback
        How long before its sending the closed orders are read from, against clocks that differ.
    """

    window: timedelta = timedelta(seconds=90)
    tries: int = 3
    delay: timedelta = timedelta(seconds=5)
    stale: timedelta = timedelta(seconds=10)
    lookback: timedelta = timedelta(days=1)

    def backoff(self, number: int) -> timedelta:
        """Wait after the ``number``-th try, from 1 on."""
        return self.delay * int(2 ** (number - 1))


class SendingConfig(Configuration):
    """Section `sending` of execution.yaml; seconds.

    Brokers have been seen to show an accepted order up to a minute late, so the window is never below that.
    """

    absence_window: float = Field(90, ge=60, le=3600)
    max_tries: int = Field(3, ge=1, le=10)
    retry_delay: float = Field(5, ge=0, le=300)

    @property
    def policy(self) -> SendingPolicy:
        """The same as values."""
        return SendingPolicy(
            timedelta(seconds=self.absence_window), self.max_tries, timedelta(seconds=self.retry_delay)
        )
