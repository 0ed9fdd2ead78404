"""Plant each fault of the money path in a copy of the tree and run its tests: `make mutants`.

Writes evidence/money_path_mutants.json; exit code 1 when a fault is not found.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from tests.evidence import COVERED, ROOT, write_evidence
from tests.mutants.money_path import MUTANTS, Mutant

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
    """Run the mutants, one after the other."""
    results = {mutant.name: _found(mutant) for mutant in MUTANTS}
    survived = [name for name, found in results.items() if not found]
    summary = {"mutants": len(results), "found": len(results) - len(survived), "survived": survived}
    if not survived:
        write_evidence("money_path_mutants", summary | {"names": list(results)}, COVERED["money_path_mutants"])
    print(json.dumps(summary, indent=2))
    sys.exit(1 if survived else 0)


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
        command = [sys.executable, "-m", "pytest", "-q", "-x", "-p", "no:cacheprovider", *mutant.tests]
        ran = subprocess.run(command, cwd=tree, env=environment, capture_output=True, text=True)
    if ran.returncode not in (0, 1):
        raise RuntimeError(
            f"{mutant.name}: pytest ended with {ran.returncode}\n{ran.stdout[-2000:]}{ran.stderr[-2000:]}"
        )
    print(f"{'found' if ran.returncode else 'SURVIVED'}: {mutant.name}", file=sys.stderr, flush=True)
    return ran.returncode == 1


if __name__ == "__main__":
    main()
