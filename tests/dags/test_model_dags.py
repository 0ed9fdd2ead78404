"""The DAGs of models: when they train, what they pass on, and that nobody is promoted without a question."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

pytestmark = pytest.mark.airflow


@pytest.fixture(scope="module")
def dags(repository_root: Path) -> dict[str, Any]:
    from airflow.dag_processing.dagbag import DagBag

    bag = DagBag(repository_root / "dags")
    assert bag.import_errors == {}
    return {name: bag.dags[name] for name in ("train_models", "model_promotion")}


def test_models_are_trained_when_a_month_has_ended_and_none_is_made_up_for(dags: dict[str, Any]) -> None:
    from airflow.timetables.base import TimeRestriction

    dag = dags["train_models"]
    restriction = TimeRestriction(dag.start_date, None, catchup=False)
    run = dag.timetable.next_dagrun_info(last_automated_data_interval=None, restriction=restriction)
    assert run.data_interval.end.day == 1
    assert run.data_interval.start <= datetime.now(UTC)
    assert run.run_after > datetime.now(UTC) - timedelta(minutes=2)


def test_splits_and_null_models_spread_over_tasks(dags: dict[str, Any]) -> None:
    assert dags["train_models"].get_task("split").is_mapped
    nulls = dags["train_models"].get_task("nulls")
    assert nulls.is_mapped
    assert nulls.op_kwargs_expand_input.value == {"null": ["shuffled", "rotated"]}


def test_the_nulls_of_the_dag_are_those_of_the_evidence() -> None:
    import train_models

    from trading_lib.learning.evidence.nulls import Null

    assert list(train_models.NULLS) == [str(null) for null in Null]


def test_the_wiring_file_stays_thin(repository_root: Path) -> None:
    assert len((repository_root / "dags" / "train_models.py").read_text().splitlines()) <= 130


def test_a_training_has_a_button_to_its_run_in_mlflow(dags: dict[str, Any]) -> None:
    from airflow.serialization.serialized_objects import DagSerialization

    restored = DagSerialization.from_dict(DagSerialization.to_dict(dags["train_models"]))
    links = restored.get_task("overfitting").operator_extra_links
    assert [link.name for link in links] == ["Training in MLflow"]


def test_a_promotion_is_asked_about_once_and_nothing_waits_for_the_answer(dags: dict[str, Any]) -> None:
    ask = dags["train_models"].get_task("promote")
    assert ask.trigger_dag_id == "model_promotion"
    assert "run_id" in ask.trigger_run_id
    assert ask.skip_when_already_exists
    assert not ask.wait_for_completion


def test_nobody_becomes_champion_without_an_answer(dags: dict[str, Any]) -> None:
    approval = dags["model_promotion"].get_task("approval")
    assert approval.options == ["Approve", "Reject"]
    assert approval.defaults is None
    assert dags["model_promotion"].get_task("record").trigger_rule == "all_done"
    assert dags["model_promotion"].is_paused_upon_creation is False


def test_parsing_the_file_loads_no_library_of_models(repository_root: Path) -> None:
    import subprocess
    import sys

    code = (
        "import sys; sys.path[:0] = ['dags', 'plugins']; import train_models; "
        "print(sorted({'lightgbm', 'xgboost', 'skfolio', 'sklearn', 'mlflow', 'shap'} & set(sys.modules)))"
    )
    answer = subprocess.run(
        [sys.executable, "-c", code], cwd=repository_root, capture_output=True, text=True, check=True
    )
    assert answer.stdout.splitlines()[-1] == "[]"
