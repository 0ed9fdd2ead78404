"""The table: every entry does what a metric must, and whatever lists metrics agrees with it."""

from __future__ import annotations

from dataclasses import fields
from pathlib import Path

import pytest

from tests.contracts.metric_contract import RUNS, MetricContract, curve, run_of
from trading_lib.adapters.mlflow.views import STRATEGIES
from trading_lib.performance.metrics.measure import metrics_of
from trading_lib.performance.metrics.metric import Metric, Missing
from trading_lib.performance.metrics.table import METRICS
from trading_lib.performance.significance.intervals import Interval, Intervals

# The keys of reports before there was a table, in their order.
OLDEST = (
    "sessions", "final_nav", "annual_return", "annual_volatility", "sharpe", "cash_rate", "max_drawdown", "calmar",
    "win_rate", "profit_factor", "round_trips", "monthly_turnover", "annual_cost_drag", "trades",
)  # fmt: skip


class TestContract(MetricContract):
    """Every metric of the system."""

    @pytest.fixture(params=METRICS.values(), ids=METRICS)
    def metric(self, request: pytest.FixtureRequest) -> Metric:
        metric: Metric = request.param
        return metric


def test_the_first_keys_of_a_report_are_what_they_were() -> None:
    assert tuple(METRICS)[: len(OLDEST)] == OLDEST


def test_no_two_have_a_label_in_common() -> None:
    assert len({metric.label for metric in METRICS.values()}) == len(METRICS)


def test_what_is_missing_is_missing_for_a_stated_reason() -> None:
    for metric in METRICS.values():
        stated = {requirement.lacking for requirement in metric.needs}
        given = {answer.reason for run in RUNS.values() if isinstance(answer := metric.value(run), Missing)}
        assert given <= stated, metric.name


def test_what_a_benchmark_is_compared_in_needs_no_trades_and_no_benchmark() -> None:
    compared = {name: metric for name, metric in METRICS.items() if metric.compared}
    assert not metrics_of(run_of(curve(1, 300)), compared).missing
    bare = metrics_of(RUNS["without days"], compared).missing
    assert set(bare.values()) == {"the days of the sessions are not known"}


def test_metrics_of_a_run_are_null_with_a_reason_and_never_zero() -> None:
    found = metrics_of(RUNS["one session"])
    assert {name for name, value in found.items() if value is None} == set(found.missing)
    assert set(found) - set(found.missing) == {
        "sessions", "final_nav", "cash_rate", "max_drawdown", "round_trips", "trades",
    }  # fmt: skip
    assert found.missing["var_95"] == "fewer than 20 returns"
    assert metrics_of(RUNS["flat"]).missing["sortino"] == "no return varies below the cash rate"
    assert metrics_of(RUNS["without days"]).missing["alpha"] == "the benchmark has no price at the first session"
    assert metrics_of(RUNS["flat benchmark"]).missing["beta"] == "the run or the benchmark does not vary"


def test_intervals_and_mlflows_columns_are_of_metrics_in_the_table() -> None:
    intervals = {field.name for field in fields(Intervals) if "Interval" in str(field.type)}
    assert intervals == {"annual_return", "annual_volatility", "sharpe", "max_drawdown"}
    columns = {name.split("`")[1] for name in STRATEGIES.columns if name.startswith("metrics.")}
    assert intervals | columns <= set(METRICS)
    assert Interval(0.1, 0.2).low == 0.1


def documented(metric: Metric) -> str:
    """The row of docs/research/metrics.md that an entry asks for."""
    source = f" ({metric.source})" if metric.source else ""
    missing = ", ".join(requirement.lacking for requirement in metric.needs) or "never"
    better = metric.better.value if metric.better.value != "neither" else ""
    return f"| `{metric.name}` | {metric.unit.value} | {better} | {metric.definition}{source} | {missing} |"


def test_the_documentation_lists_exactly_the_table(repository_root: Path) -> None:
    text = (repository_root / "docs" / "research" / "metrics.md").read_text(encoding="utf-8")
    section = text.split("## The table\n")[1].split("\n## ")[0]
    rows = [line for line in section.splitlines() if line.startswith("| `")]
    assert rows == [documented(metric) for metric in METRICS.values()]
