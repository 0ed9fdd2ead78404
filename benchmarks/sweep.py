"""Sweeps of the full strategy over sixteen years, and how the cost of one run grows with sessions and assets."""

from __future__ import annotations

import os
import statistics
import time
from dataclasses import replace
from datetime import UTC, date, datetime
from typing import Any

FIRST, LAST = date(2007, 1, 3), date(2022, 12, 30)
POINTS = 16
ASSETS = (5, 10, 15)
YEARS = (2, 4, 8, 16)


def run() -> dict[str, Any]:
    from trading_lib.domain.market.market_view import SessionViews
    from trading_lib.workflows.research.sweep.grid import expand_grid
    from trading_lib.workflows.research.sweep.run import sweep
    from trading_lib.workflows.setup.settings import load_settings

    settings = load_settings(clock=lambda: datetime(2023, 1, 4, tzinfo=UTC))
    confidence = [round(0.10 + 0.01 * step, 2) for step in range(POINTS)]
    grid = expand_grid({"strategy.signals.minimum_confidence": confidence})
    marks = []
    started = time.perf_counter()
    found = sweep(settings, grid, FIRST, LAST, progress=lambda _: marks.append(time.perf_counter()))
    whole = time.perf_counter() - started
    cores = os.cpu_count() or 1
    # Start-up is paid once whatever the number of points: the rate is that of the points after each process' first.
    steady = (marks[-1] - marks[cores - 1]) / max(len(marks) - cores, 1)
    market, data = _market(settings)
    views = SessionViews(data.universe, market.panel, market.factors)
    return {
        "points": POINTS,
        "ok": found.count(),
        "processes": cores,
        "seconds": round(whole, 2),
        "seconds_per_point": round(steady, 4),
        "seconds_for_1000_points": round(steady * (1000 - POINTS) + whole, 1),
        "one_run_seconds": round(_one_run(data, FIRST), 4),
        "one_run_with_shared_views_seconds": round(_one_run(replace(data, views=views), FIRST), 4),
        "seconds_by_years": {
            str(years): round(_one_run(data, date(LAST.year - years + 1, 1, 4)), 4) for years in YEARS
        },
        "seconds_by_assets": {str(count): round(_one_run(_fewer(settings, count), FIRST), 4) for count in ASSETS},
    }


def _market(settings: Any, universe: Any = None) -> tuple[Any, Any]:
    from trading_lib.workflows.data.market import market_from_source, session_input
    from trading_lib.workflows.setup.source_choice import offline_source

    if universe is not None:
        settings = replace(settings, configuration=replace(settings.configuration, universe=universe))
    source = offline_source("simulated", None, settings)
    universe = settings.configuration.universe
    market = market_from_source(source, universe, settings.calendar, LAST, settings.clock()).market
    return market, session_input(settings, market)


def _fewer(settings: Any, assets: int) -> Any:
    universe = settings.configuration.universe
    # The defence assets stay, whatever else goes.
    kept = [s for s in ("GLD", "TLT") if s in universe.positions]
    kept += [s for s in universe.symbols if s not in kept][: assets - len(kept)]
    return _market(settings, universe.select(tuple(kept)))[1]


def _one_run(data: Any, first: date) -> float:
    from trading_lib.backtest.engine import run_backtest

    seconds = []
    for _ in range(4):
        started = time.perf_counter()
        run_backtest(data, first, LAST)
        seconds.append(time.perf_counter() - started)
    return statistics.median(seconds[1:])
