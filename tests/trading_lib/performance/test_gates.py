"""Gate 1 (docs/specification.md#backtest-gate): every criterion can keep it shut, and a missing figure does."""

from __future__ import annotations

from typing import Any

import pytest

from trading_lib.performance.gates import GateConfig, backtest_gate

BACKTEST: dict[str, Any] = {
    "config_hash": "abc",
    "code_version": "1",
    "data_source": "files",
    "sessions": 1258,
    "sharpe": 0.9,
    "max_drawdown": 0.12,
    "win_rate": 0.5,
    "annual_volatility": 0.1,
    "deflated_sharpe": 0.97,
    "trials": 1,
}
STRESS: dict[str, Any] = {
    "config_hash": "abc",
    "code_version": "1",
    "data_source": "files",
    "passed": True,
    "scenarios": {"covid": {"passed": True, "max_risk_level": 2}},
}


def shut(backtest: dict[str, Any], stress: dict[str, Any], overfitting: float | None = None) -> set[str]:
    return {c.name for c in backtest_gate(backtest, stress, overfitting, "abc", GateConfig()) if not c.passed}


def test_good_evidence_opens_it() -> None:
    assert shut(BACKTEST, STRESS) == set()
    assert shut({**BACKTEST, "trials": 50}, STRESS, overfitting=0.2) == set()


@pytest.mark.parametrize(
    ("field", "value", "criterion"),
    [
        ("config_hash", "other", "backtest_configuration"),
        ("sessions", 1000, "backtest_sessions"),
        ("sharpe", 0.70, "sharpe"),
        ("max_drawdown", 0.20, "max_drawdown"),
        ("win_rate", 0.48, "win_rate"),
        ("annual_volatility", 0.18, "annual_volatility"),
        ("deflated_sharpe", 0.95, "deflated_sharpe"),
    ],
)
def test_each_figure_of_the_backtest_counts(field: str, value: object, criterion: str) -> None:
    assert criterion in shut({**BACKTEST, field: value}, STRESS)
    without = {name: found for name, found in BACKTEST.items() if name != field}
    assert criterion in shut(without, STRESS)
    assert criterion in shut({**BACKTEST, field: None}, STRESS)


def test_not_a_number_opens_nothing() -> None:
    assert shut({**BACKTEST, "sharpe": float("nan"), "max_drawdown": float("nan")}, STRESS) == {
        "sharpe",
        "max_drawdown",
    }


@pytest.mark.parametrize(
    ("change", "criterion"),
    [
        ({"passed": False}, "stress_scenarios"),
        ({"scenarios": {}}, "stress_scenarios"),
        ({"scenarios": {"covid": {"passed": False, "max_risk_level": 2}}}, "stress_scenarios"),
        ({"scenarios": {"covid": {"passed": None, "max_risk_level": None}}}, "stress_scenarios"),
        ({"scenarios": {"covid": {"passed": True, "max_risk_level": 4}}}, "highest_stress_level"),
        ({"config_hash": "other"}, "stress_configuration"),
        ({"code_version": "2"}, "one_code_version"),
        ({"data_source": "simulated"}, "one_data_source"),
    ],
)
def test_each_finding_of_the_stress_test_counts(change: dict[str, Any], criterion: str) -> None:
    assert criterion in shut(BACKTEST, {**STRESS, **change})


def test_many_trials_need_a_probability_of_overfitting() -> None:
    assert shut({**BACKTEST, "trials": 2}, STRESS) == {"probability_of_overfitting"}
    assert shut({**BACKTEST, "trials": 2}, STRESS, overfitting=0.5) == {"probability_of_overfitting"}
    assert shut({**BACKTEST, "trials": None}, STRESS) == {"probability_of_overfitting"}
