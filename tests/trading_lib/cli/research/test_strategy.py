"""``trading strategy new``: the files it writes run, pass their own test, and are clean in backtest and audit."""

from __future__ import annotations

import importlib.util
import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from tests.environment.command_line import run
from trading_lib.workflows.strategies.trial import SLEEVES_VARIABLE

WINDOW = ("--from", "2006-01-03", "--to", "2006-09-29")


@pytest.fixture
def strategies(tmp_path: Path, repository_root: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    shutil.copytree(repository_root / "include" / "config", tmp_path / "include" / "config")
    monkeypatch.setenv("TRADING_CONFIG", str(tmp_path / "include" / "config"))
    monkeypatch.delenv(SLEEVES_VARIABLE, raising=False)
    return tmp_path / "include" / "strategies"


def new(capsys: pytest.CaptureFixture[str], *arguments: str) -> dict[str, Any]:
    assert run("strategy", "new", *arguments, "--json") == 0
    result: dict[str, Any] = json.loads(capsys.readouterr().out)
    return result


def run_own_tests(path: str) -> None:
    spec = importlib.util.spec_from_file_location("written_test", path)
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    tests = [test for name, test in vars(module).items() if name.startswith("test_")]
    assert len(tests) == 4
    for test in tests:
        test()


def test_what_is_written_passes_its_test_and_is_traded_and_audited_clean(
    strategies: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    result = new(capsys, "calm_trend")
    assert sorted(path.name for path in strategies.glob("*.py")) == ["calm_trend.py", "test_calm_trend.py"]
    run_own_tests(result["test"])
    sleeves = json.loads(result["commands"]["audit"].partition("=")[2].split("' trading")[0].strip("'"))
    monkeypatch.setenv(SLEEVES_VARIABLE, json.dumps(sleeves))
    assert run("backtest", *WINDOW, "--no-track", "--json") == 0
    report = json.loads(capsys.readouterr().out)
    assert report["strategy"] == "calm_trend 100"
    assert report["trades"] > 0
    assert run("audit", "lookahead", *WINDOW, "--cuts", "4", "--json") == 0
    audited = json.loads(capsys.readouterr().out)
    assert audited["clean"]
    assert audited["own_sleeves"] == ["calm_trend"]


def test_a_fault_put_into_it_fails_its_test(strategies: Path, capsys: pytest.CaptureFixture[str]) -> None:
    result = new(capsys, "calm_trend")
    path = Path(result["strategy"])
    text = path.read_text(encoding="utf-8").replace("1.0 / self._assets", "-1.0 / self._assets")
    path.write_text(text, encoding="utf-8")
    with pytest.raises(AssertionError, match="a weight is negative"):
        run_own_tests(result["test"])


def test_in_another_folder_it_is_named_by_its_whole_path(
    strategies: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "mine").mkdir()
    result = new(capsys, "calm_trend", "--dir", str(tmp_path / "mine"))
    assert result["reference"] == f"{(tmp_path / 'mine' / 'calm_trend.py').resolve()}:CalmTrend"
    assert result["reference"] in result["commands"]["backtest"]
    assert not strategies.exists()


@pytest.mark.parametrize("existing", ["calm_trend.py", "test_calm_trend.py"])
def test_nothing_is_overwritten(strategies: Path, capsys: pytest.CaptureFixture[str], existing: str) -> None:
    strategies.mkdir()
    (strategies / existing).write_text("mine", encoding="utf-8")
    assert run("strategy", "new", "calm_trend") == 2
    assert f"{strategies / existing} exists" in capsys.readouterr().err
    assert [(path.name, path.read_text(encoding="utf-8")) for path in strategies.iterdir()] == [(existing, "mine")]


@pytest.mark.parametrize("name", ["trend", "Calm", "calm-trend", "class", "../calm", "1st", "a" * 61, "numpy", "json"])
def test_a_name_that_cannot_be_or_is_taken_writes_nothing(
    strategies: Path, capsys: pytest.CaptureFixture[str], name: str
) -> None:
    assert run("strategy", "new", name) == 2
    assert f"{name!r} is" in capsys.readouterr().err
    assert not list(strategies.glob("*"))


def test_a_folder_that_is_none_is_told(strategies: Path, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    assert run("strategy", "new", "calm_trend", "--dir", str(tmp_path / "none")) == 2
    assert "does not exist" in capsys.readouterr().err
