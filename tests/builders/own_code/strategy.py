"""A folder with the shipped configuration and one strategy of a user's own, as the command line reads it."""

from __future__ import annotations

import shutil
from pathlib import Path
from textwrap import dedent, indent

import pytest
import yaml

NAME = "own.py"
HEAD = "import numpy as np\nfrom trading_lib.domain.decision.sleeves import SleeveTarget\n"
# Line of the file on which the body of `target` begins, for the tests that want it named.
BODY = """

class Own:
    def __init__(self):
        self.known = None
{init}

    def target(self, view, sleeve):
        weights = np.zeros(len(view.universe))
        weights[:3] = 0.1
{body}
        return SleeveTarget(weights)
"""


def source(body: str = "", init: str = "", top: str = "") -> str:
    """The text of a strategy that holds three assets, and does something else besides."""
    parts = {name: indent(dedent(text).strip("\n"), " " * 8) for name, text in (("body", body), ("init", init))}
    return HEAD + dedent(top) + BODY.format(**parts)


def project(folder: Path, root: Path, text: str, monkeypatch: pytest.MonkeyPatch, seconds: float = 10.0) -> Path:
    """Write the folder, make it the one that commands read, and return the strategy's file."""
    shutil.copytree(root / "include" / "config", folder / "config")
    path = folder / "config" / "strategy.yaml"
    settings = yaml.safe_load(path.read_text(encoding="utf-8"))
    settings["sleeves"] = {"trend": 0.5, "mine": {"strategy": f"{NAME}:Own", "budget": 0.3}}
    settings["decision_seconds"] = seconds
    path.write_text(yaml.safe_dump(settings), encoding="utf-8")
    (folder / "strategies").mkdir()
    (folder / "strategies" / NAME).write_text(text, encoding="utf-8")
    for name in ("MLFLOW_TRACKING_URI", "TRADING_DATABASE_URL"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("TRADING_CONFIG", str(folder / "config"))
    monkeypatch.setenv("TRADING_HOME", str(folder / "home"))
    return folder / "strategies" / NAME
