"""Sweeps: the grid, the same core in parallel, and points that fail without taking the others along."""

from __future__ import annotations

import csv
import json
from dataclasses import replace
from datetime import date
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from tests.builders.markets import market_of, random_bars
from tests.builders.settings import make_settings
from trading_lib.adapters.files.include_folder import include_folder
from trading_lib.domain.decision.sleeves import SleeveTarget, SleeveView
from trading_lib.domain.errors import ConfigurationError, InputError, SessionError
from trading_lib.domain.market.market_view import MarketView
from trading_lib.domain.market.sessions import exchange_sessions
from trading_lib.workflows.research.backtest import backtest_market
from trading_lib.workflows.research.sweep import run as workflow
from trading_lib.workflows.research.sweep.grid import configuration_at, expand_grid, load_grid
from trading_lib.workflows.research.sweep.point import CANCELLED, FAILED, OK, PointResult, PointRunner, SweepTask
from trading_lib.workflows.research.sweep.report import summarise, write_points
from trading_lib.workflows.research.sweep.run import SweepResult, sweep, task_on
from trading_lib.workflows.setup.configuration import load_configuration
from trading_lib.workflows.setup.settings import Settings

FIRST, LAST = date(2021, 6, 1), date(2022, 6, 30)
FAULTY = "tests.cases.faulty_strategy"
GRID = {"strategy.signals.momentum_high": [0.08, 0.10], "risk.target_volatility": [0.12, 0.15]}


@pytest.fixture(scope="module")
def settings(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    return make_settings("", tmp_path_factory.mktemp("sweep"))


@pytest.fixture(scope="module")
def task(settings: Settings) -> SweepTask:
    market = market_of(random_bars(date(2020, 1, 2), LAST, seed=9))
    return task_on(settings, market, FIRST, LAST)


def run_here(task: SweepTask, grid: dict[str, list[object]]) -> list[PointResult]:
    runner = PointRunner(task)
    return [runner.run(point) for point in expand_grid(grid)]


def test_the_last_key_changes_fastest() -> None:
    points = expand_grid(GRID)
    assert [tuple(point.values.values()) for point in points] == [
        (0.08, 0.12),
        (0.08, 0.15),
        (0.10, 0.12),
        (0.10, 0.15),
    ]
    assert [point.number for point in points] == [0, 1, 2, 3]


def test_points_can_be_written_out_one_by_one(tmp_path: Path) -> None:
    path = tmp_path / "points.yaml"
    path.write_text(
        "- {name: calm, risk.target_volatility: 0.1}\n- {risk.levels.drawdowns: [0.1, 0.2, 0.3, 0.4]}\n- {}"
    )
    points = load_grid(path)
    assert [point.number for point in points] == [0, 1, 2]
    assert [point.name for point in points] == ["calm", "", ""]
    assert [dict(p.values) for p in points] == [
        {"risk.target_volatility": 0.1},
        {"risk.levels.drawdowns": [0.1, 0.2, 0.3, 0.4]},
        {},
    ]
    assert PointResult(points[0], OK).row()["name"] == "calm"
    assert "name" not in PointResult(points[1], OK).row()
    folder = include_folder() / "config"
    assert configuration_at(points[2], folder, {}) == load_configuration(folder, {})


def test_a_point_is_what_the_files_would_say(tmp_path: Path) -> None:
    folder = include_folder() / "config"
    point = expand_grid({"strategy.signals.momentum_high": [0.123], "strategy.sleeves": [{"trend": 1.0}]})[0]
    found = configuration_at(point, folder, {})
    variables = {"TRADING_STRATEGY__SIGNALS__MOMENTUM_HIGH": "0.123", "TRADING_STRATEGY__SLEEVES": "{trend: 1.0}"}
    assert found == load_configuration(folder, variables)
    assert found.decision.strategy.signals.momentum_high == 0.123
    assert found.config_hash != load_configuration(folder, {}).config_hash


def test_a_point_wins_over_the_environment() -> None:
    point = expand_grid({"risk.target_volatility": [0.11]})[0]
    variables = {"TRADING_RISK__TARGET_VOLATILITY": "0.19"}
    assert configuration_at(point, include_folder() / "config", variables).decision.risk.target_volatility == 0.11


def test_every_point_is_the_backtest_of_its_configuration(task: SweepTask, settings: Settings) -> None:
    results = run_here(task, GRID)
    assert [result.status for result in results] == [OK] * 4
    for result in results:
        own = configuration_at(result.point, task.folder, {})
        # A run by itself shares no views with other points.
        alone = backtest_market(replace(settings, configuration=own), task.market, FIRST, LAST)
        np.testing.assert_array_equal(result.nav, alone.result.nav)
        assert result.metrics["sharpe"] == alone.report["sharpe"]
        assert result.config_hash == own.config_hash
    assert len({result.metrics["final_nav"] for result in results}) > 1


def test_parallel_processes_give_the_same_in_the_same_order(task: SweepTask) -> None:
    grid = {"strategy.signals.minimum_confidence": [0.1, 0.2, 0.3]}
    points = expand_grid(grid)
    parallel = sorted(workflow._run(task, points, 2), key=lambda result: result.point.number)
    for found, expected in zip(parallel, run_here(task, grid), strict=True):
        np.testing.assert_array_equal(found.nav, expected.nav)
        assert found.metrics == expected.metrics


def test_failing_points_are_reported_and_the_others_stand(task: SweepTask) -> None:
    grid = {"strategy.signals.momentum_high": [0.10, 0.01, "much"], "risk.no_such_key": [1]}
    assert {result.status for result in run_here(task, grid)} == {FAILED}
    good, contradicting, wrong_type = run_here(task, {"strategy.signals.momentum_high": [0.10, 0.01, "much"]})
    assert good.status == OK
    assert "the thresholds must rise" in contradicting.reason
    assert "much" in wrong_type.reason
    assert contradicting.row()["status"] == FAILED
    assert contradicting.nav is None


def test_a_strategy_that_raises_fails_its_own_point(task: SweepTask) -> None:
    unknown, good = run_here(task, {"strategy.sleeves": [{"nonsense": 1.0}, {"trend": 1.0}]})
    assert "nonsense" in unknown.reason
    assert good.status == OK


class FailsOnMondays:
    """Holds nothing, and fails on Mondays."""

    def target(self, view: MarketView, sleeve: SleeveView) -> SleeveTarget:
        if view.session.weekday() == 0:
            raise ZeroDivisionError
        return SleeveTarget(np.zeros(len(view.universe)))


def test_a_point_whose_strategy_failed_in_every_session_has_failed(task: SweepTask) -> None:
    """Its previous target stayed, so that it would look well without ever having run its strategy."""
    (found,) = run_here(task, {"strategy.sleeves": [{"mine": {"strategy": f"{FAULTY}:Faulty", "budget": 1.0}}]})
    assert found.status == FAILED
    assert "sleeve mine failed in all " in found.reason
    assert "ZeroDivisionError: no assets (faulty_strategy.py, line " in found.reason


def test_sessions_in_which_a_strategy_failed_are_counted(task: SweepTask) -> None:
    sleeves = [{"mine": {"strategy": f"{__name__}:FailsOnMondays", "budget": 1.0}}, {"trend": 1.0}]
    faulty, good = run_here(task, {"strategy.sleeves": sleeves})
    assert (faulty.status, good.status) == (OK, OK)
    sessions = exchange_sessions().between(FIRST, LAST).astype("datetime64[D]").tolist()
    assert faulty.metrics["sleeve_faults"] == sum(day.weekday() == 0 for day in sessions)
    assert good.metrics["sleeve_faults"] == 0
    summary = summarise(SweepResult((faulty, good), "test", FIRST, LAST))
    assert summary["sleeve_faults"] == {"0": faulty.metrics["sleeve_faults"]}


def test_what_a_stopped_sweep_had_finished_stands(
    task: SweepTask, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(workflow, "prepare", lambda *_: task)

    def stop(result: PointResult) -> None:
        if result.point.number == 1:
            raise KeyboardInterrupt

    found = sweep(settings, expand_grid(GRID), FIRST, LAST, processes=1, progress=stop)
    assert [result.status for result in found.results] == [OK, OK, CANCELLED, CANCELLED]
    assert found.cancelled
    rows = task.market.row(FIRST), task.market.row(LAST)
    np.testing.assert_array_equal(found.sessions, task.market.panel.sessions[rows[0] : rows[1] + 1])
    np.testing.assert_array_equal(found.cash_rate, task.market.panel.cash_rate[rows[0] : rows[1] + 1])
    summary = summarise(found)
    assert (summary["ok"], summary["cancelled"]) == (2, 2)


def test_one_row_per_point_in_every_format(task: SweepTask, tmp_path: Path) -> None:
    results = run_here(task, {"strategy.signals.momentum_high": [0.10, 0.01]})
    found = SweepResult(tuple(results), "test", FIRST, LAST)
    for name in ("points.json", "points.csv", "points.parquet"):
        write_points(tmp_path / name, found)
    rows = json.loads((tmp_path / "points.json").read_text())
    assert [row["status"] for row in rows] == [OK, FAILED]
    assert rows[0]["strategy.signals.momentum_high"] == 0.10
    assert rows[0]["final_nav"] == results[0].metrics["final_nav"]
    with (tmp_path / "points.csv").open() as file:
        assert [row["point"] for row in csv.DictReader(file)] == ["0", "1"]
    assert list(pd.read_parquet(tmp_path / "points.parquet")["status"]) == [OK, FAILED]
    with pytest.raises(InputError, match="no known suffix"):
        write_points(tmp_path / "points.xlsx", found)


def test_the_summary_deflates_the_best_by_the_number_of_points(task: SweepTask) -> None:
    results = run_here(task, {"strategy.signals.minimum_confidence": [0.05, 0.1, 0.2, 0.3, 0.4]})
    summary = summarise(SweepResult(tuple(results), "test", FIRST, LAST))
    sharpes = [result.metrics["sharpe"] for result in results]
    assert summary["best"][0]["sharpe"] == max(sharpes)
    alone = summarise(SweepResult((results[int(np.argmax(sharpes))],), "test", FIRST, LAST))
    assert summary["best_deflated_sharpe"] < alone["best_deflated_sharpe"]
    assert 0.0 <= summary["probability_of_overfitting"] <= 1.0
    assert alone["probability_of_overfitting"] is None


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "holds no grid"),
        ("- 1", "holds no grid"),
        ("- {momentum_high: 1}", "is no key of"),
        ("- {name: a}\n- {name: a}", "two points are called 'a'"),
        ("a: [", "no valid YAML"),
        ("momentum_high: [1]", "is no key of"),
        ("universe.instruments: [[1]]", "is no key of"),
        ("risk.target_volatility: 0.1", "needs a list"),
        ("risk.target_volatility: []", "needs a list"),
    ],
)
def test_a_wrong_grid_is_one_clear_error(tmp_path: Path, text: str, words: str) -> None:
    path = tmp_path / "grid.yaml"
    path.write_text(text)
    with pytest.raises(ConfigurationError, match=words):
        load_grid(path)


def test_a_grid_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="cannot be read"):
        load_grid(tmp_path / "none.yaml")


def test_a_window_outside_the_data_is_refused_before_any_point(task: SweepTask, settings: Settings) -> None:
    with pytest.raises(SessionError, match="not covered"):
        task_on(settings, task.market, date(2010, 1, 4), LAST)
    with pytest.raises(InputError, match="inverted"):
        sweep(settings, expand_grid(GRID), LAST, FIRST)
