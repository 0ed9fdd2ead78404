"""The backtest of eight years by the number of assets, on made-up prices; each number in a process of its own.

The baseline is the universe of 15 assets. Cost may rise no faster than the pairs that the rules look at.
"""

from __future__ import annotations

import json
import resource
import subprocess
import sys
import time
from dataclasses import replace
from datetime import date
from decimal import Decimal
from typing import Any

import numpy as np
import pandas as pd

FIRST, START, LAST = date(2013, 1, 2), date(2015, 1, 2), date(2022, 12, 30)
ASSETS = (15, 100, 500)


def run() -> dict[str, Any]:
    results = {str(count): _own_process(count) for count in ASSETS}
    least = results[str(ASSETS[0])]["seconds"]
    for result in results.values():
        result["ratio_to_15_assets"] = round(result["seconds"] / least, 1)
    return {"data_source": "made up", "from": str(START), "to": str(LAST), "assets": results}


def _own_process(count: int) -> dict[str, Any]:
    command = [sys.executable, "-m", "benchmarks.scale", str(count)]
    answer = subprocess.run(command, check=True, capture_output=True, text=True)
    measured: dict[str, Any] = json.loads(answer.stdout)
    return measured


def measure(count: int) -> dict[str, Any]:
    """Run the backtest twice, the first time to load compiled code, and measure the second."""
    from trading_lib.backtest.engine import run_backtest

    data = made_up_input(count)
    run_backtest(data, START, LAST)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    started, cpu = time.perf_counter(), time.process_time()
    result = run_backtest(data, START, LAST)
    return {
        "sessions": len(result.sessions),
        "orders": result.order_count,
        "seconds": round(time.perf_counter() - started, 3),
        "cpu_seconds": round(time.process_time() - cpu, 3),
        "first_run_peak_megabytes": round(before / 1024),
    }


def made_up_input(count: int) -> Any:
    """Build the shipped universe, and further ETFs of made-up prices up to ``count`` assets."""
    from trading_lib.adapters.files.include_folder import include_folder
    from trading_lib.domain.market.instruments import Universe
    from trading_lib.domain.market.prices import VOLATILITY_INDEX, Bars, MacroSeries
    from trading_lib.domain.market.sessions import exchange_sessions
    from trading_lib.session.inputs import SessionInput
    from trading_lib.workflows.data.market import build_market
    from trading_lib.workflows.setup.configuration import load_configuration

    configuration = load_configuration(include_folder() / "config", {})
    shipped = configuration.universe.instruments
    model = next(one for one in shipped if not one.safe_haven and one.calendar.value == "XNYS")
    more = [replace(model, symbol=f"A{k:04d}", max_weight=0.05) for k in range(max(count - len(shipped), 0))]
    universe = Universe((*shipped[:count], *more))
    generator, calendar = np.random.default_rng(1), exchange_sessions()
    sessions = calendar.between(FIRST, LAST)
    every_day = np.arange(np.datetime64(FIRST), np.datetime64(LAST) + 1)
    market = generator.standard_t(5, len(every_day)) * 0.006
    frames = []
    for instrument in universe:
        days = sessions if instrument.calendar.value == "XNYS" else every_day
        moves = market[np.searchsorted(every_day, days)] * generator.uniform(0, 1.4)
        close = 90 * np.exp(np.cumsum(moves + generator.standard_t(5, len(days)) * 0.008 + 0.0002))
        opening = np.r_[close[0], close[:-1]] * np.exp(generator.normal(0, 0.002, len(days)))
        frames.append(_bars(instrument.symbol, days, opening, close))
    level = 16 + 6 * np.abs(np.sin(np.arange(len(sessions)) / 40)) + generator.gamma(1, 1, len(sessions))
    frames.append(_bars(VOLATILITY_INDEX, sessions, level, level))
    bars = Bars.from_frame(pd.concat(frames, ignore_index=True))
    built = build_market(bars, MacroSeries.empty(), universe, calendar)
    return SessionInput(
        universe=universe,
        calendar=calendar,
        panel=built.panel,
        factors=built.factors,
        config=configuration.decision,
        paper=configuration.paper,
        initial_cash=Decimal(1_000_000),
    )


def _bars(symbol: str, days: Any, opening: Any, close: Any) -> pd.DataFrame:
    return pd.DataFrame(
        {
            "symbol": symbol,
            "date": days.astype("datetime64[us]"),
            "open": opening,
            "high": np.maximum(opening, close) * 1.003,
            "low": np.minimum(opening, close) * 0.997,
            "close": close,
            "adj_close": np.nan,
            "volume": 1e6,
            "dividend": 0.0,
            "split": 1.0,
            "source": "made up",
            "adjustment": "raw",
            "available_at": pd.Timestamp("2023-01-05", tz="UTC"),
        }
    )


if __name__ == "__main__":
    print(json.dumps(measure(int(sys.argv[1]))))
