"""The long campaign: `python -m tests.campaigns.order_clients --seeds 2000 --from 1`.

Writes evidence/order_clients.json, or the file that --out names; exit code 1 when a history went wrong. With --trace it
prints one history: `--seeds 1 --from SEED --client binance --trace`.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
from pathlib import Path

from tests.campaigns.evidence import ORDER_CAMPAIGNS, write_evidence
from tests.campaigns.order_clients.accounts import CLIENTS
from tests.campaigns.order_clients.campaign import Found, play, played

SEEDS = 2000


def main() -> None:
    """Play the histories and write what came of them."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=SEEDS)
    parser.add_argument("--from", dest="first", type=int, default=1)
    parser.add_argument("--client", choices=CLIENTS)
    parser.add_argument("--trace", action="store_true")
    parser.add_argument("--out", type=Path)
    chosen = parser.parse_args()
    clients = (chosen.client,) if chosen.client else CLIENTS
    if chosen.trace:
        loop = asyncio.new_event_loop()
        print("\n".join(played(chosen.first, clients[0], loop).trace))
        return
    found = play(range(chosen.first, chosen.first + chosen.seeds), clients, progress=_tell)
    result = {"first_seed": chosen.first, "clients": list(clients), **found.as_dict()}
    if chosen.out:
        chosen.out.write_text(json.dumps(result, indent=2) + "\n")
    elif not found.findings:
        write_evidence("order_clients", result, ORDER_CAMPAIGNS["order_clients"])
    print(json.dumps(result, indent=2))
    sys.exit(1 if found.findings else 0)


def _tell(found: Found) -> None:
    if found.seeds % 100 == 0:
        print(f"{found.seeds} seeds, {len(found.findings)} found", file=sys.stderr, flush=True)


if __name__ == "__main__":
    main()
