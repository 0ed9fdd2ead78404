"""Configuration: what ships is what the specification says, and every mistake is one line that names file and key."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path

import pytest
import yaml

from tests.builders.prices import universe
from trading_lib.decision_config import DecisionConfig
from trading_lib.domain.errors import ConfigurationError
from trading_lib.execution.config import PaperConfig
from trading_lib.workflows.setup.configuration import SystemConfiguration, load_configuration

Edit = Callable[[str], str]


@pytest.fixture
def folder(repository_root: Path, tmp_path: Path) -> Path:
    """A copy of the shipped configuration that a test may spoil."""
    return Path(shutil.copytree(repository_root / "include" / "config", tmp_path / "config"))


def shipped(repository_root: Path, **environment: str) -> SystemConfiguration:
    return load_configuration(repository_root / "include" / "config", environment)


def test_the_shipped_universe_is_that_of_the_design(repository_root: Path) -> None:
    found = shipped(repository_root).universe
    assert len(found) == 15
    assert found.symbols == universe().symbols
    for ours, expected in zip(found, universe(), strict=True):
        for name in [
            "asset_class",
            "calendar",
            "max_weight",
            "volatility_target",
            "stop_reduce",
            "stop_exit",
            "lot_size",
            "commission_rate",
            "slippage_rate",
            "safe_haven",
        ]:
            assert getattr(ours, name) == getattr(expected, name), (ours.symbol, name)
        assert ours.name
        assert ours.category


def test_the_shipped_values_are_the_defaults_of_the_models(repository_root: Path) -> None:
    found = shipped(repository_root)
    assert found.decision == DecisionConfig()
    assert found.paper == PaperConfig()
    assert found.initial_cash == Decimal(100_000)


def replace_text(old: str, new: str) -> Edit:
    def edit(text: str) -> str:
        assert old in text
        return text.replace(old, new, 1)

    return edit


MISTAKES: list[tuple[str, Edit, str]] = [
    ("risk.yaml", lambda text: text + "volatility_widow: 20\n", "risk.yaml: unknown key volatility_widow"),
    (
        "strategy.yaml",
        replace_text("momentum_high: 0.10", "momentum_high: lots"),
        "strategy.yaml: signals.momentum_high: Input should be a valid number.*got 'lots'",
    ),
    (
        "strategy.yaml",
        replace_text("momentum_high: 0.10", "momentum_high: .nan"),
        "strategy.yaml: signals.momentum_high: Input should be a finite number",
    ),
    (
        "strategy.yaml",
        replace_text("momentum_low: 0.02", "momentum_low: 0.2"),
        "strategy.yaml: signals: the thresholds must rise",
    ),
    ("strategy.yaml", replace_text("high: 30.0", "high: 50.0"), "strategy.yaml: regime: the bounds must rise"),
    ("strategy.yaml", replace_text("trend: 0.5 ", "trend: 1.1 "), "strategy.yaml: sleeves.0.budget: .*got 1.1"),
    ("risk.yaml", replace_text("0.05, 0.08", "0.09, 0.08"), "risk.yaml: levels: drawdowns must rise"),
    ("risk.yaml", replace_text("0.0, 0.25", "0.3, 0.25"), "risk.yaml: levels: reductions must not fall"),
    ("risk.yaml", replace_text("0.75, 1.00", "0.75, 0.9"), "risk.yaml: recovery: sizes must rise and end at 1.0"),
    ("risk.yaml", replace_text("calm_sessions: 5", "calm_sessions: 0"), "risk.yaml: calm_sessions: .*got 0"),
    ("execution.yaml", replace_text("initial_cash: 100000", ""), "execution.yaml: initial_cash: Field required"),
    (
        "execution.yaml",
        replace_text("initial_cash: 100000", "initial_cash: 100.001"),
        "execution.yaml: initial_cash: Decimal input should have no more than 2 decimal places",
    ),
    ("execution.yaml", replace_text("initial_cash: 100000", "initial_cash: -1"), "execution.yaml: initial_cash: "),
    (
        "execution.yaml",
        replace_text("initial_cash: 100000", "initial_cash: 1e15"),
        "execution.yaml: initial_cash: Input should be less than",
    ),
    (
        "universe.yaml",
        replace_text("stop_reduce: 0.12", "stop_reduce: 0.18"),
        "universe.yaml: instruments.0: GLD has stop_reduce 0.18 not below stop_exit 0.18",
    ),
    (
        "universe.yaml",
        replace_text("asset_class: US_ETF", "asset_class: STOCK"),
        "universe.yaml: instruments.0.asset_class: .*got 'STOCK'",
    ),
    ("universe.yaml", replace_text("lot_size: 1", "lot_size: 0"), "universe.yaml: instruments.0.lot_size: .*got 0"),
    ("universe.yaml", replace_text("symbol: SPY", "symbol: GLD"), "universe.yaml lists GLD twice"),
    ("universe.yaml", lambda text: "instruments: []\n", "universe.yaml: instruments: "),
    ("universe.yaml", lambda text: "- a\n- b\n", "universe.yaml holds no settings"),
    ("risk.yaml", lambda text: "", "risk.yaml holds no settings: it must be a mapping"),
    ("risk.yaml", lambda text: "levels:\n  drawdowns: [0.05\n", r"risk.yaml is no valid YAML at line \d+, column \d+"),
    ("risk.yaml", lambda text: "a: b: c\n", "risk.yaml is no valid YAML at line 1, column 5"),
]


@pytest.mark.parametrize(("file", "edit", "words"), MISTAKES)
def test_a_mistake_is_one_line_that_names_file_and_key(folder: Path, file: str, edit: Edit, words: str) -> None:
    path = folder / file
    path.write_text(edit(path.read_text(encoding="utf-8")), encoding="utf-8")
    with pytest.raises(ConfigurationError, match=words) as caught:
        load_configuration(folder, {})
    assert str(folder / file) in str(caught.value)
    assert "\n" not in str(caught.value)
    assert caught.value.remedy
    assert caught.value.exit_code == 2


def test_several_mistakes_are_counted(folder: Path) -> None:
    (folder / "risk.yaml").write_text("one: 1\ntwo: 2\nvolatility_window: 1\n", encoding="utf-8")
    with pytest.raises(ConfigurationError, match=r"volatility_window: .* \(and 2 more\)"):
        load_configuration(folder, {})


def test_a_missing_file_is_named(folder: Path) -> None:
    (folder / "execution.yaml").unlink()
    with pytest.raises(ConfigurationError, match=r"execution.yaml does not exist: restore it"):
        load_configuration(folder, {})


def test_text_that_is_not_utf_8_is_named(folder: Path) -> None:
    (folder / "risk.yaml").write_bytes(b"target_volatility: 0.15 # \xff\n")
    with pytest.raises(ConfigurationError, match=r"risk\.yaml is not UTF-8 text"):
        load_configuration(folder, {})


def test_a_folder_in_place_of_a_file_is_named(folder: Path) -> None:
    (folder / "risk.yaml").unlink()
    (folder / "risk.yaml").mkdir()
    with pytest.raises(ConfigurationError, match=r"risk.yaml cannot be read \(Is a directory\)"):
        load_configuration(folder, {})


def test_environment_variables_override_single_values(repository_root: Path) -> None:
    found = shipped(
        repository_root,
        TRADING_STRATEGY__SIGNALS__MOMENTUM_HIGH="0.12",
        TRADING_RISK__SIMULATED_APPROVAL="false",
        TRADING_RISK__LEVELS__DRAWDOWNS="[0.04, 0.08, 0.12, 0.15]",
        trading_execution__initial_cash="25000.50",
        TRADING_DATABASE_URL="ignored",
        HOME="ignored",
    )
    assert found.decision.strategy.signals.momentum_high == 0.12
    assert found.decision.strategy.signals.momentum_low == 0.02
    assert found.decision.risk.simulated_approval is False
    assert found.decision.risk.levels.drawdowns[0] == 0.04
    assert found.initial_cash == Decimal("25000.50")
    assert found.config_hash != shipped(repository_root).config_hash


@pytest.mark.parametrize(
    ("name", "value", "words"),
    [
        ("TRADING_RISK__TARGET_VOLATILITY", "high", "risk.yaml: target_volatility: .*TRADING_RISK__TARGET_VOLATILITY"),
        ("TRADING_RISK__NO_SUCH_KEY", "1", "risk.yaml: unknown key no_such_key.*TRADING_RISK__NO_SUCH_KEY"),
        ("TRADING_RISK__TARGET_VOLATILITY__X", "1", "X names a key below target_volatility, which is a value"),
        ("TRADING_RISK__TARGET_VOLATILITY", "[0.1", r"TRADING_RISK__TARGET_VOLATILITY is no valid YAML: '\[0.1'"),
        ("TRADING_UNIVERSE__INSTRUMENTS__0__MAX_WEIGHT", "1", "names a key below instruments, which is a value"),
    ],
)
def test_a_wrong_override_names_its_variable(repository_root: Path, name: str, value: str, words: str) -> None:
    with pytest.raises(ConfigurationError, match=words):
        shipped(repository_root, **{name: value})


def test_the_real_environment_is_read_when_none_is_given(
    repository_root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TRADING_RISK__TARGET_VOLATILITY", "0.11")
    assert load_configuration(repository_root / "include" / "config").decision.risk.target_volatility == 0.11


def test_the_hash_ignores_comments_and_order(repository_root: Path, folder: Path) -> None:
    for path in folder.glob("*.yaml"):
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
        turned = dict(reversed(content.items()))
        path.write_text("# a comment\n" + yaml.safe_dump(turned, sort_keys=False), encoding="utf-8")
    assert load_configuration(folder, {}).config_hash == shipped(repository_root).config_hash


@pytest.mark.parametrize(
    ("file", "old", "new"),
    [
        ("risk.yaml", "cool_off_sessions: 5", "cool_off_sessions: 6"),
        ("strategy.yaml", "max_age_sessions: 3", "max_age_sessions: 2"),
        ("execution.yaml", "price_decimals: 4", "price_decimals: 5"),
        ("universe.yaml", "slippage_rate: 0.0005", "slippage_rate: 0.0006"),
    ],
)
def test_the_hash_changes_with_every_file(repository_root: Path, folder: Path, file: str, old: str, new: str) -> None:
    path = folder / file
    path.write_text(replace_text(old, new)(path.read_text(encoding="utf-8")), encoding="utf-8")
    assert load_configuration(folder, {}).config_hash != shipped(repository_root).config_hash
