"""Screened sweeps: which points are run, what every row says, and how many trials count."""

from __future__ import annotations

import math
from datetime import date
from importlib.util import find_spec
from pathlib import Path

import pytest

from tests.builders.markets import market_of, random_bars
from tests.builders.settings import make_settings
from trading_lib.adapters.mlflow.trials import read_trials
from trading_lib.performance.significance.deflated_sharpe import judge_sharpe
from trading_lib.workflows.research.sweep import screen as workflow
from trading_lib.workflows.research.sweep.grid import GridPoint, expand_grid
from trading_lib.workflows.research.sweep.point import (
    CANCELLED,
    FAILED,
    OK,
    SCREENED,
    PointResult,
    PointRunner,
    SweepTask,
)
from trading_lib.workflows.research.sweep.report import rank_correlation, summarise
from trading_lib.workflows.research.sweep.run import SweepResult, task_on
from trading_lib.workflows.research.sweep.screen import screen_and_run
from trading_lib.workflows.research.sweep.tracking import track_points

# Importing vectorbt takes many seconds, and collecting tests must not.
pytestmark = pytest.mark.skipif(find_spec("vectorbt") is None, reason="vectorbt is not installed")
FIRST, LAST = date(2021, 6, 1), date(2022, 6, 30)
GRID: dict[str, list[object]] = {
    "strategy.signals.momentum_high": [0.06, 0.10, 0.01],
    "strategy.sleeves": [{"trend": 1.0}, {"rotation": 1.0}, {"trend": 0.9, "carry": 0.1}],
}


@pytest.fixture(scope="module")
def task(tmp_path_factory: pytest.TempPathFactory) -> SweepTask:
    settings = make_settings("", tmp_path_factory.mktemp("screening"))
    return task_on(settings, market_of(random_bars(date(2020, 1, 2), LAST, seed=9)), FIRST, LAST)


@pytest.fixture(scope="module")
def told() -> list[str]:
    return []


@pytest.fixture(scope="module")
def results(task: SweepTask, told: list[str]) -> tuple[PointResult, ...]:
    return screen_and_run(task, expand_grid(GRID), 2, 1, told.append)


def test_only_the_best_are_run(results: tuple[PointResult, ...], task: SweepTask) -> None:
    # The last value of the first key contradicts the others, and carry needs the book.
    assert [r.status for r in results].count(FAILED) == 5
    screened = {r.point.number: r.screened["screened_sharpe"] for r in results if r.screened}
    best = sorted(screened, key=lambda number: (-(screened[number] or -math.inf), number))[:2]
    assert [r.point.number for r in results if r.status == OK] == sorted(best)
    assert [r.point.number for r in results if r.status == SCREENED] == sorted(screened.keys() - set(best))
    for result in results:
        if result.status == OK:
            alone = PointRunner(task).run(result.point)
            assert alone.metrics == result.metrics
            assert alone.config_hash == result.config_hash


def test_every_row_says_what_the_screening_found(results: tuple[PointResult, ...]) -> None:
    for result in results:
        row = result.row()
        assert ("screened_sharpe" in row) == (result.status in (OK, SCREENED))
        assert ("sharpe" in row) == (result.status == OK)
        assert row["reason"] or result.status == OK
    (row,) = [r.row() for r in results if r.point.number == 0]
    names = [name for name in row if name.startswith("screened_")]
    assert names == [f"screened_{n}" for n in ("sharpe", "annual_return", "max_drawdown", "monthly_turnover")]
    assert "'carry' cannot be screened" in results[2].reason
    assert "the thresholds must rise" in results[-1].reason


def test_all_screened_points_are_trials(results: tuple[PointResult, ...]) -> None:
    summary = summarise(SweepResult(results, "test", FIRST, LAST))
    assert (summary["ok"], summary["screened"], summary["failed"], summary["trials"]) == (2, 2, 5, 4)
    best = max((r for r in results if r.status == OK), key=lambda r: r.metrics["sharpe"] or -math.inf)
    assert best.nav is not None
    returns = best.nav[1:] / best.nav[:-1] - 1.0
    tried = [r.metrics["sharpe"] if r.status == OK else r.screened["screened_sharpe"] for r in results if r.screened]
    expected = judge_sharpe(returns, 4, [s / math.sqrt(252) for s in tried if s is not None])
    assert summary["best_deflated_sharpe"] == pytest.approx(expected.deflated, rel=1e-9)
    # Of a choice of the best alone it would be too favourable.
    assert summary["probability_of_overfitting"] is None
    assert summary["rank_correlation"] is None


def test_progress_is_told(results: tuple[PointResult, ...], told: list[str]) -> None:
    assert told[0] == "screened 9 of 9 points"
    assert [line.split(":")[0] for line in told[1:]] == ["run 1 of 2", "run 2 of 2"]


def test_rank_correlation_is_spearmans() -> None:
    def found(screened: float | None, full: float | None) -> PointResult:
        return PointResult(GridPoint(0, {}), OK, metrics={"sharpe": full}, screened={"screened_sharpe": screened})

    pairs: list[tuple[float | None, float | None]] = [(1.0, 10.0), (2.0, 30.0), (3.0, 20.0), (4.0, 900.0)]
    # Ranks 1 2 3 4 against 1 3 2 4: 1 - 6 * 2 / (4 * 15).
    assert rank_correlation([found(*pair) for pair in [*pairs, (None, 1.0)]]) == pytest.approx(0.8)
    assert rank_correlation([found(*pair) for pair in pairs[:2]]) is None
    assert rank_correlation([found(1.0, full) for _, full in pairs]) is None


def test_a_stop_while_screening_keeps_what_is_screened(task: SweepTask, monkeypatch: pytest.MonkeyPatch) -> None:
    def stop(line: str) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(workflow, "plans_per_batch", lambda sessions, assets: 1)
    points = expand_grid({"risk.target_volatility": [0.10, 0.12]})
    assert [r.status for r in screen_and_run(task, points, 1, 1, stop)] == [SCREENED, CANCELLED]


def test_tracked_points_count_as_trials_though_only_screened(
    results: tuple[PointResult, ...], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("mlflow", reason="mlflow is not installed")
    monkeypatch.chdir(tmp_path)
    address = f"sqlite:///{tmp_path / 'runs.db'}"
    assert track_points(SweepResult(results, "test", FIRST, LAST), address) == 4
    trials = read_trials(address)
    assert len(trials) == 4
    assert sorted(found.sharpe is None for found in trials.values()) == [False, False, True, True]
