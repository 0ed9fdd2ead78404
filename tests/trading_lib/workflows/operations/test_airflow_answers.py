"""An answer counts as Airflow stored it, also where the task that waited for it lost it on the way back."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from tests.peers.airflow_interface import DETAILS, RUN_ID, AirflowPeer, airflow_peer, details, stack_environment
from trading_lib.adapters.services.airflow.access import airflow_of_environment
from trading_lib.adapters.services.airflow.rest import AirflowClient, AirflowError
from trading_lib.domain.errors import ConfigurationError
from trading_lib.workflows.operations import airflow_answers

ANSWERED_AT = datetime(2021, 3, 6, 9, 30, tzinfo=UTC)


@pytest.fixture(name="peer")
def fixture_peer() -> Iterator[AirflowPeer]:
    with airflow_peer() as server:
        yield server


@pytest.fixture(name="ask")
def fixture_ask(peer: AirflowPeer) -> Callable[..., Any]:
    """Return a function that asks the peer what was answered, as the task record does."""
    client = AirflowClient(peer.url, "admin", "hunter2")

    def ask(returned: Any = None) -> Any:
        return airflow_answers.response_to("risk_approval", RUN_ID, "approval", returned, client)

    return ask


@pytest.mark.parametrize("option", ["Approve", "Reject"])
def test_an_answer_is_found_where_the_failed_task_returned_nothing(
    peer: AirflowPeer, ask: Callable[..., Any], option: str
) -> None:
    peer.answers[f"GET {DETAILS}"] = [details(option)]
    assert ask() == {
        "chosen_options": (option,),
        "params_input": {"note": "crash understood"},
        "responded_at": ANSWERED_AT,
        "responded_by_user": {"id": "1", "name": "alice"},
    }


def test_what_the_task_returned_is_a_shortcut(peer: AirflowPeer, ask: Callable[..., Any]) -> None:
    returned = {"chosen_options": ["Reject"]}
    assert ask(returned) is returned
    assert peer.requests == []


@pytest.mark.parametrize("answer", [details(None), (404, {"detail": "no hitlDetails"})])
def test_nobody_answered(peer: AirflowPeer, ask: Callable[..., Any], answer: tuple[int, Any]) -> None:
    peer.answers[f"GET {DETAILS}"] = [answer]
    assert ask() is None


@pytest.mark.parametrize(
    ("changed", "named"),
    [
        ({"chosen_options": "Approve"}, "chosen_options"),
        ({"chosen_options": None}, "chosen_options"),
        ({"responded_at": "yesterday"}, "yesterday"),
        ({"responded_at": "2021-03-06T09:30:00"}, "no time zone"),
        ({"params_input": ["note"]}, "hitlDetails"),
        ({"responded_by_user": 7}, "hitlDetails"),
    ],
)
def test_an_answer_that_cannot_be_read_is_not_taken_for_none(
    peer: AirflowPeer, ask: Callable[..., Any], changed: dict[str, Any], named: str
) -> None:
    peer.answers[f"GET {DETAILS}"] = [details("Approve", **changed)]
    with pytest.raises(AirflowError, match=named) as caught:
        ask()
    assert RUN_ID in str(caught.value)


@pytest.mark.parametrize("answer", [(409, {"detail": "conflict"}), (500, "broken"), (200, [])])
def test_an_airflow_that_refuses_is_not_taken_for_no_answer(
    peer: AirflowPeer, ask: Callable[..., Any], answer: tuple[int, Any]
) -> None:
    peer.answers[f"GET {DETAILS}"] = [answer]
    with pytest.raises(AirflowError):
        ask()


def test_a_run_of_any_book_name_is_asked_about_by_one_address(peer: AirflowPeer) -> None:
    client = AirflowClient(peer.url, "admin", "hunter2")
    assert not airflow_answers.was_answered("risk_approval", "a/b c__2021-03-05__0", "approval", client)
    assert "/dagRuns/a%2Fb%20c__2021-03-05__0/" in peer.requests[-1]


def test_a_task_reaches_the_airflow_it_runs_in_with_the_login_of_the_stack(peer: AirflowPeer, tmp_path: Path) -> None:
    peer.answers[f"GET {DETAILS}"] = [details("Approve")]
    client = airflow_of_environment(stack_environment(tmp_path, peer.url))
    assert airflow_answers.was_answered("risk_approval", RUN_ID, "approval", client)
    assert peer.bodies[0] == {"username": "admin", "password": "hunter2"}


def test_variables_of_ours_name_another_login(peer: AirflowPeer, tmp_path: Path) -> None:
    environment = stack_environment(tmp_path, "http://localhost:1") | {
        "TRADING_AIRFLOW_API_URL": peer.url,
        "TRADING_AIRFLOW_API_USER": "recorder",
        "TRADING_AIRFLOW_API_PASSWORD": "other",
    }
    airflow_of_environment(environment).human_answer("risk_approval", RUN_ID, "approval")
    assert peer.bodies[0] == {"username": "recorder", "password": "other"}


def test_a_missing_login_is_named_without_a_password(tmp_path: Path) -> None:
    complete = stack_environment(tmp_path, "http://localhost:1")
    with pytest.raises(ConfigurationError, match="TRADING_AIRFLOW_API_URL"):
        airflow_of_environment({})
    with pytest.raises(ConfigurationError, match="no login"):
        airflow_of_environment(complete | {"AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_USERS": "viewer:viewer"})
    Path(complete["AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_PASSWORDS_FILE"]).write_text('{"viewer": "hunter2"}')
    with pytest.raises(ConfigurationError, match="no password of 'admin'") as caught:
        airflow_of_environment(complete)
    assert "hunter2" not in str(caught.value)
