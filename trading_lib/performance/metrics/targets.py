"""Metrics beside their targets."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from trading_lib.performance.metrics.measure import Metrics
from trading_lib.performance.metrics.metric import Better, Bound, Metric, MetricTable
from trading_lib.performance.metrics.table import METRICS


@dataclass(frozen=True, slots=True)
class Verdict:
    """One metric against its bounds; both are strict.

    Attributes
    ----------
    value
        None when the metric could not be computed, which meets nothing.
    """

    metric: str
    value: float | None
    target: float
    minimum: float
    meets_target: bool
    meets_minimum: bool


def targets_of(table: MetricTable) -> dict[str, Bound]:
    """Return the bounds that the entries of a table come with, by name."""
    return {name: metric.target for name, metric in table.items() if metric.target is not None}


def bound_problem(metric: Metric, bound: Bound) -> str | None:
    """Say what is wrong with the bounds of a metric; None where nothing is."""
    if metric.better is Better.NEITHER:
        return f"{metric.name} is neither better high nor low, so it has no target"
    lower = metric.better is Better.LOWER
    harder = bound.target <= bound.minimum if lower else bound.target >= bound.minimum
    return None if harder else f"the target of {metric.name} must be at least as hard to reach as its minimum"


def judge(metrics: Metrics, bounds: Mapping[str, Bound], table: MetricTable = METRICS) -> tuple[Verdict, ...]:
    """Compare every metric that has bounds with them, in the order of the table."""
    return tuple(_verdict(metric, metrics[name], bounds[name]) for name, metric in table.items() if name in bounds)


def _verdict(metric: Metric, value: float | None, bound: Bound) -> Verdict:
    def meets(limit: float) -> bool:
        if value is None:
            return False
        return value < limit if metric.better is Better.LOWER else value > limit

    return Verdict(metric.name, value, bound.target, bound.minimum, meets(bound.target), meets(bound.minimum))
