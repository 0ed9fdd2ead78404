"""The running version of this project."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import trading_lib


def code_version() -> str:
    """Return the package version, with the git revision when running from a checkout."""
    folder = Path(trading_lib.__file__).resolve().parents[1]
    if not (folder / ".git").exists() or shutil.which("git") is None:
        return trading_lib.__version__
    command = ["git", "-C", str(folder), "describe", "--always", "--dirty"]
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    revision = result.stdout.strip()
    return f"{trading_lib.__version__}+{revision}" if revision else trading_lib.__version__
