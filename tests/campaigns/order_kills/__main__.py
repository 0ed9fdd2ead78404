"""The long campaign: `python -m tests.campaigns.order_kills --trials 1550 --seed 1` (or `make faults`).

Writes evidence/order_kills.json, or the file that --out names; exit code 1 when a trial found something.
"""

from __future__ import annotations

import argparse
import json
import logging
import sys
import time
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

from tests.campaigns.evidence import ORDER_CAMPAIGNS, write_evidence
from tests.campaigns.order_kills.campaign import Wanted, desks, play, summary, wanted
from tests.campaigns.order_kills.desk import CLIENTS
from tests.campaigns.order_kills.mutants import NAMES, killed_mutants
from tests.campaigns.order_kills.points import POINTS
from tests.campaigns.order_kills.trials import Outcome

SEEDS = 25
# A fresh database and fresh caches for so many trials.
PER_DATABASE = 43


def main() -> None:
    """Play the trials in some processes, and write what came of them."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--trials", type=int, default=len(POINTS) * len(CLIENTS) * SEEDS)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--points", type=int, default=len(POINTS), help="at the most, evenly spread")
    parser.add_argument("--out", type=Path)
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--without-mutants", action="store_true")
    chosen = parser.parse_args()
    trials = wanted(chosen.trials, chosen.seed, chosen.points)
    outcomes = _played(trials, chosen.processes)
    found = summary(outcomes, chosen.seed)
    if not chosen.without_mutants:
        found["mutants_killed"] = killed_mutants()
    alive = sorted(set(NAMES) - set(found.get("mutants_killed", NAMES)))
    clean = not (found["findings"] or found["not_reached"] or alive)
    if chosen.out:
        chosen.out.write_text(json.dumps(found, indent=2) + "\n")
    elif clean:
        write_evidence("order_kills", found, ORDER_CAMPAIGNS["order_kills"])
    print(json.dumps(found, indent=2))
    sys.exit(0 if clean else 1)


def _played(trials: Sequence[Wanted], processes: int) -> list[Outcome]:
    pieces = [trials[at : at + PER_DATABASE] for at in range(0, len(trials), PER_DATABASE)]
    outcomes: list[Outcome] = []
    started = time.monotonic()
    with ProcessPoolExecutor(processes) as pool:
        for played in pool.map(_play, pieces):
            outcomes += played
            found, minutes = sum(bool(one.verdict.findings) for one in outcomes), (time.monotonic() - started) / 60
            print(f"{len(outcomes)} of {len(trials)} trials, {found} found, {minutes:.1f} min", file=sys.stderr)
    return outcomes


def _play(piece: Sequence[Wanted]) -> list[Outcome]:
    logging.disable(logging.CRITICAL)
    with desks() as ready:
        return list(play(ready, piece))


if __name__ == "__main__":
    main()
