"""Configuration of reports: targets of the metrics, what they are compared with, and how sure they must be."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Self

from pydantic import Field, field_validator, model_validator

from trading_lib.domain.configuration import Configuration
from trading_lib.domain.errors import one_of
from trading_lib.performance.benchmarks import BENCHMARKS
from trading_lib.performance.metrics.metric import Bound
from trading_lib.performance.metrics.table import METRICS
from trading_lib.performance.metrics.targets import bound_problem, targets_of


class IntervalConfig(Configuration):
    """Stationary bootstrap of the confidence intervals."""

    confidence: float = Field(0.90, gt=0, lt=1)
    samples: int = Field(2000, ge=100, le=1_000_000)
    seed: int = Field(20070103, ge=0)


class PerformanceConfig(Configuration):
    """Everything reports are told.

    Attributes
    ----------
    targets
        Metric -> its bounds; rates are fractions. Metrics that are not named keep those of the table.
    benchmark
        What alpha and beta are against: the name of one of `BENCHMARKS`.
    volume_share
        A fill of more than this share of its bar's volume is warned of.
    own_metrics
        ``file.py:Class`` in the folder ``metrics`` beside the configuration, or ``package.module:Class``.
    """

    targets: Mapping[str, Bound] = targets_of(METRICS)
    benchmark: str = "SPY"
    intervals: IntervalConfig = IntervalConfig()
    rolling_sessions: int = Field(126, ge=20)
    volume_share: float = Field(0.01, gt=0, le=1)
    own_metrics: tuple[str, ...] = ()

    @field_validator("targets", mode="before")
    @classmethod
    def _others_keep_theirs(cls, given: Any) -> Any:
        return {**targets_of(METRICS), **given} if isinstance(given, Mapping) else given

    @field_validator("targets")
    @classmethod
    def _target_is_harder(cls, targets: Mapping[str, Bound]) -> Mapping[str, Bound]:
        problems = (bound_problem(METRICS[name], bound) for name, bound in targets.items() if name in METRICS)
        if problem := next(filter(None, problems), None):
            raise ValueError(problem)
        return targets

    @field_validator("benchmark")
    @classmethod
    def _is_a_benchmark(cls, name: str) -> str:
        known = [benchmark.name for benchmark in BENCHMARKS]
        if name not in known:
            raise ValueError(f"there is no benchmark {name!r}: {one_of(name, known)}")
        return name

    @model_validator(mode="after")
    def _targets_have_a_metric(self) -> Self:
        # With metrics of the user's own, what is unknown here is held against them where they are loaded.
        unknown = [name for name in self.targets if name not in METRICS]
        if unknown and not self.own_metrics:
            raise ValueError(f"targets: there is no metric {unknown[0]!r}: {one_of(unknown[0], METRICS)}")
        return self
