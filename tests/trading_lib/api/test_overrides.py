"""Values in the place of the configuration files': in a sweep's form or in the files' own."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import trading_lib as tl
from trading_lib.api.overrides import point_of
from trading_lib.api.setup import Setup

FLAT = {"risk.target_volatility": 0.1, "strategy.signals.momentum_high": 0.12, "strategy.sleeves": {"trend": 1.0}}
NESTED = {
    "risk": {"target_volatility": 0.1},
    "strategy": {"signals": {"momentum_high": 0.12}, "sleeves": {"trend": 1.0}},
}


def test_both_forms_are_the_same_configuration() -> None:
    assert point_of(FLAT).values == point_of(NESTED).values == FLAT
    flat, nested = (Setup.of(config=config).settings().configuration for config in (FLAT, NESTED))
    assert flat.config_hash == nested.config_hash
    assert flat.decision.risk.target_volatility == 0.1
    assert [sleeve.name for sleeve in flat.decision.strategy.sleeves] == ["trend"]


def test_values_of_numpy_and_decimals_are_numbers() -> None:
    config = {"risk": {"levels": {"drawdowns": np.array([0.05, 0.08, 0.12, 0.15])}}}
    assert point_of(config, Decimal("50000.10")).values == {
        "risk.levels.drawdowns": [0.05, 0.08, 0.12, 0.15],
        "execution.initial_cash": "50000.1",
    }
    settings = Setup.of(initial_cash=Decimal("50000.10")).settings()
    assert settings.configuration.initial_cash == Decimal("50000.10")


def test_nothing_given_is_the_configuration_as_it_stands() -> None:
    assert Setup.of().settings().configuration.config_hash == Setup.of(config={}).settings().configuration.config_hash


@pytest.mark.parametrize(
    ("config", "message"),
    [
        ({"risc": {"target_volatility": 0.1}}, "config: 'risc' is no key of strategy.yaml, risk.yaml, execution.yaml"),
        ({"risk.target_volatilty": 0.1}, "unknown key target_volatilty: correct this value (in force: risk.target_vol"),
        (["risk"], "config of type list is none: give a dictionary"),
        ({"risk": {"target_volatility": -1}}, "risk.yaml: target_volatility: Input should be greater than 0, got -1"),
        ({"risk.target_volatility": 0.1, "risk": {"target_volatility": 0.2}}, "risk.target_volatility is given twice"),
        ({"risk.target_volatility": object()}, "is a object, which no configuration file can hold"),
        ({"risk": 0.1}, "config: 'risk' is no key of"),
        ({3: 0.1}, "config: 3 is no key of"),
    ],
)
def test_a_wrong_value_or_key_is_one_line(config: dict[Any, Any], message: str) -> None:
    with pytest.raises(tl.ConfigurationError) as raised:
        tl.backtest(config=config)
    assert message in str(raised.value)
    assert "\n" not in str(raised.value)


def test_the_environment_counts_as_on_the_command_line(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("TRADING_RISK__TARGET_VOLATILITY", "0.11")
    assert Setup.of().settings().configuration.decision.risk.target_volatility == 0.11
    changed = Setup.of(config={"risk.target_volatility": 0.12}).settings().configuration
    assert changed.decision.risk.target_volatility == 0.12
