"""Kills of PostgreSQL in the middle of writes, and what must be there afterwards: in the server, and in its archive."""

from __future__ import annotations

import random
import signal
import threading
import time
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

import psutil
import psycopg2

from tests.environment.wal_place import WalPlace, wal_place
from trading_lib.adapters.stores.postgres.server import postmaster
from trading_lib.workflows.backups.wal.archive import restore_to

ORDERS = 5
WRITERS = 3
# The receiver's own process is killed as well, every so many kills.
RECEIVER_EVERY = 7
SCHEMA = (
    "CREATE TABLE cycles (number bigint PRIMARY KEY, writer int NOT NULL)",
    "CREATE TABLE orders (cycle bigint NOT NULL REFERENCES cycles, place int NOT NULL, quantity numeric NOT NULL,"
    " PRIMARY KEY (cycle, place))",
    "CREATE TABLE ledger (writer int PRIMARY KEY, cycles bigint NOT NULL, quantity numeric NOT NULL)",
    f"INSERT INTO ledger SELECT n, 0, 0 FROM generate_series(0, {WRITERS - 1}) n",
)
# What is true of every whole cycle: it has all of its orders, and the ledger has counted it.
HALF_APPLIED = f"""
    SELECT (SELECT count(*) FROM cycles c WHERE (SELECT count(*) FROM orders o WHERE o.cycle = c.number) <> {ORDERS})
        + (SELECT count(*) FROM ledger l WHERE
            l.cycles <> (SELECT count(*) FROM cycles c WHERE c.writer = l.writer)
            OR l.quantity <> (SELECT coalesce(sum(quantity), 0) FROM orders JOIN cycles c ON cycle = c.number
                WHERE c.writer = l.writer))
"""
COUNTS = "SELECT (SELECT count(*) FROM cycles), (SELECT count(*) FROM orders)"


@dataclass
class WalKills:
    """So many kills, then restores to some of the moments between them, and to the end."""

    seed: int
    kills: int
    restores: int
    in_memory: bool = True
    acknowledged: set[int] = field(default_factory=set)
    doubtful: set[int] = field(default_factory=set)
    lost: int = 0
    half_applied: int = 0
    receiver_kills: int = 0
    restarts: list[float] = field(default_factory=list)
    moments: list[tuple[datetime, tuple[int, int]]] = field(default_factory=list)

    def run(self) -> dict[str, Any]:
        """Play everything; returns what was counted, and decides nothing."""
        chance = random.Random(self.seed)
        began = time.monotonic()
        with wal_place(in_memory=self.in_memory) as place:
            place.run(*SCHEMA)
            for number in range(self.kills):
                self._round(place, number, chance)
            place.await_received(place.now())
            chosen = chance.sample(self.moments, min(self.restores, len(self.moments)))
            restored = [self._restore(place, number, *each) for number, each in enumerate(chosen)]
            restored.append(self._restore(place, len(restored), None, self.moments[-1][1]))
        return {
            "seed": self.seed,
            "kills": self.kills,
            "receiver_kills": self.receiver_kills,
            "acknowledged_cycles": len(self.acknowledged),
            "acknowledged_and_lost": self.lost,
            "half_applied": self.half_applied,
            "never_answered": len(self.doubtful),
            "longest_restart_seconds": round(max(self.restarts), 2),
            "restores": restored,
            "differing_restores": [entry for entry in restored if entry["rows"] != entry["expected"]],
            "minutes": round((time.monotonic() - began) / 60, 2),
        }

    def _round(self, place: WalPlace, number: int, chance: random.Random) -> None:
        before = len(self.acknowledged)
        stop = threading.Event()
        writers = [
            threading.Thread(target=self._write, args=(place, number, writer, stop)) for writer in range(WRITERS)
        ]
        for writer in writers:
            writer.start()
        while len(self.acknowledged) < before + WRITERS:
            time.sleep(0.005)
        time.sleep(chance.uniform(0.0, 0.3))
        if number % RECEIVER_EVERY == min(self.kills, RECEIVER_EVERY) - 1:
            self._kill_receiver(place)
        kill(place.server.folder, everything=chance.random() < 0.5)
        stop.set()
        for writer in writers:
            writer.join()
        started = time.monotonic()
        place.server.start()
        self.restarts.append(time.monotonic() - started)
        present = {row[0] for row in place.run("SELECT number FROM cycles")}
        self.lost += len(self.acknowledged - present)
        self.half_applied += place.run(HALF_APPLIED)[0][0]
        counts = place.run(COUNTS)[0]
        self.moments.append((place.now(), (counts[0], counts[1])))

    def _write(self, place: WalPlace, round_number: int, writer: int, stop: threading.Event) -> None:
        cycle = (round_number * WRITERS + writer) * 1_000_000
        with suppress(psycopg2.Error):
            connection = place.connect()
            connection.autocommit = False
            while not stop.is_set():
                cycle += 1
                self.doubtful.add(cycle)
                with connection.cursor() as cursor:
                    cursor.execute("INSERT INTO cycles VALUES (%s, %s)", (cycle, writer))
                    for position in range(ORDERS):
                        cursor.execute("INSERT INTO orders VALUES (%s, %s, %s)", (cycle, position, cycle % 97))
                    cursor.execute(
                        "UPDATE ledger SET cycles = cycles + 1, quantity = quantity + %s WHERE writer = %s",
                        (ORDERS * (cycle % 97), writer),
                    )
                connection.commit()
                self.acknowledged.add(cycle)
                self.doubtful.discard(cycle)

    def _kill_receiver(self, place: WalPlace) -> None:
        # It may be on its way up after the kill before.
        place.await_received(place.now())
        for process in psutil.process_iter():
            with suppress(psutil.Error):
                if f"--directory={place.archive}" in " ".join(process.cmdline()):
                    process.kill()
                    self.receiver_kills += 1

    def _restore(self, place: WalPlace, number: int, at: datetime | None, expected: tuple[int, int]) -> dict[str, Any]:
        done = restore_to(place.place, None, place.home / f"restored-{number}", at)
        tables = done.rows["trading"]
        return {
            "at": at.isoformat() if at else "the end",
            "expected": list(expected),
            "rows": [tables["cycles"], tables["orders"]],
            "seconds": done.seconds,
        }


def kill(folder: Path, everything: bool) -> None:
    """Kill the server with SIGKILL: all of its processes at once, or the first, whose death the others notice."""
    processes = postmaster.family(folder)
    first = postmaster.running(folder)
    assert first is not None
    for process in processes if everything else [first.process]:
        with suppress(psutil.NoSuchProcess):
            process.send_signal(signal.SIGKILL)
    psutil.wait_procs([first.process], timeout=10)
