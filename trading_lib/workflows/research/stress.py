"""Stress tests: load -> run every scenario -> apply the criteria -> page."""

from __future__ import annotations

import os
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from trading_lib.backtest.audits.sleeve_faults import refuse_useless
from trading_lib.backtest.engine import run_backtest
from trading_lib.backtest.stress.page import stress_page, stress_picture
from trading_lib.backtest.stress.scenarios import HistoricalWindow, Scenario, StressConfig, SyntheticDecline
from trading_lib.backtest.stress.stress import ScenarioOutcome, judge_scenarios, measure_scenario
from trading_lib.backtest.stress.synthetic_decline import decline_moves
from trading_lib.domain.errors import InputError, SessionError, one_of
from trading_lib.domain.market.prices import FloatArray
from trading_lib.workflows.data.market import LoadedSource, Market, market_from_source, session_input
from trading_lib.workflows.research.continued_market import WARM_UP_SESSIONS, continued_market
from trading_lib.workflows.research.strategy_reports import faults_report
from trading_lib.workflows.research.stress_tail import paths_report, run_crisis_paths
from trading_lib.workflows.setup.code_version import code_version
from trading_lib.workflows.setup.configuration import load_file
from trading_lib.workflows.setup.settings import Settings, configuration_folder
from trading_lib.workflows.setup.source_choice import research_source
from trading_lib.workflows.trade.stage_log import logged

Report = dict[str, Any]


@dataclass(frozen=True, slots=True)
class StressRun:
    """A finished stress test and its report, which is what ``trading stress --out`` writes."""

    outcomes: tuple[ScenarioOutcome, ...]
    report: Report
    tail: FloatArray | None

    def picture(self) -> bytes:
        """Draw it as PNG."""
        title = f"Stress test on {self.report['data_source']} data: {'passed' if self.report['passed'] else 'failed'}"
        return stress_picture(self.outcomes, self.tail, title)

    def page(self) -> str:
        """One self-contained HTML page."""
        return stress_page(self.outcomes, self.report, self.picture())


def load_stress(settings_folder: Path | None = None) -> StressConfig:
    """Read stress.yaml of the configuration folder."""
    variables = dict(os.environ)
    folder = settings_folder or configuration_folder(variables)
    return load_file(folder / "stress.yaml", StressConfig, variables)


@logged("stress test")
def stress_test(
    settings: Settings,
    config: StressConfig,
    data: Path | None = None,
    only: Sequence[str] = (),
    with_paths: bool = True,
) -> StressRun:
    """Run the configured scenarios on a folder of prices, or on the simulated market when none is given.

    Parameters
    ----------
    only
        Names of the scenarios to run; all by default. An unknown name is an error.
    with_paths
        Whether to draw the crisis paths as well.
    """
    choose_scenarios(config, only)  # an unknown name is told before anything is loaded
    return stress_source(settings, config, load_market(settings, data), only, with_paths)


def stress_source(
    settings: Settings,
    config: StressConfig,
    loaded: LoadedSource,
    only: Sequence[str] = (),
    with_paths: bool = True,
) -> StressRun:
    """Run the scenarios on what a source had; see `stress_test`."""
    started = time.perf_counter()
    chosen = choose_scenarios(config, only)
    outcomes = tuple(run_scenario(settings, loaded, scenario, config) for scenario in chosen)
    verdict = judge_scenarios(outcomes, config.criteria)
    paths = run_crisis_paths(settings, loaded, config) if with_paths else None
    report: Report = {
        "passed": verdict.passed,
        "scenarios": {outcome.name: scenario_report(outcome) for outcome in outcomes},
        "criteria": config.criteria.model_dump(),
        "worst_drawdown": verdict.worst_drawdown,
        "average_drawdown": verdict.average_drawdown,
        "highest_level": verdict.highest_level,
        "failures": list(verdict.failures),
        "crisis_paths": paths_report(paths, config) if paths else None,
        "data_source": loaded.market.panel.source,
        "data_from": str(loaded.market.panel.sessions[0]),
        "data_to": str(loaded.market.panel.sessions[-1]),
        "config_hash": settings.configuration.config_hash,
        "code_version": code_version(),
        "elapsed_seconds": round(time.perf_counter() - started, 4),
    }
    return StressRun(outcomes, report, paths.drawdowns if paths and not paths.reason else None)


def load_market(settings: Settings, data: Path | None) -> LoadedSource:
    """Read everything the source has."""
    source = research_source(data, settings)
    last = settings.calendar.latest_with_data(settings.clock())
    return market_from_source(source, settings.configuration.universe, settings.calendar, last, settings.clock())


def choose_scenarios(config: StressConfig, only: Sequence[str]) -> tuple[Scenario, ...]:
    """Scenarios by name, all of them when none is named; an unknown name is an error."""
    by_name = {scenario.name: scenario for scenario in config.scenarios}
    unknown = sorted(set(only) - by_name.keys())
    if unknown:
        raise InputError(f"there is no scenario {', '.join(unknown)}", one_of(unknown[0], by_name))
    return tuple(scenario for name, scenario in by_name.items() if not only or name in only)


def run_scenario(settings: Settings, loaded: LoadedSource, scenario: Scenario, config: StressConfig) -> ScenarioOutcome:
    """Run one scenario; when the data cannot carry it, the outcome says what is missing."""
    try:
        if isinstance(scenario, HistoricalWindow):
            return _historical(settings, loaded.market, scenario, config)
        return _decline(settings, loaded, scenario, config)
    except SessionError as error:
        first, last = (scenario.first, scenario.last) if isinstance(scenario, HistoricalWindow) else (None, None)
        return ScenarioOutcome(scenario.name, scenario.kind, scenario.limit, first, last, "absent", error.problem)


def _historical(
    settings: Settings, market: Market, scenario: HistoricalWindow, config: StressConfig
) -> ScenarioOutcome:
    sessions = market.panel.sessions
    window = settings.calendar.between(scenario.first, scenario.last)
    if not len(window):
        raise SessionError(f"there is no trading session from {scenario.first} to {scenario.last}")
    if window[0] < sessions[0] or window[-1] > sessions[-1]:
        raise SessionError(
            f"the data ({sessions[0]} to {sessions[-1]}) do not cover {scenario.first} to {scenario.last}"
        )
    row = int(np.searchsorted(sessions, window[0]))
    _require_warm_up(row)
    return _run_from(settings, market, scenario, row, window[-1], config)


def _require_warm_up(row: int) -> None:
    if row < WARM_UP_SESSIONS:
        raise SessionError(
            f"only {row} sessions of history lie before it, and the longest factor needs {WARM_UP_SESSIONS}"
        )


def _run_from(
    settings: Settings,
    market: Market,
    scenario: Scenario,
    row: int,
    last: np.datetime64,
    config: StressConfig,
) -> ScenarioOutcome:
    panel = market.panel
    opened = panel.sessions[max(0, row - config.lead_sessions)].item()
    result = run_backtest(session_input(settings, market, "stress"), opened, last.astype(object))
    refuse_useless(result.faults)
    absent = tuple(s for s, price in zip(panel.symbols, panel.close[row], strict=True) if not np.isfinite(price))
    return measure_scenario(scenario.name, scenario.kind, scenario.limit, result, panel.sessions[row].item(), absent)


def _decline(
    settings: Settings, loaded: LoadedSource, scenario: SyntheticDecline, config: StressConfig
) -> ScenarioOutcome:
    panel = loaded.market.panel
    row = len(panel.sessions) - 1 if scenario.start is None else loaded.market.row(scenario.start)
    _require_warm_up(row + 1)
    moves = decline_moves(panel.mark_return[: row + 1], float(panel.volatility_index[row]), scenario)
    market, row = continued_market(
        settings, loaded, row, moves, config.lead_sessions, f"{panel.source} + {scenario.name}"
    )
    return _run_from(settings, market, scenario, row, market.panel.sessions[-1], config)


def scenario_report(outcome: ScenarioOutcome) -> Report:
    """Lay one scenario out for the report."""
    return {
        "from": str(outcome.first) if outcome.first else None,
        "to": str(outcome.last) if outcome.last else None,
        "max_drawdown": outcome.max_drawdown,
        "limit": outcome.limit,
        "passed": outcome.passed,
        "max_risk_level": outcome.max_risk_level,
        "kind": outcome.kind,
        "status": outcome.status,
        "reason": outcome.reason,
        "total_return": outcome.total_return,
        "level_sessions": list(outcome.level_sessions),
        "lead_sessions": outcome.lead_sessions,
        "absent_assets": list(outcome.absent_assets),
        "sleeve_faults": faults_report(outcome.faults),
    }
