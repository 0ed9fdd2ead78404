"""Metrics against their bounds (docs/specification.md#performance-targets), and bounds by configuration."""

from __future__ import annotations

import numpy as np
import pytest
from pydantic import ValidationError

from trading_lib.performance.config import PerformanceConfig
from trading_lib.performance.metrics.measure import Metrics, measure
from trading_lib.performance.metrics.metric import Bound
from trading_lib.performance.metrics.table import METRICS
from trading_lib.performance.metrics.targets import judge, targets_of

# docs/specification.md#performance-targets: metric, target, minimum acceptable.
SPECIFIED = {
    "annual_return": (0.10, 0.07),
    "annual_volatility": (0.15, 0.18),
    "sharpe": (1.0, 0.7),
    "max_drawdown": (0.15, 0.20),
    "calmar": (0.7, 0.4),
    "win_rate": (0.52, 0.48),
    "profit_factor": (1.3, 1.1),
    "monthly_turnover": (0.30, 0.50),
    "annual_cost_drag": (0.01, 0.02),
}
MEASURED = measure(np.array([100.0, 101.0, 100.5]), (), np.zeros(3))
TARGETS = targets_of(METRICS)


def having(**figures: float | None) -> Metrics:
    """What was measured, but for these figures."""
    return Metrics({**MEASURED, **figures}, MEASURED.missing)


def test_the_defaults_are_those_of_the_specification() -> None:
    found = PerformanceConfig().targets
    assert list(found) == list(SPECIFIED)
    assert {name: (bound.target, bound.minimum) for name, bound in found.items()} == SPECIFIED


@pytest.mark.parametrize("metric", SPECIFIED)
def test_better_than_the_target_between_and_worse(metric: str) -> None:
    target, minimum = SPECIFIED[metric]
    beyond = target + (target - minimum)
    for value, expected in ((beyond, (True, True)), ((target + minimum) / 2, (False, True)), (minimum, (False, False))):
        verdict = next(v for v in judge(having(**{metric: value}), TARGETS) if v.metric == metric)
        assert (verdict.meets_target, verdict.meets_minimum) == expected, value
        assert verdict.value == value


def test_reaching_a_bound_exactly_is_not_beating_it() -> None:
    verdict = judge(having(sharpe=1.0), TARGETS)[2]
    assert (verdict.meets_target, verdict.meets_minimum) == (False, True)


def test_a_missing_metric_meets_nothing() -> None:
    verdict = judge(having(win_rate=None), TARGETS)[5]
    assert (verdict.value, verdict.meets_target, verdict.meets_minimum) == (None, False, False)


def test_a_metric_without_a_target_of_the_systems_can_be_given_one() -> None:
    targets = PerformanceConfig(targets={"sortino": Bound(target=2.0, minimum=1.0)}).targets
    verdicts = judge(having(sortino=1.5, cvar_95=0.01), targets)
    assert [v.metric for v in verdicts] == [*SPECIFIED, "sortino"]
    assert (verdicts[-1].meets_target, verdicts[-1].meets_minimum) == (False, True)


@pytest.mark.parametrize(
    ("targets", "words"),
    [
        ({"sharpe": {"target": 0.5, "minimum": 0.7}}, "the target of sharpe must be at least as hard"),
        ({"max_drawdown": {"target": 0.3, "minimum": 0.2}}, "the target of max_drawdown must be at least as hard"),
        ({"beta": {"target": 0.3, "minimum": 0.2}}, "beta is neither better high nor low, so it has no target"),
        ({"shape": {"target": 0.3, "minimum": 0.2}}, "there is no metric 'shape': did you mean sharpe"),
        ({"sharpe": {"target": 1.5}}, "minimum"),
    ],
)
def test_bounds_that_make_no_sense_are_refused(targets: object, words: str) -> None:
    with pytest.raises(ValidationError, match=words):
        PerformanceConfig.model_validate({"targets": targets})
