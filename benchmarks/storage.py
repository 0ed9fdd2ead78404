"""Speed of storage: 75,000 bars into a fresh PostgreSQL, the same again, and read back as of now."""

from __future__ import annotations

import shutil
import statistics
import tempfile
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from sqlalchemy import Engine, insert, text

from trading_lib.adapters.stores.market.market_store import MarketStore
from trading_lib.adapters.stores.postgres import schema
from trading_lib.adapters.stores.postgres.database import connect
from trading_lib.adapters.stores.postgres.embedded_postgres import EmbeddedPostgres
from trading_lib.adapters.stores.postgres.migrations import upgrade
from trading_lib.domain.market.prices import Bars

SYMBOLS = 15
DAYS = 5_000
REPETITIONS = 5
SOURCE = "benchmark"
NOW = datetime(2026, 1, 1, tzinfo=UTC)


def run() -> dict[str, Any]:
    """Measure on a server of its own and return medians; rates are rows per second.

    ``baseline_*`` is the plain way to the same rows in the same run: SQLAlchemy's insert with a list of rows, and
    a select into a frame.
    """
    folder = Path(tempfile.mkdtemp(prefix="itsbench"))
    server = EmbeddedPostgres(folder / "data")
    try:
        server.start()
        server.create_databases(["trading"])
        upgrade(server.url("trading"))
        engine = connect(server.url("trading"))
        try:
            return _measure(engine)
        finally:
            engine.dispose()
    finally:
        server.stop()
        shutil.rmtree(folder, ignore_errors=True)


def random_bars() -> Bars:
    """15 symbols with 5,000 days each."""
    random = np.random.default_rng(20040102)
    dates = np.datetime64("2004-01-02") + np.arange(DAYS)
    rows = SYMBOLS * DAYS
    prices = {name: random.lognormal(4.0, 0.5, rows) for name in ("open", "high", "low", "close", "adj_close")}
    frame = pd.DataFrame(
        {
            "symbol": np.repeat([f"SYM{number:02d}" for number in range(SYMBOLS)], DAYS),
            "date": np.tile(dates, SYMBOLS),
            **prices,
            "volume": random.lognormal(15.0, 1.0, rows),
            "dividend": 0.0,
            "split": 1.0,
            "source": SOURCE,
            "adjustment": "raw",
            "available_at": pd.DatetimeIndex(np.tile(dates + np.timedelta64(1, "D"), SYMBOLS)).tz_localize("UTC"),
        }
    )
    return Bars.from_frame(frame)


def _measure(engine: Engine) -> dict[str, Any]:
    bars, store = random_bars(), MarketStore(engine)
    rows = len(bars)
    empty = text("TRUNCATE bars")

    def truncate() -> None:
        with engine.begin() as connection:
            connection.execute(empty)

    plain_insert = _median(lambda: _insert_plainly(engine, bars), before=truncate)
    plain_read = _median(lambda: _read_plainly(engine))
    first = _median(lambda: store.upsert_bars(bars, NOW), before=truncate)
    again = _median(lambda: store.upsert_bars(bars, NOW))
    read = _median(lambda: store.read_bars(SOURCE, NOW))
    # A fast answer that is wrong would not count.
    pd.testing.assert_frame_equal(store.read_bars(SOURCE, NOW).frame, bars.frame, check_exact=True)
    return {
        "rows": rows,
        "repetitions": REPETITIONS,
        "upsert_seconds": first,
        "upsert_rows_per_second": rows / first,
        "upsert_again_seconds": again,
        "upsert_again_rows_per_second": rows / again,
        "read_seconds": read,
        "baseline_insert": "SQLAlchemy insert, executemany",
        "baseline_insert_seconds": plain_insert,
        "baseline_insert_rows_per_second": rows / plain_insert,
        "baseline_read": "SQLAlchemy select, rows into a frame",
        "baseline_read_seconds": plain_read,
    }


def _median(work: Callable[[], object], before: Callable[[], None] | None = None) -> float:
    seconds = []
    for _ in range(REPETITIONS):
        if before is not None:
            before()
        start = time.perf_counter()
        work()
        seconds.append(time.perf_counter() - start)
    return statistics.median(seconds)


def _insert_plainly(engine: Engine, bars: Bars) -> None:
    frame = bars.frame.rename(columns={"date": "session"}).assign(ingested_at=NOW)
    with engine.begin() as connection:
        connection.execute(insert(schema.bars), frame.to_dict("records"))


def _read_plainly(engine: Engine) -> pd.DataFrame:
    query = text(
        "SELECT DISTINCT ON (symbol, session) * FROM bars WHERE source = :source AND available_at <= :as_of"
        " ORDER BY symbol, session, available_at DESC"
    )
    with engine.connect() as connection:
        result = connection.execute(query, {"source": SOURCE, "as_of": NOW})
        return pd.DataFrame(result.all(), columns=list(result.keys()))


if __name__ == "__main__":
    for name, value in run().items():
        print(f"{name}: {value:,.3f}" if isinstance(value, float) else f"{name}: {value}")
