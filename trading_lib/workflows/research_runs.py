"""What the DAGs backtest, stress_test and parameter_sweep do.

None of it opens a book: nothing here reads or writes the orders, holdings or risk state of a paper or live book, and no
broker is asked for anything, whatever session a backfill works for. Between tasks only windows, names and figures
travel; a task that needs a run repeats it, which takes a second and works on any machine.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any

from trading_lib.backtest.stress import ScenarioOutcome, judge_scenarios
from trading_lib.domain.errors import InputError
from trading_lib.domain.sessions import parse_session
from trading_lib.workflows import backtesting
from trading_lib.workflows.backtesting import BacktestRun
from trading_lib.workflows.settings import Settings, load_settings
from trading_lib.workflows.stress import load_market, load_stress, run_scenario
from trading_lib.workflows.stress import scenario_report as report_of
from trading_lib.workflows.sweep import prepare
from trading_lib.workflows.sweep_grid import expand_grid
from trading_lib.workflows.sweep_point import FAILED, OK, PointRunner
from trading_lib.workflows.tracking import tracking_uri

Plan = dict[str, Any]

HEADLINES = ("sessions", "final_nav", "annual_return", "sharpe", "max_drawdown", "max_risk_level", "orders")
SLEEVES_KEY = "strategy.sleeves"


def backtest_window(
    params: Mapping[str, Any], start: datetime | None = None, end: datetime | None = None
) -> Plan:
    """Find the window of a run: the dates of its form, else the sessions inside its data interval.

    Parameters
    ----------
    start, end
        The data interval; its end is the first instant that no longer belongs to it.
    """
    first, last = params.get("from"), params.get("to")
    if bool(first) != bool(last):
        raise InputError("only one end of the window is given", "give both `from` and `to`, or neither")
    if not (first and last):
        if start is None or end is None or start >= end:
            raise InputError("the run has neither a window nor a data interval", "give `from` and `to`")
        first, last = start.date().isoformat(), (end - timedelta(microseconds=1)).date().isoformat()
    window = {"from": parse_session(first).isoformat(), "to": parse_session(last).isoformat()}
    return {**window, "data": params.get("data"), "sleeves": params.get("sleeves")}


def run_window(plan: Plan, settings: Settings | None = None) -> Plan:
    """Run the window's backtest and return its headlines."""
    run = _run(plan, settings or load_settings())
    return {"data_source": run.report["data_source"], **{name: run.report[name] for name in HEADLINES}}


def write_tear_sheet(plan: Plan, settings: Settings | None = None) -> str:
    """Write the window's tear sheet into the project's home and return the file's path."""
    settings = settings or load_settings()
    folder = settings.folders.home / "tear-sheets"
    folder.mkdir(parents=True, exist_ok=True)
    name = f"{plan['from']}_{plan['to']}_{hashlib.sha256(json.dumps(plan, sort_keys=True).encode()).hexdigest()[:8]}"
    path = folder / f"{name}.html"
    path.write_bytes(backtesting.tear_sheet(_run(plan, settings)))
    return str(path)


def log_window(plan: Plan, settings: Settings | None = None) -> Plan:
    """Log the window's run with its tear sheet to MLflow; without a server that is said, not an error."""
    settings = settings or load_settings()
    address = tracking_uri(settings)
    if address is None:
        return {"run_id": None, "url": None}
    run_id = backtesting.track(_run(plan, settings), address)
    return {"run_id": run_id, "url": f"{address}/#/runs/{run_id}"}


def _run(plan: Plan, settings: Settings) -> BacktestRun:
    from dataclasses import replace

    from trading_lib.workflows.settings import configuration_folder
    from trading_lib.workflows.sweep_grid import GridPoint, configuration_at

    if plan.get("sleeves"):
        point = GridPoint(0, {SLEEVES_KEY: plan["sleeves"]})
        environment = settings_environment()
        configuration = configuration_at(point, configuration_folder(environment), environment)
        settings = replace(settings, configuration=configuration)
    data = Path(plan["data"]) if plan.get("data") else None
    return backtesting.backtest(settings, parse_session(plan["from"]), parse_session(plan["to"]), data)
