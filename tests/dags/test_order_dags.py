"""The DAGs around orders at real brokers wait for what they should, and the kill switch works from Airflow."""

from __future__ import annotations

import importlib
import json
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from trading_lib.workflows.stages.plans import SessionPlan
from trading_lib.workflows.stages.xcom import plain

pytestmark = [pytest.mark.airflow, pytest.mark.postgres]

PLAN = SessionPlan(
    session=date(2021, 1, 4), source="files", source_name="files:prices", data="prices", book="paper", groups=()
)


@pytest.fixture(autouse=True)
def installation(database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("TRADING_DATABASE_URL", database_url)
    monkeypatch.setenv("TRADING_HOME", str(tmp_path / "home"))
    return tmp_path / "home"


def function_of(dag_id: str, task_id: str) -> Any:
    return task_of(dag_id, task_id).python_callable


def task_of(dag_id: str, task_id: str) -> Any:
    return vars(importlib.import_module(dag_id))[dag_id]().get_task(task_id)


def instance(plan: Any) -> Any:
    return SimpleNamespace(xcom_pull=lambda task_ids, key="return_value": plain(plan))


def test_without_orders_at_a_real_broker_watching_is_over_at_once() -> None:
    poked = function_of("order_watch", "watch")(params={"book": None})
    assert (poked.is_done, poked.xcom_value) == (True, {"done": True, "books": {}})


def test_without_orders_at_a_real_broker_nothing_waits_and_nothing_is_watched() -> None:
    assert function_of("trade_daily", "await_send_window")(ti=instance(PLAN)).is_done
    assert function_of("trade_daily", "watch_needed")(ti=instance(PLAN)) == {}


def test_the_wait_lasts_until_the_brokers_take_the_orders(monkeypatch: pytest.MonkeyPatch) -> None:
    moments = [datetime.now(UTC) + timedelta(hours=1), None]
    asked: list[Any] = []

    def send_time(book: str, day: date) -> datetime | None:
        asked.append((book, day))
        return moments.pop(0)

    monkeypatch.setattr("trading_lib.workflows.orders.guarding.send_times.send_time", send_time)
    wait = function_of("trade_daily", "await_send_window")
    assert [wait(ti=instance(PLAN)).is_done for _ in range(2)] == [False, True]
    assert asked == [("paper", date(2021, 1, 4))] * 2


def test_between_two_looks_no_worker_is_held() -> None:
    for dag_id, task_id in (("order_watch", "watch"), ("trade_daily", "await_send_window")):
        task = task_of(dag_id, task_id)
        assert (task.mode, task.poke_interval) == ("reschedule", 60)


@pytest.mark.parametrize(("cancel", "allow"), [(False, False), (True, True)])
def test_the_kill_switch_of_airflow_writes_the_same_file(installation: Path, cancel: bool, allow: bool) -> None:
    asked = {"reason": "a test", "cancel_working": cancel, "allow_reducing": allow}
    told = function_of("kill_switch", "halt")(params=asked)
    stored = json.loads((installation / "kill-switch").read_text())
    assert {name: told[name] for name in asked} == asked == {name: stored[name] for name in asked}
    done = function_of("kill_switch", "cancel")(params=asked)
    assert done == ({"done": True, "books": {}} if cancel else {"asked": False})
