"""PostgreSQL is killed 50 times while rows are written: `make wal-kills`, two minutes.

Every cycle that was acknowledged must be there after each restart, none by halves; restores of the archive to moments
between the kills must hold exactly the rows of those moments. Writes evidence/wal_kills.json.
"""

from __future__ import annotations

import argparse
import json
import sys

from tests.campaigns.evidence import COVERED, write_evidence
from tests.campaigns.wal.kills import WalKills


def main() -> None:
    """Run the campaign; exit code 1 unless nothing was lost."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kills", type=int, default=50)
    parser.add_argument("--restores", type=int, default=5)
    parser.add_argument("--seed", type=int, default=14)
    given = parser.parse_args()
    # On a disk, as it is in use.
    result = WalKills(given.seed, given.kills, given.restores, in_memory=False).run()
    passed = not (result["acknowledged_and_lost"] or result["half_applied"] or result["differing_restores"])
    if passed:
        write_evidence("wal_kills", result, COVERED["wal_kills"])
    print(json.dumps(result, indent=2))
    sys.exit(0 if passed else 1)


if __name__ == "__main__":
    main()
