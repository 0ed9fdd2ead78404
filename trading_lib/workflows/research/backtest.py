"""A backtest from start to report: load -> run -> measure -> save and track."""

from __future__ import annotations

import hashlib
import time
from collections import Counter
from dataclasses import asdict, dataclass, replace
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np

from trading_lib.adapters.mlflow.runs import MlflowTracker, TrackedRun
from trading_lib.adapters.mlflow.trials import TrackedTrial
from trading_lib.adapters.mlflow.views import SHEET_FILE
from trading_lib.backtest.audits.sleeve_faults import refuse_useless
from trading_lib.backtest.engine import BacktestResult, DecisionObserver, require_value, run_backtest
from trading_lib.domain.book.flows import Flow, check_window, net_of
from trading_lib.domain.errors import InputError
from trading_lib.domain.market.missing_data import MissingData
from trading_lib.domain.market.prices import PricePanel
from trading_lib.orders.pre_trade import refusal_kind
from trading_lib.performance.analysis import Analysis, analyse
from trading_lib.performance.report import report_analysis, report_sharpe
from trading_lib.performance.run_record import RunRecord
from trading_lib.performance.trading.weight_cuts import report_cuts
from trading_lib.session.inputs import SessionInput
from trading_lib.workflows.books.old_prices import report_of
from trading_lib.workflows.data.market import LoadedSource, Market, market_from_source, session_input
from trading_lib.workflows.data.suspected_splits import SuspectedPosition, open_suspicions, suspected_position
from trading_lib.workflows.learning.scores import with_model_scores
from trading_lib.workflows.research.export import CSV, exported_files
from trading_lib.workflows.research.pictures import pictures, sheet
from trading_lib.workflows.research.strategy_identity import run_name, strategy_name, strategy_parameters
from trading_lib.workflows.research.strategy_reports import acts_report, cut_metrics, faults_report, run_note
from trading_lib.workflows.research.tracking import trials_behind
from trading_lib.workflows.setup.code_version import code_version
from trading_lib.workflows.setup.configuration import SystemConfiguration
from trading_lib.workflows.setup.metric_table import metric_table
from trading_lib.workflows.setup.settings import Settings
from trading_lib.workflows.setup.source_choice import SIMULATED, choose_source, research_source
from trading_lib.workflows.trade.stage_log import logged

Report = dict[str, Any]

# What depends on the other runs that were logged, so that it says nothing about which run this is.
OF_THE_TRIALS = ("trials", "deflated_sharpe")
# Among a run's artifacts, where it is no larger than this.
EXPORT_FOLDER, LARGEST_EXPORT = "export", 5_000_000


@dataclass(frozen=True, slots=True)
class BacktestRun:
    """A finished run, what was found about it, and its report, which is what ``trading backtest --out`` writes."""

    result: BacktestResult
    analysis: Analysis
    report: Report
    configuration: SystemConfiguration

    @property
    def simulated(self) -> bool:
        """Whether any of the prices is made up."""
        return SIMULATED in str(self.report["data_source"]).lower()

    def analysed(self, analysis: Analysis, changes: Report) -> BacktestRun:
        """Return the run with more found about it."""
        return replace(self, analysis=analysis, report=self.report | changes)


@logged("backtest")
def backtest(
    settings: Settings,
    first: date,
    last: date,
    data: Path | None = None,
    observe: DecisionObserver | None = None,
    flows: tuple[Flow, ...] = (),
) -> BacktestRun:
    """Backtest the configured strategy on a folder of prices, or on the simulated market when none is given.

    Parameters
    ----------
    flows
        Capital that comes or goes; each in a session of the window, and none in its first.
    """
    started = time.perf_counter()
    refuse_inverted(first, last)
    # What is wrong with a metric of the user's own is told before any price is read.
    metric_table(settings.configuration)
    source = research_source(data, settings)
    loaded = market_from_source(source, settings.configuration.universe, settings.calendar, last, settings.clock())
    run = backtest_source(settings, loaded, first, last, choose_source(None, data, settings).folder, observe, flows)
    run.report["elapsed_seconds"] = round(time.perf_counter() - started, 4)
    return run


def refuse_inverted(first: date, last: date) -> None:
    """Raise `InputError` for a window that ends before it begins, before anything is loaded for it."""
    if first > last:
        raise InputError(f"the window {first} to {last} is inverted", "swap the two dates")


def backtest_source(
    settings: Settings,
    loaded: LoadedSource,
    first: date,
    last: date,
    folder: Path | None = None,
    observe: DecisionObserver | None = None,
    flows: tuple[Flow, ...] = (),
) -> BacktestRun:
    """Backtest on what a source had up to ``last``, and report what it said about its data.

    Parameters
    ----------
    folder
        Where the prices lie, for the report; None where they came from no folder.
    """
    run = backtest_market(settings, loaded.market, first, last, observe, flows)
    run.report["data_folder"] = str(folder.resolve()) if folder else None
    run.report["notes"] += list(loaded.answer.notes)
    run.report["quarantined_bars"] = len(loaded.validation.quarantined)
    run.report["suspected_splits"] = _suspected_splits(run.result, loaded)
    return run


def backtest_market(
    settings: Settings,
    market: Market,
    first: date,
    last: date,
    observe: DecisionObserver | None = None,
    flows: tuple[Flow, ...] = (),
) -> BacktestRun:
    """Backtest on a market that is loaded already."""
    started = time.perf_counter()
    configuration = settings.configuration
    table = metric_table(configuration)
    market = with_model_scores(market, settings)
    data = replace(session_input(settings, market), flows=flows)
    check_window(flows, data.calendar, first, last)
    result = run_backtest(data, first, last, observe)
    require_value(result, data.universe, "check their prices on that day")
    refuse_useless(result.faults)
    analysis = analyse(run_record(data, result), configuration.performance, table=table)
    report: Report = {
        "data_source": market.panel.source,
        "strategy": strategy_name(configuration),
        "strategy_settings": strategy_parameters(configuration),
        "from": str(result.sessions[0]),
        "to": str(result.sessions[-1]),
        **analysis.metrics,
        "initial_cash": float(configuration.initial_cash),
        "max_risk_level": int(result.levels.max()),
        "orders": result.order_count,
        "denied_orders": len(result.denied),
        "cancelled_orders": len(result.cancelled),
        "sleeve_faults": faults_report(result.faults),
        "strategy_acts": acts_report(configuration.decision),
        "deposits": float(result.portfolio.deposits),
        "withdrawals": float(result.portfolio.withdrawals),
        "profit": float(result.portfolio.nav - data.initial_cash - net_of(flows)),
        "dividends": float(result.portfolio.dividends),
        "funding": float(result.portfolio.funding),
        "missing": _missing(settings, market, result).as_record(),
        "config_hash": configuration.config_hash,
        "code_version": code_version(),
        **report_analysis(analysis),
        **report_of(data, result.portfolio, result.fills, lambda: result.cancelled),
        "clipping": report_cuts(result.cuts, result.sessions),
        "elapsed_seconds": round(time.perf_counter() - started, 4),
    }
    return BacktestRun(result, analysis, report, configuration)


def _suspected_splits(result: BacktestResult, loaded: LoadedSource) -> list[SuspectedPosition]:
    """Describe the positions at the end of the run that a suspected split leaves open."""
    panel, last = loaded.market.panel, result.sessions[-1]
    row = int(np.searchsorted(panel.sessions, last))
    suspected = []
    for symbol, since, ratio, close in open_suspicions(loaded.validation, last.item()):
        if symbol in panel.symbols:
            at = panel.symbols.index(symbol)
            held, price = float(result.quantity[-1, at]), float(panel.close[row, at])
            suspected.append(suspected_position(symbol, since, ratio, close, held, price))
    return suspected


def _missing(settings: Settings, market: Market, result: BacktestResult) -> MissingData:
    """Say what the window had no data of, up to its end."""
    panel = market.panel
    stop = int(np.searchsorted(panel.sessions, result.sessions[-1], side="right"))
    start = int(np.searchsorted(panel.sessions, result.sessions[0]))
    absent = np.asarray(np.isnan(panel.close[:stop]).all(axis=0))
    return MissingData(
        tuple(i.symbol for i, none in zip(settings.configuration.universe, absent, strict=True) if none),
        bool(np.isnan(panel.volatility_index[start:stop]).all()),
        bool(np.isnan(panel.cash_rate[start:stop]).all()),
    )


def run_record(data: SessionInput, result: BacktestResult) -> RunRecord:
    """Put the run beside the prices of its window."""
    panel = data.panel
    start = int(np.searchsorted(panel.sessions, result.sessions[0]))
    rows = slice(start, start + len(result.sessions))
    return RunRecord(
        universe=data.universe,
        sessions=result.sessions,
        nav=result.nav,
        invested=result.invested,
        levels=result.levels,
        regimes=result.regimes,
        quantity=result.quantity,
        sleeves=result.sleeves,
        orders=lambda: result.orders,
        fills=result.fills,
        events=lambda: result.events,
        close=panel.close[rows],
        mark_return=panel.mark_return[rows],
        dividend=panel.dividend[rows],
        split=panel.split[rows],
        cash_rate=panel.cash_rate[rows],
        month_end=panel.month_end[rows],
        funding=result.funding,
        cancelled=result.cancelled,
        refused=Counter(refusal_kind(reason) for _, reason in result.denied),
        fill_volume=panel.fill_volume[rows],
        flows=result.flows,
    )


def add_intervals(run: BacktestRun) -> BacktestRun:
    """Add the confidence intervals, which a plain run leaves out for speed."""
    analysis = run.analysis.with_intervals()
    intervals = asdict(analysis.intervals) if analysis.intervals else None
    return run.analysed(analysis, {"confidence_intervals": intervals})


def count_trials(run: BacktestRun, tracking_uri: str) -> BacktestRun:
    """Judge the Sharpe ratio against the trials that MLflow knows.

    Raises
    ------
    StorageUnavailableError
        When the server does not answer.
    """
    report = run.report
    trial = TrackedTrial(
        data_source=str(report["data_source"]),
        first=str(report["from"]),
        last=str(report["to"]),
        config_hash=str(report["config_hash"]),
        final_nav=round(float(report["final_nav"]), 2),
    )
    analysis = run.analysis.against(trials_behind(trial, report["sharpe"], tracking_uri))
    return run.analysed(analysis, report_sharpe(analysis))


def draw(run: BacktestRun) -> bytes:
    """Draw the run's equity curve as PNG."""
    return pictures(run.analysis, run.report)["equity_curve.png"]()


def tear_sheet(run: BacktestRun) -> bytes:
    """Write the run's tear sheet, a self-contained HTML page."""
    return sheet(run.analysis, run.report)


def track(run: BacktestRun, tracking_uri: str) -> str:
    """Log the run with its pictures and tear sheet to MLflow and return its id."""
    full = run if run.analysis.intervals else add_intervals(run)
    judged = count_trials(full, tracking_uri)
    report = judged.report
    names = ("data_source", "from", "to", "config_hash", "code_version", "initial_cash")
    figures = {name: value for name, value in report.items() if isinstance(value, int | float | None)}
    metrics = {
        name: value for name, value in figures.items() if name not in (*names, *OF_THE_TRIALS, "elapsed_seconds")
    }
    files = {name: picture() for name, picture in pictures(judged.analysis, report).items()}
    exported = {f"{EXPORT_FOLDER}/{name}": content for name, content in exported_files(judged, CSV).items()}
    if sum(map(len, exported.values())) > LARGEST_EXPORT:
        exported = {}
    tracked = TrackedRun(
        name=run_name(judged.configuration, report),
        parameters={
            **{name: str(report[name]) for name in names},
            **report["strategy_settings"],
            "data_digest": market_digest(judged.result.run.data.panel)[:16],
        },
        metrics=metrics | cut_metrics(report["clipping"]),
        tags={
            "data_source": str(report["data_source"]),
            "config_hash": str(report["config_hash"]),
            "simulated": "yes" if run.simulated else "no",
            "data_folder": str(report.get("data_folder") or ""),
        },
        nav_sessions=judged.result.sessions,
        nav=judged.result.nav,
        files={**files, SHEET_FILE: sheet(judged.analysis, report), **exported},
        context={name: figures[name] for name in OF_THE_TRIALS},
        note=run_note(report),
    )
    return MlflowTracker(tracking_uri).log(tracked)


def market_digest(panel: PricePanel) -> str:
    """SHA-256 of the prices a run rests on."""
    digest = hashlib.sha256()
    fills = (panel.fill_open, panel.fill_low, panel.fill_high)
    for array in (panel.sessions, panel.close, *fills, panel.dividend, panel.split, panel.volatility_index):
        digest.update(array.tobytes())
    return digest.hexdigest()
