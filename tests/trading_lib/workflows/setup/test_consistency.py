"""Configuration that contradicts itself is refused when it is loaded, in one line that names both keys."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from trading_lib.domain.errors import ConfigurationError
from trading_lib.workflows.setup.configuration import load_configuration

CONTRADICTIONS = [
    (
        "universe.yaml",
        "max_weight: 0.50",
        "max_weight: 0.01",
        "max_weight 0.01 of GLD is below rebalance_threshold 0.02",
    ),
    ("universe.yaml", "safe_haven: true", "safe_haven: false", "no instrument is a safe haven"),
    ("universe.yaml", "safe_haven: false", "safe_haven: true", "BTC-USD is crypto and a safe haven"),
    ("universe.yaml", "safe_haven:", "retired: true\n    safe_haven:", "every instrument is retired"),
    ("universe.yaml", "name: SPDR Gold Shares", "name: X\n    retired: true", "defends with GLD, which universe.yaml"),
    ("execution.yaml", "cash_buffer: 0.05", "cash_buffer: 0.10", "cash_buffer is 0.05 in strategy.yaml and 0.1 in"),
    ("execution.yaml", "cash_buffer: 0.05", "cash_buffer: 1.0", "execution.yaml: orders.cash_buffer: "),
    ("execution.yaml", "max_daily_trades: 5", "max_daily_trades: 0", "max_daily_trades 0 lets nothing trade"),
    ("execution.yaml", "max_daily_turnover: 0.30", "max_daily_turnover: 0.01", "is below rebalance_threshold 0.02"),
    ("execution.yaml", "max_order_notional: 1000000", "max_order_notional: 99", "is below min_trade_value 100"),
    ("execution.yaml", "initial_cash: 100000", "initial_cash: 99", "initial_cash 99 is below min_trade_value 100"),
    ("risk.yaml", "level_1_minimum_confidence: 0.40", "level_1_minimum_confidence: 0.1", "level 1 has to ask for more"),
    ("risk.yaml", "max_leverage: 1.0", "max_leverage: 2.0", "recovery.max_leverage 2 is above max_leverage 1.5"),
    ("risk.yaml", "reductions: [0.0,", "reductions: [0.1,", "level 1 only alerts"),
    ("risk.yaml", "0.50, 1.0]  ", "0.50, 0.9]  ", "level 4 liquidates, its reduction must be 1"),
    ("risk.yaml", "rebase_margin: 0.005", "rebase_margin: 0.04", "rebase_margin 0.04 would skip a level"),
    ("risk.yaml", "sizes: [0.25,", "sizes: [0.0,", "the first of sizes must be above 0"),
]


@pytest.mark.parametrize(("file", "old", "new", "words"), CONTRADICTIONS, ids=[c[3] for c in CONTRADICTIONS])
def test_a_contradiction_is_refused(
    repository_root: Path, tmp_path: Path, file: str, old: str, new: str, words: str
) -> None:
    folder = tmp_path / "config"
    shutil.copytree(repository_root / "include" / "config", folder)
    text = (folder / file).read_text()
    assert old in text
    (folder / file).write_text(text.replace(old, new))
    with pytest.raises(ConfigurationError) as caught:
        load_configuration(folder, {})
    assert words in str(caught.value)
    assert "\n" not in str(caught.value)
    assert caught.value.remedy


def test_the_shipped_files_do_not_contradict_each_other(repository_root: Path) -> None:
    assert load_configuration(repository_root / "include" / "config", {}).universe.retired.sum() == 0
