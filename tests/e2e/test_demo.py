"""The whole system as a user meets it: `trading demo` starts real services and runs both DAGs in a real Airflow.

One stack serves the tests of this module, in order; the last one stops it and looks for what is left.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import socket
import tempfile
from collections.abc import Iterator
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import psutil
import pytest
import requests
from sqlalchemy import inspect, text

from tests.builders.settings import make_settings
from tests.campaigns.outages.interruptions import interrupt
from tests.e2e.crash import AFTER, BEFORE, BOOK, CRASH, LAST, write_crash_folder
from tests.e2e.stack_client import RunningStack, insistently
from tests.environment.other_user import intrude, needs_root
from trading_lib.adapters.services.waiting import Patience
from trading_lib.adapters.stores.books.approval_store import ApprovalStore
from trading_lib.adapters.stores.books.order_store import OrderStore
from trading_lib.adapters.stores.books.state_store import StateStore
from trading_lib.adapters.stores.postgres.database import connect
from trading_lib.adapters.stores.postgres.embedded_postgres import EmbeddedPostgres
from trading_lib.domain.market.sessions import exchange_sessions
from trading_lib.workflows.books import approvals
from trading_lib.workflows.data import fetch as fetching
from trading_lib.workflows.data import tasks as market_data
from trading_lib.workflows.stages.catalogue import TRADE_STAGES
from trading_lib.workflows.trade.daily import trade_session

pytestmark = pytest.mark.e2e

REAL_SESSION = "2022-06-15"
# A failed run is waited for here; the stack decides how long it takes.
RUN_PATIENCE = Patience(limit=180.0, interval=1.0)
# From a failure to its alert.
MAIL_PATIENCE = Patience(limit=10.0, interval=0.2)
MONEY = ("decisions", "order_intents", "orders", "fills", "portfolio_state", "risk_state", "signal_log")
OPERATIONS = {"alerts", "alert_deliveries", "alert_pictures", "backups", "restore_drills"}
STAGES = tuple(stage.name for stage in TRADE_STAGES)


@pytest.fixture(scope="module", name="stack")
def fixture_stack(repository_root: Path) -> Iterator[RunningStack]:
    """Folders and free ports; whatever runs there is stopped at the end, also after a failure."""
    home = Path(tempfile.mkdtemp(prefix="its")).resolve()
    home.chmod(0o755)  # what lies in it must be closed by itself
    with socket.socket() as first, socket.socket() as second:
        for probe in (first, second):
            probe.bind(("127.0.0.1", 0))
        ports = [str(probe.getsockname()[1]) for probe in (first, second)]
    inherited = {name: value for name, value in os.environ.items() if not name.startswith(("AIRFLOW_", "TRADING_"))}
    environment = inherited | {
        "PYTHONPATH": str(repository_root),
        "TRADING_HOME": str(home),
        "TRADING_AIRFLOW_PORT": ports[0],
        "TRADING_MLFLOW_PORT": ports[1],
    }
    stack = RunningStack(home, environment, repository_root)
    yield stack
    stopped = stack.trading("stack", "down")
    assert stopped.returncode == 0, stopped.stderr
    shutil.rmtree(home, ignore_errors=True)


@pytest.fixture(scope="module", name="demo")
def fixture_demo(stack: RunningStack) -> dict[str, Any]:
    """What the first `trading demo` printed."""
    return stack.trading_json("demo")


def mailed(stack: RunningStack, text: str) -> str:
    """What the sender has put into the file of mails, once ``text`` is in it."""

    def read() -> str | None:
        mails = "\n".join(path.read_text() for path in (stack.home / "mail").glob("*.txt"))
        return mails if text in mails else None

    found = MAIL_PATIENCE.wait_for(read)
    assert found, f"nobody was told of: {text}"
    return found


def row_counts(stack: RunningStack) -> dict[str, int]:
    """Table -> number of rows of the trading database, without those about running it; see `mailed` for alerts."""
    engine = connect(EmbeddedPostgres(stack.home / "postgres").url("trading"))
    try:
        with engine.connect() as connection:
            tables = set(inspect(connection).get_table_names()) - OPERATIONS
            return {
                name: int(connection.execute(text(f'SELECT count(*) FROM "{name}"')).scalar_one()) for name in tables
            }
    finally:
        engine.dispose()


def finished(stack: RunningStack, dag_id: str, run_id: str) -> str:
    """Wait for a run and return its state."""

    def attempt() -> str | None:
        state = stack.airflow("GET", f"/dags/{dag_id}/dagRuns/{run_id}")["state"]
        return state if state in ("success", "failed") else None

    state = RUN_PATIENCE.wait_for(attempt)
    assert state is not None, f"{dag_id} {run_id} did not finish"
    return state


def test_both_dags_ran_to_success_in_airflow(stack: RunningStack, demo: dict[str, Any]) -> None:
    assert [run["dag_id"] for run in demo["dag_runs"]] == ["market_data", "trade_daily"]
    for run in demo["dag_runs"]:
        assert stack.airflow("GET", f"/dags/{run['dag_id']}/dagRuns/{run['run_id']}")["state"] == "success"
        states = stack.task_states(run["dag_id"], run["run_id"])
        # A demo book answers itself, and has no orders at a broker that would have to be watched or asked about.
        for idle in ("ask_for_approval", "watch_orders", "ask_about_breaks"):
            assert states.pop(idle, "skipped") == "skipped"
        assert set(states.values()) == {"success"}, states
    assert set(STAGES) <= set(stack.task_states("trade_daily", demo["dag_runs"][1]["run_id"]))


def test_airflows_tasks_leave_lines_about_every_stage(stack: RunningStack, demo: dict[str, Any]) -> None:
    run_id = demo["dag_runs"][1]["run_id"]
    lines = stack.trading_json("logs", "--run", run_id, "--lines", "1000")["lines"]
    ended = {line["stage"]: line for line in lines if "duration_s" in line}
    assert set(STAGES) <= set(ended)
    for stage in STAGES:
        line = ended[stage]
        assert (line["dag"], line["task"], line["book"]) == ("trade_daily", stage, "demo")
        assert line["session"] == demo["summary"]["session"]
    secrets = (stack.home / "credentials.json").read_text()
    text = (stack.home / "logs" / "trading.jsonl").read_text()
    assert not [value for value in json.loads(secrets).values() if value in text]


def test_the_summary_is_about_the_newest_session(demo: dict[str, Any]) -> None:
    summary = demo["summary"]
    assert (summary["book"], summary["data_source"]) == ("demo", "simulated")
    decided = date.fromisoformat(summary["session"])
    newest = exchange_sessions().latest_with_data(datetime.now(UTC))
    assert decided in (newest, exchange_sessions().previous(newest))
    assert len({signal["symbol"] for signal in summary["signals"]}) == 15
    assert all(signal["reason"] for signal in summary["signals"])
    assert float(summary["nav"]) > 0
    assert summary["risk_level"] in range(5)


def test_the_grid_says_whose_prices_a_run_used_and_how_long_its_signals_took(
    stack: RunningStack, demo: dict[str, Any]
) -> None:
    session, (ingested, traded) = demo["summary"]["session"], demo["dag_runs"]
    notes = [
        stack.airflow("GET", f"/dags/{run['dag_id']}/dagRuns/{run['run_id']}")["note"].splitlines()
        for run in (ingested, traded)
    ]
    by_hand = "close to data ready: not applicable, the run was started by hand (manual)"
    assert notes[0] == [f"SIMULATED prices, session {session}", by_hand]
    assert notes[1][0] == f"SIMULATED prices, session {session}, book demo"
    assert notes[1][1].startswith("net asset value $")
    assert re.fullmatch(
        r"data received to signals stored: [\d.]+ (s|min) \(target below 60\.0 s(, MISSED)?\)", notes[1][2]
    )
    path = f"/dags/market_data/dagRuns/{ingested['run_id']}/taskInstances"
    tasks = stack.airflow("GET", path)["task_instances"]
    names = {task["rendered_map_index"] for task in tasks if task["task_id"] == "ingest"}
    assert names == {"etf", "crypto", "volatility_index", "macro"}


def test_airflow_lets_nobody_in_without_the_password(stack: RunningStack, demo: dict[str, Any]) -> None:
    assert requests.get(f"{stack.airflow_url}/api/v2/dags", timeout=30).status_code == 401
    wrong = {"username": "admin", "password": "admin"}
    assert requests.post(f"{stack.airflow_url}/auth/token", json=wrong, timeout=30).status_code == 401
    assert demo["login"] == {"user": "admin", "password": stack.password}


def test_mlflow_lets_nobody_in_without_the_password(stack: RunningStack, demo: dict[str, Any]) -> None:
    for path in ("/", "/version", "/api/2.0/mlflow/experiments/search", "/get-artifact", "/graphql"):
        for login in (None, ("admin", "admin"), ("admin", stack.password)):
            assert requests.get(f"{stack.mlflow_url}{path}", auth=login, timeout=30).status_code == 401
    user, password = stack.mlflow_login
    assert demo["mlflow_login"] == {"user": user, "password": password}
    assert requests.get(stack.mlflow_url, auth=(user, password), timeout=30).ok


@needs_root
def test_another_user_of_the_machine_gets_nothing_without_a_password(stack: RunningStack, demo: dict[str, Any]) -> None:
    mlflow = ("", "version", "api/2.0/mlflow/experiments/search?max_results=1", "api/2.0/mlflow-artifacts/artifacts")
    airflow = ("dags", "pools", "connections", "variables", "config", "assets", "dags/market_data/dagRuns")
    urls = [f"{stack.mlflow_url}/{path}" for path in mlflow] + [
        f"{stack.airflow_url}/api/v2/{path}" for path in airflow
    ]
    loot = intrude([stack.home], urls=urls)
    assert (loot.read, loot.written, loot.connected) == ((), (), ())


def test_nothing_of_the_stack_listens_to_other_machines(stack: RunningStack, demo: dict[str, Any]) -> None:
    numbers = {int(line.split()[0]) for line in stack.processes()}
    listening = {
        (connection.laddr.ip, connection.laddr.port)
        for connection in psutil.net_connections("inet")
        if connection.pid in numbers and connection.status == psutil.CONN_LISTEN
    }
    assert {port for _, port in listening} == {
        int(stack.airflow_url.split(":")[2]),
        int(stack.mlflow_url.split(":")[2]),
    }
    assert {address for address, _ in listening} == {"127.0.0.1"}


def test_mlflow_has_the_backtest_with_a_picture(stack: RunningStack, demo: dict[str, Any]) -> None:
    experiments = stack.mlflow("POST", "/experiments/search", json={"max_results": 10})["experiments"]
    ids = [experiment["experiment_id"] for experiment in experiments]
    runs = stack.mlflow("POST", "/runs/search", json={"experiment_ids": ids})["runs"]
    assert [run["info"]["status"] for run in runs] == ["FINISHED"]
    metrics = {metric["key"] for metric in runs[0]["data"]["metrics"]}
    assert {"sharpe", "max_drawdown", "final_nav"} <= metrics
    listing = stack.mlflow("GET", "/artifacts/list", params={"run_id": runs[0]["info"]["run_id"]})
    assert any(file["path"].endswith(".png") and int(file["file_size"]) > 1000 for file in listing["files"])


def test_a_backtest_is_logged_once_however_often_it_runs(stack: RunningStack, demo: dict[str, Any]) -> None:
    arguments = ("backtest", "--from", "2019-01-02", "--to", "2019-12-31")
    first, again = stack.trading_json(*arguments), stack.trading_json(*arguments)
    assert first["mlflow_run_id"] == again["mlflow_run_id"]
    question = {"run_id": first["mlflow_run_id"], "metric_key": "nav", "max_results": 1000}
    answer = stack.mlflow("GET", "/metrics/get-history", params=question)
    curve = sorted(answer["metrics"], key=lambda point: int(point["step"]))
    assert len(curve) == first["sessions"]
    assert curve[-1]["value"] == pytest.approx(first["final_nav"])


def test_doctor_finds_nothing_wrong_with_the_stack(stack: RunningStack, demo: dict[str, Any]) -> None:
    checks = json.loads(stack.trading("doctor", "--json").stdout)["checks"]
    # The packages are of the environment the tests run in, which need not be the locked one.
    states = [(check["name"], check["state"]) for check in checks if check["name"] != "packages"]
    # As shipped nobody is told but a file, backups stay on this machine, and the database's log goes nowhere.
    stopped = {"alerts", "backups", "log archive"}
    assert [name for name, state in states if state == "stopped"] == sorted(stopped)
    assert {state for name, state in states if name not in stopped} == {"ok"}
    assert [name for name, _ in states] == [
        "python",
        "database",
        "mlflow",
        "api-server",
        "scheduler",
        "dag-processor",
        "triggerer",
        "alert-sender",
        "heartbeat",
        "supervisor",
        "alerts",
        "backups",
        "log archive",
        "heartbeat",
        "log",
        "disk",
    ]


def test_starting_again_starts_nothing(stack: RunningStack, demo: dict[str, Any]) -> None:
    before = stack.processes()
    done = stack.trading("stack", "up")
    assert done.returncode == 0, done.stderr
    assert "running already" in done.stderr
    programs = ("supervisord", "mlflow.server", "airflow api_server", "airflow scheduler")
    for program in programs:
        [line] = [line for line in stack.processes() if program in line]
        assert line in before


def test_the_same_demo_again_changes_no_row(stack: RunningStack, demo: dict[str, Any]) -> None:
    before = row_counts(stack)
    assert before["bars"] > 0
    assert before["decisions"] > 0
    again = stack.trading_json("demo")
    assert row_counts(stack) == before
    assert again["summary"] == demo["summary"]
    assert [run["state"] for run in again["dag_runs"]] == ["success", "success"]
    assert {run["run_id"] for run in again["dag_runs"]}.isdisjoint(run["run_id"] for run in demo["dag_runs"])


def test_real_prices_run_beside_the_simulated_ones(
    stack: RunningStack, demo: dict[str, Any], shared_market_data: Path
) -> None:
    done = stack.trading_json("demo", "--data", str(shared_market_data), "--session", REAL_SESSION)
    assert [run["state"] for run in done["dag_runs"]] == ["success", "success"]
    summary = done["summary"]
    assert summary["session"] == REAL_SESSION
    assert summary["data_source"].startswith("files:")
    assert summary["book"] != demo["summary"]["book"]
    # ^VIX closed at 29.62 that day: between the bounds 20 and 30 of the regime.
    assert summary["regime"] == "ELEVATED"


def test_a_failed_task_is_reported_and_mailed(stack: RunningStack, demo: dict[str, Any]) -> None:
    body = {"dag_run_id": "saturday", "logical_date": None, "conf": {"session": "2022-06-18"}}
    stack.airflow("POST", "/dags/market_data/dagRuns", json=body)
    assert finished(stack, "market_data", "saturday") == "failed"
    states = stack.task_states("market_data", "saturday")
    assert states.pop("plan") == "failed"
    assert set(states.values()) == {"upstream_failed"}
    mails = mailed(stack, "2022-06-18 (Saturday) is no trading session")
    assert "market_data.plan" in mails
    assert "2022-06-18 (Saturday) is no trading session" in error_line(stack, "market_data", "saturday", "plan")


def error_line(stack: RunningStack, dag_id: str, run_id: str, task_id: str) -> str:
    """Return the error that the log of a task holds; an exit code follows it, and no traceback is anywhere."""
    path = f"/dags/{dag_id}/dagRuns/{run_id}/taskInstances/{task_id}/logs/1"
    entries = stack.airflow("GET", path, params={"full_content": "true"})["content"]
    assert not [entry for entry in entries if entry.get("error_detail")]
    line, exited = (entry["event"] for entry in entries if entry.get("level") == "error")
    assert exited == "Task exited"
    return str(line)


def test_a_misspelt_parameter_trades_nothing(stack: RunningStack, demo: dict[str, Any]) -> None:
    before = row_counts(stack)
    body = {"dag_run_id": "misspelt", "logical_date": None, "conf": {"sesion": REAL_SESSION}}
    stack.airflow("POST", "/dags/trade_daily/dagRuns", json=body)
    assert finished(stack, "trade_daily", "misspelt") == "failed"
    said = error_line(stack, "trade_daily", "misspelt", "plan")
    assert said == "unknown parameter 'sesion' (did you mean 'session'?): use book, data, session, source"
    assert row_counts(stack) == before


def test_backups_are_made_and_can_be_restored(stack: RunningStack, demo: dict[str, Any]) -> None:
    """The two DAGs, the second of which mails what it found; the book's state came with the session."""
    for dag_id in ("backup", "restore_drill"):
        stack.airflow("POST", f"/dags/{dag_id}/dagRuns", json={"dag_run_id": "by-hand", "logical_date": None})
        assert finished(stack, dag_id, "by-hand") == "success"
    stored = stack.trading_json("backup", "list")
    assert {(one["class"], one["database"]) for one in stored["backups"]} >= {
        *(("database", name) for name in ("trading", "airflow", "mlflow")),
        *(("state", "trading"), ("config", ""), ("logs", "")),
    }
    assert stored["damaged"] == {}
    assert re.search(r"Recovery: +\d", mailed(stack, "restore drill passed"))


def test_a_backfill_brings_data_and_never_trades(stack: RunningStack, demo: dict[str, Any]) -> None:
    before = row_counts(stack)
    day = exchange_sessions().offset(date.fromisoformat(demo["summary"]["session"]), -5)
    arguments = ("backfill", "--dag", "market_data", "--from", day.isoformat(), "--to", day.isoformat())
    [run] = stack.trading_json(*arguments)["runs"]
    assert (run["of"], run["state"], run["data_source"]) == (day.isoformat(), "success", "simulated")
    again = stack.trading(*arguments)
    assert again.returncode == 2
    assert "is there already (1 success), on SIMULATED prices" in again.stderr

    assert stack.task_states("market_data", run["run_id"])["publish"] == "skipped"
    parameters = {"source_dag_id": "market_data", "source_run_id": run["run_id"]}
    assert stack.airflow("GET", "/assets/events", params=parameters)["asset_events"] == []
    after = row_counts(stack)
    assert {name: after[name] for name in MONEY} == {name: before[name] for name in MONEY}


def test_level_4_waits_for_a_person_in_airflow_and_goes_on_after_the_answer(
    stack: RunningStack, demo: dict[str, Any], tmp_path: Path
) -> None:
    """The run that liquidates ends by itself; only the question waits, and only leaving level 4 depends on it."""
    prices = write_crash_folder(tmp_path / "crash")
    database = EmbeddedPostgres(stack.home / "postgres").url("trading")
    settings = make_settings(database, stack.home)
    for session in BEFORE:
        plan = market_data.plan(session.isoformat(), "files", str(prices), BOOK, settings)
        if session == BEFORE[0]:
            fetching.ingest_history(plan, settings, LAST)
        trade_session(plan, settings)
    conf = {"session": CRASH.isoformat(), "source": "files", "data": str(prices), "book": BOOK}
    body = {"dag_run_id": "crash", "logical_date": None, "conf": conf}
    stack.airflow("POST", "/dags/trade_daily/dagRuns", json=body)
    assert finished(stack, "trade_daily", "crash") == "success"
    states = stack.task_states("trade_daily", "crash")
    assert [states.pop(idle) for idle in ("watch_orders", "ask_about_breaks")] == ["skipped", "skipped"]
    assert set(states.values()) == {"success"}, states
    store = StateStore(settings.engine())
    orders = OrderStore(settings.engine()).orders(BOOK, session=CRASH)
    assert orders
    assert {str(status) for _, status in orders} == {"WORKING"}

    run_id = f"{BOOK}__{CRASH}__0"
    task = f"/dags/risk_approval/dagRuns/{run_id}/taskInstances/approval"
    asked = RUN_PATIENCE.wait_for(
        lambda: stack.task_states("risk_approval", run_id).get("approval") == "awaiting_input" or None
    )
    assert asked, stack.task_states("risk_approval", run_id)
    detail = stack.airflow("GET", f"{task}/-1/hitlDetails")
    assert "re-entry from level 4" in detail["subject"]
    assert approvals.open_question(BOOK, settings) is not None
    answer = {"chosen_options": ["Approve"], "params_input": {"note": "crash understood"}}
    stack.airflow("PATCH", f"{task}/-1/hitlDetails", json=answer)
    assert finished(stack, "risk_approval", run_id) == "success"
    # Answered this fast, Airflow may mark the approval itself failed while it resumes (the test after next forces it).
    states = stack.task_states("risk_approval", run_id)
    assert (states["question"], states["record"]) == ("success", "success"), states
    stored = ApprovalStore(settings.engine()).answer(BOOK, CRASH)
    assert stored is not None
    assert (stored.level, stored.approved, stored.answered_by, stored.note) == (4, True, "admin", "crash understood")
    assert str(stored.channel) == "airflow"

    trade_session(market_data.plan(AFTER.isoformat(), "files", str(prices), BOOK, settings), settings)
    state = store.risk_state(BOOK, AFTER)
    assert state is not None
    assert (state.level, state.approved, state.awaiting_approval) == (4, True, False)


def test_a_session_that_comes_late_is_refused_until_the_book_is_repaired(
    stack: RunningStack, demo: dict[str, Any], tmp_path: Path
) -> None:
    """The book of the test before is at a newer session."""
    late = exchange_sessions().previous(BEFORE[0])
    prices = write_crash_folder(tmp_path / "crash")
    conf = {"session": late.isoformat(), "source": "files", "data": str(prices), "book": BOOK}
    before = row_counts(stack)
    body = {"dag_run_id": "late", "logical_date": None, "conf": conf}
    stack.airflow("POST", "/dags/trade_daily/dagRuns", json=body)
    assert finished(stack, "trade_daily", "late") == "failed"
    states = stack.task_states("trade_daily", "late")
    assert (states["settle"], states["place"]) == ("failed", "upstream_failed")
    assert row_counts(stack) == before
    assert mailed(stack, f"session {late} of book {BOOK} is over: the book has gone on to session {AFTER}")

    repaired = stack.trading_json("book", "repair", "--book", BOOK, "--session", late.isoformat(), "--by", "test")
    assert [step["action"] for step in repaired["steps"]] == ["CLOSE_SESSION"]
    clear = {"dry_run": False, "dag_run_id": "late", "only_failed": False, "reset_dag_runs": True}
    stack.airflow("POST", "/dags/trade_daily/clearTaskInstances", json=clear)
    assert finished(stack, "trade_daily", "late") == "success"
    assert row_counts(stack) == before | {"book_repairs": before["book_repairs"] + 1}


def test_an_answer_within_seconds_is_recorded_though_airflow_fails_the_task_that_waited(
    stack: RunningStack, tmp_path: Path
) -> None:
    """The scheduler can mark the approval failed while it resumes; here it is told to, so that it happens always."""
    assert stack.trading("stack", "up").returncode == 0
    assert stack.trading("db", "upgrade").returncode == 0
    book, prices = "paper-quick", write_crash_folder(tmp_path / "crash")
    settings = make_settings(EmbeddedPostgres(stack.home / "postgres").url("trading"), stack.home)
    for session in (*BEFORE, CRASH):
        plan = market_data.plan(session.isoformat(), "files", str(prices), book, settings)
        if session == BEFORE[0]:
            fetching.ingest_history(plan, settings, LAST)
        trade_session(plan, settings)
    mails = {path: path.read_text() for path in (stack.home / "mail").glob("*.txt")}
    run_id = f"{book}__{CRASH}__0"
    run = f"/dags/risk_approval/dagRuns/{run_id}/taskInstances/approval"
    stack.airflow(
        "POST", "/dags/risk_approval/dagRuns", json={"dag_run_id": run_id, "logical_date": None, "conf": {"book": book}}
    )
    asked = RUN_PATIENCE.wait_for(
        lambda: stack.task_states("risk_approval", run_id).get("approval") == "awaiting_input" or None
    )
    assert asked, stack.task_states("risk_approval", run_id)
    answer = {"chosen_options": ["Approve"], "params_input": {"note": "at once"}}
    stack.airflow("PATCH", f"{run}/-1/hitlDetails", json=answer)
    stack.airflow("PATCH", run, json={"new_state": "failed"})
    with pytest.raises(AssertionError, match="has already been updated"):
        stack.airflow("PATCH", f"{run}/-1/hitlDetails", json=answer | {"chosen_options": ["Reject"]})
    assert finished(stack, "risk_approval", run_id) == "success"
    states = stack.task_states("risk_approval", run_id)
    assert (states["approval"], states["record"]) == ("failed", "success")
    stored = ApprovalStore(settings.engine()).answer(book, CRASH)
    assert stored is not None
    assert (stored.level, stored.approved, stored.answered_by, stored.note) == (4, True, "admin", "at once")
    assert {path: path.read_text() for path in (stack.home / "mail").glob("*.txt")} == mails


def test_a_run_survives_its_database_being_stopped(stack: RunningStack, demo: dict[str, Any]) -> None:
    """The short form of `make outages`."""
    conf = {"session": demo["summary"]["session"], "book": demo["summary"]["book"], "refresh": True}
    body = {"dag_run_id": "outage", "logical_date": None, "conf": conf}
    stack.airflow("POST", "/dags/market_data/dagRuns", json=body)
    before = row_counts(stack)
    running = RUN_PATIENCE.wait_for(
        lambda: True if "running" in stack.task_states("market_data", "outage").values() else None
    )
    assert running
    interrupt(stack.home / "postgres", "kill", 20.0)
    assert insistently(lambda: finished(stack, "market_data", "outage")) == "success"
    assert {name: count for name, count in row_counts(stack).items() if name in MONEY} == {
        name: before[name] for name in MONEY
    }
    healthy = RUN_PATIENCE.wait_for(lambda: True if stack.trading("stack", "status").returncode == 0 else None)
    status = stack.trading("stack", "status", "--json")
    assert healthy, status.stdout
    restarts = {service["name"]: service["restarts"] for service in json.loads(status.stdout)["services"]}
    assert restarts["PostgreSQL"] == 1
    assert restarts["Scheduler"] >= 1


def test_no_run_of_the_past_started_by_itself(stack: RunningStack, demo: dict[str, Any]) -> None:
    """Airflow takes the runs of a backfill for the schedule's last ones, and would go on from there."""
    first = demo["dag_runs"][0]
    begun = stack.airflow("GET", f"/dags/market_data/dagRuns/{first['run_id']}")["queued_at"]
    for dag_id in ("market_data", "backtest", "stress_test"):
        runs = stack.airflow("GET", f"/dags/{dag_id}/dagRuns", params={"run_type": "scheduled"})["dag_runs"]
        assert [run["dag_run_id"] for run in runs if run["run_after"] < begun] == []


def test_a_person_sees_the_runs_in_a_browser(stack: RunningStack, demo: dict[str, Any], tmp_path: Path) -> None:
    from tests.e2e.browser import missing_program, take_pictures

    absent = missing_program()
    if absent is not None:
        reason = f"{absent} is not installed"
        if os.environ.get("CI") == "true":
            pytest.fail(reason)
        pytest.skip(reason)
    texts = take_pictures(stack.airflow_url, stack.mlflow_url, ("admin", stack.password), stack.mlflow_login, tmp_path)
    assert set(STAGES) <= set(texts["airflow-trade-daily"].split())
    assert {"plan", "ingest", "check_completeness", "factors", "publish"} <= {
        word.split("[")[0] for word in texts["airflow-market-data"].split()
    }
    assert "simulated" in texts["mlflow-experiment"].lower()
    assert all((tmp_path / f"{name}.png").stat().st_size > 10_000 for name in texts)


def test_down_leaves_no_process_behind(stack: RunningStack, demo: dict[str, Any]) -> None:
    assert stack.processes()
    done = stack.trading("stack", "down")
    assert done.returncode == 0, done.stderr
    assert stack.processes() == []
    for url in (stack.airflow_url, stack.mlflow_url):
        with pytest.raises(requests.ConnectionError):
            requests.get(url, timeout=5)
