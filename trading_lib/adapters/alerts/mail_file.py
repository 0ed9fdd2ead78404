"""Messages kept in a file of the day under the home folder, where no mail server takes them."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

from trading_lib.monitoring.notifier import Message


def utc_now() -> datetime:
    """Return the present instant."""
    return datetime.now(UTC)


class MailFile:
    """A `Notifier` that appends to ``folder/YYYY-MM-DD.txt``.

    Parameters
    ----------
    clock
        Names the day, and the time of each message.
    """

    def __init__(self, folder: Path, clock: Callable[[], datetime] = utc_now) -> None:
        self._folder, self._clock = folder, clock

    def send(self, message: Message) -> None:
        """Append the message's text; see `Notifier`."""
        now = self._clock()
        self._folder.mkdir(parents=True, exist_ok=True)
        with (self._folder / f"{now:%Y-%m-%d}.txt").open("a", encoding="utf-8") as file:
            file.write(f"--- {now:%Y-%m-%d %H:%M:%S} UTC\n{message.text}\n")
