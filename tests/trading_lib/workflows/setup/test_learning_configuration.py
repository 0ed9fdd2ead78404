"""learning.yaml: read with the other files, its mistakes named, and no strategy's hash depends on it."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from trading_lib.domain.errors import ConfigurationError
from trading_lib.learning.config import LearningConfig, Window
from trading_lib.workflows.setup.configuration import load_configuration
from trading_lib.workflows.setup.effective_settings import effective_settings


@pytest.fixture
def folder(repository_root: Path, tmp_path: Path) -> Path:
    """A copy of the shipped configuration that a test may spoil."""
    return Path(shutil.copytree(repository_root / "include" / "config", tmp_path / "config"))


def test_the_shipped_values_are_the_defaults(folder: Path) -> None:
    assert load_configuration(folder, {}).learning == LearningConfig()


def test_a_folder_without_the_file_has_the_built_in_values(folder: Path) -> None:
    (folder / "learning.yaml").unlink()
    assert load_configuration(folder, {}).learning == LearningConfig()


def test_a_variable_overrides_one_value(folder: Path) -> None:
    variables = {"TRADING_LEARNING__WINDOW": "3y", "TRADING_LEARNING__LIGHTGBM__LEAVES": "5"}
    found = load_configuration(folder, variables).learning
    assert (found.window, found.lightgbm.leaves) == (Window.THREE_YEARS, 5)
    assert found.xgboost == LearningConfig().xgboost


def test_how_models_are_trained_names_the_model_and_no_strategy(folder: Path) -> None:
    before = load_configuration(folder, {})
    after = load_configuration(folder, {"TRADING_LEARNING__RIDGE__PENALTY": "0.2"})
    assert after.config_hash == before.config_hash
    assert after.learning.digest != before.learning.digest
    spaced = load_configuration(folder, {"TRADING_LEARNING__LIFECYCLE__SPACING": "6"})
    assert spaced.learning.digest == before.learning.digest


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("seed: 7", "sead: 7", "learning.yaml: unknown key sead"),
        ("seed: 7", "seed: 2147483648", "learning.yaml: seed: .*less than 2147483648, got 2147483648"),
        ("leaves: 7", "leaves: 31", "learning.yaml: lightgbm.leaves: .*less than or equal to 8, got 31"),
        ("purge: 21", "purge: 20", "learning.yaml: the file: splits.purge 20 is shorter than label.horizon 21"),
        ("[ridge, lightgbm", "[rigde, lightgbm", "learning.yaml: the file: models must name some of"),
    ],
)
def test_a_mistake_names_file_and_key(folder: Path, old: str, new: str, message: str) -> None:
    path = folder / "learning.yaml"
    text = path.read_text(encoding="utf-8")
    assert old in text
    path.write_text(text.replace(old, new, 1), encoding="utf-8")
    with pytest.raises(ConfigurationError, match=message):
        load_configuration(folder, {})


def test_the_settings_in_force_are_told_with_the_others(folder: Path) -> None:
    variables = {"TRADING_CONFIG": str(folder), "TRADING_LEARNING__EVIDENCE__MINIMUM_IC": "0.04"}
    found = {setting.key: setting for setting in effective_settings(variables)}
    assert found["learning.evidence.minimum_ic"].changed
    assert not found["learning.label.horizon"].changed
