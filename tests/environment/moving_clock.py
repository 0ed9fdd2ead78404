"""A clock that moves only when somebody waits or a test says so."""

from __future__ import annotations

from datetime import datetime, timedelta


class MovingClock:
    """Call it for the present; `sleep` moves it on and remembers how long the wait was."""

    def __init__(self, now: datetime) -> None:
        self.now = now
        self.waits: list[float] = []

    def __call__(self) -> datetime:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.waits.append(seconds)
        self.advance(seconds)

    def advance(self, seconds: float) -> None:
        self.now += timedelta(seconds=seconds)
