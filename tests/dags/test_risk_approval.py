"""risk_approval goes by the answer that Airflow stored, not by how the task that waited for it ended."""

from __future__ import annotations

import importlib
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from tests.peers.airflow_interface import DETAILS, RUN_ID, AirflowPeer, airflow_peer, details, stack_environment

pytestmark = pytest.mark.airflow

ASKED = {"book": "paper", "session": "2021-03-05", "level": 4}


@pytest.fixture(name="dag_file")
def fixture_dag_file() -> Any:
    return importlib.import_module("risk_approval")


@pytest.fixture(name="peer")
def fixture_peer(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[AirflowPeer]:
    """An Airflow whose tasks run in this process."""
    with airflow_peer() as server:
        for name, value in stack_environment(tmp_path, server.url).items():
            monkeypatch.setenv(name, value)
        yield server


class Waiting(SimpleNamespace):
    """The approval's task instance, as callbacks see it, and that of record, which pulls what it returned."""

    def __init__(self, returned: Any = None, asked: Any = ASKED) -> None:
        super().__init__(dag_id="risk_approval", run_id=RUN_ID, task_id="approval", returned=returned, asked=asked)

    def xcom_pull(self, task_ids: str, key: str = "return_value") -> Any:
        return {"approval": self.returned, "question": self.asked}[task_ids]


@pytest.fixture(name="mailed")
def fixture_mailed(dag_file: Any, monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    sent: list[Any] = []
    monkeypatch.setattr("pipeline.failure_alerts.notify_failure", sent.append)
    return sent


@pytest.fixture(name="recorded")
def fixture_recorded(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    from trading_lib.workflows.books import approvals

    stored: list[Any] = []
    monkeypatch.setattr(approvals, "record_response", lambda asked, response: stored.append((asked, response)))
    return stored


def record(dag_file: Any, instance: Waiting) -> None:
    dag_file.risk_approval().get_task("record").python_callable(ti=instance)


@pytest.mark.parametrize(("option", "returned"), [("Approve", None), ("Reject", None), ("Approve", {"is": "there"})])
def test_record_stores_the_answer_whether_or_not_the_approval_returned_it(
    dag_file: Any, peer: AirflowPeer, recorded: list[Any], option: str, returned: Any
) -> None:
    peer.answers[f"GET {DETAILS}"] = [details(option)]
    record(dag_file, Waiting(returned))
    [(asked, response)] = recorded
    assert asked == ASKED
    assert response == (returned or response)
    assert returned or response["chosen_options"] == (option,)


def test_a_run_whose_question_failed_does_not_end_well(dag_file: Any, peer: AirflowPeer, recorded: list[Any]) -> None:
    from pipeline.tasks import Refused

    peer.answers[f"GET {DETAILS}"] = [details(None)]
    with pytest.raises(Refused, match="the task question failed, so nobody was asked"):
        record(dag_file, Waiting(asked=None))
    assert recorded == []


def test_record_says_that_nobody_answered_only_when_airflow_says_so(
    dag_file: Any, peer: AirflowPeer, recorded: list[Any]
) -> None:
    from pipeline.tasks import TryAgain

    peer.answers[f"GET {DETAILS}"] = [(500, "broken"), details(None)]
    with pytest.raises(TryAgain, match="500"):
        record(dag_file, Waiting())
    assert recorded == []
    record(dag_file, Waiting())
    assert recorded == [(ASKED, None)]


@pytest.mark.parametrize(
    ("answer", "mails"),
    [(details("Approve"), 0), (details("Reject"), 0), (details(None), 1), ((500, "broken"), 1), ((409, {}), 1)],
)
def test_a_failed_approval_is_mailed_unless_it_was_answered(
    dag_file: Any, peer: AirflowPeer, mailed: list[Any], answer: tuple[int, Any], mails: int
) -> None:
    peer.answers[f"GET {DETAILS}"] = [answer]
    context = {"task_instance": Waiting()}
    callbacks = dag_file.risk_approval().get_task("approval").on_failure_callback
    for callback in callbacks if isinstance(callbacks, list) else [callbacks]:
        callback(context)
    assert mailed == [context] * mails


def test_a_session_looks_for_late_answers_before_it_asks(dag_file: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    from trading_lib.workflows.books import approvals
    from trading_lib.workflows.operations import airflow_answers

    done: list[str] = []
    monkeypatch.setattr(airflow_answers, "store_late_answer", lambda plan: done.append(f"look {plan.book}"))
    monkeypatch.setattr(approvals, "asked_by_session", lambda plan: done.append(f"ask {plan.book}"))
    needed = importlib.import_module("trade_daily").trade_daily().get_task("approval_needed")
    left = {"session": "2022-06-15", "source": "files", "source_name": "files:prices", "data": None, "book": "paper"}
    needed.python_callable(ti=SimpleNamespace(xcom_pull=lambda task_ids, key: left))
    assert done == ["look paper", "ask paper"]
