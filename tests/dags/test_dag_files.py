"""Every DAG file imports, wires its tasks as agreed and stays thin."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from trading_lib.adapters.services.airflow.rest import AirflowError
from trading_lib.domain.errors import ConfigurationError, InputError, StorageUnavailableError

pytestmark = pytest.mark.airflow

# The whole graph of each DAG: task -> the tasks that wait for it.
GRAPHS: dict[str, dict[str, list[str]]] = {
    "market_data": {
        "plan": ["ingest"],
        "ingest": ["check_completeness"],
        "check_completeness": ["factors"],
        "factors": ["score"],
        "score": ["publish"],
        "publish": [],
    },
    "trade_daily": {
        "plan": ["await_decision_time"],
        "await_decision_time": ["recover"],
        "recover": ["settle"],
        "settle": ["signals"],
        "signals": ["targets"],
        "targets": ["risk"],
        # Nothing waits for the approval: its question leaves the chain.
        "risk": ["approval_needed", "orders"],
        "approval_needed": ["ask_for_approval"],
        "ask_for_approval": [],
        "orders": ["await_send_window"],
        "await_send_window": ["place"],
        "place": ["report_fills", "watch_needed"],
        "watch_needed": ["watch_orders"],
        "watch_orders": [],
        "report_fills": ["reconcile"],
        "reconcile": ["breaks_to_ask", "report"],
        "breaks_to_ask": ["ask_about_breaks"],
        "ask_about_breaks": [],
        "report": ["back_up_state"],
        "back_up_state": [],
    },
    "backup": {"databases": ["remove_old"], "configuration": ["remove_old"], "logs": ["remove_old"], "remove_old": []},
    "restore_drill": {"drill": []},
    "backtest": {
        "window": ["backtest"],
        "backtest": ["tear_sheet"],
        "tear_sheet": ["mlflow_run"],
        "mlflow_run": [],
    },
    "stress_test": {"scenarios": ["run"], "run": ["report"], "report": ["verdict"], "verdict": []},
    "parameter_sweep": {"chunks": ["run"], "run": ["collect"], "collect": []},
    "train_models": {
        "features": ["split"],
        "split": ["paths"],
        "paths": ["nulls"],
        "nulls": ["overfitting"],
        "overfitting": ["register"],
        "register": ["promotion_due"],
        "promotion_due": ["promote"],
        # Nothing waits for the operator: the question leaves the chain.
        "promote": [],
    },
    "model_promotion": {
        "question": ["approval"],
        "approval": ["approved"],
        "approved": ["record"],
        "record": [],
    },
    "stop_checks": {
        "plan": ["ingest"],
        "ingest": ["check"],
        "check": ["await_send_window"],
        "await_send_window": ["send"],
        "send": ["watch_needed"],
        "watch_needed": ["watch_orders"],
        "watch_orders": [],
    },
    "order_watch": {"watch": []},
    "kill_switch": {"halt": ["cancel"], "cancel": []},
    "reconciliation_review": {
        "question": ["approval"],
        "approval": ["approved"],
        "approved": ["record"],
        "record": [],
    },
    "risk_approval": {
        "question": ["approval"],
        "approval": ["approved"],
        "approved": ["record"],
        "record": [],
    },
}


@pytest.fixture(scope="module")
def dag_bag(repository_root: Path) -> Any:
    from airflow.dag_processing.dagbag import DagBag

    return DagBag(repository_root / "dags")


def test_every_file_imports(dag_bag: Any) -> None:
    assert dag_bag.import_errors == {}
    assert set(dag_bag.dags) == set(GRAPHS)


@pytest.mark.parametrize("dag_id", GRAPHS)
def test_task_graph_is_as_agreed(dag_bag: Any, dag_id: str) -> None:
    graph = {task.task_id: sorted(task.downstream_task_ids) for task in dag_bag.dags[dag_id].tasks}
    assert graph == {task: sorted(following) for task, following in GRAPHS[dag_id].items()}


@pytest.mark.parametrize("dag_id", GRAPHS)
def test_one_run_at_a_time_and_every_failure_is_mailed(dag_bag: Any, dag_id: str) -> None:
    dag = dag_bag.dags[dag_id]
    # A question that waits for its answer must hold up no other.
    assert (dag.max_active_runs == 1) == (dag_id not in ("model_promotion", "reconciliation_review", "risk_approval"))
    assert not dag.catchup
    for task in dag.tasks:
        callbacks = task.on_failure_callback
        names = [callback.__name__ for callback in (callbacks if isinstance(callbacks, list | tuple) else [callbacks])]
        # An approval can be marked failed although it was answered, which is nothing to mail about.
        mailer = "notify_unless_answered" if task.task_id == "approval" else "notify_failure"
        assert names == [mailer], task.task_id


@pytest.mark.parametrize("dag_id", GRAPHS)
def test_every_task_refuses_unknown_parameters(dag_bag: Any, dag_id: str) -> None:
    from pipeline.tasks import known_parameters_only

    for task in dag_bag.dags[dag_id].tasks:
        hook = task.partial_kwargs["pre_execute"] if task.is_mapped else task._pre_execute_hook
        assert hook is known_parameters_only, task.task_id


def test_a_task_is_tried_again_where_something_could_not_be_reached_and_nowhere_else(dag_bag: Any) -> None:
    from airflow.sdk import RetryAction
    from pipeline.tasks import Refused, TryAgain
    from sqlalchemy.exc import OperationalError

    tasks = [task for dag in dag_bag.dags.values() for task in dag.tasks if task.task_id not in ("ingest", "approval")]
    unreachable = (
        TryAgain("no database"),
        StorageUnavailableError("no database"),
        AirflowError("no answer"),
        OperationalError("SELECT 1", None, Exception("gone")),
    )
    wrong = (
        Refused("no such session"),
        InputError("no such session"),
        ConfigurationError("no such key"),
        ValueError("a bug"),
    )
    for task in tasks:
        # Beside a database that is away for a minute there is one that comes back slowly.
        assert task.retries * task.retry_delay.total_seconds() >= 120, task.task_id
        for error in unreachable:
            assert task.retry_policy.evaluate(error, 1, task.retries).action is RetryAction.RETRY
        for error in wrong:
            assert task.retry_policy.evaluate(error, 1, task.retries).action is RetryAction.FAIL


def test_fetching_is_tried_again_whatever_a_vendor_answers(dag_bag: Any) -> None:
    from airflow.sdk import RetryAction
    from pipeline.tasks import Refused, TryAgain

    ingest = dag_bag.dags["market_data"].get_task("ingest")
    assert (ingest.retries, ingest.retry_exponential_backoff) == (4, 2.0)
    for error in (TryAgain("busy"), ValueError("a bug of ours or of theirs")):
        assert ingest.retry_policy.evaluate(error, 1, 4).action is not RetryAction.FAIL
    assert ingest.retry_policy.evaluate(Refused("no such symbol"), 1, 4).action is RetryAction.FAIL


def test_a_question_is_not_put_again_by_itself(dag_bag: Any) -> None:
    """It may have been answered, whatever its task shows."""
    assert dag_bag.dags["risk_approval"].get_task("approval").retries == 0


@pytest.mark.parametrize("dag_id", GRAPHS)
def test_an_error_of_ours_ends_every_task_in_one_line(dag_bag: Any, dag_id: str) -> None:
    tasks = [task for task in dag_bag.dags[dag_id].tasks if hasattr(task, "python_callable")]
    assert tasks
    for task in tasks:
        assert task.python_callable.__code__.co_filename.endswith("pipeline/tasks.py"), task.task_id


@pytest.mark.parametrize("dag_id", GRAPHS)
def test_the_form_and_the_page_of_a_dag_explain_themselves(dag_bag: Any, dag_id: str) -> None:
    dag = dag_bag.dags[dag_id]
    assert dag.description
    assert dag.doc_md.startswith(f"# {dag_id}\n")
    assert "**Starts**" in dag.doc_md or dag_id == "risk_approval"
    for name in dag.params:
        schema = dag.params.get_param(name).schema
        assert schema["title"], name
        assert schema["description_md"], name
    dates = {name for name in dag.params if name in ("from", "to", "session")}
    assert all(dag.params.get_param(name).schema["format"] == "date" for name in dates)


def test_the_form_offers_every_source_of_bars() -> None:
    from pipeline.forms import source_field

    from trading_lib.adapters.sources.registry import MARKET_SOURCES

    offered = set(source_field().schema["enum"]) - {None}
    assert offered == set(MARKET_SOURCES) - {"fred"} | {"chain"}, "fred has macro series alone"


def test_the_form_names_the_configured_default(monkeypatch: pytest.MonkeyPatch) -> None:
    from pipeline.forms import source_field

    assert source_field().schema["values_display"]["None"] == "default: simulated"
    monkeypatch.setenv("TRADING_SOURCES__DEFAULT__FOLDER", "prices")
    assert source_field().schema["values_display"]["None"] == "default: files in prices"
    # A broken configuration is told by the run that needs it, and must not keep the DAGs from being read.
    monkeypatch.setenv("TRADING_SOURCES__DEFAULT__SOURCE", "bloomberg")
    assert source_field().schema["values_display"]["None"] == "default: as configured"


def test_the_stages_of_trading_stand_in_groups(dag_bag: Any) -> None:
    groups = dag_bag.dags["trade_daily"].task_group.get_task_group_dict()
    members = {name: sorted(group.children) for name, group in groups.items() if name}
    assert members == {
        "prepare": ["await_decision_time", "plan", "recover", "settle"],
        "decide": ["risk", "signals", "targets"],
        "ask": ["approval_needed", "ask_for_approval"],
        "trade": ["await_send_window", "orders", "place", "report_fills", "watch_needed", "watch_orders"],
        "account": ["ask_about_breaks", "back_up_state", "breaks_to_ask", "reconcile", "report"],
    }


def test_mapped_tasks_are_named_by_what_they_work_on(dag_bag: Any) -> None:
    named = {
        (dag_id, task.task_id): task.partial_kwargs.get("map_index_template")
        for dag_id, dag in dag_bag.dags.items()
        for task in dag.tasks
        if task.is_mapped
    }
    assert named == {
        ("market_data", "ingest"): "{{ task.op_kwargs['group'] }}",
        ("trade_daily", "ask_about_breaks"): "{{ task.trigger_run_id }}",
        ("stress_test", "run"): "{{ task.op_kwargs['plan']['scenario'] }}",
        ("parameter_sweep", "run"): "{{ task.op_kwargs['plan']['label'] }}",
        ("train_models", "split"): "{{ task.op_kwargs['plan']['label'] }}",
        ("train_models", "nulls"): "labels {{ task.op_kwargs['null'] }}",
    }


def test_the_asset_leaves_by_the_last_unmapped_task_and_starts_trading(dag_bag: Any) -> None:
    outlets = {
        task.task_id: [asset.name for asset in task.outlets]
        for task in dag_bag.dags["market_data"].tasks
        if task.outlets
    }
    assert outlets == {"publish": ["market_data"]}
    assert not dag_bag.dags["market_data"].get_task("publish").is_mapped
    condition = dag_bag.dags["trade_daily"].timetable.asset_condition
    assert [asset.name for asset in condition.objects] == ["market_data"]


def test_the_approval_has_no_default_ends_in_time_and_records_a_rejection(dag_bag: Any) -> None:
    dag = dag_bag.dags["risk_approval"]
    approval = dag.get_task("approval")
    assert approval.options == ["Approve", "Reject"]
    assert approval.defaults is None
    assert approval.response_timeout is not None
    # Airflow skips the direct successors of a rejection, whatever their trigger rule.
    assert "record" not in approval.downstream_task_ids
    assert dag.get_task("record").trigger_rule == "all_done"
    assert dag.is_paused_upon_creation is False


def test_a_question_is_asked_once_under_its_own_name(dag_bag: Any) -> None:
    ask = dag_bag.dags["trade_daily"].get_task("ask_for_approval")
    assert ask.trigger_dag_id == "risk_approval"
    assert "run_id" in ask.trigger_run_id
    assert ask.skip_when_already_exists
    assert not ask.wait_for_completion


def test_pools_of_the_dags_are_in_the_settings_file(dag_bag: Any, repository_root: Path) -> None:
    from trading_lib.adapters.services.airflow.settings import read_airflow_settings

    used = {task.pool for dag in dag_bag.dags.values() for task in dag.tasks} - {"default_pool"}
    offered = {pool.pool_name for pool in read_airflow_settings(repository_root / "airflow_settings.yaml").pools}
    assert used == offered


def test_dags_survive_serialization(dag_bag: Any) -> None:
    """Airflow stores DAGs as JSON: a timetable it cannot store would keep the DAG from ever running."""
    from airflow.serialization.serialized_objects import DagSerialization

    for dag_id, dag in dag_bag.dags.items():
        restored = DagSerialization.from_dict(DagSerialization.to_dict(dag))
        assert sorted(restored.task_ids) == sorted(GRAPHS[dag_id])
    timetable = DagSerialization.from_dict(DagSerialization.to_dict(dag_bag.dags["market_data"])).timetable
    assert type(timetable).__name__ == "XnysSessionTimetable"


@pytest.mark.parametrize("name", ["market_data.py", "risk_approval.py", "trade_daily.py"])
def test_wiring_files_stay_thin(repository_root: Path, name: str) -> None:
    assert len((repository_root / "dags" / name).read_text().splitlines()) <= 110
