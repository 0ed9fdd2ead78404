"""Faults planted in a copy of the order path: some trials of the campaign have to find each of them."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.campaigns.evidence import ROOT

COPIED = ("trading_lib", "tests", "include", "dags", "plugins", "pyproject.toml")
LIFECYCLE = "trading_lib/execution/order_path/lifecycle.py"
PATH = "trading_lib/execution/order_path/path.py"
POLICY = "trading_lib/execution/order_path/sending_policy.py"
SETTLEMENT = "trading_lib/workflows/trade/settlement.py"


@dataclass(frozen=True)
class PlantedFault:
    """One wrong piece of code.

    Attributes
    ----------
    old, new
        ``old`` occurs exactly once in the file.
    points
        Parts of the names of the points whose trials have to find it.
    """

    name: str
    file: str
    old: str
    new: str
    points: tuple[str, ...]


MUTANTS = (
    PlantedFault(
        "unknown treated as not sent",
        LIFECYCLE,
        "if not_found and tracked.sent_at is not None and is_proved(tracked.absence, begun_at):",
        "if not_found and tracked.sent_at is not None:",
        ("invisible",),
    ),
    PlantedFault(
        "sent again after a window without proof",
        POLICY,
        "timedelta(seconds=self.absence_window), self.max_tries",
        "timedelta(seconds=10), self.max_tries",
        ("invisible",),
    ),
    PlantedFault(
        "SUBMIT stored after sending",
        PATH,
        """    if not (yield from store_sending(desk, identity, attempt)):
        return
    answer = yield Submit(cleared)
""",
        """    answer = yield Submit(cleared)
    if not (yield from store_sending(desk, identity, attempt)):
        return
""",
        ("invisible",),
    ),
    PlantedFault(
        "fill stored after the status",
        "trading_lib/adapters/stores/orders/order_batches.py",
        """            for entry in valid:
                self._store_fills(connection, entry)
            _append_events(connection, valid)
            self._update(connection, valid)
""",
        """            _append_events(connection, valid)
            self._update(connection, valid)
        with writing(self._engine, self._book) as connection:
            for entry in valid:
                self._store_fills(connection, entry)
            self._update(connection, valid)
""",
        ("FILL stored",),
    ),
    PlantedFault(
        "duplicate fill counted",
        SETTLEMENT,
        "list({(fill.broker, fill.trade_id): fill for fill in [*reports.fills, *reports.standing(booked)]}.values())",
        "[*reports.fills, *reports.standing(booked)]",
        ("fill stored", "FILL written", "FILL stored", "cursor"),
    ),
    PlantedFault(
        "late fill dropped",
        SETTLEMENT,
        "    for identity in by_order.keys() - waiting:\n",
        "    for identity in ():\n",
        ("late fill",),
    ),
    PlantedFault(
        "cursor stored before the fills",
        SETTLEMENT,
        "    _record(run, working, fills, reports)\n",
        "    save_cursors(run, reports)\n    _record(run, working, fills, reports)\n",
        ("cursor stored", "fill written"),
    ),
)
NAMES = tuple(mutant.name for mutant in MUTANTS)


def killed_mutants(mutants: Sequence[PlantedFault] = MUTANTS, seeds: int = 20) -> list[str]:
    """Return the names of the planted faults that the campaign finds."""
    return [mutant.name for mutant in mutants if is_found(mutant, seeds)]


def is_found(mutant: PlantedFault, seeds: int) -> bool:
    """Plant a fault in a copy of the tree, and let trials of its points run there until one finds something."""
    with tempfile.TemporaryDirectory(prefix="itsmutant") as name:
        tree = Path(name)
        _copy(tree)
        path = tree / mutant.file
        content = path.read_text()
        assert content.count(mutant.old) == 1, f"{mutant.name}: {mutant.old!r} is not there exactly once"
        path.write_text(content.replace(mutant.old, mutant.new))
        environment = os.environ | {"PYTHONPATH": str(tree)}
        out = tree / "found.json"
        asked = ["--until-found", "--seeds", str(seeds), "--out", str(out), *mutant.points]
        command = [sys.executable, "-m", "tests.campaigns.order_kills.hunt", *asked]
        ran = subprocess.run(command, cwd=tree, env=environment, capture_output=True, text=True)
        if not out.exists():
            raise RuntimeError(f"{mutant.name}: the campaign ended with {ran.returncode}\n{ran.stderr[-2000:]}")
        found: list[str] = json.loads(out.read_text())
    print(f"{'found' if found else 'SURVIVED'}: {mutant.name}: {found[:1]}", file=sys.stderr, flush=True)
    return bool(found)


def _copy(tree: Path) -> None:
    for part in COPIED:
        source = ROOT / part
        if source.is_dir():
            shutil.copytree(source, tree / part, ignore=shutil.ignore_patterns(".pytest_cache"))
        else:
            shutil.copy2(source, tree / part)
