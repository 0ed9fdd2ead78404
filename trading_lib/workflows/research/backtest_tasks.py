"""The tasks of the DAG backtest: window, run, tear sheet, logging in MLflow.

Nothing here opens a book: no order, holding or risk state of a paper or live book is read or written and no broker is
asked for anything, whatever past a backfill works for. Between tasks only windows, names and figures travel; a
task that needs the run repeats it, which takes seconds, gives the same to the cent and works on any machine.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from trading_lib.adapters.files.output_file import write_whole
from trading_lib.domain.errors import InputError
from trading_lib.domain.market.sessions import parse_session
from trading_lib.workflows.dag_runs.parameters import chosen_prices
from trading_lib.workflows.research import backtest as backtesting
from trading_lib.workflows.research.backtest import BacktestRun
from trading_lib.workflows.research.strategy_identity import strategy_name
from trading_lib.workflows.research.strategy_reports import warning_lines
from trading_lib.workflows.research.sweep.grid import GridPoint, configuration_at
from trading_lib.workflows.research.tracking import sheet_address, tracking_uri
from trading_lib.workflows.setup.settings import Settings, configuration_folder, load_settings
from trading_lib.workflows.stages.plans import BacktestPlan
from trading_lib.workflows.stages.research_results import BacktestFigures, LoggedRun
from trading_lib.workflows.stages.xcom import plain
from trading_lib.workflows.trade.stage_log import logged


def window(
    params: Mapping[str, Any],
    start: datetime | None = None,
    end: datetime | None = None,
    settings: Settings | None = None,
) -> BacktestPlan:
    """Find the window of a run: its form's dates, else the days of its data interval; whose prices, which strategy.

    Parameters
    ----------
    start, end
        The data interval; its end is the first instant that no longer belongs to it.
    """
    first, last = params.get("from"), params.get("to")
    if bool(first) != bool(last):
        raise InputError("only one end of the window is given", "give both `from` and `to`, or neither")
    if not first or not last:
        if start is None or end is None or start >= end:
            raise InputError("the run has neither a window nor a data interval", "give `from` and `to`")
        first, last = start.date().isoformat(), (end - timedelta(microseconds=1)).date().isoformat()
    settings = settings or load_settings()
    sleeves = params.get("sleeves")
    prices = chosen_prices(params, settings)
    return BacktestPlan(
        first=parse_session(first),
        last=parse_session(last),
        data=prices.data,
        prices=prices.name,
        sleeves=sleeves,
        strategy=strategy_name(with_sleeves(settings, sleeves).configuration),
    )


def run(plan: BacktestPlan, settings: Settings | None = None) -> BacktestFigures:
    """Run the window and return its headlines, with warnings where a strategy failed or read what it may not."""
    report = _run(plan, settings or load_settings()).report
    return BacktestFigures(
        data_source=report["data_source"],
        sessions=report["sessions"],
        final_nav=report["final_nav"],
        annual_return=report["annual_return"],
        sharpe=report["sharpe"],
        max_drawdown=report["max_drawdown"],
        max_risk_level=report["max_risk_level"],
        orders=report["orders"],
        warnings=tuple(warning_lines(report)),
    )


@logged("tear sheet")
def tear_sheet(plan: BacktestPlan, settings: Settings | None = None) -> str:
    """Write the window's tear sheet into the project's home and return the file's path."""
    settings = settings or load_settings()
    folder = settings.folders.closed("tear-sheets")
    asked = hashlib.sha256(json.dumps(plain(plan), sort_keys=True).encode()).hexdigest()[:8]
    path = folder / f"{plan.first}_{plan.last}_{asked}.html"
    write_whole(path, backtesting.tear_sheet(_run(plan, settings)))
    return str(path)


@logged("log")
def log(plan: BacktestPlan, settings: Settings | None = None) -> LoggedRun:
    """Log the run with its tear sheet to MLflow; where no server runs, both answers are None."""
    settings = settings or load_settings()
    address = tracking_uri(settings)
    if address is None:
        return LoggedRun(run_id=None, url=None)
    run_id = backtesting.track(_run(plan, settings), address)
    return LoggedRun(run_id=run_id, url=sheet_address(address, run_id))


def _run(plan: BacktestPlan, settings: Settings) -> BacktestRun:
    settings = with_sleeves(settings, plan.sleeves)
    return backtesting.backtest(settings, plan.first, plan.last, plan.folder)


def with_sleeves(settings: Settings, sleeves: Mapping[str, Any] | None) -> Settings:
    """Put sleeves, name -> share, in the place of the configured ones; none leave all as it is."""
    if not sleeves:
        return settings
    environment = dict(os.environ)
    point = GridPoint(0, {"strategy.sleeves": sleeves})
    return replace(settings, configuration=configuration_at(point, configuration_folder(environment), environment))
