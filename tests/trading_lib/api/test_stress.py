"""`stress` and `sweep`: the command line's, on prices given in Python."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

import trading_lib as tl
from tests.cases.own_strategies import Golden
from tests.environment.command_line import run

KINDS = {
    "status": "str",
    "reason": "str",
    "from": "datetime64[us]",
    "to": "datetime64[us]",
    "max_drawdown": "float64",
    "limit": "float64",
    "total_return": "float64",
    "max_risk_level": "Int64",
    "passed": "bool",
}


@pytest.fixture(scope="module")
def tested() -> tl.StressResult:
    return tl.stress(scenarios=["covid_crash", "2022_rates"], crisis_paths=False)


def test_scenarios_are_those_of_the_command_line(tested: tl.StressResult, tmp_path: Path) -> None:
    names = ("--scenario", "covid_crash", "--scenario", "2022_rates")
    code = run("stress", *names, "--no-paths", "--out", str(tmp_path / "stress.json"))
    report = json.loads((tmp_path / "stress.json").read_text(encoding="utf-8"))
    assert {**tested.report, "elapsed_seconds": 0} == {**report, "elapsed_seconds": 0}
    assert tested.passed == (code == 0)


def test_scenarios_are_a_table(tested: tl.StressResult) -> None:
    assert list(tested.scenarios.index) == ["covid_crash", "2022_rates"]
    assert tested.scenarios.dtypes.astype(str).to_dict() == KINDS
    assert tested.scenarios.loc["covid_crash", "status"] == "run"
    assert [column for column in KINDS if column not in str(tl.StressResult.scenarios.__doc__)] == []
    assert "2 scenarios on SIMULATED prices" in repr(tested)


def test_a_scenario_that_the_prices_do_not_cover_is_absent() -> None:
    found = tl.stress(tl.load_prices(end="2019-12-31"), scenarios=["covid_crash"], crisis_paths=False)
    assert not found.passed
    row = found.scenarios.loc["covid_crash"]
    assert row["status"] == "absent"
    assert "do not cover" in row["reason"]
    assert found.scenarios["max_drawdown"].isna().all()
    assert "do not cover" in found._repr_html_()


def test_pages_and_pictures_go_where_asked(tested: tl.StressResult, tmp_path: Path) -> None:
    assert tested.page(tmp_path / "stress.html") == (tmp_path / "stress.html").read_text(encoding="utf-8")
    assert tested.picture(tmp_path / "stress.png") == (tmp_path / "stress.png").read_bytes()
    assert "data:image/png;base64" in tested._repr_html_()


def test_a_strategy_of_ones_own_is_put_through_them() -> None:
    gold = tl.stress(strategy=Golden(1.0), scenarios=["covid_crash"], crisis_paths=False)
    assert gold.report["config_hash"] != tl.backtest(start="2018-01-02", end="2018-01-31").config_hash
    with pytest.raises(tl.InputError, match="there is no scenario covid: did you mean covid_crash"):
        tl.stress(scenarios=["covid"])


def test_a_sweep_has_a_row_for_each_point(prices: tl.Prices) -> None:
    found = tl.sweep({"risk.target_volatility": [0.05, 0.15], "strategy.signals.momentum_high": (0.08, 0.1)}, prices)
    assert len(found.points) == 4
    assert found.points["risk.target_volatility"].tolist() == [0.05, 0.05, 0.15, 0.15]
    assert set(found.points["status"]) == {"ok"}
    as_shipped = tl.backtest(prices, config={"risk.target_volatility": 0.15, "strategy.signals.momentum_high": 0.1})
    assert found.points["sharpe"].iloc[3] == as_shipped.metrics["sharpe"]
    assert found.points["config_hash"].iloc[3] == as_shipped.config_hash
    assert found.summary["trials"] == 4
    assert "4 points on SIMULATED prices, 2018-01-02 to 2018-12-31, 4 ok" in repr(found)
    assert "&lt;Sweep" in found._repr_html_()


def test_a_point_that_fails_leaves_the_others_standing(prices: tl.Prices) -> None:
    found = tl.sweep([{"name": "wild", "risk.target_volatility": -1}, {"name": "calm"}], prices)
    assert found.points["status"].tolist() == ["failed", "ok"]
    assert "greater than 0" in found.points["reason"].iloc[0]
    for grid in ({}, [], "grid.yaml", {"risk.target_volatility": 0.1}, {"risc.x": [1]}):
        with pytest.raises(tl.ConfigurationError):
            tl.sweep(grid, prices)
