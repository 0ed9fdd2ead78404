"""What the DAG stress_test does: one task per scenario, then the verdict over all. No book is opened."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date
from pathlib import Path
from typing import Any

from trading_lib.backtest.stress import ScenarioOutcome, judge_scenarios
from trading_lib.domain.errors import DataQualityError
from trading_lib.workflows.settings import Settings, load_settings
from trading_lib.workflows.stress import choose_scenarios, load_market, load_stress, run_scenario, scenario_report

Plan = dict[str, Any]


def scenarios(params: Mapping[str, Any]) -> list[Plan]:
    """One plan per scenario: those of the form, else all of stress.yaml."""
    chosen = choose_scenarios(load_stress(), params.get("scenarios") or ())
    return [{"scenario": scenario.name, "data": params.get("data")} for scenario in chosen]


def run(plan: Plan, settings: Settings | None = None) -> Plan:
    """Run one scenario and return what the report says about it, under its name."""
    settings, config = settings or load_settings(), load_stress()
    loaded = load_market(settings, Path(plan["data"]) if plan["data"] else None)
    (scenario,) = choose_scenarios(config, [plan["scenario"]])
    return {"name": scenario.name, **scenario_report(run_scenario(settings, loaded, scenario, config))}


def verdict(found: Sequence[Plan]) -> Plan:
    """Judge all scenarios together; a criterion that fails is an error, so that somebody hears of it."""
    judged = judge_scenarios([_outcome(report) for report in found], load_stress().criteria)
    if not judged.passed:
        raise DataQualityError(f"the stress test failed: {'; '.join(judged.failures)}", "see trading stress --page")
    return {
        "scenarios": len(found),
        "worst_drawdown": judged.worst_drawdown,
        "average_drawdown": judged.average_drawdown,
        "highest_level": judged.highest_level,
    }


def _outcome(report: Plan) -> ScenarioOutcome:
    first, last = (date.fromisoformat(report[end]) if report[end] else None for end in ("from", "to"))
    return ScenarioOutcome(
        name=report["name"],
        kind=report["kind"],
        limit=report["limit"],
        first=first,
        last=last,
        status=report["status"],
        reason=report["reason"],
        max_drawdown=report["max_drawdown"],
        max_risk_level=report["max_risk_level"],
    )
