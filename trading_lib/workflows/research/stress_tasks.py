"""The tasks of the DAG stress_test: one per scenario, a report page, the verdict over all. No book is opened."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from trading_lib.adapters.files.output_file import write_whole
from trading_lib.adapters.mlflow.runs import MlflowTracker, TrackedRun
from trading_lib.backtest.stress.stress import ScenarioOutcome, judge_scenarios
from trading_lib.domain.errors import DataQualityError
from trading_lib.workflows.dag_runs.parameters import chosen_prices
from trading_lib.workflows.research.strategy_reports import faults_report
from trading_lib.workflows.research.stress import (
    StressRun,
    choose_scenarios,
    load_market,
    load_stress,
    run_scenario,
    stress_test,
)
from trading_lib.workflows.research.tracking import run_address, tracking_uri
from trading_lib.workflows.setup.settings import Settings, load_settings
from trading_lib.workflows.stages.plans import ScenarioPlan
from trading_lib.workflows.stages.research_results import LoggedRun, ScenarioFigures
from trading_lib.workflows.trade.stage_log import logged

STRESS_EXPERIMENT = "stress tests"
PAGE_FILE, PICTURE_FILE = "stress_test.html", "stress_test.png"


def scenarios(params: Mapping[str, Any], settings: Settings | None = None) -> list[ScenarioPlan]:
    """One plan per scenario: those of the form, else all of stress.yaml."""
    chosen = choose_scenarios(load_stress(), params.get("scenarios") or ())
    prices = chosen_prices(params, settings or load_settings())
    return [ScenarioPlan(scenario=scenario.name, data=prices.data, prices=prices.name) for scenario in chosen]


@logged("stress scenario")
def run(plan: ScenarioPlan, settings: Settings | None = None) -> ScenarioFigures:
    """Run one scenario and return what the report says about it, under its name."""
    settings, config = settings or load_settings(), load_stress()
    loaded = load_market(settings, plan.folder)
    (scenario,) = choose_scenarios(config, [plan.scenario])
    outcome = run_scenario(settings, loaded, scenario, config)
    return ScenarioFigures(
        name=scenario.name,
        kind=outcome.kind,
        limit=outcome.limit,
        first=outcome.first,
        last=outcome.last,
        status=outcome.status,
        reason=outcome.reason,
        passed=outcome.passed,
        max_drawdown=outcome.max_drawdown,
        max_risk_level=outcome.max_risk_level,
        total_return=outcome.total_return,
        level_sessions=outcome.level_sessions,
        lead_sessions=outcome.lead_sessions,
        absent_assets=outcome.absent_assets,
        sleeve_faults=faults_report(outcome.faults),
    )


@logged("stress report")
def report(planned: Sequence[ScenarioPlan], settings: Settings | None = None) -> LoggedRun:
    """Write the report page and the picture into the project's home, and log both to MLflow where a server runs."""
    settings = settings or load_settings()
    run = stress_test(settings, load_stress(), planned[0].folder, [plan.scenario for plan in planned])
    folder = settings.folders.closed("stress-tests")
    path = folder / f"{run.report['data_to']}_{run.report['config_hash']}.html"
    page, picture = run.page().encode(), run.picture()
    write_whole(path, page)
    write_whole(path.with_suffix(".png"), picture)
    address = tracking_uri(settings)
    if address is None:
        return LoggedRun(page=str(path), run_id=None, url=None)
    run_id = MlflowTracker(address).log(_tracked(run, {PAGE_FILE: page, PICTURE_FILE: picture}), STRESS_EXPERIMENT)
    return LoggedRun(page=str(path), run_id=run_id, url=run_address(address, run_id, STRESS_EXPERIMENT))


def _tracked(run: StressRun, files: Mapping[str, bytes]) -> TrackedRun:
    """Log the stress test in MLflow; it selects nothing, so it is no trial."""
    parameters = {name: str(run.report[name]) for name in ("data_source", "data_from", "data_to", "config_hash")}
    metrics = {name: run.report[name] for name in ("worst_drawdown", "average_drawdown", "highest_level")}
    metrics |= {f"drawdown_{outcome.name}": outcome.max_drawdown for outcome in run.outcomes}
    return TrackedRun(
        name=f"stress test on {run.report['data_source']} to {run.report['data_to']}",
        parameters=parameters,
        metrics={**metrics, "passed": float(run.report["passed"])},
        tags={"data_source": str(run.report["data_source"]), "config_hash": str(run.report["config_hash"])},
        files=files,
        trials=0,
        kind="stress test",
    )


@logged("stress verdict")
def verdict(outcomes: Sequence[ScenarioFigures]) -> dict[str, float | int | None]:
    """Judge all scenarios together; a criterion that fails is an error, so that somebody hears of it."""
    judged = judge_scenarios([_outcome(report) for report in outcomes], load_stress().criteria)
    if not judged.passed:
        raise DataQualityError(f"the stress test failed: {'; '.join(judged.failures)}", "see trading stress --page")
    return {
        "scenarios": len(outcomes),
        "worst_drawdown": judged.worst_drawdown,
        "average_drawdown": judged.average_drawdown,
        "highest_level": judged.highest_level,
    }


def _outcome(figures: ScenarioFigures) -> ScenarioOutcome:
    return ScenarioOutcome(
        name=figures.name,
        kind=figures.kind,
        limit=figures.limit,
        first=figures.first,
        last=figures.last,
        status=figures.status,
        reason=figures.reason,
        max_drawdown=figures.max_drawdown,
        max_risk_level=figures.max_risk_level,
    )
