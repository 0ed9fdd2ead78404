"""The same simple momentum strategy on the same prices: our engine, other engines, and a bare numba loop.

Ours runs everything it has: risk levels, stops, limits, accounting to the cent. The others follow target weights that
were computed for them beforehand. Ratios are of medians of this run.
"""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import tempfile
import time
from dataclasses import replace
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import numpy as np
from numba import njit

from benchmarks.simple_momentum import SimpleMomentum, month_weights

FIRST, LAST = date(2004, 12, 31), date(2024, 12, 31)
RUNS = 5


def run() -> dict[str, Any]:
    from trading_lib.adapters.files.include_folder import include_folder
    from trading_lib.adapters.sources.registry import create_source
    from trading_lib.backtest.engine import run_backtest
    from trading_lib.domain.market.market_view import SessionViews
    from trading_lib.domain.market.sessions import exchange_sessions
    from trading_lib.session.inputs import SessionInput
    from trading_lib.strategies.config import SleeveConfig
    from trading_lib.strategies.registry import register_strategy
    from trading_lib.workflows.data.market import market_from_source
    from trading_lib.workflows.setup.configuration import load_configuration

    configuration = load_configuration(include_folder() / "config", {})
    calendar = exchange_sessions()
    source = create_source("simulated", configuration.universe)
    market = market_from_source(source, configuration.universe, calendar, LAST, datetime(2025, 1, 2, tzinfo=UTC)).market
    register_strategy("simple_momentum", SimpleMomentum)
    sleeve = SleeveConfig(name="momentum", strategy="simple_momentum", budget=1.0)
    strategy = configuration.decision.strategy.model_copy(update={"sleeves": (sleeve,)})
    data = SessionInput(
        universe=configuration.universe,
        calendar=calendar,
        panel=market.panel,
        factors=market.factors,
        config=configuration.decision.model_copy(update={"strategy": strategy}),
        paper=configuration.paper,
        initial_cash=configuration.initial_cash,
    )
    result = run_backtest(data, FIRST, LAST)
    alone = _median(lambda: run_backtest(data, FIRST, LAST))
    # As for the others, what depends on the market alone has been computed beforehand.
    shared = replace(data, views=SessionViews(data.universe, data.panel, data.factors))
    ours = _median(lambda: run_backtest(shared, FIRST, LAST))
    targets = _targets(data)
    start = int(np.searchsorted(market.panel.sessions, result.sessions[0]))
    loop_input = (np.nan_to_num(market.panel.mark_return[start:]), np.nan_to_num(targets[start:], nan=-1.0))
    _loop(*loop_input)
    bare = _median(lambda: _loop(*loop_input))
    peers = _peers(data, targets, start)
    return {
        "sessions": len(result.sessions),
        "assets": len(configuration.universe),
        "ours_seconds": round(ours, 4),
        "ours_with_market_preparation_seconds": round(alone, 4),
        "ours_orders": result.order_count,
        "ours_final_value": float(result.nav[-1]),
        "numba_loop_seconds": round(bare, 6),
        "ratio_to_numba_loop": round(ours / bare, 1),
        "peers": peers,
        "times_faster_than": {
            name: round(found["seconds"] / ours, 2) for name, found in peers.items() if "seconds" in found
        },
    }


def _median(work: Any) -> float:
    seconds = []
    for _ in range(RUNS):
        started = time.perf_counter()
        work()
        seconds.append(time.perf_counter() - started)
    return statistics.median(seconds)


def _targets(data: Any) -> np.ndarray[Any, np.dtype[np.float64]]:
    """Target weights of every session, NaN where nothing is rebalanced, shape (T, n)."""
    at = {name: i for i, name in enumerate(data.factors.names)}
    targets = np.full(data.panel.close.shape, np.nan)
    values, prices = data.factors.values, data.factors.total_return_close
    for row in np.flatnonzero(data.panel.month_end):
        above = prices[row] > values[at["SMA_200"], row]
        targets[row] = month_weights(values[at["Momentum_12_1"], row], above, values[at["Volatility_60"], row])
    return targets


@njit(cache=True)
def _loop(returns: Any, targets: Any) -> float:
    """Compound target weights and pay costs; nothing else."""
    assets = returns.shape[1]
    nav, weights = 1.0, np.zeros(assets)
    for t in range(1, returns.shape[0]):
        growth = 1.0
        for i in range(assets):
            growth += weights[i] * returns[t, i]
        nav *= growth
        for i in range(assets):
            weights[i] *= (1.0 + returns[t, i]) / growth
        if targets[t, 0] >= 0.0:
            for i in range(assets):
                nav *= 1.0 - 0.0015 * abs(targets[t, i] - weights[i])
                weights[i] = targets[t, i]
    return nav


def _peers(data: Any, targets: Any, start: int) -> dict[str, Any]:
    interpreters = [name for name in os.environ.get("BENCH_PEERS_PYTHON", "").split(os.pathsep) if name]
    if not interpreters:
        return {}
    # Adjusted prices without gaps: the others know neither dividends nor assets that begin later.
    growth = np.cumprod(1.0 + np.nan_to_num(data.panel.mark_return[start:]), axis=0) * 100.0
    previous = np.vstack([growth[:1], growth[:-1]])
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "prices.npz"
        np.savez(
            path,
            dates=data.panel.sessions[start:].astype("datetime64[s]"),
            names=np.array([name.replace("-", "") for name in data.universe.symbols]),
            close=growth,
            open=np.sqrt(growth * previous),
            targets=targets[start:],
        )
        found: dict[str, Any] = {}
        for interpreter in interpreters:
            for name, result in _run_peers(interpreter, path).items():
                # What one environment cannot run, another may.
                if "seconds" in result or name not in found:
                    found[name] = result
    return found


def _run_peers(interpreter: str, prices: Path) -> dict[str, Any]:
    script = Path(__file__).with_name("peer_engines.py")
    answer = subprocess.run([interpreter, str(script), str(prices)], stdout=subprocess.PIPE, text=True, check=True)
    results: dict[str, Any] = json.loads(answer.stdout.splitlines()[-1])
    return results
