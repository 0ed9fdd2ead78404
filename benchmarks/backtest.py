"""The 15-asset backtest of five years on the simulated market: warm, cold and memory.

The baseline is a bare numpy loop over the same sessions that only ranks momentum, weights the best assets equally and
compounds: no costs, orders, risk state or accounting. Its ratio says what all of those cost.
"""

from __future__ import annotations

import json
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import numpy as np

FIRST, LAST = date(2015, 1, 2), date(2019, 12, 31)
WARM_RUNS, COLD_RUNS = 7, 5


def run() -> dict[str, Any]:
    from trading_lib.adapters.files.include_folder import include_folder
    from trading_lib.adapters.sources.registry import create_source
    from trading_lib.backtest.engine import run_backtest
    from trading_lib.domain.market.sessions import exchange_sessions
    from trading_lib.session.inputs import SessionInput
    from trading_lib.workflows.data.market import market_from_source
    from trading_lib.workflows.setup.configuration import load_configuration

    configuration = load_configuration(include_folder() / "config")
    calendar = exchange_sessions()
    source = create_source("simulated", configuration.universe)
    loaded = market_from_source(source, configuration.universe, calendar, LAST, datetime(2020, 1, 2, tzinfo=UTC))
    data = SessionInput(
        universe=configuration.universe,
        calendar=calendar,
        panel=loaded.market.panel,
        factors=loaded.market.factors,
        config=configuration.decision,
        paper=configuration.paper,
        initial_cash=configuration.initial_cash,
    )
    result = run_backtest(data, FIRST, LAST)
    warm = _median(lambda: run_backtest(data, FIRST, LAST), WARM_RUNS)
    baseline = _median(lambda: _numpy_loop(data.panel.mark_return, len(result.sessions)), WARM_RUNS)
    cold = [_cold_process() for _ in range(COLD_RUNS)]
    return {
        "data_source": data.panel.source,
        "sessions": len(result.sessions),
        "assets": len(configuration.universe),
        "orders": result.order_count,
        "warm_seconds": round(warm, 4),
        "cold_process_seconds": round(statistics.median(seconds for seconds, _ in cold), 3),
        "cold_process_peak_megabytes": round(max(peak for _, peak in cold)),
        "baseline": "numpy loop: momentum ranking and compounding only",
        "baseline_seconds": round(baseline, 4),
        "warm_ratio_to_baseline": round(warm / baseline, 1),
    }


def _median(work: Callable[[], object], runs: int) -> float:
    seconds = []
    for _ in range(runs):
        started = time.perf_counter()
        work()
        seconds.append(time.perf_counter() - started)
    return statistics.median(seconds)


def _numpy_loop(returns: np.ndarray[Any, np.dtype[np.float64]], sessions: int) -> float:
    growth = np.cumprod(1.0 + np.nan_to_num(returns), axis=0)
    nav, weights = 1.0, np.zeros(growth.shape[1])
    for t in range(len(growth) - sessions, len(growth)):
        nav *= 1.0 + float(weights @ np.nan_to_num(returns[t]))
        momentum = growth[t - 21] / growth[t - 252] - 1.0
        best = np.argsort(momentum)[-5:]
        weights = np.zeros_like(weights)
        weights[best] = 0.19
    return nav


def _cold_process() -> tuple[float, float]:
    """Seconds and megabytes of a whole ``trading backtest`` process, caches of compiled kernels warm."""
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "result.json"
        arguments = ["backtest", "--from", str(FIRST), "--to", str(LAST), "--out", str(out), "--no-track", "--json"]
        code = f"from trading_lib.cli import main; main({json.dumps(arguments)})"
        started = time.perf_counter()
        subprocess.run([sys.executable, "-c", code], check=True, stdout=subprocess.DEVNULL)
        seconds = time.perf_counter() - started
    return seconds, resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024
