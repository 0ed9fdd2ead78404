"""Trials of some points, until one finds something: `python -m tests.campaigns.order_kills.hunt cursor --seeds 3`."""

from __future__ import annotations

import argparse
import json
import logging
from pathlib import Path

from tests.campaigns.order_kills.campaign import desks, play
from tests.campaigns.order_kills.desk import CLIENTS
from tests.campaigns.order_kills.points import POINTS


def main() -> None:
    """Play them and write the findings."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("points", nargs="*", help="parts of the points' names")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--client", choices=CLIENTS)
    parser.add_argument("--until-found", action="store_true")
    parser.add_argument("--out", type=Path)
    chosen = parser.parse_args()
    points = [point for point in POINTS if not chosen.points or any(part in point.name for part in chosen.points)]
    clients = [chosen.client] if chosen.client else CLIENTS
    seeds = range(chosen.seed, chosen.seed + chosen.seeds)
    trials = [(client, point, seed) for seed in seeds for point in points for client in clients]
    found: list[str] = []
    logging.disable(logging.CRITICAL)
    with desks() as ready:
        for outcome in play(ready, trials):
            print(
                f"{outcome.client}, {outcome.point}, seed {outcome.seed}: {outcome.kills} kills,"
                f" {outcome.verdict.orders} orders, {outcome.verdict.fills} fills, {outcome.verdict.findings}",
                flush=True,
            )
            found += outcome.verdict.findings
            if found and chosen.until_found:
                break
    if chosen.out:
        chosen.out.write_text(json.dumps(found))


if __name__ == "__main__":
    main()
