"""The simulator's clock: the system's, one that runs from a given time, or one that stands until it is moved."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

Times = Callable[[], datetime]


def system_time() -> datetime:
    """Return the time of this machine."""
    return datetime.now(UTC)


class Clock:
    """A clock that control requests can set.

    Parameters
    ----------
    at
        Where it stands; None runs with ``source``.
    source
        The running time.
    """

    def __init__(self, at: datetime | None = None, source: Times = system_time) -> None:
        self._source = source
        self._standing = at
        self._ahead = timedelta(0)

    @property
    def runs(self) -> bool:
        """Whether time passes by itself."""
        return self._standing is None

    def now(self) -> datetime:
        """Return the simulated time, aware, UTC."""
        return self._standing if self._standing is not None else self._source() + self._ahead

    def stand(self, at: datetime) -> None:
        """Stop at a time."""
        self._standing = at

    def run(self, at: datetime) -> None:
        """Run on from a time."""
        self._standing, self._ahead = None, at - self._source()

    def move(self, by: timedelta) -> None:
        """Move on; a running clock goes on running."""
        if self._standing is not None:
            self._standing += by
        else:
            self._ahead += by
