"""The long campaign: `python -m tests.campaigns.order_races --rounds 100 --database-kills 25`.

Writes evidence/order_races.json, or the file that --out names; exit code 1 when a round found something.
"""

from __future__ import annotations

import argparse
import json
import logging
import sys
from pathlib import Path

from tests.campaigns.evidence import ORDER_CAMPAIGNS, write_evidence
from tests.campaigns.order_kills.campaign import desks
from tests.campaigns.order_races.races import Round, campaign


def main() -> None:
    """Play the rounds and write what came of them."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=100, help="of retries, and of lost locks")
    parser.add_argument("--database-kills", type=int, default=25)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path)
    chosen = parser.parse_args()
    logging.disable(logging.CRITICAL)
    # The disk is a real one, and written through: what is committed has to be there after a kill.
    with desks(on_disk=True) as ready:
        result = campaign(ready, chosen.seed, chosen.rounds, chosen.database_kills, _tell)
    if chosen.out:
        chosen.out.write_text(json.dumps(result, indent=2) + "\n")
    elif not result["findings"]:
        write_evidence("order_races", result, ORDER_CAMPAIGNS["order_races"])
    print(json.dumps(result, indent=2))
    sys.exit(1 if result["findings"] else 0)


def _tell(kind: str, number: int, found: Round) -> None:
    if found.findings or number % 10 == 0:
        print(f"{kind} {number}: {found.findings}", file=sys.stderr, flush=True)


if __name__ == "__main__":
    main()
