"""Gate 1: whether backtest and stress test are good enough for paper trading.

The criteria are in docs/specification.md#backtest-gate. Input: the two reports, and the probability of overfitting of
the sweep behind them. Output: one `Criterion` each.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from pydantic import Field

from trading_lib.domain.configuration import Configuration
from trading_lib.performance.metrics.formulas import SESSIONS_PER_YEAR

BACKTEST_GATE = "gate_1_backtest"
# A window of five years may begin or end on a weekend.
SPARE_SESSIONS = 10


class GateConfig(Configuration):
    """gates.yaml; fractions, and ratios per year."""

    minimum_years: float = Field(5.0, gt=0)
    sharpe_above: float = 0.7
    max_drawdown_below: float = Field(0.20, gt=0, le=1)
    win_rate_above: float = Field(0.48, ge=0, le=1)
    annual_volatility_below: float = Field(0.18, gt=0)
    deflated_sharpe_above: float = Field(0.95, ge=0, lt=1)
    overfitting_below: float = Field(0.50, gt=0, le=1)


@dataclass(frozen=True, slots=True)
class Criterion:
    """One condition of a gate.

    Attributes
    ----------
    value, threshold
        What was found, in words or as a number, and what it is held against; a missing value fails.
    """

    name: str
    value: float | int | str | None
    rule: str
    threshold: float | int | str
    passed: bool


def backtest_gate(
    backtest: Mapping[str, Any],
    stress: Mapping[str, Any],
    overfitting: float | None,
    config_hash: str,
    config: GateConfig,
) -> tuple[Criterion, ...]:
    """Hold the reports against the gate.

    Parameters
    ----------
    backtest, stress
        As ``trading backtest --out`` and ``trading stress --out`` write them.
    overfitting
        Probability of backtest overfitting over the trials; None when no sweep was evaluated.
    config_hash
        Of the configuration that is to go on; evidence of another one counts for nothing.
    """
    sessions = int(config.minimum_years * SESSIONS_PER_YEAR) - SPARE_SESSIONS
    trials = backtest.get("trials")
    scenarios = stress.get("scenarios") or {}
    levels = [level for s in scenarios.values() if (level := s.get("max_risk_level")) is not None]
    missed = [name for name, found in scenarios.items() if not found.get("passed")]
    criteria = [
        _same("backtest_configuration", backtest.get("config_hash"), config_hash),
        _same("stress_configuration", stress.get("config_hash"), config_hash),
        _same("one_code_version", stress.get("code_version"), str(backtest.get("code_version"))),
        _same("one_data_source", stress.get("data_source"), str(backtest.get("data_source"))),
        _at_least("backtest_sessions", backtest.get("sessions"), sessions),
        _above("sharpe", backtest.get("sharpe"), config.sharpe_above),
        _below("max_drawdown", backtest.get("max_drawdown"), config.max_drawdown_below),
        _above("win_rate", backtest.get("win_rate"), config.win_rate_above),
        _below("annual_volatility", backtest.get("annual_volatility"), config.annual_volatility_below),
        _above("deflated_sharpe", backtest.get("deflated_sharpe"), config.deflated_sharpe_above),
        Criterion(
            "stress_scenarios",
            f"not passed: {', '.join(missed)}" if missed else f"{len(scenarios)} passed",
            "all pass",
            f"{len(scenarios)} scenarios",
            stress.get("passed") is True and bool(scenarios) and not missed,
        ),
        _below("highest_stress_level", max(levels, default=None), 4),
    ]
    if overfitting is not None or not isinstance(trials, int) or trials > 1:
        criteria.append(_below("probability_of_overfitting", overfitting, config.overfitting_below))
    return tuple(criteria)


def _number(value: Any) -> float | None:
    return float(value) if isinstance(value, int | float) and value == value else None


def _above(name: str, value: Any, threshold: float) -> Criterion:
    number = _number(value)
    return Criterion(name, number, ">", threshold, number is not None and number > threshold)


def _at_least(name: str, value: Any, threshold: float) -> Criterion:
    number = _number(value)
    return Criterion(name, number, ">=", threshold, number is not None and number >= threshold)


def _below(name: str, value: Any, threshold: float) -> Criterion:
    number = _number(value)
    return Criterion(name, number, "<", threshold, number is not None and number < threshold)


def _same(name: str, value: Any, expected: str) -> Criterion:
    return Criterion(name, None if value is None else str(value), "==", expected, value == expected)
