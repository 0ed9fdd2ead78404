"""The worked example of docs/research/strategies.md, as a user would follow it, on the simulated market."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path

import pytest

from trading_lib.cli import main

EXAMPLE = "low_volatility.py"
WINDOW = ("--from", "2006-01-03", "--to", "2006-09-29")


@pytest.fixture
def guide(repository_root: Path) -> str:
    return (repository_root / "docs" / "research" / "strategies.md").read_text(encoding="utf-8")


@pytest.fixture
def configured(tmp_path: Path, repository_root: Path, guide: str, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The shipped configuration with the example's file and the line that the guide shows."""
    shutil.copytree(repository_root / "include" / "config", tmp_path / "config")
    (tmp_path / "strategies").mkdir()
    shutil.copy(repository_root / "docs" / "examples" / EXAMPLE, tmp_path / "strategies" / EXAMPLE)
    (line,) = re.findall(r"^  low_volatility: .*$", guide, flags=re.MULTILINE)
    path = tmp_path / "config" / "strategy.yaml"
    text = path.read_text(encoding="utf-8")
    path.write_text(text.replace("  rotation: 0.5\n", f"  rotation: 0.3\n{line}\n"), encoding="utf-8")
    assert line in path.read_text(encoding="utf-8")
    for name in ("MLFLOW_TRACKING_URI", "TRADING_DATABASE_URL"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("TRADING_CONFIG", str(tmp_path / "config"))
    monkeypatch.setenv("TRADING_HOME", str(tmp_path / "home"))
    return tmp_path


def run(*arguments: str) -> int:
    """Exit code of the command line."""
    try:
        main(list(arguments))
    except SystemExit as stop:
        return int(stop.code or 0)
    return 0


def test_the_guide_shows_the_file_that_runs_here(guide: str, repository_root: Path) -> None:
    assert (repository_root / "docs" / "examples" / EXAMPLE).read_text(encoding="utf-8") in guide


def test_the_example_trades_and_explains_itself(configured: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("backtest", *WINDOW, "--json", "--no-track") == 0
    assert json.loads(capsys.readouterr().out)["trades"] > 0
    found = {}
    for symbol in ("TIP", "TLT", "SPY"):
        assert run("explain", "--session", "2006-06-30", "--symbol", symbol, "--from", "2006-01-03", "--json") == 0
        sleeves = {sleeve["sleeve"]: sleeve for sleeve in json.loads(capsys.readouterr().out)["sleeves"]}
        found[symbol] = sleeves["low_volatility"]
    held = [sleeve for sleeve in found.values() if sleeve["wanted"] > 0]
    assert held
    for sleeve in held:
        assert sleeve["budget"] == 0.2
        assert re.fullmatch(r"volatility \d+\.\d%, place [1-4] of \d+ -> \d+\.\d%", sleeve["reason"])


def test_the_example_does_not_peek(configured: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("audit", "lookahead", *WINDOW, "--cuts", "6", "--json") == 0
    report = json.loads(capsys.readouterr().out)
    assert report["clean"]
    assert "low_volatility" in report["sleeves"]
    assert report["sleeve_faults"] == {}


def test_a_peek_put_into_the_example_is_named(configured: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = configured / "strategies" / EXAMPLE
    text = path.read_text(encoding="utf-8")
    peeking = (
        text.replace("import numpy as np", "import gc\n\nimport numpy as np")
        .replace("        self._assets = assets", "        self._assets, self._returns = assets, None")
        .replace('volatility = view.factors["Volatility_60"]', "volatility = self._tomorrow(view)")
        .replace("if not view.month_end:", "if False:")
    )
    peeking += """
    def _tomorrow(self, view):
        if self._returns is None:
            found = [one.mark_return for one in gc.get_objects() if type(one).__name__ == "PricePanel"]
            self._returns = max(found, key=len, default=view.mark_returns)
        return abs(self._returns[min(len(view.mark_returns), len(self._returns) - 1)])
"""
    path.write_text(peeking, encoding="utf-8")
    assert run("audit", "lookahead", *WINDOW, "--cuts", "6") == 1
    shown = capsys.readouterr().out
    assert "CULPRIT     sleeve low_volatility: 2006-" in shown
    assert "searched all objects in memory (gc.get_objects) at low_volatility.py, line " in shown
    assert "1 culprit had" in shown
    assert "with what was known (" in shown


def test_a_peek_behind_an_array_finds_nothing_there(configured: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = configured / "strategies" / EXAMPLE
    text = path.read_text(encoding="utf-8")
    peeking = text.replace('view.factors["Volatility_60"]', "abs(view.mark_returns.base[len(view.mark_returns)])")
    assert peeking != text
    path.write_text(peeking, encoding="utf-8")
    assert run("backtest", *WINDOW, "--json", "--no-track") == 1
    report = json.loads(capsys.readouterr().out)
    message = report["sleeve_faults"]["sleeves"]["low_volatility"]["message"]
    assert message.startswith("TypeError: 'NoneType' object is not subscriptable (low_volatility.py, line ")


def test_options_that_do_not_fit_are_refused_at_load(configured: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = configured / "config" / "strategy.yaml"
    path.write_text(path.read_text(encoding="utf-8").replace("{assets: 4}", "{assets: 0}"), encoding="utf-8")
    assert run("backtest", *WINDOW) == 2
    assert "assets is 0, at least 1 must be held" in capsys.readouterr().err
