"""One point of a sweep, in the process that computes it."""

from __future__ import annotations

import gc
import multiprocessing
import os
import signal
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import Any

from trading_lib.backtest.audits.sleeve_faults import refuse_useless
from trading_lib.backtest.engine import require_value, run_backtest
from trading_lib.domain.market.market_view import SessionViews
from trading_lib.domain.market.prices import FloatArray
from trading_lib.domain.market.sessions import exchange_sessions
from trading_lib.performance.benchmarks import BENCHMARKS, benchmark_values
from trading_lib.performance.metrics.measure import metric_input, metrics_of
from trading_lib.session.inputs import SessionInput
from trading_lib.session.window import window_rows
from trading_lib.workflows.data.market import Market
from trading_lib.workflows.research.sweep.grid import GridPoint, configuration_at
from trading_lib.workflows.setup.configuration import SystemConfiguration
from trading_lib.workflows.setup.metric_table import metric_table

OK, FAILED, CANCELLED = "ok", "failed", "cancelled"
# Screened, and not among the best that were run.
SCREENED = "screened"


@dataclass(frozen=True, slots=True)
class SweepTask:
    """What all points of a sweep have in common; it is sent to every process once.

    Attributes
    ----------
    folder, variables
        Configuration files, and the environment whose overrides apply to every point.
    """

    market: Market
    base: SystemConfiguration
    first: date
    last: date
    folder: Path
    variables: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class PointResult:
    """What came of a point.

    Attributes
    ----------
    status
        ok, failed, cancelled or screened, and ``reason`` says why it isn't ok.
    metrics
        Those of the table, with max_risk_level, orders, and sleeve_faults: sessions in which a strategy failed and its
        previous target stayed; empty unless ok.
    nav
        Net asset value of every session, None unless ok.
    screened
        What a screening found, by column; empty without one.
    """

    point: GridPoint
    status: str
    reason: str = ""
    config_hash: str = ""
    metrics: Mapping[str, float | None] = field(default_factory=dict)
    nav: FloatArray | None = None
    seconds: float = 0.0
    screened: Mapping[str, float | None] = field(default_factory=dict)

    def row(self) -> dict[str, Any]:
        """One flat row: the point's values by their keys, then what came of it."""
        return {
            "point": self.point.number,
            **({"name": self.point.name} if self.point.name else {}),
            **self.point.values,
            "status": self.status,
            "reason": self.reason,
            **self.screened,
            **self.metrics,
            "config_hash": self.config_hash,
            "elapsed_seconds": self.seconds,
        }


def failed(point: GridPoint, error: Exception, seconds: float = 0.0) -> PointResult:
    """Say in one line what a point raised."""
    return PointResult(point, FAILED, f"{type(error).__name__}: {' '.join(str(error).split())}", seconds=seconds)


class PointRunner:
    """Runs points over one market, whose views they share."""

    def __init__(self, task: SweepTask) -> None:
        self._task = task
        self._calendar = exchange_sessions()
        self._views = SessionViews(task.base.universe, task.market.panel, task.market.factors, task.market.funding)
        rows = window_rows(task.market.panel, self._calendar, task.first, task.last)
        self._metrics = metric_table(task.base)
        self._window = slice(rows.start, rows.stop)
        self._benchmark = _benchmark(task, self._window)

    def run(self, point: GridPoint) -> PointResult:
        """Run one point; whatever goes wrong concerns that point alone."""
        started = time.perf_counter()
        try:
            configuration = configuration_at(point, self._task.folder, self._task.variables)
            result = self._result(point, configuration)
        except Exception as error:  # also what a user's own strategy raises
            return failed(point, error, round(time.perf_counter() - started, 4))
        return PointResult(
            point,
            OK,
            "",
            configuration.config_hash,
            result[0],
            result[1],
            round(time.perf_counter() - started, 4),
        )

    def input_of(self, configuration: SystemConfiguration) -> SessionInput:
        """Collect what a run of ``configuration`` on the sweep's market depends on."""
        return SessionInput(
            # The base's universe: the grid does not change it, and its arrays are there already.
            universe=self._task.base.universe,
            calendar=self._calendar,
            panel=self._task.market.panel,
            factors=self._task.market.factors,
            config=configuration.decision,
            paper=configuration.paper,
            initial_cash=configuration.initial_cash,
            book="sweep",
            views=self._views,
            funding=self._task.market.funding,
            accounts=configuration.accounts,
        )

    def _result(
        self, point: GridPoint, configuration: SystemConfiguration
    ) -> tuple[dict[str, float | None], FloatArray]:
        result = run_backtest(self.input_of(configuration), self._task.first, self._task.last)
        refuse_useless(result.faults)
        require_value(result, configuration.universe, "check the point's values")
        rate = self._task.market.panel.cash_rate[self._window]
        run = metric_input(result.nav, result.trades, rate, sessions=result.sessions, benchmark=self._benchmark)
        metrics = {
            **metrics_of(run, self._metrics),
            "max_risk_level": int(result.levels.max()),
            "orders": result.order_count,
            "sleeve_faults": result.sleeve_faults,
        }
        return metrics, result.nav


def _benchmark(task: SweepTask, window: slice) -> FloatArray | None:
    """Value of the configured benchmark in the sweep's window, which all points share."""
    panel, base = task.market.panel, task.base
    benchmark = next(one for one in BENCHMARKS if one.name == base.performance.benchmark)
    rows = (panel.mark_return[window], panel.close[window], panel.month_end[window])
    return benchmark_values(benchmark, base.universe, *rows, float(base.initial_cash))


_runner: PointRunner | None = None


def start_worker(task: SweepTask) -> None:
    """Prepare a worker process: the market is unpacked once, for all points it will be given."""
    global _runner
    # Ctrl-C reaches every process of the terminal; only the parent decides what it means.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_end_with_parent, daemon=True).start()
    _runner = PointRunner(task)
    # A run leaves no cycles worth looking for, and the collector would go through the whole market every time.
    gc.collect()
    gc.freeze()
    gc.disable()


def _end_with_parent() -> None:
    """End this process when its parent was killed: nobody would ever give it another point."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)


def run_in_worker(point: GridPoint) -> PointResult:
    """Run a point in a process that `start_worker` prepared."""
    assert _runner is not None
    result = _runner.run(point)
    gc.collect()
    return result
