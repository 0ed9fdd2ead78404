"""Which strategy a run was of: sleeves, budgets, what differs from the settings as shipped, and its name."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

import trading_lib
from tests.builders.own_code.strategy import NAME, project, source
from trading_lib.workflows.research.strategy_identity import (
    changed_settings,
    run_name,
    strategy_name,
    strategy_parameters,
)
from trading_lib.workflows.setup.configuration import SystemConfiguration, load_configuration
from trading_lib.workflows.setup.effective_settings import FILES

SHIPPED = Path(trading_lib.__file__).parent / "adapters" / "shipped_config"


@pytest.fixture
def folder(repository_root: Path) -> Path:
    return repository_root / "include" / "config"


def loaded(folder: Path, **variables: str) -> SystemConfiguration:
    return load_configuration(folder, variables)


@pytest.mark.parametrize("name", list(FILES))
def test_what_counts_as_shipped_is_what_is_shipped(folder: Path, name: str) -> None:
    ours, theirs = (yaml.safe_load((place / f"{name}.yaml").read_text(encoding="utf-8")) for place in (SHIPPED, folder))
    assert ours == theirs


def test_the_shipped_configuration_differs_in_nothing(folder: Path) -> None:
    configuration = loaded(folder)
    assert changed_settings(configuration) == {}
    assert strategy_parameters(configuration) == {
        "strategy": "trend 50 + rotation 50", "sleeves.trend": "0.5", "sleeves.rotation": "0.5",
    }  # fmt: skip


def test_every_changed_value_has_its_dotted_name(folder: Path) -> None:
    configuration = loaded(
        folder,
        TRADING_STRATEGY__SIGNALS__MOMENTUM_HIGH="0.12",
        TRADING_STRATEGY__CONSTRAINTS__PAIR_CORRELATION="0.8",
        TRADING_STRATEGY__SLEEVES="{trend: 0.6, rotation: 0.4}",
        TRADING_RISK__LEVELS__DRAWDOWNS="[0.06, 0.09, 0.13, 0.16]",
        TRADING_EXECUTION__ORDERS__MAX_DAILY_TRADES="9",
        TRADING_EXECUTION__INITIAL_CASH="250000",
    )
    assert strategy_parameters(configuration) == {
        "strategy": "trend 60 + rotation 40",
        "sleeves.trend": "0.6",
        "sleeves.rotation": "0.4",
        "strategy.signals.momentum_high": "0.12",
        "strategy.constraints.pair_correlation": "0.8",
        "risk.levels.drawdowns": "[0.06, 0.09, 0.13, 0.16]",
        "execution.initial_cash": "250000",
        "execution.orders.max_daily_trades": "9",
    }


def test_another_universe_is_told_value_by_value(tmp_path: Path, folder: Path) -> None:
    for path in folder.glob("*.yaml"):
        (tmp_path / path.name).write_text(path.read_text(encoding="utf-8"), encoding="utf-8")
    content = yaml.safe_load((folder / "universe.yaml").read_text(encoding="utf-8"))
    content["instruments"][0]["max_weight"] = 0.45
    (gone,) = [one["symbol"] for one in content["instruments"] if one["symbol"] == "SLV"]
    content["instruments"] = [one for one in content["instruments"] if one["symbol"] != gone]
    (tmp_path / "universe.yaml").write_text(yaml.safe_dump(content), encoding="utf-8")
    changed = changed_settings(loaded(tmp_path))
    assert changed[f"universe.{content['instruments'][0]['symbol']}.max_weight"] == "0.45"
    assert changed[f"universe.{gone}.name"] == "none"


def test_a_strategy_of_ones_own_is_named_with_its_file_and_content(
    tmp_path: Path, repository_root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = project(tmp_path, repository_root, source(), monkeypatch)
    before = strategy_parameters(loaded(tmp_path / "config"))
    assert before["strategy"] == "mine 30 + trend 50"
    assert before["sleeves.mine.strategy"] == f"{NAME}:Own"
    path.write_text(source("weights[0] = 0.2"), encoding="utf-8")
    after = strategy_parameters(loaded(tmp_path / "config"))
    assert [name for name in before if before[name] != after[name]] == ["sleeves.mine.sha256"]


def test_a_runs_name_says_simulated_or_the_folder(folder: Path) -> None:
    configuration = loaded(folder)
    assert strategy_name(configuration) == "trend 50 + rotation 50"
    report = {"from": "2015-01-02", "to": "2019-12-31"}
    assert run_name(configuration, report | {"data_source": "simulated"}) == (
        "SIMULATED trend 50 + rotation 50, 2015-01-02 to 2019-12-31"
    )
    assert run_name(configuration, report | {"data_source": "files:prices"}) == (
        "prices trend 50 + rotation 50, 2015-01-02 to 2019-12-31"
    )
