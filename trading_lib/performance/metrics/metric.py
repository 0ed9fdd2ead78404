"""What an entry of the table of metrics is, and what a metric of a user's own must have."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol, TypeAlias

from trading_lib.domain.configuration import Configuration
from trading_lib.performance.metrics.inputs import MetricInput


class Unit(StrEnum):
    """What a figure counts. Rates are fractions of 1 in files and per cent in words."""

    PERCENT = "per cent"
    RATIO = "ratio"
    DOLLARS = "dollars"
    SESSIONS = "sessions"
    DAYS = "days"
    COUNT = "count"


class Better(StrEnum):
    """Which of two values is the better one."""

    HIGHER = "higher"
    LOWER = "lower"
    NEITHER = "neither"


class Bound(Configuration):
    """What a metric should reach, and the least that is acceptable; both are strict."""

    target: float
    minimum: float


@dataclass(frozen=True, slots=True)
class Missing:
    """Why a metric has no value; never a made-up 0."""

    reason: str


Answer: TypeAlias = float | int | Missing


class RunMetric(Protocol):
    """A metric of a user's own: a class that is created without arguments.

    ``label``, ``unit``, ``better`` and ``target`` may be left out, see docs/research/metrics.md.

    Attributes
    ----------
    name
        Its key in reports, ``[a-z][a-z0-9_]*``.
    definition
        One sentence with the formula.
    """

    name: str
    definition: str

    def compute(self, run: MetricInput) -> Answer:
        """Return the figure of one run, or `Missing` with the reason why there is none."""
        ...


@dataclass(frozen=True, slots=True)
class Requirement:
    """What a run must have for a metric to be computed.

    Attributes
    ----------
    lacking
        What is wrong where it does not hold; the reason of a missing value.
    """

    lacking: str
    holds: Callable[[MetricInput], bool]


@dataclass(frozen=True, slots=True)
class Metric:
    """One entry of the table: everything that is said about a metric anywhere.

    Attributes
    ----------
    name
        Its key in reports, files, MLflow and configuration.
    label
        Its name in words.
    definition, source
        One sentence with the formula, and where that is from.
    compute
        Called where all of ``needs`` hold.
    target
        The bounds as shipped; None has none, and performance.yaml may give it some.
    compared
        Shown of the benchmarks, too: it takes nothing but the curve.
    """

    name: str
    label: str
    unit: Unit
    better: Better
    definition: str
    compute: Callable[[MetricInput], Answer]
    needs: tuple[Requirement, ...] = ()
    source: str = ""
    target: Bound | None = None
    compared: bool = False

    def value(self, run: MetricInput) -> Answer:
        """Compute the metric; what is no number is missing."""
        for requirement in self.needs:
            if not requirement.holds(run):
                return Missing(requirement.lacking)
        answer = self.compute(run)
        if not isinstance(answer, Missing) and not math.isfinite(answer):
            return Missing("it came to no finite number")
        return answer


MetricTable: TypeAlias = Mapping[str, Metric]


def table_of(*metrics: Metric) -> dict[str, Metric]:
    """Order metrics by name."""
    return {metric.name: metric for metric in metrics}
