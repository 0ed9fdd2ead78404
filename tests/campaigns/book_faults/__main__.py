"""The long campaign: `python -m tests.campaigns.book_faults --histories 2000` (or `make book-faults`).

Writes evidence/book_faults.json.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import sys
import tempfile
import time
from collections import Counter
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

from tests.campaigns.book_faults.interleavings import Campaign, Outcome
from tests.campaigns.book_faults.market import UNTOLD, make_market
from tests.campaigns.evidence import COVERED, write_evidence
from tests.environment.database import memory_folder
from trading_lib.adapters.stores.postgres.embedded_postgres import EmbeddedPostgres
from trading_lib.adapters.stores.postgres.migrations import upgrade

# A fresh database and fresh caches for so many histories, so that neither grows without bound.
PER_DATABASE = 50


def main() -> None:
    """Play the histories in two processes and write what came of them."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--histories", type=int, default=2000)
    parser.add_argument("--first-seed", type=int, default=100_000)
    parser.add_argument("--processes", type=int, default=2)
    chosen = parser.parse_args()
    seeds = range(chosen.first_seed, chosen.first_seed + chosen.histories)
    pieces = [seeds[at : at + PER_DATABASE] for at in range(0, len(seeds), PER_DATABASE)]
    os.environ |= UNTOLD
    started = time.monotonic()
    outcomes: list[Outcome] = []
    failures: list[str] = []
    with ProcessPoolExecutor(chosen.processes) as pool:
        for played, failed in pool.map(_play, pieces):
            outcomes += played
            failures += failed
            minutes, done = (time.monotonic() - started) / 60, len(outcomes) + len(failures)
            print(f"{done} of {len(seeds)} histories, {len(failures)} failed, {minutes:.1f} min", file=sys.stderr)
    result = _summary(outcomes, failures) | {"first_seed": seeds.start, "histories": len(seeds)}
    if not failures:
        write_evidence("book_faults", result, COVERED["book_faults"])
    print(json.dumps(result, indent=2))
    sys.exit(1 if failures else 0)


def _play(seeds: range) -> tuple[list[Outcome], list[str]]:
    folder = Path(tempfile.mkdtemp(prefix="itsfaults", dir=memory_folder()))
    server = EmbeddedPostgres(folder / "postgres")
    server.start()
    try:
        server.create_databases(["trading"])
        url = server.url("trading")
        upgrade(url)
        campaign = Campaign(make_market(url, folder / "home"))
        outcomes, failures = [], []
        for seed in seeds:
            try:
                outcomes.append(campaign.check(seed))
            except Exception as error:
                failures.append(f"seed {seed}: {type(error).__name__}: {error}")
                print(failures[-1], file=sys.stderr, flush=True)
        return outcomes, failures
    finally:
        server.stop()
        shutil.rmtree(folder, ignore_errors=True)


def _summary(outcomes: list[Outcome], failures: list[str]) -> dict[str, object]:
    faults: Counter[str] = Counter()
    for outcome in outcomes:
        faults += outcome.faults
    quiet = sum(outcome.refusals == 0 for outcome in outcomes)
    return {
        "faults": dict(sorted(faults.items())),
        "kills": sum(outcome.kills for outcome in outcomes),
        "equal_to_straight_run": len(outcomes),
        "without_refusal": quiet,
        "share_without_refusal": round(quiet / max(len(outcomes), 1), 4),
        "refused_and_cleared_by_repair": sum(outcome.repaired for outcome in outcomes),
        "orders": sum(outcome.orders for outcome in outcomes),
        "orders_never_sent": sum(outcome.unsent for outcome in outcomes),
        "failures": failures[:20],
    }


if __name__ == "__main__":
    main()
