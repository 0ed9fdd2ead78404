"""Parameter sweeps: the decision core over a grid of configurations, in parallel processes."""

from __future__ import annotations

import logging
import multiprocessing
import os
import signal
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path

import numpy as np

from trading_lib.domain.errors import InputError
from trading_lib.domain.market.prices import DateArray, FloatArray
from trading_lib.domain.market.sessions import exchange_sessions
from trading_lib.session.window import window_rows
from trading_lib.workflows.data.market import Market, market_from_source
from trading_lib.workflows.research.sweep.grid import GridPoint
from trading_lib.workflows.research.sweep.journal import SweepJournal
from trading_lib.workflows.research.sweep.point import (
    CANCELLED,
    FAILED,
    OK,
    PointResult,
    PointRunner,
    SweepTask,
    run_in_worker,
    start_worker,
)
from trading_lib.workflows.setup.metric_table import metric_table
from trading_lib.workflows.setup.settings import Settings, configuration_folder
from trading_lib.workflows.setup.source_choice import research_source
from trading_lib.workflows.trade.stage_log import stage_log

LOG = logging.getLogger(__name__)
Progress = Callable[[PointResult], None]


@dataclass(frozen=True, slots=True)
class SweepResult:
    """All points of a sweep in the grid's order, finished or not.

    Attributes
    ----------
    sessions, cash_rate
        Shape (S,): those of every point's net asset values, and the annual rate known at each, NaN where unknown.
    """

    results: tuple[PointResult, ...]
    data_source: str
    first: date
    last: date
    sessions: DateArray = field(default_factory=lambda: np.empty(0, "datetime64[D]"))
    cash_rate: FloatArray = field(default_factory=lambda: np.empty(0))

    @property
    def cancelled(self) -> bool:
        """Whether the sweep was stopped before its end."""
        return any(result.status == CANCELLED for result in self.results)

    def count(self, status: str = OK) -> int:
        """Points with that status."""
        return sum(result.status == status for result in self.results)


def sweep(
    settings: Settings,
    points: Sequence[GridPoint],
    first: date,
    last: date,
    data: Path | None = None,
    processes: int | None = None,
    progress: Progress | None = None,
    keep_at: Path | None = None,
) -> SweepResult:
    """Run every point on a folder of prices, or on the simulated market when none is given.

    A point that fails is reported as failed and the others stand. After Ctrl-C the finished points stand, too, and the
    rest counts as cancelled.

    Parameters
    ----------
    processes
        How many run at once; by default one per core. With one everything happens in this process.
    progress
        Called with every finished point, in the order they finish.
    keep_at
        The file the caller will write: finished points are noted beside it at once, and a sweep that was stopped
        there goes on.
    """
    task = prepare(settings, first, last, data)
    with stage_log("sweep") as counts, kept_beside(keep_at, task) as journal:
        counts |= {"points": len(points)}
        results = collected(task, run_points(task, points, processes, progress, journal))
        counts |= {"ok": results.count(), "failed": results.count(FAILED), "cancelled": results.count(CANCELLED)}
    return results


def collected(task: SweepTask, results: tuple[PointResult, ...]) -> SweepResult:
    """Put the results of a sweep beside the sessions and cash rates of its window."""
    panel = task.market.panel
    rows = window_rows(panel, exchange_sessions(), task.first, task.last)
    window = slice(rows.start, rows.stop)
    return SweepResult(results, panel.source, task.first, task.last, panel.sessions[window], panel.cash_rate[window])


@contextmanager
def kept_beside(path: Path | None, task: SweepTask) -> Iterator[SweepJournal | None]:
    """Open the journal beside a file; it stays until `forget_journal`, when the file has been written."""
    journal = SweepJournal(path, task) if path else None
    try:
        yield journal
    finally:
        if journal:
            journal.close()


def run_points(
    task: SweepTask,
    points: Sequence[GridPoint],
    processes: int | None = None,
    progress: Progress | None = None,
    journal: SweepJournal | None = None,
) -> tuple[PointResult, ...]:
    """Run points on a market that is loaded; see `sweep`. Those that ``journal`` knows are not run again."""
    finished = journal.finished(points) if journal else {}
    if finished:
        LOG.info("%d points were finished by an earlier run that was stopped", len(finished))
    for result in finished.values():
        if progress:
            progress(result)
    left = [point for point in points if point.number not in finished]
    count = min(processes or os.cpu_count() or 1, len(left))
    try:
        for result in _run(task, left, count):
            finished[result.point.number] = result
            if journal:
                journal.add(result)
            if progress:
                progress(result)
    except KeyboardInterrupt:
        LOG.warning("stopped with %d of %d points finished", len(finished), len(points))
    stopped = "the sweep was stopped before this point finished"
    return tuple(finished.get(p.number) or PointResult(p, CANCELLED, stopped) for p in points)


def prepare(settings: Settings, first: date, last: date, data: Path | None) -> SweepTask:
    """Load the market once, and refuse a window it does not cover."""
    if first > last:
        raise InputError(f"the window {first} to {last} is inverted", "swap the two dates")
    configuration = settings.configuration
    metric_table(configuration)
    source = research_source(data, settings)
    loaded = market_from_source(source, configuration.universe, settings.calendar, last, settings.clock())
    return task_on(settings, loaded.market, first, last)


def task_on(settings: Settings, market: Market, first: date, last: date) -> SweepTask:
    """Describe a sweep on a market that is loaded already."""
    window_rows(market.panel, settings.calendar, first, last)
    variables = {name: value for name, value in os.environ.items() if name.upper().startswith("TRADING_")}
    return SweepTask(market, settings.configuration, first, last, configuration_folder(variables), variables)


def _run(task: SweepTask, points: Sequence[GridPoint], processes: int) -> Iterator[PointResult]:
    if processes <= 1:
        runner = PointRunner(task)
        yield from map(runner.run, points)
        return
    # Spawned, never forked: numerical libraries may have started threads, and a fork would inherit their locks.
    pool = ProcessPoolExecutor(processes, multiprocessing.get_context("spawn"), start_worker, (task,))
    try:
        with _interrupts_held():
            waiting = {pool.submit(run_in_worker, point): point for point in points}
        for future in as_completed(waiting):
            yield _outcome(future, waiting[future])
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


@contextmanager
def _interrupts_held() -> Iterator[None]:
    """Hold Ctrl-C back while processes are started: they inherit that, and what it means is the parent's decision."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _outcome(future: Future[PointResult], point: GridPoint) -> PointResult:
    try:
        return future.result()
    except BrokenProcessPool:
        return PointResult(point, FAILED, "its process died (out of memory?); run the point again by itself")
