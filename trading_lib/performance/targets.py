"""Metrics beside their targets (docs/specification.md#performance-targets)."""

from __future__ import annotations

from dataclasses import dataclass

from trading_lib.performance.config import LOWER_IS_BETTER, Bound, TargetConfig
from trading_lib.performance.metrics import Metrics


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

    @property
    def lower_is_better(self) -> bool:
        """Whether a smaller value is the better one."""
        return self.metric in LOWER_IS_BETTER


def judge(metrics: Metrics, targets: TargetConfig) -> tuple[Verdict, ...]:
    """Compare every metric that has bounds with them, in the order of the configuration."""
    return tuple(_verdict(name, getattr(metrics, name), getattr(targets, name)) for name in TargetConfig.model_fields)


def _verdict(name: str, value: float | None, bound: Bound) -> Verdict:
    def meets(limit: float) -> bool:
        if value is None:
            return False
        return value < limit if name in LOWER_IS_BETTER else value > limit

    return Verdict(name, value, bound.target, bound.minimum, meets(bound.target), meets(bound.minimum))
