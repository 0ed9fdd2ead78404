"""The factors of 15 assets over two decades of the simulated market, beside the same nine by pandas-ta-classic."""

from __future__ import annotations

import statistics
import time
import warnings
from collections.abc import Callable
from datetime import UTC, date, datetime
from typing import Any

import pandas as pd

LAST = date(2024, 12, 31)
RUNS, BASELINE_RUNS = 15, 3


def run() -> dict[str, Any]:
    from trading_lib.adapters.files.include_folder import include_folder
    from trading_lib.adapters.sources.registry import create_source
    from trading_lib.domain.market.sessions import exchange_sessions
    from trading_lib.factors.calculator import calculate_factors
    from trading_lib.workflows.data.market import market_from_source
    from trading_lib.workflows.setup.configuration import load_configuration

    universe = load_configuration(include_folder() / "config").universe
    source = create_source("simulated", universe)
    panel = market_from_source(
        source, universe, exchange_sessions(), LAST, datetime(2025, 1, 2, tzinfo=UTC)
    ).market.panel
    series = [pd.DataFrame({"high": s.high, "low": s.low, "close": s.close}) for s in panel.native]
    ours = _milliseconds(lambda: calculate_factors(panel), RUNS)
    baseline = _milliseconds(lambda: [_with_pandas_ta(frame) for frame in series], BASELINE_RUNS)
    return {
        "sessions": len(panel.sessions),
        "assets": len(series),
        "milliseconds": ours,
        "baseline": "pandas-ta-classic, nine factors",
        "baseline_milliseconds": baseline,
        "ratio_to_baseline": round(ours / baseline, 4),
    }


def _with_pandas_ta(frame: pd.DataFrame) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import pandas_ta_classic as ta

        for periods in (60, 120):
            ta.roc(frame["close"], length=periods)
        for periods in (20, 60):
            ta.stdev(ta.log_return(frame["close"]), length=periods)
        for periods in (20, 50, 200):
            ta.sma(frame["close"], length=periods)
        ta.rsi(frame["close"], length=14)
        ta.atr(frame["high"], frame["low"], frame["close"], length=14)


def _milliseconds(function: Callable[[], Any], runs: int) -> float:
    function()
    times = []
    for _ in range(runs):
        started = time.perf_counter()
        function()
        times.append(time.perf_counter() - started)
    return round(1000 * statistics.median(times), 3)
