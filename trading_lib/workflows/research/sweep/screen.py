"""Screened sweeps: vectorbt values every point of the grid, and only the best run through the engine."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from pathlib import Path

from trading_lib.backtest.screening.target_plan import ScreeningPlan, plan_window
from trading_lib.backtest.screening.vectorbt_screen import ScreenedFigures, plans_per_batch, screen_plans
from trading_lib.domain.errors import InputError
from trading_lib.domain.market.sessions import exchange_sessions
from trading_lib.session.inputs import SessionInput
from trading_lib.session.window import window_rows
from trading_lib.workflows.research.sweep.grid import GridPoint, configuration_at
from trading_lib.workflows.research.sweep.journal import SweepJournal
from trading_lib.workflows.research.sweep.point import CANCELLED, SCREENED, PointResult, PointRunner, SweepTask, failed
from trading_lib.workflows.research.sweep.run import SweepResult, collected, kept_beside, prepare, run_points
from trading_lib.workflows.setup.settings import Settings
from trading_lib.workflows.trade.stage_log import stage_log

Say = Callable[[str], None]


def _silent(line: str) -> None:
    """Say nothing."""


def screened_sweep(
    settings: Settings,
    points: Sequence[GridPoint],
    first: date,
    last: date,
    keep: int,
    data: Path | None = None,
    processes: int | None = None,
    say: Say = _silent,
    keep_at: Path | None = None,
) -> SweepResult:
    """Screen all points, then run the ``keep`` best by screened Sharpe ratio; see `sweep.sweep`.

    Every row has what the screening found, those not run with the status screened.

    Parameters
    ----------
    say
        Called with lines of progress.
    keep_at
        See `sweep.sweep`.
    """
    if keep < 1:
        raise InputError(f"cannot run the best {keep} points", "run 1 or more")
    task = prepare(settings, first, last, data)
    with stage_log("screened sweep"), kept_beside(keep_at, task) as journal:
        return collected(task, screen_and_run(task, points, keep, processes, say, journal))


def screen_and_run(
    task: SweepTask,
    points: Sequence[GridPoint],
    keep: int,
    processes: int | None = None,
    say: Say = _silent,
    journal: SweepJournal | None = None,
) -> tuple[PointResult, ...]:
    """Screen and run points on a market that is loaded, results in the order of ``points``."""
    results = screen_points(task, points, say)
    if any(result.status == CANCELLED for result in results.values()):
        return tuple(results[point.number] for point in points)
    ranked = sorted((r for r in results.values() if r.status == SCREENED), key=_by_screened_sharpe)
    best = [result.point for result in ranked[:keep]]
    done = 0

    def tell(result: PointResult) -> None:
        nonlocal done
        done += 1
        say(f"run {done} of {len(best)}: point {result.point.number} {result.status}")

    run = run_points(task, best, processes, tell, journal) if best else ()
    results |= {r.point.number: replace(r, screened=results[r.point.number].screened) for r in run}
    return tuple(results[point.number] for point in points)


def screen_points(task: SweepTask, points: Sequence[GridPoint], say: Say = _silent) -> dict[int, PointResult]:
    """Value every point by its target weights; number -> a result that is screened or failed.

    After Ctrl-C the points of finished batches are screened and the rest counts as cancelled.
    """
    rows = window_rows(task.market.panel, exchange_sessions(), task.first, task.last)
    size = plans_per_batch(len(rows), len(task.base.universe))
    runner = PointRunner(task)
    results: dict[int, PointResult] = {}
    try:
        for start in range(0, len(points), size):
            for result in _screen_batch(runner, task, points[start : start + size], rows):
                results[result.point.number] = result
            say(f"screened {len(results)} of {len(points)} points")
    except KeyboardInterrupt:
        stopped = "the sweep was stopped before this point was screened"
        return {p.number: results.get(p.number) or PointResult(p, CANCELLED, stopped) for p in points}
    return results


@dataclass(frozen=True, slots=True)
class _Planned:
    point: GridPoint
    config_hash: str
    data: SessionInput
    plan: ScreeningPlan


def _screen_batch(
    runner: PointRunner, task: SweepTask, points: Sequence[GridPoint], rows: range
) -> Iterator[PointResult]:
    planned: list[_Planned] = []
    for point in points:
        try:
            configuration = configuration_at(point, task.folder, task.variables)
            data = runner.input_of(configuration)
            planned.append(_Planned(point, configuration.config_hash, data, plan_window(data, rows)))
        except Exception as error:  # also what a user's own strategy raises
            yield failed(point, error)
    if not planned:
        return
    # Prices and costs are the market's and the universe's, which all points share.
    for candidate, figures in zip(planned, screen_plans(planned[0].data, rows, [p.plan for p in planned]), strict=True):
        yield PointResult(
            candidate.point,
            SCREENED,
            "screened, and not among the best",
            candidate.config_hash,
            screened=_columns(figures),
        )


def _columns(figures: ScreenedFigures) -> Mapping[str, float | None]:
    return {
        "screened_sharpe": figures.sharpe,
        "screened_annual_return": figures.annual_return,
        "screened_max_drawdown": figures.max_drawdown,
        "screened_monthly_turnover": figures.monthly_turnover,
    }


def _by_screened_sharpe(result: PointResult) -> tuple[float, int]:
    sharpe = result.screened["screened_sharpe"]
    return math.inf if sharpe is None else -sharpe, result.point.number
