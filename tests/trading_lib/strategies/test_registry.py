"""Sleeves from configuration: built-in strategies, users' own, and every way to get it wrong."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from pydantic import ValidationError

from tests.builders.decisions import make_portfolio, make_state
from tests.builders.markets import ASSETS, UNIVERSE, make_view, vector
from tests.cases.faulty_strategy import Faulty
from trading_lib.adapters.user_code.files import load_strategy
from trading_lib.decision import decide
from trading_lib.decision_config import DecisionConfig
from trading_lib.domain.decision.sleeves import Strategy
from trading_lib.domain.errors import ConfigurationError
from trading_lib.strategies.config import StrategySettings
from trading_lib.strategies.registry import check_sleeves, register_strategy, running_sleeves

OWN = '''
import numpy as np
from trading_lib.domain.decision.sleeves import SleeveTarget

class Half:
    """Half of everything in gold."""
    def __init__(self, share=0.5):
        self.share = share
    def target(self, view, sleeve):
        weights = np.zeros(len(view.universe))
        weights[view.universe.positions["GLD"]] = self.share
        return SleeveTarget(weights, lambda: {"GLD": f"always {self.share:.0%}"})

class Planner:
    """A third in gold at month ends."""
    monthly = True
    def plan(self, view):
        weights = np.zeros(len(view.universe))
        weights[view.universe.positions["GLD"]] = 1 / 3
        return weights

class NoTarget:
    pass
'''


def settings(**sleeves: object) -> StrategySettings:
    return StrategySettings.model_validate({"sleeves": sleeves})


def test_sleeves_without_a_budget_do_not_run_and_the_order_is_the_configurations() -> None:
    found = running_sleeves(
        settings(mine={"strategy": "trend", "budget": 0.3}, trend=0.7, idle={"strategy": "trend", "budget": 0})
    )
    assert [(sleeve.name, sleeve.budget) for sleeve in found] == [("mine", 0.3), ("trend", 0.7)]


def test_options_override_the_strategys_section_for_one_sleeve() -> None:
    wild = settings(wild={"strategy": "trend", "budget": 1.0, "options": {"target_volatility": 0.5}})
    assert running_sleeves(wild)[0].strategy.config.target_volatility == 0.5  # type: ignore[attr-defined]
    wrong = settings(wild={"strategy": "trend", "budget": 1.0, "options": {"target_volatilty": 0.5}})
    with pytest.raises(ConfigurationError, match=r"sleeve wild: .*target_volatilty"):
        check_sleeves(wrong)


@pytest.mark.parametrize(
    ("sleeves", "message"),
    [
        ({"trend": 0.7, "mine": {"strategy": "trend", "budget": 0.4}}, "add up to 1.1"),
        ({"trend": 0.0}, "no sleeve has a budget"),
        ({"trend": {"budget": 0.5, "speed": 3}}, "speed"),
        ({"Trend Sleeve": {"strategy": "trend", "budget": 0.5}}, "name"),
    ],
)
def test_contradictions_are_refused_at_load(sleeves: dict[str, object], message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        settings(**sleeves)


def test_an_unknown_strategy_is_named_with_the_known_ones() -> None:
    with pytest.raises(ConfigurationError, match=r"sleeve mine: there is no strategy 'trnd': did you mean trend?"):
        check_sleeves(settings(mine={"strategy": "trnd", "budget": 1.0}))


def test_a_users_class_from_a_file_decides(tmp_path: Path) -> None:
    (tmp_path / "gold.py").write_text(OWN)
    found = load_strategy("gold.py:Half", tmp_path)
    register_strategy("gold.py:Half", found.strategy)
    config = DecisionConfig(
        strategy=settings(gold={"strategy": "gold.py:Half", "budget": 0.5, "options": {"share": 0.4}})
    )
    decision = decide(make_view(), make_portfolio(100_000), make_state(), config, "demo")
    assert decision.targets.weights[UNIVERSE.positions["GLD"]] == pytest.approx(0.2)
    assert decision.targets.sleeves["gold"].target.rationale() == {"GLD": "always 40%"}
    (tmp_path / "gold.py").write_text(OWN + "\n# changed\n")
    assert load_strategy("gold.py:Half", tmp_path).digest != found.digest


@pytest.mark.parametrize(
    ("content", "reference", "message"),
    [
        (None, "absent.py:Half", "absent.py does not exist"),
        (OWN, "own.py:Missing", "has no class 'Missing'"),
        ("import absent_module_xyz", "own.py:Half", "cannot be loaded: ModuleNotFoundError"),
        ("def broken(:", "own.py:Half", "cannot be loaded: SyntaxError"),
        (None, "absent_package_xyz.module:Half", "cannot be loaded: ModuleNotFoundError"),
    ],
)
def test_a_file_that_cannot_be_used_is_named(tmp_path: Path, content: str | None, reference: str, message: str) -> None:
    if content is not None:
        (tmp_path / "own.py").write_text(content)
    with pytest.raises(ConfigurationError, match=message):
        load_strategy(reference, tmp_path)


def test_a_users_plan_is_a_strategy_that_keeps_its_target_in_between(tmp_path: Path) -> None:
    (tmp_path / "own.py").write_text(OWN)
    register_strategy("own:Planner", load_strategy("own.py:Planner", tmp_path).strategy)
    config = DecisionConfig(strategy=settings(gold={"strategy": "own:Planner", "budget": 0.9}))
    (sleeve,) = running_sleeves(config.strategy)
    assert isinstance(sleeve.strategy, Strategy)
    gold = UNIVERSE.positions["GLD"]
    at_month_end = decide(make_view(month_end=True), make_portfolio(100_000), make_state(), config, "demo")
    assert at_month_end.targets.weights[gold] == pytest.approx(0.3)
    previous = at_month_end.targets.sleeves
    later = decide(make_view(month_end=False), make_portfolio(100_000), make_state(), config, "demo", previous)
    assert later.targets.weights[gold] == pytest.approx(0.3)
    first = decide(make_view(month_end=False), make_portfolio(100_000), make_state(), config, "demo")
    assert first.targets.weights[gold] == 0.0


def test_a_class_without_target_or_with_other_options_is_refused(tmp_path: Path) -> None:
    (tmp_path / "own.py").write_text(OWN)
    for name, options, message in (
        ("NoTarget", {}, "has no method target"),
        ("Half", {"speed": 1}, "cannot be created"),
    ):
        register_strategy(f"own:{name}", load_strategy(f"own.py:{name}", tmp_path).strategy)
        with pytest.raises(ConfigurationError, match=message):
            check_sleeves(settings(mine={"strategy": f"own:{name}", "budget": 1.0, "options": options}))
    with pytest.raises(ConfigurationError, match="'trend' comes with the system"):
        register_strategy("trend", Faulty)


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        ("raise", "ZeroDivisionError: no assets"),
        ("nan", "not a finite"),
        ("negative", "negative"),
        ("short", "15 float64"),
    ],
)
def test_a_faulty_sleeve_keeps_its_previous_target_and_the_others_go_on(answer: str, message: str) -> None:
    register_strategy("faulty", Faulty)
    sleeves = {"faulty": {"budget": 0.5, "options": {"answer": answer}}, "trend": 0.5}
    config = DecisionConfig(strategy=settings(**sleeves))
    sound = DecisionConfig(strategy=settings(faulty={"strategy": "trend", "budget": 0.5}, trend=0.5))
    rising = {
        "Momentum_60": vector(0.0, GLD=0.15),
        "SMA_20": np.full(ASSETS, 95.0),
        "SMA_50": np.full(ASSETS, 95.0),
        "SMA_200": np.full(ASSETS, 90.0),
    }
    first = decide(make_view(rising), make_portfolio(100_000), make_state(), sound, "demo")
    second = decide(make_view(rising), make_portfolio(100_000), make_state(), config, "demo", first.targets.sleeves)
    kept = second.targets.sleeves["faulty"].target
    np.testing.assert_array_equal(kept.weights, first.targets.sleeves["faulty"].target.weights)
    assert kept.weights.sum() > 0
    assert second.targets.sleeves["trend"].target.weights.sum() > 0
    (event,) = second.targets.events
    assert event.kind == "sleeve_fault"
    assert message in event.reason
