"""Configuration of reports: targets (docs/specification.md#performance-targets), how sure figures must be."""

from __future__ import annotations

from typing import Self

from pydantic import Field, model_validator

from trading_lib.domain.configuration import Configuration

# Of the metrics with a target, those that should be small.
LOWER_IS_BETTER = frozenset({"annual_volatility", "max_drawdown", "monthly_turnover", "annual_cost_drag"})


class Bound(Configuration):
    """What a metric should reach, and the least that is acceptable."""

    target: float
    minimum: float


class TargetConfig(Configuration):
    """Bounds of the metrics (docs/specification.md#performance-targets); rates are fractions."""

    annual_return: Bound = Bound(target=0.10, minimum=0.07)
    annual_volatility: Bound = Bound(target=0.15, minimum=0.18)
    sharpe: Bound = Bound(target=1.0, minimum=0.7)
    max_drawdown: Bound = Bound(target=0.15, minimum=0.20)
    calmar: Bound = Bound(target=0.7, minimum=0.4)
    win_rate: Bound = Bound(target=0.52, minimum=0.48)
    profit_factor: Bound = Bound(target=1.3, minimum=1.1)
    monthly_turnover: Bound = Bound(target=0.30, minimum=0.50)
    annual_cost_drag: Bound = Bound(target=0.01, minimum=0.02)

    @model_validator(mode="after")
    def _target_is_harder(self) -> Self:
        for name in type(self).model_fields:
            bound: Bound = getattr(self, name)
            harder = bound.target <= bound.minimum if name in LOWER_IS_BETTER else bound.target >= bound.minimum
            if not harder:
                raise ValueError(f"the target of {name} must be at least as hard to reach as its minimum")
        return self


class IntervalConfig(Configuration):
    """Stationary bootstrap of the confidence intervals."""

    confidence: float = Field(0.90, gt=0, lt=1)
    samples: int = Field(2000, ge=100, le=1_000_000)
    seed: int = Field(20070103, ge=0)


class PerformanceConfig(Configuration):
    """Everything reports are told.

    Attributes
    ----------
    volume_share
        A fill of more than this share of its bar's volume is warned of.
    """

    targets: TargetConfig = TargetConfig()
    intervals: IntervalConfig = IntervalConfig()
    rolling_sessions: int = Field(126, ge=20)
    volume_share: float = Field(0.01, gt=0, le=1)
