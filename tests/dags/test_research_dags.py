"""The DAGs of research: their intervals, their forms, and what they never touch."""

from __future__ import annotations

from datetime import UTC, datetime
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
    assert len((repository_root / "dags" / f"{name}.py").read_text().splitlines()) <= 80


def test_a_backfill_of_eleven_years_is_eleven_yearly_runs(dags: dict[str, Any]) -> None:
    import pendulum
    from airflow.timetables.base import TimeRestriction

    timetable, last, found = dags["backtest"].timetable, None, []
    restriction = TimeRestriction(pendulum.datetime(2010, 1, 1), pendulum.datetime(2020, 12, 31), catchup=True)
    while info := timetable.next_dagrun_info(last_automated_data_interval=last, restriction=restriction):
        last = info.data_interval
        found.append((last.start.isoformat()[:10], last.end.isoformat()[:10]))
    assert found == [(f"{year}-01-01", f"{year + 1}-01-01") for year in range(2010, 2021)]


@pytest.mark.parametrize("name", ["backtest", "stress_test"])
def test_a_fresh_installation_starts_no_run_of_the_past(dags: dict[str, Any], name: str) -> None:
    from airflow.timetables.base import TimeRestriction

    restriction = TimeRestriction(dags[name].start_date, None, catchup=False)
    first = dags[name].timetable.next_dagrun_info(last_automated_data_interval=None, restriction=restriction)
    assert first.data_interval.start <= datetime.now(UTC) < first.run_after


def test_timetable_and_link_survive_serialization(dags: dict[str, Any]) -> None:
    from airflow.serialization.serialized_objects import DagSerialization

    restored = DagSerialization.from_dict(DagSerialization.to_dict(dags["backtest"]))
    assert type(restored.timetable).__name__ == "NextIntervalTimetable"
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
