"""Everything that can be said about a finished run: one value from which report and tear sheet are made."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from trading_lib.domain.market.prices import FloatArray
from trading_lib.performance.benchmarks import BENCHMARKS, benchmark_values
from trading_lib.performance.config import PerformanceConfig
from trading_lib.performance.metrics.drawdowns import Drawdown, drawdowns
from trading_lib.performance.metrics.formulas import SESSIONS_PER_YEAR, beta_and_correlation, jensen_alpha
from trading_lib.performance.metrics.inputs import MetricInput
from trading_lib.performance.metrics.measure import Metrics, measure, metric_input, metrics_of
from trading_lib.performance.metrics.metric import MetricTable
from trading_lib.performance.metrics.table import METRICS
from trading_lib.performance.metrics.targets import Verdict, judge, targets_of
from trading_lib.performance.periods import RegimeFigures, YearFigures, by_regime, by_year
from trading_lib.performance.run_record import RunRecord
from trading_lib.performance.significance.deflated_sharpe import SharpeEvidence, Trials, judge_sharpe
from trading_lib.performance.significance.intervals import Intervals, confidence_intervals
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
        Of the benchmark: those of the table that take nothing but a curve.
    drawdowns
        Of the benchmark, the deepest first.
    alpha, beta, correlation
        Of the run's daily returns to the benchmark's; None where they do not vary.
    """

    values: FloatArray
    metrics: Metrics
    drawdowns: tuple[Drawdown, ...]
    alpha: float | None
    beta: float | None
    correlation: float | None


@dataclass(frozen=True, slots=True)
class Analysis:
    """A run and what was found about it.

    Attributes
    ----------
    table
        The metrics that were computed, those of the user's own included.
    drawdowns
        Of the run, the deepest first.
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
    table: MetricTable
    metrics: Metrics
    drawdowns: tuple[Drawdown, ...]
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


def analyse(
    record: RunRecord, config: PerformanceConfig, trials: Trials | None = None, table: MetricTable = METRICS
) -> Analysis:
    """Compute everything but the confidence intervals."""
    behind = trials or Trials()
    comparisons = compare(record, table)
    run = _input(record, comparisons.get(config.benchmark))
    metrics = metrics_of(run, table)
    attribution = attribute_assets(record)
    return Analysis(
        record=record,
        config=config,
        table=table,
        metrics=metrics,
        drawdowns=run.drawdowns,
        verdicts=judge(metrics, {**targets_of(table), **config.targets}, table),
        years=by_year(record),
        regimes=by_regime(record),
        comparisons=comparisons,
        attribution=attribution,
        sleeves=attribute_sleeves(attribution, record.quantity, record.sleeves),
        costs=break_down_costs(record, SESSIONS_PER_YEAR),
        trials=behind,
        sharpe=_evidence(record, behind),
    )


def _input(record: RunRecord, against: Comparison | None) -> MetricInput:
    values = against.values if against else None
    return metric_input(record.nav, record.fills, record.cash_rate, record.flows, record.sessions, values)


def compare(record: RunRecord, table: MetricTable = METRICS) -> dict[str, Comparison]:
    """Set the run beside every benchmark that its data has prices for."""
    found = {}
    for benchmark in BENCHMARKS:
        values = benchmark_values(
            benchmark, record.universe, record.mark_return, record.close, record.month_end, float(record.nav[0])
        )
        if values is not None:
            found[benchmark.name] = _comparison(record, values, table)
    return found


def _comparison(record: RunRecord, values: FloatArray, table: MetricTable) -> Comparison:
    compared = {name: metric for name, metric in table.items() if metric.compared}
    returns = values[1:] / values[:-1] - 1.0
    beta, correlation = beta_and_correlation(record.returns, returns) or (None, None)
    return Comparison(
        values=values,
        metrics=measure(values, (), record.cash_rate, sessions=record.sessions, table=compared),
        drawdowns=drawdowns(values),
        alpha=jensen_alpha(record.returns, returns, record.known_cash_rate),
        beta=beta,
        correlation=correlation,
    )


def _evidence(record: RunRecord, trials: Trials) -> SharpeEvidence | None:
    excess = record.returns - record.known_cash_rate / SESSIONS_PER_YEAR
    return judge_sharpe(excess, trials.count, trials.sharpes)
