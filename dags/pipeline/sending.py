"""Tasks around the sending of orders, which trade_daily and stop_checks share."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from typing import Any

from airflow.providers.standard.operators.trigger_dagrun import TriggerDagRunOperator
from airflow.sdk import PokeReturnValue, chain, task

from pipeline.tasks import plainly, session_plan

# Book and day of a run, read from what its task plan left.
About = Callable[[Any], tuple[str, date]]


def book_and_session(ti: Any) -> tuple[str, date]:
    """Return what a daily run is about."""
    planned = session_plan(ti)
    return planned.book, planned.session


def wait_for_window(about: About) -> Any:
    """Return a task that waits, without a worker, until the brokers take the orders of the day."""

    @task.sensor(poke_interval=60, timeout=24 * 3600, mode="reschedule")
    @plainly
    def await_send_window(ti: Any = None) -> PokeReturnValue:
        from trading_lib.workflows.orders.guarding.send_times import send_time

        return PokeReturnValue(send_time(*about(ti)) is None)

    return await_send_window()


def watch_at_once(about: About) -> Any:
    """Return a task, with another behind it, that start order_watch where something trades before the next opening."""

    @task.short_circuit
    @plainly
    def watch_needed(ti: Any = None) -> dict[str, str]:
        from trading_lib.workflows.orders import watching

        return watching.needed_now(about(ti)[0])

    needed = watch_needed()
    started = TriggerDagRunOperator(
        task_id="watch_orders",
        trigger_dag_id="order_watch",
        trigger_run_id="{{ ti.xcom_pull(task_ids='watch_needed')['run_id'] }}",
        conf={"book": "{{ ti.xcom_pull(task_ids='watch_needed')['book'] }}"},
        logical_date=None,
        skip_when_already_exists=True,
    )
    chain(needed, started)
    return needed
