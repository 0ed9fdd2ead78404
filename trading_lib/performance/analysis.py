"""Everything that can be said about a finished run: one value from which report and tear sheet are made."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np

from trading_lib.domain.market.prices import FloatArray
from trading_lib.performance.benchmarks import BENCHMARKS, benchmark_values
from trading_lib.performance.config import PerformanceConfig
from trading_lib.performance.metrics import SESSIONS_PER_YEAR, Metrics, measure
from trading_lib.performance.periods import RegimeFigures, YearFigures, by_regime, by_year
from trading_lib.performance.run_record import RunRecord
from trading_lib.performance.significance.deflated_sharpe import SharpeEvidence, Trials, judge_sharpe
from trading_lib.performance.significance.intervals import Intervals, confidence_intervals
from trading_lib.performance.targets import Verdict, judge
from trading_lib.performance.trading.attribution import (
    Attribution,
    Costs,
    attribute_assets,
    attribute_sleeves,
    break_down_costs,
)


@dataclass(frozen=True, slots=True)
class Comparison:
    """The run beside a benchmark.

    Attributes
    ----------
    values
        The benchmark's net asset value, shape (S,).
    metrics
        Of the benchmark; figures of trades are missing.
    beta, correlation
        Of the run's daily returns to the benchmark's; None where they do not vary.
    """

    values: FloatArray
    metrics: Metrics
    beta: float | None
    correlation: float | None


@dataclass(frozen=True, slots=True)
class Analysis:
    """A run and what was found about it.

    Attributes
    ----------
    comparisons
        Benchmark -> comparison; a benchmark whose assets have no price in the window is absent.
    sleeves
        Sleeve -> profit of each session, shape (S,).
    sharpe
        None when the returns do not vary.
    intervals
        None unless asked for, or with too few returns.
    """

    record: RunRecord
    config: PerformanceConfig
    metrics: Metrics
    verdicts: tuple[Verdict, ...]
    years: tuple[YearFigures, ...]
    regimes: tuple[RegimeFigures, ...]
    comparisons: Mapping[str, Comparison]
    attribution: Attribution
    sleeves: Mapping[str, FloatArray]
    costs: Costs
    trials: Trials
    sharpe: SharpeEvidence | None
    intervals: Intervals | None = None

    def against(self, trials: Trials) -> Analysis:
        """Judge the Sharpe ratio again, as the best of these trials."""
        return replace(self, trials=trials, sharpe=_evidence(self.record, trials))

    def with_intervals(self) -> Analysis:
        """Add the confidence intervals, which take longer than all the rest."""
        found = confidence_intervals(self.record.returns, self.record.known_cash_rate, self.config.intervals)
        return replace(self, intervals=found)


def analyse(record: RunRecord, config: PerformanceConfig, trials: Trials | None = None) -> Analysis:
    """Compute everything but the confidence intervals."""
    behind = trials or Trials()
    metrics = measure(record.nav, record.fills, record.cash_rate, record.flows)
    attribution = attribute_assets(record)
    return Analysis(
        record=record,
        config=config,
        metrics=metrics,
        verdicts=judge(metrics, config.targets),
        years=by_year(record),
        regimes=by_regime(record),
        comparisons=compare(record),
        attribution=attribution,
        sleeves=attribute_sleeves(attribution, record.quantity, record.sleeves),
        costs=break_down_costs(record, SESSIONS_PER_YEAR),
        trials=behind,
        sharpe=_evidence(record, behind),
    )


def compare(record: RunRecord) -> dict[str, Comparison]:
    """Set the run beside every benchmark that its data has prices for."""
    found = {}
    for benchmark in BENCHMARKS:
        values = benchmark_values(
            benchmark, record.universe, record.mark_return, record.close, record.month_end, float(record.nav[0])
        )
        if values is not None:
            returns = values[1:] / values[:-1] - 1.0
            found[benchmark.name] = Comparison(
                values, measure(values, (), record.cash_rate), *_relation(record.returns, returns)
            )
    return found


def _relation(run: FloatArray, benchmark: FloatArray) -> tuple[float | None, float | None]:
    if len(run) < 2 or run.std() < 1e-12 or benchmark.std() < 1e-12:
        return None, None
    covariance = np.cov(run, benchmark)
    beta = float(covariance[0, 1] / covariance[1, 1])
    return beta, float(beta * np.sqrt(covariance[1, 1] / covariance[0, 0]))


def _evidence(record: RunRecord, trials: Trials) -> SharpeEvidence | None:
    excess = record.returns - record.known_cash_rate / SESSIONS_PER_YEAR
    return judge_sharpe(excess, trials.count, trials.sharpes)
