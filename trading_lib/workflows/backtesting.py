"""A backtest from start to report: load -> run -> measure -> save and track."""

from __future__ import annotations

import subprocess
import time
from dataclasses import asdict, dataclass
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

import trading_lib
from trading_lib.adapters.models.mlflow_tracking import MlflowTracker, TrackedRun
from trading_lib.backtest.engine import BacktestInput, BacktestResult, DecisionObserver, run_backtest, window_rows
from trading_lib.domain.errors import DataQualityError, InputError
from trading_lib.domain.sessions import exchange_sessions
from trading_lib.performance.charts import equity_chart
from trading_lib.performance.metrics import measure
from trading_lib.workflows.market import Market, market_from_source
from trading_lib.workflows.settings import Settings
from trading_lib.workflows.source_choice import offline_source, source_kind

Report = dict[str, Any]

# Runs are reported with the number of trials behind them; a plain backtest is one.
SINGLE_TRIAL = 1


@dataclass(frozen=True, slots=True)
class BacktestRun:
    """A finished run and its report, which is what ``trading backtest --out`` writes."""

    result: BacktestResult
    report: Report


def backtest(
    settings: Settings,
    first: date,
    last: date,
    data: Path | None = None,
    observe: DecisionObserver | None = None,
) -> BacktestRun:
    """Backtest the configured strategy on a folder of prices, or on the simulated market when none is given."""
    started = time.perf_counter()
    if first > last:
        raise InputError(f"the window {first} to {last} is inverted", "swap the two dates")
    source = offline_source(source_kind(None, data), data, settings)
    loaded = market_from_source(source, settings.configuration.universe, settings.calendar, last, settings.clock())
    run = backtest_market(settings, loaded.market, first, last, observe)
    run.report["notes"] = list(loaded.answer.notes)
    run.report["quarantined_bars"] = len(loaded.validation.quarantined)
    run.report["elapsed_seconds"] = round(time.perf_counter() - started, 4)
    return run


def backtest_market(
    settings: Settings, market: Market, first: date, last: date, observe: DecisionObserver | None = None
) -> BacktestRun:
    """Backtest on a market that is loaded already."""
    started = time.perf_counter()
    configuration = settings.configuration
    data = backtest_input(settings, market)
    result = run_backtest(data, first, last, observe)
    if not (result.nav > 0).all():
        raise DataQualityError("net asset value fell to zero or below", "check the prices of the window")
    rows = window_rows(market.panel, settings.calendar, first, last)
    cash_rate = market.panel.cash_rate[rows.start : rows.stop]
    report: Report = {
        "data_source": market.panel.source,
        "from": str(result.sessions[0]),
        "to": str(result.sessions[-1]),
        **asdict(measure(result.nav, result.fills, cash_rate)),
        "initial_cash": float(configuration.initial_cash),
        "max_risk_level": int(result.levels.max()),
        "orders": len(result.orders),
        "denied_orders": len(result.denied),
        "cancelled_orders": len(result.cancelled),
        "dividends": float(result.portfolio.dividends),
        "trials": SINGLE_TRIAL,
        "config_hash": configuration.config_hash,
        "code_version": code_version(),
        "elapsed_seconds": round(time.perf_counter() - started, 4),
    }
    return BacktestRun(result, report)


def backtest_input(settings: Settings, market: Market, book: str = "backtest") -> BacktestInput:
    """Bundle what a run depends on."""
    configuration = settings.configuration
    return BacktestInput(
        universe=configuration.universe,
        calendar=exchange_sessions(),
        panel=market.panel,
        factors=market.factors,
        config=configuration.decision,
        paper=configuration.paper,
        initial_cash=Decimal(configuration.initial_cash),
        book=book,
    )


def draw(run: BacktestRun) -> bytes:
    """Draw the run's equity curve as PNG."""
    report, result = run.report, run.result
    title = f"Backtest on {report['data_source']} data, {report['from']} to {report['to']}"
    footer = (
        f"costs included; {report['trials']} trial; configuration {report['config_hash']}; "
        f"code {report['code_version']}"
    )
    return equity_chart(result.sessions, result.nav, result.levels, title, footer)


def track(run: BacktestRun, tracking_uri: str) -> str:
    """Log the run to MLflow and return its id."""
    report = run.report
    metric_names = [name for name, value in report.items() if isinstance(value, int | float | None)]
    parameters = {
        name: str(report[name])
        for name in ("data_source", "from", "to", "config_hash", "code_version", "initial_cash", "trials")
    }
    tracked = TrackedRun(
        name=f"{report['data_source']} {report['from']} to {report['to']}",
        parameters=parameters,
        metrics={name: report[name] for name in metric_names if name not in (*parameters, "elapsed_seconds")},
        tags={"data_source": str(report["data_source"]), "config_hash": str(report["config_hash"])},
        nav_sessions=run.result.sessions,
        nav=run.result.nav,
        files={"equity_curve.png": draw(run)},
    )
    return MlflowTracker(tracking_uri).log(tracked)


def code_version() -> str:
    """Return the package version, with the git revision when running from a checkout."""
    folder = Path(trading_lib.__file__).resolve().parents[1]
    if not (folder / ".git").exists():
        return trading_lib.__version__
    command = ["git", "-C", str(folder), "describe", "--always", "--dirty"]
    answer = subprocess.run(command, capture_output=True, text=True, check=False)
    revision = answer.stdout.strip()
    return f"{trading_lib.__version__}+{revision}" if revision else trading_lib.__version__
