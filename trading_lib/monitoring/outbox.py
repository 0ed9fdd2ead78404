"""What an outbox holds and does, wherever it lies: in the database, or in files while that is away."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from trading_lib.monitoring.alert import Alert
from trading_lib.monitoring.escalation import PlannedDelivery
from trading_lib.monitoring.rate_limit import Waiting


@dataclass(frozen=True, slots=True)
class StoredAlert:
    """An alert in an outbox.

    Attributes
    ----------
    reference
        What the outbox calls it: its number in the database, the name of its file.
    occurrences, last_seen_at
        How often the same fault was raised, and when last.
    """

    reference: str
    alert: Alert
    raised_at: datetime
    occurrences: int
    last_seen_at: datetime


class Outbox(Protocol):
    """Alerts and their deliveries; what is noted here survives the process."""

    def unplanned(self) -> list[StoredAlert]:
        """Return alerts of which nobody has said yet where they go."""
        ...

    def plan(self, reference: str, deliveries: Sequence[PlannedDelivery]) -> None:
        """Note where an alert goes."""
        ...

    def waiting(self, now: datetime) -> list[Waiting]:
        """Return the deliveries that are due, of alerts that nobody has acknowledged."""
        ...

    def unfinished(self) -> bool:
        """Whether anything is still to be sent, now or later."""
        ...

    def find(self, references: Sequence[str]) -> list[StoredAlert]:
        """Return alerts by their references, in that order."""
        ...

    def note_sent(self, batch: Sequence[Waiting], at: datetime, problem: str = "") -> None:
        """Note that the channel took them, as one message; ``problem`` says what is to be known nevertheless."""
        ...

    def note_failed(self, batch: Sequence[Waiting], problem: str, try_at: datetime | None) -> None:
        """Note that the channel did not take them; ``try_at`` is None where nobody tries again."""
        ...
