"""Risk parity by riskfolio-lib: other measures, caps, and answers that cannot be used."""

from __future__ import annotations

import sys
from types import ModuleType
from typing import Any

import numpy as np
import pytest

from trading_lib.domain.errors import OptimisationError
from trading_lib.domain.market.prices import FloatArray
from trading_lib.strategies.config import RiskMeasure
from trading_lib.strategies.weighting.constrained_risk_parity import checked_weights, constrained_risk_parity
from trading_lib.strategies.weighting.risk_parity import equal_risk_contributions

ROWS = 126


def sample(assets: int = 4, seed: int = 5) -> tuple[FloatArray, FloatArray]:
    generator = np.random.default_rng(seed)
    returns = generator.normal(0.0003, 0.01, (ROWS, assets)) * np.linspace(0.5, 2.0, assets)
    returns += generator.normal(0, 0.005, (ROWS, 1))
    return returns, np.cov(returns.T)


def test_variance_agrees_with_the_kernel() -> None:
    returns, covariance = sample()
    # A cap that nobody reaches changes nothing.
    found = constrained_risk_parity(returns, covariance, RiskMeasure.VARIANCE, 0.99)
    np.testing.assert_allclose(found, equal_risk_contributions(covariance), atol=1e-5)


def tail_loss(returns: FloatArray, weights: FloatArray, tail: float) -> float:
    """Average of the worst outcomes, the last of them in part (Rockafellar, Uryasev, 2000)."""
    losses = np.sort(-(returns @ weights))[::-1]
    count = tail * len(losses)
    whole = int(count)
    return float((losses[:whole].sum() + (count - whole) * losses[whole]) / count)


def test_contributions_to_the_tail_loss_are_equal() -> None:
    returns, covariance = sample()
    found = constrained_risk_parity(returns, covariance, RiskMeasure.CONDITIONAL_VALUE_AT_RISK, tail=0.10)
    assert found.sum() == pytest.approx(1.0)
    step = 1e-7
    parts = [
        found[i] * (tail_loss(returns, found + step * unit, 0.10) - tail_loss(returns, found - step * unit, 0.10))
        for i, unit in enumerate(np.eye(4))
    ]
    # At the kinks of the tail loss an asset's contribution is an interval, so they can only be close.
    np.testing.assert_allclose(np.array(parts) / np.sum(parts), 0.25, atol=0.05)
    assert np.abs(found - equal_risk_contributions(covariance)).max() > 1e-3


def test_contributions_to_the_semi_deviation_are_equal() -> None:
    returns, covariance = sample()
    found = constrained_risk_parity(returns, covariance, RiskMeasure.SEMI_DEVIATION)
    centred = returns - returns.mean(axis=0)
    below = np.minimum(centred @ found, 0.0)
    parts = found * (centred.T @ below)
    np.testing.assert_allclose(parts / parts.sum(), 0.25, atol=1e-4)


@pytest.mark.parametrize("measure", list(RiskMeasure))
def test_every_measure_gives_weights_within_the_cap(measure: RiskMeasure) -> None:
    returns, covariance = sample()
    free = constrained_risk_parity(returns, covariance, measure)
    assert free.max() > 0.32
    found = constrained_risk_parity(returns, covariance, measure, 0.30)
    assert found.sum() == pytest.approx(1.0, abs=1e-6)
    assert (found > 0).all()
    assert found.max() <= 0.30
    assert found.max() == pytest.approx(0.30, abs=1e-4)


def test_caps_that_cannot_fill_the_sleeve_leave_cash_and_one_asset_needs_no_solver(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(sys.modules, "riskfolio", None)  # importing it would raise
    returns, covariance = sample(3)
    found = constrained_risk_parity(returns, covariance, RiskMeasure.VARIANCE, 0.2)
    assert found.tolist() == [0.2, 0.2, 0.2]
    assert constrained_risk_parity(returns, covariance, RiskMeasure.VARIANCE, 1 / 3).sum() == pytest.approx(1.0)
    one = constrained_risk_parity(returns[:, :1], covariance[:1, :1], RiskMeasure.ULCER_INDEX)
    assert one.tolist() == [1.0]
    with pytest.raises(OptimisationError, match="no asset to weight"):
        constrained_risk_parity(np.empty((ROWS, 0)), np.empty((0, 0)), RiskMeasure.VARIANCE)


@pytest.mark.filterwarnings("error")
def test_a_solver_without_a_solution_is_an_error_in_one_line_and_prints_nothing(capfd: Any) -> None:
    returns, covariance = sample()
    # The worst outcomes of a certain gain are gains: there is no risk to share, and the problem has no minimum.
    certain = np.abs(returns) + 0.01
    with pytest.raises(OptimisationError) as caught:
        constrained_risk_parity(certain, covariance, RiskMeasure.CONDITIONAL_VALUE_AT_RISK)
    assert "\n" not in str(caught.value)
    assert "inverse volatility is used instead" in str(caught.value)
    assert capfd.readouterr().out == ""


def test_a_solver_that_raises_is_an_error_in_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    class Broken:
        def __init__(self, **_: object) -> None: ...

        def rp_optimization(self, **_: object) -> None:
            raise RuntimeError("licence\nexpired")

    module = ModuleType("riskfolio")
    module.Portfolio = Broken  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "riskfolio", module)
    with pytest.raises(OptimisationError, match="riskfolio-lib failed: RuntimeError: licence expired"):
        constrained_risk_parity(*sample(), RiskMeasure.CONDITIONAL_VALUE_AT_RISK)


@pytest.mark.parametrize(
    ("answer", "problem"),
    [
        (None, "no solution"),
        ([0.5, np.nan], "answered 2 assets"),
        ([0.5, 0.3, 0.2], "answered 2 assets"),
        ([1.2, -0.2], "negative weight, -0.2"),
        ([0.5, 0.4], "add up to 0.9"),
        ([0.8, 0.2], "above the cap 0.7"),
    ],
)
def test_answers_that_break_a_promise_are_errors(answer: list[float] | None, problem: str) -> None:
    with pytest.raises(OptimisationError, match=problem):
        checked_weights(answer, 2, 0.7)


def test_what_a_solver_misses_by_its_precision_is_put_right() -> None:
    found = checked_weights([0.7 + 4e-7, 0.3 + 4e-7, -1e-8], 3, 0.7)
    assert found.max() <= 0.7
    assert found.min() == 0.0
    assert found.sum() <= 1.0 + 1e-15
