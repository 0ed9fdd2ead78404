"""The examples run as they stand and print what their last lines say; so does the block of the README."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
EXAMPLES = sorted((ROOT / "examples").glob("*.py"))
PRINTS = "\n# Prints:\n"


def printed(script: Path | str, folder: Path, *arguments: str) -> list[str]:
    """Lines that a script prints when a user runs it in a folder of theirs."""
    given = ["-c", script] if isinstance(script, str) else [str(script)]
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("TRADING_", "MLFLOW_"))}
    done = subprocess.run(
        [sys.executable, *given, *arguments],
        cwd=folder,
        env={**kept, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    return [line.rstrip() for line in done.stdout.rstrip("\n").split("\n")]


def stated(script: Path) -> list[str]:
    """Lines that the end of a script says it prints."""
    _, _, comments = script.read_text(encoding="utf-8").partition(PRINTS)
    return [line.removeprefix("#").removeprefix(" ") for line in comments.rstrip("\n").split("\n")]


def test_there_is_an_example_of_each_kind() -> None:
    assert [path.stem for path in EXAMPLES] == [
        "01_first_backtest",
        "02_own_strategy",
        "03_sweep",
        "04_numbers_of_a_tear_sheet",
        "05_why_this_order",
        "06_own_data_source",
    ]


@pytest.mark.parametrize("script", EXAMPLES, ids=lambda path: path.stem)
def test_an_example_prints_what_it_says(script: Path, tmp_path: Path) -> None:
    assert printed(script, tmp_path) == stated(script)
    assert list(tmp_path.iterdir()) == []


def test_the_tear_sheet_is_written_where_asked(tmp_path: Path) -> None:
    (script,) = [path for path in EXAMPLES if path.stem == "04_numbers_of_a_tear_sheet"]
    assert printed(script, tmp_path, "sheet.html")[-1] == "wrote sheet.html"
    assert "SIMULATED" in (tmp_path / "sheet.html").read_text(encoding="utf-8").upper()


@pytest.mark.parametrize("document", ["README.md", "docs/research/python.md"])
def test_the_python_of_a_document_runs_as_it_stands(document: str, tmp_path: Path) -> None:
    text = (ROOT / document).read_text(encoding="utf-8")
    blocks = [part.split("```")[0] for part in text.split("```python\n")[1:]]
    assert blocks
    if document == "README.md":
        assert len([line for line in blocks[0].splitlines() if line.strip()]) <= 10
    lines = printed("\n".join(blocks), tmp_path)
    assert lines[0].startswith("<BacktestResult: ")
    assert "SIMULATED prices" in lines[0]
    assert (tmp_path / "sheet.html").stat().st_size > 100_000
