"""Backfill a range of sessions of ``market_data`` through Airflow's REST interface and compare with a direct load.

Example: python -m tests.e2e.backfill_sessions --data prices --to 2022-06-15 --sessions 250
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import socket
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import numpy as np

from tests.e2e.stack_client import RunningStack
from trading_lib.adapters.services.waiting import Patience
from trading_lib.adapters.stores.postgres.embedded_postgres import EmbeddedPostgres
from trading_lib.adapters.stores.postgres.migrations import upgrade
from trading_lib.domain.market.prices import PricePanel
from trading_lib.domain.market.sessions import exchange_sessions, parse_session
from trading_lib.workflows.data import fetch as fetching
from trading_lib.workflows.data import tasks as market_data
from trading_lib.workflows.data.market import market_from_store
from trading_lib.workflows.data.sources import market_store
from trading_lib.workflows.setup.settings import Settings, load_settings

ROOT = Path(__file__).resolve().parents[2]
DAG = "market_data"
DIRECT_DATABASE = "direct_load"
PAGE = 100
FINISHED = ("success", "failed")


@dataclass(frozen=True)
class Range:
    """The sessions to backfill and the configuration of their runs."""

    sessions: tuple[date, ...]
    configuration: dict[str, Any]

    @property
    def dates(self) -> tuple[str, str]:
        """Logical dates of the first and the last run: the starts of their intervals."""
        calendar = exchange_sessions()
        first, last = (calendar.data_time(calendar.previous(day)) for day in (self.sessions[0], self.sessions[-1]))
        return first.isoformat(), last.isoformat()


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the program; 0 when every run succeeded and both panels are equal."""
    given = _parser().parse_args(arguments)
    wanted = _range(given)
    home = given.home.expanduser().resolve() if given.home else Path(tempfile.mkdtemp(prefix="its")).resolve()
    stack = RunningStack(home, _environment(home, own_ports=given.home is None), ROOT)
    started = time.monotonic()
    try:
        _trading(stack, "stack", "up")
        _trading(stack, "db", "upgrade")
        _say(f"stack up after {time.monotonic() - started:.0f} s")
        begun = time.monotonic()
        states = _backfill(stack, wanted, given)
        seconds = time.monotonic() - begun
        differences = _differences(stack, wanted)
    finally:
        if not given.keep:
            stack.trading("stack", "down")
    result = {
        "sessions": len(wanted.sessions),
        "from": wanted.sessions[0].isoformat(),
        "to": wanted.sessions[-1].isoformat(),
        "run_states": states,
        "seconds": round(seconds, 1),
        "seconds_per_session": round(seconds / len(wanted.sessions), 2),
        "panel_differences": differences,
    }
    print(json.dumps(result, indent=2))
    green = states == {"success": len(wanted.sessions)}
    if green and not differences and not given.keep and given.home is None:
        shutil.rmtree(home, ignore_errors=True)
    return 0 if green and not differences else 1


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m tests.e2e.backfill_sessions", description=__doc__)
    parser.add_argument("--data", type=Path, help="folder of prices; the simulated market without it")
    parser.add_argument("--to", required=True, help="last session, YYYY-MM-DD")
    parser.add_argument("--sessions", type=int, default=250, help="how many sessions up to it (default 250)")
    parser.add_argument("--home", type=Path, help="TRADING_HOME of a stack to use; by default one of its own")
    parser.add_argument("--active-runs", type=int, default=2, help="runs at the same time (default 2)")
    parser.add_argument("--hours", type=float, default=3.0, help="longest wait (default 3)")
    parser.add_argument("--keep", action="store_true", help="leave the stack running")
    return parser


def _range(given: argparse.Namespace) -> Range:
    last = parse_session(given.to)
    sessions = tuple(exchange_sessions().offset(last, -number) for number in reversed(range(given.sessions)))
    folder = str(given.data.expanduser().resolve()) if given.data else None
    configuration = {"source": "files" if folder else "simulated", "data": folder, "book": "demo-backfill"}
    return Range(sessions, configuration)


def _environment(home: Path, *, own_ports: bool) -> dict[str, str]:
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("AIRFLOW_")}
    environment = inherited | {"TRADING_HOME": str(home), "PYTHONPATH": str(ROOT)}
    environment.pop("TRADING_DATABASE_URL", None)
    environment = {"TRADING_AIRFLOW_PORT": "8080", "TRADING_MLFLOW_PORT": "5000"} | environment
    if own_ports:
        with socket.socket() as one, socket.socket() as other:
            for probe, name in ((one, "TRADING_AIRFLOW_PORT"), (other, "TRADING_MLFLOW_PORT")):
                probe.bind(("127.0.0.1", 0))
                environment[name] = str(probe.getsockname()[1])
    return environment


def _trading(stack: RunningStack, *arguments: str) -> None:
    done = stack.trading(*arguments)
    if done.returncode:
        raise SystemExit(f"trading {' '.join(arguments)} failed: {done.stderr[-2000:]}")


def _backfill(stack: RunningStack, wanted: Range, given: argparse.Namespace) -> dict[str, int]:
    """Start the backfill, wait for it and count its runs by state."""
    first, last = wanted.dates
    body = {
        "dag_id": DAG,
        "from_date": first,
        "to_date": last,
        "max_active_runs": given.active_runs,
        "reprocess_behavior": "failed",
        "dag_run_conf": wanted.configuration,
    }
    stack.airflow("POST", "/backfills", json=body)
    shown: list[dict[str, int]] = [{}]

    def attempt() -> dict[str, int] | None:
        states = _run_states(stack, first, last)
        if states != shown[0]:
            shown[0] = states
            _say(", ".join(f"{state} {count}" for state, count in sorted(states.items())))
        return states if states and set(states) <= set(FINISHED) else None

    found = Patience(limit=given.hours * 3600, interval=5.0).wait_for(attempt)
    return found if found is not None else _run_states(stack, first, last)


def _run_states(stack: RunningStack, first: str, last: str) -> dict[str, int]:
    states: Counter[str] = Counter()
    while True:
        parameters = {
            "run_type": "backfill",
            "logical_date_gte": first,
            "logical_date_lte": last,
            "limit": PAGE,
            "offset": states.total(),
            "order_by": "logical_date",
        }
        page = stack.airflow("GET", f"/dags/{DAG}/dagRuns", params=parameters)["dag_runs"]
        states.update(str(run["state"]) for run in page)
        if len(page) < PAGE:
            return dict(states)


def _differences(stack: RunningStack, wanted: Range) -> list[str]:
    """Names of the panel's parts that differ between the backfill and a direct load into a database of its own."""
    server = EmbeddedPostgres(stack.home / "postgres")
    server.create_databases([DIRECT_DATABASE])
    upgrade(server.url(DIRECT_DATABASE))
    last = wanted.sessions[-1]
    base = load_settings(stack.environment)
    plan = market_data.plan(
        last.isoformat(), settings=base, **{name: wanted.configuration[name] for name in ("source", "data", "book")}
    )
    direct = replace(base, database_url=server.url(DIRECT_DATABASE))
    fetching.ingest_history(plan, direct, last, wanted.sessions[0] - timedelta(days=market_data.LOOKBACK_DAYS))
    backfilled = replace(base, database_url=server.url("trading"))
    one, two = (_panel(settings, plan.source_name, last) for settings in (backfilled, direct))
    _say(f"panel: {len(two.sessions)} sessions x {len(two.symbols)} assets")
    return [field.name for field in fields(PricePanel) if not _same(getattr(one, field.name), getattr(two, field.name))]


def _panel(settings: Settings, source: str, session: date) -> PricePanel:
    universe = settings.configuration.universe
    return market_from_store(market_store(settings), source, universe, settings.calendar, session).panel


def _same(one: Any, two: Any) -> bool:
    if isinstance(one, np.ndarray):
        return one.shape == two.shape and np.array_equal(one, two, equal_nan=one.dtype.kind == "f")
    if isinstance(one, tuple) and one and not isinstance(one[0], str):
        return len(one) == len(two) and all(
            _same(getattr(a, field.name), getattr(b, field.name))
            for a, b in zip(one, two, strict=True)
            for field in fields(a)
        )
    return bool(one == two)


def _say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


if __name__ == "__main__":
    raise SystemExit(main())
