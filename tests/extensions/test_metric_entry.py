"""A metric is one entry in one file: the patch is applied to a copy of the package, its checks run there."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PATCH = Path(__file__).with_name("metric.patch")
COPIED = ("trading_lib", "tests", "include", "dags", "plugins", "pyproject.toml")


def test_a_metric_is_one_entry_in_one_file() -> None:
    text = PATCH.read_text()
    assert re.findall(r"^\+\+\+ b/(\S+)$", text, re.MULTILINE) == ["trading_lib/performance/metrics/table.py"]
    assert re.findall(r"^-(?!--)", text, re.MULTILINE) == []
    assert len(re.findall(r"^\+    Metric\($", text, re.MULTILINE)) == 1


def test_the_patched_copy_shows_the_metric_everywhere(tmp_path: Path) -> None:
    for name in COPIED:
        source, ignored = ROOT / name, shutil.ignore_patterns("__pycache__", ".pytest_cache")
        if source.is_dir():
            shutil.copytree(source, tmp_path / name, ignore=ignored)
        else:
            shutil.copy2(source, tmp_path / name)
    subprocess.run(["git", "apply", str(PATCH)], cwd=tmp_path, check=True)
    environment = os.environ | {"PYTHONPATH": str(tmp_path), "NUMBA_CACHE_DIR": str(tmp_path / "numba")}
    checks = "tests/extensions/metric_checks.py"
    command = [sys.executable, "-m", "pytest", "-q", "-x", "-n0", "-p", "no:cacheprovider", checks]
    ran = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True)
    assert ran.returncode == 0, ran.stdout[-3000:] + ran.stderr[-2000:]
