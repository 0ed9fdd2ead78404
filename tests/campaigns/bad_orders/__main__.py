"""``python -m tests.campaigns.bad_orders``: orders on limits and a unit beyond them.

Exit code 1 where one on its limit is refused, or one beyond it passes or is refused for another reason.
"""

from __future__ import annotations

import argparse
import json
import secrets
import sys
import time
from collections import Counter

from tests.campaigns.bad_orders.perturbations import pairs
from trading_lib.orders.pre_trade import deny_reason


def main() -> None:
    """Judge them, and print what came of it."""
    options = argparse.ArgumentParser()
    options.add_argument("--orders", type=int, default=1_000_000)
    options.add_argument("--seed", type=int, default=secrets.randbelow(1_000_000))
    asked = options.parse_args()
    wrong, counted, began = [], Counter[str](), time.perf_counter()
    for pair in pairs(asked.seed, asked.orders):
        counted[pair.check] += 2
        inside, beyond = deny_reason(*pair.inside), deny_reason(*pair.beyond)
        if inside is not None or pair.words not in (beyond or ""):
            wrong.append(f"{pair.check}: inside {inside!r}, beyond {beyond!r}, {pair.beyond[0]}")
    seconds = round(time.perf_counter() - began, 1)
    found = {"orders": sum(counted.values()), "seed": asked.seed, "by_check": dict(counted), "wrong": len(wrong)}
    print(json.dumps({**found, "first": wrong[0] if wrong else None, "seconds": seconds}, indent=2))
    sys.exit(1 if wrong else 0)


if __name__ == "__main__":
    main()
