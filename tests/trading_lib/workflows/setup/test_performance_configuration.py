"""performance.yaml: what ships is what the specification says, and none of it changes what a run is called."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from trading_lib.domain.errors import ConfigurationError
from trading_lib.performance.config import PerformanceConfig
from trading_lib.workflows.setup.configuration import load_configuration


def test_the_shipped_values_are_the_defaults(repository_root: Path) -> None:
    assert load_configuration(repository_root / "include" / "config", {}).performance == PerformanceConfig()


def test_targets_do_not_rename_a_run(repository_root: Path) -> None:
    folder = repository_root / "include" / "config"
    plain = load_configuration(folder, {})
    other = load_configuration(folder, {"TRADING_PERFORMANCE__TARGETS__SHARPE__TARGET": "1.5"})
    assert other.performance.targets["sharpe"].target == 1.5
    assert other.config_hash == plain.config_hash


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("confidence: 0.90", "confidence: 90", "intervals.confidence: .*got 90"),
        ("samples: 2000", "sample: 2000", "unknown key intervals.sample"),
        ("sharpe: {", "shape: {", "targets: there is no metric 'shape': did you mean sharpe"),
        ("benchmark: SPY", "benchmark: QQQ", "benchmark: there is no benchmark 'QQQ': use one of 60/40 SPY/TLT"),
        ("sharpe: {target: 1.0", "sharpe: {target: 0.5", "the target of sharpe must be at least as hard"),
    ],
)
def test_a_mistake_is_one_line_that_names_file_and_key(
    repository_root: Path, tmp_path: Path, old: str, new: str, words: str
) -> None:
    folder = Path(shutil.copytree(repository_root / "include" / "config", tmp_path / "config"))
    file = folder / "performance.yaml"
    assert old in file.read_text()
    file.write_text(file.read_text().replace(old, new))
    with pytest.raises(ConfigurationError, match=f"performance.yaml: .*{words}"):
        load_configuration(folder, {})
