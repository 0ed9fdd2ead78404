"""Status of the stack's services, as text and figures."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import Any, Literal

from trading_lib.adapters.services.supervision.records import Record

State = Literal["healthy", "starting", "restarting", "not answering", "stopped"]
# A program that is younger may well be on its way up.
STARTING_SECONDS = 180.0


@dataclass(frozen=True, slots=True)
class ServiceStatus:
    """One service.

    Attributes
    ----------
    running, healthy
        Whether its process lives, and whether it answers.
    address
        Where it is found; "" for what has no address.
    restarts
        How often it was started again since the stack was brought up.
    since
        When it started last, ISO 8601 in UTC; None when that is not known.
    waiting_for
        What keeps it from starting; "" where nothing does.
    """

    name: str
    state: State
    address: str = ""
    processes: int = 0
    restarts: int = 0
    since: str | None = None
    waiting_for: str = ""

    @property
    def running(self) -> bool:
        """Whether its process lives, or is about to."""
        return self.state != "stopped"

    @property
    def healthy(self) -> bool:
        """Whether it runs and answers."""
        return self.state == "healthy"

    def describe(self) -> str:
        """One line about it, without the name."""
        parts = [self.address, f"waiting for {self.waiting_for}" if self.waiting_for else ""]
        if self.restarts:
            times = "once" if self.restarts == 1 else f"{self.restarts} times"
            parts.append(f"restarted {times}, last at {self.since}")
        return ", ".join(filter(None, parts))


@dataclass(frozen=True, slots=True)
class StackStatus:
    """All services, in the order they start."""

    services: tuple[ServiceStatus, ...]
    home: str

    @property
    def running(self) -> bool:
        """Whether every service runs and answers."""
        return all(service.healthy for service in self.services)

    @property
    def stopped(self) -> bool:
        """Whether nothing runs at all."""
        return not any(service.running or service.processes for service in self.services)

    def as_dict(self) -> dict[str, Any]:
        """Return everything as JSON-able values."""
        services = [
            {**asdict(service), "running": service.running, "healthy": service.healthy} for service in self.services
        ]
        return {"home": self.home, "running": self.running, "services": services}


def program_state(record: Record | None, healthy: bool, supervised: bool, now: float) -> State:
    """Tell the state of a supervised program from what it noted and whether it answers."""
    alive = record is not None and record.is_alive()
    if alive and healthy:
        return "healthy"
    if record is None or not (alive or supervised):
        return "starting" if supervised else "stopped"
    if not alive or (now - record.since < STARTING_SECONDS and record.restarts):
        return "restarting"
    return "starting" if record.waiting_for or now - record.since < STARTING_SECONDS else "not answering"


def moment(seconds: float | None) -> str | None:
    """Seconds since the epoch as ISO 8601 in UTC."""
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="seconds") if seconds else None
