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

from trading_lib.adapters.files.include_folder import include_folder
from trading_lib.adapters.services.folders import StackFolders
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
# Random prices, which compress badly.
BACKED_UP = """
    INSERT INTO bars SELECT 'file', 'SYMBOL' || n % 3000, date '2000-01-03' + (n / 3000)::int,
        100 + random() * 50, 100 + random() * 50, 100 + random() * 50, 100 + random() * 50, random() * 100,
        round(random() * 1e7), 0, 1, 'split', timestamptz '2000-01-03 21:15Z' + n / 3000 * interval '1 day', now()
    FROM generate_series(0, :rows - 1) n
"""


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


def run_backup(rows: int = 5_000_000) -> dict[str, Any]:
    """Back up a gigabyte, verified and encrypted, and restore it: seconds."""
    from trading_lib.adapters.backups.encryption import new_identity
    from trading_lib.monitoring.backup.config import BackupConfig
    from trading_lib.workflows.backups.create import back_up_databases
    from trading_lib.workflows.backups.place import BackupPlace
    from trading_lib.workflows.backups.restore import restore_backup

    home = Path(tempfile.mkdtemp(prefix="bench-backup-"))
    server = EmbeddedPostgres(home / "postgres")
    try:
        server.start()
        server.create_databases(["trading"])
        upgrade(server.url("trading"))
        engine = connect(server.url("trading"))
        with engine.begin() as connection:
            connection.execute(text(BACKED_UP), {"rows": rows})
            size = connection.execute(text("SELECT pg_database_size('trading')")).scalar_one()
        engine.dispose()
        config = BackupConfig(recipients=(new_identity(home / "key.txt"),))
        folders = StackFolders(home=home, project=include_folder().parent)
        place = BackupPlace(config, folders, {"TRADING_HOME": str(home)})
        began = time.perf_counter()
        (manifest,) = back_up_databases(place, place.destination(), ["trading"])
        backed_up = time.perf_counter() - began
        restored = restore_backup(place, place.destination(), "again", identity=home / "key.txt")
        return {
            "database_megabytes": round(size / 1e6),
            "backup_megabytes": round(manifest.size / 1e6),
            "seconds_until_verified": round(backed_up, 1),
            "seconds_to_restore": round(restored.seconds, 1),
        }
    finally:
        server.stop()
        shutil.rmtree(home, ignore_errors=True)
