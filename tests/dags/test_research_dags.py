"""The DAGs of research: their intervals, their forms, and what they never touch."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

pytestmark = pytest.mark.airflow

NAMES = ("backtest", "parameter_sweep", "stress_test")


@pytest.fixture(scope="module")
def dags(repository_root: Path) -> dict[str, Any]:
    from airflow.dag_processing.dagbag import DagBag

    bag = DagBag(repository_root / "dags")
    assert bag.import_errors == {}
    return {name: bag.dags[name] for name in NAMES}


@pytest.mark.parametrize("name", NAMES)
def test_wiring_files_stay_thin(dags: dict[str, Any], repository_root: Path, name: str) -> None:
    assert len((repository_root / "dags" / f"{name}.py").read_text().splitlines()) <= 90


def test_a_backfill_of_eleven_years_is_eleven_yearly_runs(dags: dict[str, Any]) -> None:
    import pendulum
    from airflow.timetables.base import TimeRestriction

    timetable, last, found = dags["backtest"].timetable, None, []
    restriction = TimeRestriction(pendulum.datetime(2010, 1, 1), pendulum.datetime(2020, 12, 31), catchup=True)
    while info := timetable.next_dagrun_info(last_automated_data_interval=last, restriction=restriction):
        last = info.data_interval
        found.append((last.start.isoformat()[:10], last.end.isoformat()[:10]))
    assert found == [(f"{year}-01-01", f"{year + 1}-01-01") for year in range(2010, 2021)]


LONG_AGO = ("2010-01-01", "2011-01-01")


@pytest.mark.parametrize("last", [None, LONG_AGO])
def test_nothing_starts_a_backtest_by_itself(dags: dict[str, Any], last: tuple[str, str] | None) -> None:
    """Airflow takes the runs of a backfill for the schedule's last ones, and would go on from there."""
    assert following(dags["backtest"], last) is None
    assert dags["backtest"].timetable.periodic, "without a period there could be no backfill"


@pytest.mark.parametrize("last", [None, LONG_AGO])
def test_a_stress_test_runs_at_the_end_of_the_month_and_makes_up_for_none(
    dags: dict[str, Any], last: tuple[str, str] | None
) -> None:
    run = following(dags["stress_test"], last)
    assert run.data_interval.start <= datetime.now(UTC)
    assert run.run_after > datetime.now(UTC) - timedelta(minutes=2)


def following(dag: Any, last: tuple[str, str] | None) -> Any:
    """What the scheduler would start next after a run of the interval ``last``."""
    import pendulum
    from airflow.timetables.base import DataInterval, TimeRestriction

    interval = DataInterval(*(pendulum.parse(day) for day in last)) if last else None
    restriction = TimeRestriction(dag.start_date, None, catchup=False)
    return dag.timetable.next_dagrun_info(last_automated_data_interval=interval, restriction=restriction)


def test_timetable_and_link_survive_serialization(dags: dict[str, Any]) -> None:
    from airflow.serialization.serialized_objects import DagSerialization

    restored = DagSerialization.from_dict(DagSerialization.to_dict(dags["backtest"]))
    assert type(restored.timetable).__name__ == "OnRequestTimetable"
    assert restored.timetable.serialize() == dags["backtest"].timetable.serialize()
    assert [link.name for link in restored.get_task("mlflow_run").operator_extra_links] == ["Tear sheet"]


def test_the_stress_report_has_its_own_button(dags: dict[str, Any]) -> None:
    from airflow.serialization.serialized_objects import DagSerialization

    restored = DagSerialization.from_dict(DagSerialization.to_dict(dags["stress_test"]))
    assert [link.name for link in restored.get_task("report").operator_extra_links] == ["Stress report"]


def test_work_is_mapped_where_it_spreads(dags: dict[str, Any]) -> None:
    assert dags["stress_test"].get_task("run").is_mapped
    assert dags["parameter_sweep"].get_task("run").is_mapped


def test_the_link_is_the_address_that_was_logged(dags: dict[str, Any]) -> None:
    (link,) = dags["backtest"].get_task("mlflow_run").operator_extra_links

    class Instance:
        def __init__(self, value: str | None) -> None:
            self.value = value

        def xcom_pull(self, task_ids: str, key: str) -> str | None:
            return self.value if (task_ids, key) == ("mlflow_run", "report_url") else "something else"

    task = dags["backtest"].get_task("mlflow_run")
    assert link.get_link(task, ti_key=Instance("http://host/#/runs/1")) == "http://host/#/runs/1"
    assert link.get_link(task, ti_key=Instance(None)) == ""
