"""A stop rule with a state takes three files: the patch is applied to a copy of the package, its checks run there."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PATCH = Path(__file__).with_name("stop_rule.patch")
COPIED = ("trading_lib", "tests", "include", "pyproject.toml")


def test_a_stop_rule_with_a_state_takes_three_files() -> None:
    files = re.findall(r"^\+\+\+ b/(\S+)$", PATCH.read_text(), re.MULTILINE)
    assert files == [
        "trading_lib/risk/config.py",
        "trading_lib/risk/stops/stops.py",
        "trading_lib/risk/trailing_stop.py",
    ]


def test_the_patched_copy_passes_the_checks_of_the_rule(tmp_path: Path) -> None:
    # With the machine code beside the sources, so that only what the patch touches is compiled.
    for name in COPIED:
        source = ROOT / name
        if source.is_dir():
            shutil.copytree(source, tmp_path / name, ignore=shutil.ignore_patterns(".pytest_cache"))
        else:
            shutil.copy2(source, tmp_path / name)
    subprocess.run(["git", "apply", str(PATCH)], cwd=tmp_path, check=True)
    environment = os.environ | {"PYTHONPATH": str(tmp_path)}
    checks = "tests/extensions/trailing_stop_checks.py"
    command = [sys.executable, "-m", "pytest", "-q", "-x", "-n0", "-p", "no:cacheprovider", checks]
    ran = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True)
    assert ran.returncode == 0, ran.stdout[-3000:] + ran.stderr[-2000:]
