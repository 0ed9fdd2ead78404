"""The status of a source, and the board on which all processes that use it share that status."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol

from trading_lib.market_data.resilience.breaker import BreakerState
from trading_lib.market_data.resilience.rate_limit import Bucket


@dataclass(frozen=True, slots=True)
class SourceStatus:
    """State of one source.

    Attributes
    ----------
    bucket
        None when its rate was never limited.
    last_answer_at, last_failure_at
        When it last answered and last failed, None when never.
    last_error
        The failure as text, without secrets; kept when the source recovers.
    """

    breaker: BreakerState = field(default_factory=BreakerState)
    bucket: Bucket | None = None
    last_answer_at: datetime | None = None
    last_failure_at: datetime | None = None
    last_error: str | None = None


class StatusBoard(Protocol):
    """Where the states of sources are kept; a change of one is atomic among everybody who shares the board."""

    def update(self, source: str, change: Callable[[SourceStatus], SourceStatus]) -> SourceStatus:
        """Replace the state of ``source`` by ``change`` of it, and return the new one.

        A source never heard of has the initial state. What ``change`` raises is passed on, and nothing changes.
        """

    def get_source_status(self) -> Mapping[str, SourceStatus]:
        """Source -> state, of every source that was ever updated, in alphabetic order."""


class MemoryBoard:
    """A board for the threads of one process."""

    def __init__(self) -> None:
        self._states: dict[str, SourceStatus] = {}
        self._lock = threading.Lock()

    def update(self, source: str, change: Callable[[SourceStatus], SourceStatus]) -> SourceStatus:
        """Replace the state of ``source``; see `StatusBoard.update`."""
        with self._lock:
            self._states[source] = change(self._states.get(source, SourceStatus()))
            return self._states[source]

    def get_source_status(self) -> Mapping[str, SourceStatus]:
        """Source -> state; see `StatusBoard.get_source_status`."""
        with self._lock:
            return dict(sorted(self._states.items()))
