"""Waiting for something outside this process, with an injectable clock."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Patience:
    """How long to wait and how often to look.

    Attributes
    ----------
    limit, interval
        Seconds.
    monotonic, sleep
        The clock; tests pass their own and never sleep.
    """

    limit: float
    interval: float = 0.5
    monotonic: Callable[[], float] = time.monotonic
    sleep: Callable[[float], None] = time.sleep

    def wait_for(self, attempt: Callable[[], T | None]) -> T | None:
        """Call ``attempt`` until it returns something other than None; None when the limit has passed.

        ``attempt`` is called at least once, and once more at the limit.
        """
        deadline = self.monotonic() + self.limit
        while True:
            result = attempt()
            if result is not None:
                return result
            remaining = deadline - self.monotonic()
            if remaining <= 0:
                return None
            self.sleep(min(self.interval, remaining))
