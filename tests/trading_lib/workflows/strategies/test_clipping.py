"""What limits take from a strategy is said loudly, with numbers; one that gets what it wants is left alone."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.builders.own_code.strategy import NAME, project
from trading_lib.cli import main

WINDOW = ("--from", "2006-01-03", "--to", "2006-12-29")
DUAL = """
import numpy as np


class Own:
    monthly = True

    def plan(self, view):
        momentum = view.factors["Momentum_120"]
        weights = np.zeros(len(view.universe))
        symbols = list(view.universe.symbols)
        spy, other = symbols.index("QQQ"), symbols.index("EFA")
        weights[spy if momentum[spy] >= momentum[other] else other] = {size}
        return weights
"""


def report(
    tmp_path: Path, root: Path, patch: pytest.MonkeyPatch, size: float, capsys: Any
) -> tuple[dict[str, Any], str]:
    """The report and the text of a run of the strategy alone."""
    project(tmp_path, root, DUAL.format(size=size), patch)
    path = tmp_path / "config" / "strategy.yaml"
    settings = yaml.safe_load(path.read_text(encoding="utf-8"))
    settings["sleeves"] = {"dual": {"strategy": f"{NAME}:Own", "budget": 1.0}}
    path.write_text(yaml.safe_dump(settings), encoding="utf-8")
    out = tmp_path / "report.json"
    with pytest.raises(SystemExit) as stop:
        main(["backtest", *WINDOW, "--no-track", "--out", str(out)])
    assert not stop.value.code
    return json.loads(out.read_text(encoding="utf-8")), capsys.readouterr().out


def test_a_strategy_of_one_asset_is_told_how_often_the_cap_bound(
    tmp_path: Path, repository_root: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    found, text = report(tmp_path, repository_root, monkeypatch, 1.0, capsys)
    clipping = found["clipping"]
    caps = yaml.safe_load((repository_root / "include" / "config" / "universe.yaml").read_text(encoding="utf-8"))
    limit = {one["symbol"]: one["max_weight"] for one in caps["instruments"]}
    (cap,) = [one for one in clipping["limits"] if one["limit"] == "max_weight"]
    # From the first month's end on, the asset is wanted whole every session.
    assert found["sessions"] - 25 < cap["sessions"] <= found["sessions"]
    assert set(cap["symbols"]) <= {"QQQ", "EFA"}
    for symbol, cut in cap["symbols"].items():
        assert cut["largest_cut"] == pytest.approx(1.0 - limit[symbol], abs=0.05)
    assert clipping["wanted"] - clipping["allowed"] > 0.4
    assert clipping["held"] <= clipping["allowed"] + 0.02
    assert "CUT BY LIMITS: wanted " in text
    assert f"max_weight (cap of one asset) bound in {cap['sessions']} of {found['sessions']} sessions" in text


def test_a_strategy_that_gets_what_it_wants_is_told_in_one_quiet_line(
    tmp_path: Path, repository_root: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    found, text = report(tmp_path, repository_root, monkeypatch, 0.2, capsys)
    clipping = found["clipping"]
    assert clipping["wanted"] - clipping["allowed"] < 0.01
    assert "CUT BY LIMITS" not in text
    (line,) = [line for line in text.splitlines() if " wanted " in line]
    assert "targets were cut in" in line
