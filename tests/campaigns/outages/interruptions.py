"""Stopping the database of a running stack for a while, so that nothing of the stack can bring it back meanwhile."""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import psutil

from trading_lib.adapters.services.waiting import Patience
from trading_lib.adapters.stores.postgres.embedded_postgres import EmbeddedPostgres

# What `pg_ctl stop -m immediate` and `-m fast` send, and what the kernel sends when memory runs out.
WAYS = {"immediate": signal.SIGQUIT, "kill": signal.SIGKILL, "fast": signal.SIGINT}
GONE = Patience(limit=60.0, interval=0.1)


@dataclass
class Interruption:
    """One time without a database."""

    way: str
    after_runs: int
    seconds_down: float
    seconds_until_healthy: float | None


def interrupt(folder: Path, way: str, seconds: float) -> float:
    """Stop the server of this data folder and keep it stopped; return the seconds it was away at least."""
    server = EmbeddedPostgres(folder)
    # Who starts the server takes this lock first: the stack's watch waits for it.
    with server._exclusive():
        postmaster = psutil.Process(int((folder / "postmaster.pid").read_text().splitlines()[0]))
        postmaster.send_signal(WAYS[way])
        assert GONE.wait_for(lambda: None if server.is_running() else True), "the database does not stop"
        began = time.monotonic()
        time.sleep(seconds)
        assert not server.is_running()
        return time.monotonic() - began


@dataclass
class Interruptions(threading.Thread):
    """Interrupts the database whenever so many runs are finished as the plan says, and waits until all is well.

    Parameters
    ----------
    plan
        Numbers of finished runs, ascending.
    finished
        Says how many runs are finished.
    healthy
        Whether every service answers.
    """

    folder: Path
    plan: tuple[int, ...]
    seconds: float
    finished: Callable[[], int]
    healthy: Callable[[], bool]
    say: Callable[[str], None]
    done: list[Interruption] = field(default_factory=list)
    error: BaseException | None = None

    def __post_init__(self) -> None:
        super().__init__(daemon=True)

    def __hash__(self) -> int:
        return id(self)

    def run(self) -> None:
        """Follow the plan; a failure is kept for who started this."""
        try:
            for number, after in enumerate(self.plan):
                self._one(list(WAYS)[number % len(WAYS)], after)
        except BaseException as error:
            self.error = error

    def _one(self, way: str, after: int) -> None:
        while self.finished() < after:
            time.sleep(0.5)
        # In the middle of the next run, not between two.
        time.sleep(3.0)
        self.say(f"database stopped ({way}) after {self.finished()} runs")
        away = interrupt(self.folder, way, self.seconds)
        back = time.monotonic()
        self.say("database may come back")
        well = Patience(limit=300.0, interval=1.0).wait_for(lambda: True if self.healthy() else None)
        until = round(time.monotonic() - back, 1) if well else None
        self.done.append(Interruption(way, after, round(away, 1), until))
        self.say(f"all services healthy {until} s later" if well else "not healthy after 300 s")

    def as_dicts(self) -> list[dict[str, Any]]:
        """Return what was done."""
        return [asdict(entry) for entry in self.done]
