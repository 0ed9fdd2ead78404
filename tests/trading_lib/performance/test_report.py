"""An analysis as a report: everything by name, in plain JSON, and it adds up."""

from __future__ import annotations

import json

import numpy as np
import pytest

from tests.builders.runs import finished_run, quiet_record
from trading_lib.performance.analysis import analyse
from trading_lib.performance.config import IntervalConfig, PerformanceConfig
from trading_lib.performance.metrics.measure import measure
from trading_lib.performance.report import report_analysis, report_sharpe
from trading_lib.performance.significance.deflated_sharpe import Trials

CONFIG = PerformanceConfig(intervals=IntervalConfig(samples=100))


@pytest.mark.parametrize("quiet", [True, False])
def test_the_report_is_plain_json_without_nan(quiet: bool) -> None:
    analysis = analyse(quiet_record(70) if quiet else finished_run()[1], CONFIG).with_intervals()
    report = report_analysis(analysis)
    assert json.loads(json.dumps(report, allow_nan=False)) == report


def test_the_attribution_in_the_report_adds_up_to_the_cent() -> None:
    _, record = finished_run()
    report = report_analysis(analyse(record, CONFIG))
    change = round(float(record.nav[-1] - record.nav[0]), 2)
    by_asset = report["attribution"]["by_asset"]
    assert round(sum(parts["total"] for parts in by_asset.values()), 2) == change
    assert round(sum(report["attribution"]["by_sleeve"].values()), 2) == change
    for parts in by_asset.values():
        whole = parts["price"] + parts["dividends"] - parts["commission"] - parts["slippage"]
        assert parts["total"] == pytest.approx(whole, abs=3e-4)


def test_years_regimes_and_benchmarks_are_named() -> None:
    _, record = finished_run()
    report = report_analysis(analyse(record, CONFIG))
    assert list(report["per_year"]) == ["2021", "2022"]
    assert set(report["per_regime"]) <= {"NORMAL", "ELEVATED", "HIGH_VOL", "EXTREME"}
    assert list(report["benchmarks"]) == ["60/40 SPY/TLT", "equal weight", "SPY"]
    own = measure(record.nav, record.fills, record.cash_rate)["annual_return"]
    assert own
    for found in report["benchmarks"].values():
        assert found["annual_return_difference"] == pytest.approx(own - found["annual_return"])
        assert -1 <= found["correlation"] <= 1


def test_beta_and_correlation_to_itself_are_one() -> None:
    _, record = finished_run()
    comparison = analyse(record, CONFIG).comparisons["SPY"]
    returns = comparison.values[1:] / comparison.values[:-1] - 1
    covariance = np.cov(record.returns, returns)
    assert comparison.beta == pytest.approx(covariance[0, 1] / covariance[1, 1])
    assert comparison.correlation == pytest.approx(np.corrcoef(record.returns, returns)[0, 1])


def test_intervals_are_only_there_when_asked_for() -> None:
    analysis = analyse(finished_run()[1], CONFIG)
    assert report_analysis(analysis)["confidence_intervals"] is None
    found = report_analysis(analysis.with_intervals())["confidence_intervals"]
    assert set(found) >= {"annual_return", "annual_volatility", "sharpe", "max_drawdown", "block_length", "seed"}


def test_further_trials_change_what_depends_on_them_and_nothing_else() -> None:
    analysis = analyse(finished_run()[1], CONFIG)
    after = analysis.against(Trials(50, (0.1, -0.1), "elsewhere"))
    before, now = report_analysis(analysis), report_analysis(after)
    changed = {name for name in before if before[name] != now[name]}
    assert changed == {"trials", "trials_source", "deflated_sharpe", "sharpe_evidence"}
    assert now["deflated_sharpe"] < before["deflated_sharpe"]
    assert before["deflated_sharpe"] == before["probabilistic_sharpe"] == now["probabilistic_sharpe"]
    assert report_sharpe(after) == {name: now[name] for name in report_sharpe(after)}
