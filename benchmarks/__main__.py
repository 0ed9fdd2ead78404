"""``make bench``: measure speed and memory and print one JSON object. Figures are medians of the same run; the
machine's speed varies, so compare the ratios to the named baselines."""

from __future__ import annotations

import argparse
import json
import os
import platform
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from benchmarks import (
    airflow_session,
    backtest,
    decision,
    factors,
    learning,
    order_path,
    scale,
    storage,
    sweep,
    validation,
)
from benchmarks.peers import measure as peers

BENCHMARKS: dict[str, Callable[[], dict[str, Any]]] = {
    "airflow_session": airflow_session.run,
    "backtest": backtest.run,
    "backup": storage.run_backup,
    "decision": decision.run,
    "factors": factors.run,
    "learning": learning.run,
    "order_path": order_path.run,
    "peers": peers.run,
    "scale": scale.run,
    "storage": storage.run,
    "sweep": sweep.run,
    "validation": validation.run,
}


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument(
        "names", nargs="*", metavar="NAME", help=f"which to run, of {', '.join(BENCHMARKS)}; default all"
    )
    parser.add_argument("--out", type=Path, help="also write the JSON to this file")
    arguments = parser.parse_args()
    results: dict[str, Any] = {
        "machine": {
            "python": platform.python_version(),
            "cores": os.cpu_count(),
            "system": f"{platform.system()} {platform.machine()}",
        }
    }
    for name in arguments.names or BENCHMARKS:
        print(f"running {name} ...", file=sys.stderr)
        results[name] = BENCHMARKS[name]()
    text = json.dumps(results, indent=2)
    print(text)
    if arguments.out:
        arguments.out.write_text(text + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
