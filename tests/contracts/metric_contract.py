"""What every `Metric` of the table must do, the system's and a user's own. Test classes inherit `MetricContract`."""

from __future__ import annotations

import json
import math
import re
from datetime import date

import numpy as np
import pytest

from tests.builders.markets import CALENDAR
from tests.builders.orders import fill
from trading_lib.domain.book.orders import Fill, Side
from trading_lib.domain.market.prices import FloatArray
from trading_lib.performance.metrics.inputs import MetricInput
from trading_lib.performance.metrics.measure import metric_input
from trading_lib.performance.metrics.metric import Better, Metric, Missing, Unit
from trading_lib.performance.metrics.targets import bound_problem

DAYS = CALENDAR.between(date(2020, 1, 2), date(2022, 12, 30))
# A round trip that wins, one that loses, and one that is still open.
FILLS = [
    fill(Side.BUY, "SPY", "10", "100", "1"),
    fill(Side.SELL, "SPY", "10", "120", "1"),
    fill(Side.BUY, "GLD", "5", "200", "1"),
    fill(Side.SELL, "GLD", "5", "190", "1"),
    fill(Side.BUY, "TLT", "2", "90", "1"),
]


def curve(seed: int, sessions: int) -> FloatArray:
    """Net asset values from 100,000 dollars on."""
    moves = np.random.default_rng(seed).standard_t(5, sessions - 1) * 0.008 + 0.0004
    return 1e5 * np.r_[1.0, np.cumprod(1.0 + moves)]


def run_of(nav: FloatArray, fills: list[Fill] | None = None, rate: float = 0.02, **further: FloatArray) -> MetricInput:
    """A run with days and without a benchmark."""
    return metric_input(nav, fills or [], np.full(len(nav), rate), sessions=DAYS[: len(nav)], **further)


def usual() -> MetricInput:
    """Three years of a run that has everything."""
    return run_of(curve(1, len(DAYS)), FILLS, benchmark=curve(2, len(DAYS)))


def with_flows() -> MetricInput:
    """A year with a deposit and a withdrawal."""
    flows = np.zeros(252)
    flows[[30, 200]] = 20_000.0, -50_000.0
    return run_of(curve(3, 252) + np.cumsum(flows), FILLS, flows=flows, benchmark=curve(4, 252))


# Runs in which much of what a metric may need is not there.
RUNS = {
    "usual": usual(),
    "with flows": with_flows(),
    "one session": run_of(np.array([1e5])),
    "two sessions": run_of(np.array([1e5, 1.01e5]), FILLS),
    "three sessions": run_of(np.array([1e5, 1.01e5, 0.99e5])),
    "flat": run_of(np.full(300, 1e5), rate=0.0),
    "flat below the cash rate": run_of(np.full(300, 1e5)),
    "only up": run_of(1e5 * 1.001 ** np.arange(300)),
    "only down": run_of(1e5 * 0.999 ** np.arange(300), FILLS[2:]),
    "nearly lost": run_of(np.r_[np.full(50, 1e5), 1.0, np.full(50, 2.0)]),
    "without days": metric_input(curve(5, 300), FILLS, np.zeros(300)),
    "flat benchmark": run_of(curve(6, 300), benchmark=np.full(300, 1e5)),
}


class MetricContract:
    """Subclasses provide the fixture ``metric``."""

    @pytest.fixture
    def metric(self) -> Metric:
        raise NotImplementedError("a contract test class provides its metric")

    def test_it_says_what_it_is(self, metric: Metric) -> None:
        # As a key of JSON, of MLflow and of configuration alike.
        assert re.fullmatch(r"[a-z][a-z0-9_]{0,63}", metric.name)
        assert isinstance(metric.unit, Unit)
        assert isinstance(metric.better, Better)
        for words in (metric.label, metric.definition):
            assert words.strip() == words != ""
            assert words.isprintable()
        assert len(metric.label) <= 40

    def test_its_target_is_at_least_as_hard_as_its_minimum(self, metric: Metric) -> None:
        assert metric.target is None or bound_problem(metric, metric.target) is None

    def test_a_usual_run_has_a_value(self, metric: Metric) -> None:
        assert not isinstance(metric.value(usual()), Missing)

    @pytest.mark.parametrize("run", RUNS)
    def test_every_run_has_a_finite_number_or_a_reason(self, metric: Metric, run: str) -> None:
        answer = metric.value(RUNS[run])
        if isinstance(answer, Missing):
            assert answer.reason.strip() == answer.reason != ""
            assert answer.reason.isprintable()
        else:
            assert type(answer) in (int, float)
            assert math.isfinite(answer)
            json.dumps(answer, allow_nan=False)

    @pytest.mark.parametrize("run", RUNS)
    def test_the_same_run_has_the_same_answer(self, metric: Metric, run: str) -> None:
        assert metric.value(RUNS[run]) == metric.value(RUNS[run])

    def test_it_changes_nothing_of_the_run(self, metric: Metric) -> None:
        run, untouched = usual(), usual()
        metric.value(run)
        for name in ("nav", "cash_rate", "sessions", "benchmark", "returns", "excess", "months"):
            assert getattr(run, name).tobytes() == getattr(untouched, name).tobytes(), name
        assert all(a.tobytes() == b.tobytes() for a, b in zip(run.trades, untouched.trades, strict=True))
