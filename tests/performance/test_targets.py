"""Metrics against their bounds (docs/specification.md#performance-targets)."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from pydantic import ValidationError

from trading_lib.performance.config import TargetConfig
from trading_lib.performance.metrics import measure
from trading_lib.performance.targets import judge

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
METRICS = measure(np.array([100.0, 101.0, 100.5]), (), np.zeros(3))


def test_the_defaults_are_the_designs() -> None:
    found = TargetConfig()
    assert list(TargetConfig.model_fields) == list(SPECIFIED)
    assert {n: (getattr(found, n).target, getattr(found, n).minimum) for n in SPECIFIED} == SPECIFIED


@pytest.mark.parametrize("metric", SPECIFIED)
def test_better_than_the_target_between_and_worse(metric: str) -> None:
    target, minimum = SPECIFIED[metric]
    beyond = target + (target - minimum)
    for value, expected in ((beyond, (True, True)), ((target + minimum) / 2, (False, True)), (minimum, (False, False))):
        verdict = next(v for v in judge(replace(METRICS, **{metric: value}), TargetConfig()) if v.metric == metric)
        assert (verdict.meets_target, verdict.meets_minimum) == expected, value
        assert verdict.value == value


def test_reaching_a_bound_exactly_is_not_beating_it() -> None:
    verdict = judge(replace(METRICS, sharpe=1.0), TargetConfig())[2]
    assert (verdict.meets_target, verdict.meets_minimum) == (False, True)


def test_a_missing_metric_meets_nothing() -> None:
    verdict = judge(replace(METRICS, win_rate=None), TargetConfig())[5]
    assert (verdict.value, verdict.meets_target, verdict.meets_minimum) == (None, False, False)


def test_a_target_easier_than_its_minimum_is_refused() -> None:
    for name, bound in (("sharpe", {"target": 0.5, "minimum": 0.7}), ("max_drawdown", {"target": 0.3, "minimum": 0.2})):
        with pytest.raises(ValidationError, match=f"the target of {name} must be at least as hard"):
            TargetConfig.model_validate({name: bound})
