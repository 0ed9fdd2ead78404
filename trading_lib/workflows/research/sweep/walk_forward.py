"""Walk-forward evaluation of a sweep: yearly selection out of sample, and each point by itself."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from trading_lib.adapters.files.output_file import check_writable
from trading_lib.domain.errors import InputError
from trading_lib.domain.market.instruments import Universe
from trading_lib.domain.market.prices import DateArray, FloatArray
from trading_lib.performance.config import IntervalConfig
from trading_lib.performance.metrics.formulas import SESSIONS_PER_YEAR
from trading_lib.performance.metrics.measure import measure
from trading_lib.performance.metrics.table import METRICS
from trading_lib.performance.significance.deflated_sharpe import judge_sharpe
from trading_lib.performance.significance.sharpe_difference import SharpeDifference, compare_sharpes
from trading_lib.performance.significance.walk_forward import FoldChoice, WalkForward, walk_forward, yearly_folds
from trading_lib.performance.tear_sheet.charts import comparison_chart
from trading_lib.workflows.research.sweep.grid import GridPoint
from trading_lib.workflows.research.sweep.point import OK, PointResult
from trading_lib.workflows.research.sweep.run import SweepResult
from trading_lib.workflows.setup.configuration import SystemConfiguration

Report = dict[str, Any]

DEFAULT = "as configured"
FIGURES = {name: METRICS[name] for name in ("annual_return", "annual_volatility", "sharpe", "max_drawdown")}


@dataclass(frozen=True, slots=True)
class Plan:
    """How a sweep is to be walked forward.

    Attributes
    ----------
    training_years, rolling
        See `yearly_folds`.
    picture
        PNG of the curves out of sample; None for none.
    """

    training_years: int
    rolling: bool = False
    picture: Path | None = None

    def check(self, sessions: DateArray) -> None:
        """Refuse before the sweep what could not be done after it."""
        yearly_folds(sessions, self.training_years, self.rolling)
        if self.picture:
            check_writable(self.picture)


@dataclass(frozen=True, slots=True)
class SweepWalk:
    """A sweep's walk forward; R rows out of sample.

    Attributes
    ----------
    report
        What ``trading sweep --json`` shows as ``walk_forward``.
    sessions
        Shape (R + 1,).
    curves
        Name -> shape (R + 1,), beginning at 1.
    """

    report: Report
    sessions: DateArray
    curves: dict[str, FloatArray]

    def picture(self) -> bytes:
        """Draw the curves as PNG."""
        report = self.report
        title = f"Out of sample, {report['from']} to {report['to']}: {report['data_source']} data"
        years = report["training_years"]
        training = f"{years} year{'s' * (years != 1)}{' (rolling)' if report['rolling'] else ''}"
        footer = f"costs included; a choice a year after {training}; {report['trials']} trials"
        return comparison_chart(self.sessions, self.curves, title, footer, "Value of 1 (log)")


def with_default(points: Sequence[GridPoint]) -> tuple[GridPoint, ...]:
    """Add the configuration as it stands, which all points are compared with, unless it is among them."""
    if any(not point.values for point in points):
        return tuple(points)
    return (*points, GridPoint(len(points), {}, DEFAULT))


def walk(sweep: SweepResult, configuration: SystemConfiguration, plan: Plan) -> SweepWalk:
    """Walk the finished points forward.

    Points of the same configuration are one trial, and a point that failed shows no result to choose by.
    """
    trials = list({result.config_hash: result for result in sweep.results if result.status == OK}.values())
    default = _default(sweep, trials, configuration)
    navs = np.column_stack([result.nav for result in trials if result.nav is not None])
    returns = navs[1:] / navs[:-1] - 1.0
    rate = np.nan_to_num(sweep.cash_rate[:-1], nan=0.0)
    cost = switch_cost(configuration.universe)
    folds = yearly_folds(sweep.sessions, plan.training_years, plan.rolling)
    walked = walk_forward(returns, rate, folds, default, cost)
    rows = slice(walked.rows.start, walked.rows.stop)
    sessions = sweep.sessions[rows.start : rows.stop + 1]
    # One more column than trials: what the choices came to.
    outside, rate = np.column_stack([returns[rows], walked.returns]), rate[rows]
    points, chosen = _measured(outside, rate, trials, walked, default, configuration.performance.intervals)
    report: Report = {
        "data_source": sweep.data_source,
        "from": str(sessions[0]),
        "to": str(sessions[-1]),
        "training_years": plan.training_years,
        "rolling": plan.rolling,
        "trials": len(trials),
        "switches": walked.switches,
        "switch_cost": cost,
        "confidence": configuration.performance.intervals.confidence,
        "chosen_yearly": chosen,
        "default": {"point": trials[default].point.number, **_figures(outside[:, default], rate)},
        "folds": [_fold(choice, trials, sweep.sessions) for choice in walked.folds],
        "points": points,
    }
    curves = {"chosen every year": outside[:, -1], DEFAULT: outside[:, default]}
    best = max(range(len(trials)), key=lambda k: (_merit(points[k]["sharpe"]), k == default))
    if best != default:
        curves[f"{point_name(trials[best].point)} (known best only afterwards)"] = outside[:, best]
    return SweepWalk(report, sessions, {name: np.r_[1.0, np.cumprod(1.0 + r)] for name, r in curves.items()})


def _default(sweep: SweepResult, trials: Sequence[PointResult], configuration: SystemConfiguration) -> int:
    for k, result in enumerate(trials):
        if result.config_hash == configuration.config_hash:
            return k
    reasons = (result.reason for result in sweep.results if result.status != OK and not result.point.values)
    reason = next(reasons, "it is not among the points")
    raise InputError(f"the configuration as it stands did not run ({reason})", "nothing can be compared without it")


def _measured(
    outside: FloatArray,
    rate: FloatArray,
    trials: Sequence[PointResult],
    walked: WalkForward,
    default: int,
    config: IntervalConfig,
) -> tuple[list[Report], Report]:
    """Figures out of sample of every trial, and of the choices among them."""
    differences = compare_sharpes(outside - rate[:, None] / SESSIONS_PER_YEAR, default, config)
    points = [
        {
            **_named(result),
            **_figures(outside[:, k], rate),
            "years_ahead": _years_ahead(outside, rate, walked, k, default),
            "difference": _difference(differences, k),
        }
        for k, result in enumerate(trials)
    ]
    chosen = {
        **_figures(walked.returns, rate),
        "difference": _difference(differences, len(trials)),
        **_deflated(walked.returns, outside, rate, len(trials)),
    }
    return points, chosen


def switch_cost(universe: Universe) -> float:
    """Most that a change of variant can cost: all is sold and bought at the universe's highest rate."""
    return 2.0 * float(universe.cost_rates.max())


def _figures(returns: FloatArray, rate: FloatArray) -> Report:
    return dict(measure(np.r_[1.0, np.cumprod(1.0 + returns)], (), np.r_[rate, 0.0], table=FIGURES))


def _difference(walked: tuple[SharpeDifference | None, ...] | None, k: int) -> Report | None:
    difference = walked[k] if walked else None
    return asdict(difference) if difference else None


def _deflated(returns: FloatArray, outside: FloatArray, rate: FloatArray, trials: int) -> Report:
    """Deflate by all trials, as if the choice had been made among them with hindsight."""
    excess = outside[:, :-1] - rate[:, None] / SESSIONS_PER_YEAR
    sharpes = [float(e.mean() / e.std(ddof=1)) for e in excess.T if e.std() > 1e-12]
    evidence = judge_sharpe(returns - rate / SESSIONS_PER_YEAR, trials, sharpes)
    return {"deflated_sharpe": evidence.deflated if evidence else None}


def _named(result: PointResult) -> Report:
    return {"point": result.point.number, "name": point_name(result.point), "config_hash": result.config_hash}


def point_name(point: GridPoint) -> str:
    """Return the point's own name, or its values."""
    return point.name or ", ".join(f"{key} {value}" for key, value in point.values.items()) or DEFAULT


def _fold(choice: FoldChoice, trials: Sequence[PointResult], sessions: DateArray) -> Report:
    training, test = choice.fold.training, choice.fold.test
    return {
        "training_from": str(sessions[training.start]),
        "training_to": str(sessions[training.stop]),
        "to": str(sessions[test.stop]),
        **_named(trials[choice.chosen]),
        "training_sharpe": choice.training_sharpes[choice.chosen],
        "sharpe": choice.sharpe,
        "default_sharpe": choice.default_sharpe,
    }


def _years_ahead(outside: FloatArray, rate: FloatArray, walked: WalkForward, k: int, default: int) -> int:
    """Folds in which a point's Sharpe ratio is above the default's."""
    ahead = 0
    for choice in walked.folds:
        start = choice.fold.test.start - walked.rows.start
        test = slice(start, start + len(choice.fold.test))
        chosen, usual = (_figures(outside[test, j], rate[test])["sharpe"] for j in (k, default))
        ahead += _merit(chosen) > _merit(usual)
    return ahead


def _merit(sharpe: float | None) -> float:
    return -math.inf if sharpe is None else sharpe
