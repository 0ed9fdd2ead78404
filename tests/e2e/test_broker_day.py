"""One day at Alpaca and Binance from a real Airflow, on the broker simulator; the stream tells of no fill."""

from __future__ import annotations

import os
import shutil
import socket
import tempfile
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.broker_day import ServedSimulator, write_configuration
from tests.e2e.browser import browser, log_in_to_airflow, missing_program, open_page
from tests.e2e.stack_client import RunningStack
from trading_lib.adapters.services.waiting import Patience

pytestmark = pytest.mark.e2e

BOOK = "demo-brokers"
# Thanksgiving lies between the last two.
FIRST, SESSION, FOLLOWING = "2026-11-24", "2026-11-25", "2026-11-27"
PATIENCE = Patience(limit=240.0, interval=0.5)
# What is decided at 21:30 trades at the next opening, and Bitcoin from midnight on.
DECIDED, IN_WINDOW, OPENED = "21:35:00Z", "2026-11-26T00:05:00Z", "2026-11-27T14:32:00Z"


@pytest.fixture(scope="module", name="simulator")
def fixture_simulator(repository_root: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServedSimulator]:
    ledger = tmp_path_factory.mktemp("broker") / "ledger.jsonl"
    environment = {**os.environ, "PYTHONPATH": str(repository_root)}
    started = ServedSimulator.start(f"{FIRST}T{DECIDED}", ledger, repository_root, environment)
    yield started
    started.stop()


@pytest.fixture(scope="module", name="stack")
def fixture_stack(repository_root: Path, simulator: ServedSimulator) -> Iterator[RunningStack]:
    home = Path(tempfile.mkdtemp(prefix="itsday")).resolve()
    with socket.socket() as first, socket.socket() as second:
        for probe in (first, second):
            probe.bind(("127.0.0.1", 0))
        ports = [str(probe.getsockname()[1]) for probe in (first, second)]
    inherited = {name: value for name, value in os.environ.items() if not name.startswith(("AIRFLOW_", "TRADING_"))}
    environment = inherited | {
        "PYTHONPATH": str(repository_root),
        "TRADING_HOME": str(home),
        "TRADING_CONFIG": str(write_configuration(repository_root, home / "include")),
        "TRADING_AIRFLOW_PORT": ports[0],
        "TRADING_MLFLOW_PORT": ports[1],
        **simulator.environment,
    }
    running = RunningStack(home, environment, repository_root)
    yield running
    stopped = running.trading("stack", "down")
    assert stopped.returncode == 0, stopped.stderr
    shutil.rmtree(home, ignore_errors=True)


def task_state(stack: RunningStack, run_id: str, task: str, dag_id: str = "trade_daily") -> str | None:
    return stack.task_states(dag_id, run_id).get(task)


def reached(stack: RunningStack, run_id: str, task: str, state: str, dag_id: str = "trade_daily") -> bool:
    def attempt() -> bool | None:
        now = task_state(stack, run_id, task, dag_id)
        assert now not in ("failed", "upstream_failed"), (task, now)
        return True if now == state else None

    return bool(PATIENCE.wait_for(attempt))


def orders_of(stack: RunningStack) -> list[dict[str, Any]]:
    """Orders of the session, without those that book a broker's fee in coins."""
    listed = stack.trading_json("orders", "list", "--book", BOOK, "--session", SESSION)
    return [order for order in listed["orders"] if order["purpose"] != "FEE"]


def picture(stack: RunningStack, page: str, words: tuple[str, ...], name: str, folder: Path) -> None:
    if missing_program():
        return
    with browser() as driver:
        log_in_to_airflow(driver, stack.airflow_url, "admin", stack.password)
        open_page(driver, f"{stack.airflow_url}{page}", lambda text: all(word in text for word in words))
        driver.save_screenshot(str(folder / f"{name}.png"))


def test_a_day_at_two_brokers(stack: RunningStack, simulator: ServedSimulator, tmp_path: Path) -> None:
    pictures = Path(os.environ.get("TRADING_PICTURES", tmp_path))
    up = stack.trading("stack", "up")
    assert up.returncode == 0, up.stderr

    # The accounts hold what the book believes that they hold: 100,000 dollars, by the shares of the accounts.
    for account in simulator.get("status")["accounts"]:
        if account["endpoint"] == "paper":
            asset, amount = ("USD", "-10000") if account["face"] == "alpaca" else ("USDT", "-90000")
            simulator.post("deposit", account=account["number"], asset=asset, amount=amount)

    # The book is opened by a session that nobody has armed: its orders are held back, and no broker hears of them.
    stack.trading_json("run-daily", "--session", FIRST, "--book", BOOK)
    assert simulator.get("orders") == []
    for account in ("stocks", "coins"):
        arming = ("--account", account, "--from", SESSION, "--until", FOLLOWING, "--by", "a test")
        stack.trading_json("arm", "--book", BOOK, *arming)

    # The next session is decided in Airflow, and waits for the brokers' windows without a worker.
    simulator.post("clock", to=f"{SESSION}T{DECIDED}")
    stack.trading_json("ingest", "--source", "simulated", "--from", FIRST, "--to", SESSION)
    stack.airflow("PATCH", "/dags/trade_daily", json={"is_paused": False})
    conf = {"session": SESSION, "source": "simulated", "book": BOOK}
    stack.airflow("POST", "/dags/trade_daily/dagRuns", json={"dag_run_id": "day", "logical_date": None, "conf": conf})
    assert reached(stack, "day", "await_send_window", "up_for_reschedule")
    assert simulator.get("orders") == []
    assert {order["status"] for order in orders_of(stack)} == {"INTENDED"}
    picture(stack, "/dags/trade_daily/runs/day", ("await_send_window",), "airflow-send-window", pictures)

    # In the window each order is sent, once. The stream will not tell of any fill.
    simulator.post("faults", faults=[{"do": "stream_drop", "event": "fill"}])
    simulator.post("clock", to=IN_WINDOW)
    assert reached(stack, "day", "back_up_state", "success")
    sent = orders_of(stack)
    assert len(sent) >= 2
    assert {order["symbol"] for order in sent} > {"BTC-USD"}
    assert {order["client_order_id"] for order in sent} == {
        order["client_order_id"] for order in simulator.get("orders")
    }

    # After the opening order_watch follows them until all of them are over.
    simulator.post("clock", to=OPENED)
    watched = {"dag_run_id": "watch", "logical_date": None, "conf": {"book": BOOK}}
    stack.airflow("POST", "/dags/order_watch/dagRuns", json=watched)
    assert reached(stack, "watch", "watch", "success", "order_watch")
    assert {order["status"] for order in orders_of(stack)} == {"FILLED"}
    picture(stack, "/dags/order_watch/runs/watch", ("watch",), "airflow-order-watch", pictures)

    # The next session books what was filled; the book, the brokers and the judge agree.
    simulator.post("clock", to=f"{FOLLOWING}T{DECIDED}")
    done = stack.trading_json("run-daily", "--session", FOLLOWING, "--book", BOOK)
    held = {one["symbol"]: Decimal(str(one["quantity"])) for one in done["positions"]}
    assert done["stages"]["settle"]["fills"] >= len(sent)
    assert simulator.get("duplicates") == []
    assert simulator.get("twins") == []
    at_brokers = {symbol: Decimal(units) for symbol, units in _held(simulator).items()}
    coin = at_brokers.pop("BTC")
    # A fee in coins is booked to a millionth, and never more is held here than there.
    assert 0 <= coin - held.pop("BTC-USD") < Decimal("0.000001")
    assert held == at_brokers
    agreed = stack.trading_json("reconcile", "--book", BOOK)
    assert agreed["accounts"] == ["stocks", "coins"]
    assert (agreed["breaks"], agreed["halted"]) == ([], False)


def _held(simulator: ServedSimulator) -> dict[str, str]:
    """Symbol -> units in both paper accounts, less what they began with."""
    money = {"USD", "USDT", "BNB"}
    accounts = [one for one in simulator.get("status")["accounts"] if one["endpoint"] == "paper"]
    return {asset: units for one in accounts for asset, units in one["balances"].items() if asset not in money}
