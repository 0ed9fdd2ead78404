"""order_watch: look at orders at real brokers from the opening on until they are over; dags/docs/order_watch.md."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from airflow.sdk import PokeReturnValue, dag, task
from opening_timetable import OpeningTimetable
from pipeline.defaults import TASK_DEFAULTS
from pipeline.forms import page, watched_book_field
from pipeline.tasks import plainly


@dag(
    schedule=OpeningTimetable(),
    start_date=datetime.fromisoformat("2004-01-02T00:00:00+00:00"),
    catchup=False,
    max_active_runs=1,
    is_paused_upon_creation=False,
    default_args=TASK_DEFAULTS,
    params={"book": watched_book_field()},
    tags=["daily"],
    description="Look at orders at real brokers from the opening on, until all of them are over",
    doc_md=page(__file__),
)
def order_watch() -> None:
    # Between two looks nothing holds a worker.
    @task.sensor(poke_interval=60, timeout=24 * 3600, mode="reschedule")
    @plainly
    def watch(params: dict[str, Any]) -> PokeReturnValue:
        from trading_lib.workflows.orders import watching

        found = watching.watch(params.get("book") or None)
        return PokeReturnValue(found["done"], found)

    watch()


order_watch()
