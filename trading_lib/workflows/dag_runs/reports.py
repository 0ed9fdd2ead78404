"""The last task of a DAG run: its report, its latency, and the run's note."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from trading_lib.workflows.dag_runs import latency
from trading_lib.workflows.dag_runs.notes import about_session, about_window, note_run
from trading_lib.workflows.data import tasks as market_data
from trading_lib.workflows.stages.plans import BacktestPlan, SessionPlan
from trading_lib.workflows.stages.research_results import BacktestFigures, LoggedRun

Result = dict[str, Any]


def finish_market_data(
    dag_id: str, run_id: str, plan: SessionPlan, run_type: str, fetched: Sequence[Mapping[str, Any] | None]
) -> Result:
    """Return what the run tells its asset's consumers (``event``) and how long its data took."""
    measured = latency.data_ready(plan, run_type)
    note_run(dag_id, run_id, about_session(plan, book=False), measured["line"])
    event = {**market_data.publish(plan), "received_at": latency.received_at(fetched), "run_type": run_type}
    return {"event": event, "latency": measured}


def finish_trading(dag_id: str, run_id: str, plan: SessionPlan, report: Mapping[str, Any]) -> Result:
    """Return the session's report with how long its signals took."""
    measured = latency.signals_stored(plan)
    worth = [f"net asset value ${float(report['nav']):,.2f}"] if "nav" in report else []
    note_run(dag_id, run_id, about_session(plan, book=True), *worth, measured["line"])
    return {**report, "latency": measured}


def finish_backtest(dag_id: str, run_id: str, plan: BacktestPlan, figures: BacktestFigures, logged: LoggedRun) -> None:
    """Let the note of the run say what the backtest found, and where its tear sheet is."""
    where = [logged.url] if logged.url else []
    note_run(dag_id, run_id, about_window(plan), headline(figures), *where)


def headline(figures: BacktestFigures) -> str:
    """Say in one line what a backtest found."""
    sharpe = "-" if figures.sharpe is None else f"{figures.sharpe:.2f}"
    return (
        f"return {_percent(figures.annual_return)} a year, Sharpe {sharpe}, drawdown {_percent(figures.max_drawdown)}"
    )


def _percent(value: float | None) -> str:
    return "-" if value is None else f"{value:.1%}"
