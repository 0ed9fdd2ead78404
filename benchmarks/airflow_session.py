"""Wall time and processor time of a session's two DAG runs, market_data and trade_daily, in a stack of its own.

Sessions of the past on simulated prices, one after the other, as a backfill with trading does them: the history is
loaded before, and is not measured.
"""

from __future__ import annotations

import os
import shutil
import socket
import statistics
import tempfile
import time
from collections.abc import MutableMapping
from datetime import date, datetime
from pathlib import Path
from typing import Any

import psutil

from trading_lib.adapters.services.airflow.follow import follow, require_success, wait_for_triggered
from trading_lib.adapters.services.airflow.rest import AirflowClient, DagRun
from trading_lib.adapters.services.folders import StackFolders
from trading_lib.adapters.services.stack import Stack
from trading_lib.adapters.services.waiting import Patience
from trading_lib.workflows.data import fetch as fetching
from trading_lib.workflows.data import tasks as market_data
from trading_lib.workflows.operations import database
from trading_lib.workflows.setup.settings import load_settings

FIRST, SESSIONS = date(2022, 6, 13), 6
BOOK = "demo-bench"
RUN, TRIGGER = Patience(limit=600.0, interval=0.2), Patience(limit=120.0, interval=0.2)
DAGS = ("market_data", "trade_daily")
PORTS = ("TRADING_AIRFLOW_PORT", "TRADING_MLFLOW_PORT", "TRADING_LOG_PORT")


def run() -> dict[str, Any]:
    """Start a stack, measure and stop it; the first session fills caches and is told apart."""
    home = Path(tempfile.mkdtemp(prefix="itsbench")).resolve()
    environment = dict(os.environ) | {"TRADING_HOME": str(home)} | {name: str(_free_port()) for name in PORTS}
    os.environ.update(environment)
    stack = Stack(StackFolders.locate(environment), environment, _quiet)
    try:
        stack.up()
        return measure(environment)
    finally:
        stack.down()
        shutil.rmtree(home, ignore_errors=True)


def measure(environment: MutableMapping[str, str], book: str = BOOK) -> dict[str, Any]:
    """Run the sessions in the stack that runs in the environment's home; seconds, medians without the first session."""
    stack = Stack(StackFolders.locate(environment), environment, _quiet)
    environment.update(stack.local_addresses(stack.start_database()))
    os.environ.update(environment)
    database.upgrade()
    settings = load_settings(environment)
    sessions = [settings.calendar.offset(FIRST, number) for number in range(SESSIONS)]
    plan = market_data.plan(sessions[0].isoformat(), "simulated", None, book, settings)
    fetching.ingest_history(plan, settings, settings.calendar.previous(sessions[0]))
    client = stack.airflow.client()
    for dag_id in DAGS:
        client.unpause(dag_id)
    rows = [_session(client, day, book) for day in sessions]
    warm = rows[1:]
    return {
        "sessions": len(warm),
        "first_session_seconds": rows[0]["wall_seconds"],
        "wall_seconds": _median(warm, "wall_seconds"),
        "cpu_seconds": _median(warm, "cpu_seconds"),
        "tasks_seconds": {name: _median([row["tasks"] for row in warm], name) for name in warm[0]["tasks"]},
        "between_tasks_seconds": _median(warm, "between_seconds"),
    }


def _session(client: AirflowClient, session: date, book: str) -> dict[str, Any]:
    conf = {"session": session.isoformat(), "source": "simulated", "book": book}
    began, cpu = time.monotonic(), _processor_seconds()
    fetched = client.trigger("market_data", conf, f"bench__{session}__{time.time():.0f}")
    ended = follow(client, fetched, _quiet, RUN)
    require_success(client, ended, print)
    traded = follow(client, wait_for_triggered(client, ended, "trade_daily", TRIGGER), _quiet, RUN)
    require_success(client, traded, print)
    wall = time.monotonic() - began
    tasks = _durations(client, ended) | _durations(client, traded)
    return {
        "wall_seconds": round(wall, 2),
        "cpu_seconds": round(_processor_seconds() - cpu, 2),
        "tasks": tasks,
        "between_seconds": round(wall - sum(tasks.values()), 2),
    }


def _durations(client: AirflowClient, run: DagRun) -> dict[str, float]:
    """Return how long each task ran; of a mapped one from its first start to its last end."""
    spans: dict[str, list[tuple[datetime, datetime]]] = {}
    answer = client.ask("GET", f"/dags/{run.dag_id}/dagRuns/{run.run_id}/taskInstances")
    for entry in answer["task_instances"]:
        if entry["start_date"] and entry["end_date"] and entry["state"] == "success":
            span = (datetime.fromisoformat(entry["start_date"]), datetime.fromisoformat(entry["end_date"]))
            spans.setdefault(f"{run.dag_id}.{entry['task_id']}", []).append(span)
    return {
        name: round((max(end for _, end in found) - min(start for start, _ in found)).total_seconds(), 3)
        for name, found in spans.items()
    }


def _processor_seconds() -> float:
    """Processor time of everything that this home's stack has run, children that have ended included."""
    home, total = os.environ["TRADING_HOME"], 0.0
    for process in psutil.process_iter(["environ", "cmdline", "cpu_times"]):
        known = (process.info["environ"] or {}).get("TRADING_HOME") == home
        if (known or home in " ".join(process.info["cmdline"] or [])) and process.info["cpu_times"]:
            total += sum(process.info["cpu_times"][:4])
    return total


def _median(rows: list[dict[str, Any]], name: str) -> float:
    return round(statistics.median(row[name] for row in rows if name in row), 2)


def _free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port: int = listener.getsockname()[1]
        return port


def _quiet(line: str) -> None:
    """Say nothing: the benchmarks print one JSON object."""
