"""The campaign: every point, some seeds, both clients, in a database of its own."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from unittest.mock import patch

from tests.campaigns.book_faults.market import UNTOLD
from tests.campaigns.order_kills.desk import CLIENTS, SERVER, Desk, make_desks
from tests.campaigns.order_kills.points import POINTS, Point
from tests.campaigns.order_kills.trials import Outcome, StuckError, Trial
from tests.campaigns.order_kills.virtual_time import virtual_time
from tests.environment.database import memory_folder
from trading_lib.adapters.stores.postgres.embedded_postgres import EmbeddedPostgres
from trading_lib.adapters.stores.postgres.migrations import upgrade

# (client, point, seed)
Wanted = tuple[str, Point, int]


@contextmanager
def desks(on_disk: bool = False) -> Iterator[dict[str, Desk]]:
    """Start a database with prices in it, in memory or on disk, and return a desk for each client."""
    folder = Path(tempfile.mkdtemp(prefix="itskills", dir=None if on_disk else memory_folder())).resolve()
    server = EmbeddedPostgres(folder / SERVER)
    server.start()
    try:
        server.create_databases(["trading"])
        url = server.url("trading")
        upgrade(url)
        with patch.dict(os.environ, UNTOLD), virtual_time():
            yield make_desks(url, folder)
    finally:
        server.stop()
        shutil.rmtree(folder, ignore_errors=True)


def wanted(trials: int, seed: int, most: int = len(POINTS)) -> list[Wanted]:
    """Return the first ``trials`` trials: each point once at each client, then all of them with the next seed.

    Parameters
    ----------
    most
        How many points at the most, evenly spread over all of them.
    """
    points = POINTS[:: -(-len(POINTS) // most)]
    rounds = [
        (client, point, seed + number)
        for number in range(-(-trials // (len(points) * len(CLIENTS))))
        for point in points
        for client in CLIENTS
    ]
    return rounds[:trials]


def play(desks: dict[str, Desk], trials: Sequence[Wanted]) -> Iterator[Outcome]:
    """Play trials one after the other."""
    for client, point, seed in trials:
        try:
            yield Trial(desks[client], point, seed).play()
        except StuckError as error:
            yield error.outcome


def summary(outcomes: Sequence[Outcome], seed: int) -> dict[str, Any]:
    """Count what came of trials."""
    verdicts = [outcome.verdict for outcome in outcomes]
    by_point: Counter[str] = Counter(outcome.point for outcome in outcomes if outcome.reached)
    by_client: Counter[str] = Counter(outcome.client for outcome in outcomes if outcome.reached)
    return {
        "trials": len(outcomes),
        "seed": seed,
        "points": len({outcome.point for outcome in outcomes}),
        "kills": sum(outcome.kills for outcome in outcomes),
        "orders": sum(verdict.orders for verdict in verdicts),
        "fills": sum(verdict.fills for verdict in verdicts),
        "duplicate_orders": sum(len(verdict.duplicate_orders) for verdict in verdicts),
        "lost_fills": sum(len(verdict.lost_fills) for verdict in verdicts),
        "phantom_positions": sum(len(verdict.phantom_positions) for verdict in verdicts),
        "stuck": sum(len(verdict.stuck) for verdict in verdicts),
        "by_point": dict(by_point),
        "by_client": dict(by_client),
        "not_reached": [_name(outcome) for outcome in outcomes if not outcome.reached],
        "findings": [f"{_name(outcome)}: {finding}" for outcome in outcomes for finding in outcome.verdict.findings][
            :50
        ],
    }


def _name(outcome: Outcome) -> str:
    return f"{outcome.client}, {outcome.point}, seed {outcome.seed}"
