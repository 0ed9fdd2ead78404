"""Plant each fault of the lists in a copy of the tree and run its tests: `make mutants`.

Writes evidence/NAME.json for each list; exit code 1 when a fault is not found. `python -m tests.campaigns.mutants NAME`
runs one list alone.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from tests.campaigns.evidence import COVERED, ROOT, write_evidence
from tests.campaigns.mutants import binance, money_path, session_orders, session_rules
from tests.campaigns.mutants.money_path import Mutant

CAMPAIGNS = {
    "money_path_mutants": money_path.MUTANTS,
    "session_rule_mutants": session_rules.SESSION_RULES,
    "session_order_mutants": session_orders.MUTANTS,
    "binance_mutants": binance.MUTANTS,
}
COPIED = ("trading_lib", "tests", "include", "dags", "plugins", "pyproject.toml")
# What a task does without its turn.
UNLOCKED = """

def _unlocked(run):
    class _Lock:
        def ensure_held(self):
            pass

    return BookTurn(run, _Lock(), None)
"""


def main() -> None:
    """Run the mutants of the lists that are named, or of all, one after the other."""
    unfound = [name for name in sys.argv[1:] or CAMPAIGNS if not _run(name)]
    sys.exit(1 if unfound else 0)


def _run(name: str) -> bool:
    results = {mutant.name: _found(mutant) for mutant in CAMPAIGNS[name]}
    survived = [fault for fault, found in results.items() if not found]
    summary = {"mutants": len(results), "found": len(results) - len(survived), "survived": survived}
    if not survived:
        write_evidence(name, summary | {"names": list(results)}, COVERED[name])
    print(json.dumps({name: summary}, indent=2))
    return not survived


def _found(mutant: Mutant) -> bool:
    with tempfile.TemporaryDirectory(prefix="itsmutant") as name:
        tree = Path(name)
        for part in COPIED:
            source = ROOT / part
            if source.is_dir():
                shutil.copytree(source, tree / part, ignore=shutil.ignore_patterns(".pytest_cache"))
            else:
                shutil.copy2(source, tree / part)
        path = tree / mutant.file
        content = path.read_text()
        assert content.count(mutant.old) == 1, f"{mutant.name}: {mutant.old!r} is not there exactly once"
        changed = content.replace(mutant.old, mutant.new)
        path.write_text(changed + UNLOCKED if "_unlocked(" in mutant.new else changed)
        environment = os.environ | {"PYTHONPATH": str(tree), "CI": "true"}
        # Every test has to be run where several have to fail.
        until_one_fails = () if mutant.each else ("-x",)
        command = [sys.executable, "-m", "pytest", "-q", *until_one_fails, "-p", "no:cacheprovider", *mutant.tests]
        ran = subprocess.run(command, cwd=tree, env=environment, capture_output=True, text=True)
    if ran.returncode not in (0, 1):
        raise RuntimeError(
            f"{mutant.name}: pytest ended with {ran.returncode}\n{ran.stdout[-2000:]}{ran.stderr[-2000:]}"
        )
    failed = [line for line in ran.stdout.splitlines() if line.startswith("FAILED")]
    found = ran.returncode == 1 and all(any(part in line for line in failed) for part in mutant.each)
    print(f"{'found' if found else 'SURVIVED'}: {mutant.name}", file=sys.stderr, flush=True)
    return found


if __name__ == "__main__":
    main()
