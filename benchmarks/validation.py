"""Validation and ingest at size: 15 assets x 20 years, and 1,000 symbols x 10 years into a fresh PostgreSQL.

Baselines in the same run: the bar rules alone written the usual way in pandas (groupby and boolean frames), and reading
the panel by a select into a frame.
"""

from __future__ import annotations

import multiprocessing
import resource
import shutil
import statistics
import tempfile
import time
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from sqlalchemy import Engine, text

from trading_lib.adapters.sources.shared.bar_windows import stamp_bars
from trading_lib.adapters.stores.market.market_store import MarketStore
from trading_lib.adapters.stores.postgres.database import connect
from trading_lib.adapters.stores.postgres.embedded_postgres import EmbeddedPostgres
from trading_lib.adapters.stores.postgres.migrations import upgrade
from trading_lib.domain.market.instruments import AssetClass, Instrument, TradingCalendar, Universe
from trading_lib.domain.market.prices import Bars
from trading_lib.domain.market.sessions import exchange_sessions
from trading_lib.validation.price_rules.structural import validate_bars
from trading_lib.validation.quality import validate_history

ASSETS, SYMBOLS = 15, 1_000
LONG = (date(2003, 1, 2), date(2022, 12, 30))
WIDE = (date(2013, 1, 2), date(2022, 12, 30))
# Symbols a task holds at once: the ingest is mapped over groups, so memory is bounded by one of them.
GROUP = 100
REPETITIONS = 5
NOW = datetime(2023, 1, 3, tzinfo=UTC)


def run() -> dict[str, Any]:
    """Measure in two processes of their own, so that each has a peak of its own."""
    context = multiprocessing.get_context("spawn")
    results: dict[str, Any] = {}
    for name, work in (("validation", _validation), ("storage", _storage)):
        with context.Pool(1) as pool:
            results[name] = pool.apply(work)
    return results


def _validation() -> dict[str, Any]:
    universe = some_universe(ASSETS)
    bars = walks(universe, LONG)
    report = validate_history(bars, universe, NOW)
    assert report.findings == (), report.findings[:3]
    # A gate that is fast because it sees nothing would not count.
    assert {f.rule for f in validate_history(with_tick(bars), universe, NOW).findings} == {"bad_tick"}
    return {
        "bars": len(bars),
        "all_rules_seconds": _median(lambda: validate_history(bars, universe, NOW)),
        "bar_rules_seconds": _median(lambda: validate_bars(bars, universe, NOW)),
        "baseline": "bar rules in plain pandas",
        "baseline_seconds": _median(lambda: plain_pandas(bars.frame)),
        "goal_seconds": 0.5,
    }


def _storage() -> dict[str, Any]:
    folder = Path(tempfile.mkdtemp(prefix="itsbench"))
    server = EmbeddedPostgres(folder / "data")
    try:
        server.start()
        server.create_databases(["trading"])
        upgrade(server.url("trading"))
        engine = connect(server.url("trading"))
        try:
            return _panel_read(engine) | _ingest(engine)
        finally:
            engine.dispose()
    finally:
        server.stop()
        shutil.rmtree(folder, ignore_errors=True)


def _panel_read(engine: Engine) -> dict[str, Any]:
    universe = some_universe(ASSETS)
    bars, store = walks(universe, LONG), MarketStore(engine)
    source = str(bars.frame["source"].iloc[0])
    store.upsert_bars(bars, NOW)
    pd.testing.assert_frame_equal(store.read_bars(source, NOW).frame, bars.frame, check_exact=True)
    return {
        "panel_rows": len(bars),
        "panel_read_seconds": _median(lambda: store.read_bars(source, NOW)),
        "panel_read_baseline": "select, rows into a frame",
        "panel_read_baseline_seconds": _median(lambda: plain_read(engine, source)),
        "panel_read_goal_seconds": 0.3,
    }


def _ingest(engine: Engine) -> dict[str, Any]:
    universe, store = some_universe(SYMBOLS), MarketStore(engine)
    rows, validating, storing = 0, 0.0, 0.0
    for start in range(0, SYMBOLS, GROUP):
        group = Universe(universe.instruments[start : start + GROUP])
        bars = walks(group, WIDE, source="wide", seed=start)
        begun = time.perf_counter()
        report = validate_history(bars, group, NOW)
        checked = time.perf_counter()
        counts = store.upsert_bars(report.accepted, NOW)
        store.save_validation("wide", report.findings, report.quarantined, NOW)
        storing += time.perf_counter() - checked
        validating += checked - begun
        assert counts.inserted + len(report.quarantined) == len(bars)
        rows += counts.inserted
    with engine.connect() as connection:
        stored = connection.execute(text("SELECT count(*) FROM bars WHERE source = 'wide'")).scalar_one()
    assert stored == rows
    return {
        "ingest_rows": rows,
        "ingest_seconds": validating + storing,
        "ingest_validation_seconds": validating,
        "ingest_storage_seconds": storing,
        "ingest_peak_megabytes": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
        "ingest_goal": "120 s, 2,048 MB",
    }


def some_universe(count: int) -> Universe:
    """Exchange-traded instruments S0000, S0001, ..."""
    one = Instrument(
        symbol="",
        name="",
        asset_class=AssetClass.US_ETF,
        category="",
        calendar=TradingCalendar.XNYS,
        max_weight=0.1,
        volatility_target=0.15,
        stop_reduce=None,
        stop_exit=0.2,
        lot_size=Decimal(1),
        commission_rate=Decimal(0),
        slippage_rate=Decimal(0),
    )
    return Universe(tuple(replace(one, symbol=f"S{number:04d}") for number in range(count)))


def walks(universe: Universe, window: tuple[date, date], source: str = "benchmark", seed: int = 0) -> Bars:
    """Random walks with quarterly dividends that reconcile; nothing in them is a defect."""
    days = exchange_sessions().between(*window)
    random = np.random.default_rng(seed)
    shape = (len(universe), len(days))
    total = 100 * np.exp(np.cumsum(random.normal(0.0002, 0.01, shape), axis=1))
    paid = np.zeros(shape)
    paid[:, 40::63] = 0.005
    close = total * np.cumprod(1 - paid, axis=1)
    # The adjusted close ends at the close, as vendors write it.
    adjusted = total * (close[:, -1:] / total[:, -1:])
    dividend = np.zeros(shape)
    dividend[:, 1:] = paid[:, 1:] * close[:, :-1]
    reach = 1 + np.abs(random.normal(0, 0.004, shape))
    frame = pd.DataFrame(
        {
            "symbol": np.repeat(np.array(universe.symbols, dtype=object), len(days)),
            "date": np.tile(days.astype("datetime64[us]"), len(universe)),
            "open": close.ravel(),
            "high": (close * reach).ravel(),
            "low": (close / reach).ravel(),
            "close": close.ravel(),
            "adj_close": adjusted.ravel(),
            "volume": random.lognormal(14, 0.5, shape).ravel(),
            "dividend": dividend.ravel(),
            "split": 1.0,
            "adjustment": "split",
        }
    )
    return stamp_bars(frame, universe, source)


def with_tick(bars: Bars) -> Bars:
    """The same with one spike of 40 % that reverts."""
    frame = bars.frame.copy()
    frame.loc[1_000, ["open", "high", "low", "close", "adj_close"]] *= 1.4
    return Bars(frame)


def plain_pandas(frame: pd.DataFrame) -> int:
    """Count what the bar rules of the gate count, and the jumps, the way a notebook would."""
    prices = frame[["open", "high", "low", "close"]]
    sessions = pd.DatetimeIndex(exchange_sessions().sessions)
    bad = prices.isna().any(axis=1) | (prices <= 0).any(axis=1)
    bad |= (frame["high"] < frame["low"]) | (frame["close"] > frame["high"]) | (frame["close"] < frame["low"])
    bad |= (frame["volume"] < 0) | frame.duplicated(["symbol", "date"], keep=False)
    bad |= ~frame["date"].isin(sessions) | (frame["available_at"] > pd.Timestamp(NOW))
    change = (frame["close"] + frame["dividend"]) / frame.groupby("symbol")["close"].shift() - 1
    covered = frame.groupby("symbol")["date"].apply(lambda days: sessions.isin(days).mean())
    return int(bad.sum() + (change.abs() > 0.5).sum() + (covered < 0.1).sum())


def plain_read(engine: Engine, source: str) -> pd.DataFrame:
    """Newest revision of each bar as a frame, without COPY."""
    query = text(
        "SELECT DISTINCT ON (symbol, session) * FROM bars WHERE source = :source AND available_at <= :as_of"
        " ORDER BY symbol, session, available_at DESC"
    )
    with engine.connect() as connection:
        result = connection.execute(query, {"source": source, "as_of": NOW})
        return pd.DataFrame(result.all(), columns=list(result.keys()))


def _median(work: Callable[[], object]) -> float:
    seconds = []
    for _ in range(REPETITIONS):
        begun = time.perf_counter()
        work()
        seconds.append(time.perf_counter() - begun)
    return statistics.median(seconds)


if __name__ == "__main__":
    for part, figures in run().items():
        for name, value in figures.items():
            print(f"{part} {name}: {value:,.3f}" if isinstance(value, float) else f"{part} {name}: {value}")
