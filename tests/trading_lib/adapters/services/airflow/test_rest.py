"""What the client makes of an Airflow that refuses, fails, forgets a login, or runs something that fails."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from tests.peers.airflow_interface import AirflowPeer, airflow_peer
from trading_lib.adapters.services.airflow.follow import (
    LONGEST_SILENCE,
    RunFailedError,
    follow,
    require_success,
    wait_for_triggered,
)
from trading_lib.adapters.services.airflow.log import LogEntry, error_tail
from trading_lib.adapters.services.airflow.rest import AirflowClient, AirflowError, AirflowUnavailableError, DagRun
from trading_lib.adapters.services.waiting import Patience

RUN = "/api/v2/dags/market_data/dagRuns/r1"
QUICK = Patience(limit=1.0, interval=0.01)
# Looks once and gives up.
IMPATIENT = Patience(limit=0.0)


@pytest.fixture(name="peer")
def fixture_peer() -> Iterator[AirflowPeer]:
    with airflow_peer() as server:
        yield server


@pytest.fixture(name="client")
def fixture_client(peer: AirflowPeer) -> AirflowClient:
    return AirflowClient(peer.url, "admin", "hunter2")


def run_in(state: str) -> tuple[int, dict[str, Any]]:
    return 200, {"dag_id": "market_data", "dag_run_id": "r1", "state": state}


def tasks(*states: tuple[str, int, str | None]) -> tuple[int, dict[str, Any]]:
    entries = [{"task_id": name, "map_index": index, "state": state, "try_number": 1} for name, index, state in states]
    return 200, {"task_instances": entries}


def test_an_expired_login_is_renewed(peer: AirflowPeer, client: AirflowClient) -> None:
    peer.answers[f"GET {RUN}"] = [(401, {"detail": "expired"}), run_in("running")]
    assert client.dag_run("market_data", "r1") == DagRun("market_data", "r1", "running")
    assert peer.requests == ["POST /auth/token", f"GET {RUN}", "POST /auth/token", f"GET {RUN}"]


def test_a_start_whose_answer_was_lost_starts_no_second_run(peer: AirflowPeer, client: AirflowClient) -> None:
    start = "POST /api/v2/dags/market_data/dagRuns"
    peer.answers[start] = [(503, {"detail": "overloaded"}), (409, {"detail": "exists"})]
    peer.answers[f"GET {RUN}"] = [run_in("queued")]
    assert client.trigger("market_data", {}, "r1") == DagRun("market_data", "r1", "queued")
    assert [body["dag_run_id"] for body in peer.bodies if "dag_run_id" in body] == ["r1", "r1"]
    peer.answers[start] = [(503, {"detail": "overloaded"})]
    with pytest.raises(AirflowUnavailableError):
        client.trigger("market_data", {}, "r1")
    peer.answers[start] = [(409, {"detail": "exists"})]
    with pytest.raises(AirflowError, match="409: exists"):
        client.trigger("market_data", {}, "r1")


def test_a_refused_login_is_one_line_without_the_password(peer: AirflowPeer, client: AirflowClient) -> None:
    peer.answers["POST /auth/token"] = [(401, {"detail": "Invalid credentials"})]
    with pytest.raises(AirflowError) as caught:
        client.dag_run("market_data", "r1")
    assert "refused the login of 'admin'" in str(caught.value)
    assert "hunter2" not in str(caught.value)


def test_a_refusal_carries_airflow_s_reason(peer: AirflowPeer, client: AirflowClient) -> None:
    peer.answers["POST /api/v2/dags/market_data/dagRuns"] = [(409, {"detail": "run r1\nalready exists"})]
    with pytest.raises(AirflowError, match=r"409: run r1 already exists"):
        client.trigger("market_data", {"session": None}, "r1")


def test_an_answer_that_is_no_json_is_survived(peer: AirflowPeer, client: AirflowClient) -> None:
    peer.answers[f"GET {RUN}"] = [(502, "<html>bad gateway</html>")]
    with pytest.raises(AirflowError, match="502"):
        client.dag_run("market_data", "r1")


def test_nobody_there(peer: AirflowPeer) -> None:
    with airflow_peer() as gone:
        url = gone.url
    client = AirflowClient(url, "admin", "hunter2")
    assert client.missing_components() == ("API server",)
    with pytest.raises(AirflowError, match="does not answer"):
        client.dag_run("market_data", "r1")


def test_components_that_are_not_healthy_are_named(peer: AirflowPeer, client: AirflowClient) -> None:
    health = {name: {"status": "healthy"} for name in ("metadatabase", "scheduler", "triggerer")}
    peer.answers["GET /api/v2/monitor/health"] = [
        (200, {**health, "dag_processor": None}),
        (200, {**health, "dag_processor": {"status": "healthy"}}),
        (200, "starting"),
    ]
    assert client.missing_components() == ("dag_processor",)
    assert client.missing_components() == ()
    assert client.missing_components() == ("API server",)
    assert peer.requests == ["GET /api/v2/monitor/health"] * 3


def test_a_pool_is_created_or_resized_whoever_else_creates_it_meanwhile(
    peer: AirflowPeer, client: AirflowClient
) -> None:
    peer.answers["POST /api/v2/pools"] = [(201, {}), (409, {"detail": "unique constraint"}), (403, {"detail": "no"})]
    client.ensure_pool("new", 4, "")
    peer.answers["PATCH /api/v2/pools/old"] = [(200, {})]
    client.ensure_pool("old", 4, "")
    assert [r for r in peer.requests if "auth" not in r] == [
        "POST /api/v2/pools",
        "POST /api/v2/pools",
        "PATCH /api/v2/pools/old",
    ]
    with pytest.raises(AirflowError, match="403"):
        client.ensure_pool("forbidden", 4, "")


def test_following_reports_each_task_once(peer: AirflowPeer, client: AirflowClient) -> None:
    peer.answers[f"GET {RUN}"] = [run_in("queued"), run_in("running"), run_in("running"), run_in("success")]
    peer.answers[f"GET {RUN}/taskInstances"] = [
        tasks(("ingest", 0, None)),
        tasks(("ingest", 0, "up_for_retry"), ("ingest", 1, "success")),
        tasks(("ingest", 0, "up_for_retry"), ("ingest", 1, "success")),
        tasks(("ingest", 0, "success"), ("ingest", 1, "success"), ("publish", -1, "success")),
    ]
    lines: list[str] = []
    assert follow(client, DagRun("market_data", "r1", "queued"), lines.append, QUICK).state == "success"
    assert lines == [
        "market_data: ingest[0] up_for_retry",
        "market_data: ingest[1] success",
        "market_data: ingest[0] success",
        "market_data: publish success",
    ]


def test_following_outlasts_an_airflow_that_has_no_answer_for_a_while(peer: AirflowPeer, client: AirflowClient) -> None:
    gone = (500, {"detail": "Internal Server Error"})
    peer.answers[f"GET {RUN}"] = [run_in("running"), gone, gone, run_in("running"), gone, run_in("success")]
    peer.answers[f"GET {RUN}/taskInstances"] = [tasks(("publish", -1, "success"))]
    lines: list[str] = []
    assert follow(client, DagRun("market_data", "r1", "queued"), lines.append, QUICK).state == "success"
    assert [line for line in lines if "asking again" in line] == [
        f"Airflow refused GET {RUN.removeprefix('/api/v2')} (500: Internal Server Error): asking again"
    ] * 2
    peer.answers[f"GET {RUN}"] = [gone]
    seconds = iter([0.0, 10.0, LONGEST_SILENCE, LONGEST_SILENCE + 10.0])
    clock = Patience(limit=1000.0, monotonic=lambda: next(seconds), sleep=lambda _: None)
    with pytest.raises(AirflowUnavailableError, match="500"):
        follow(client, DagRun("market_data", "r1", "queued"), lines.append, clock)
    # What Airflow refuses on purpose is no silence.
    peer.answers[f"GET {RUN}"] = [(404, {"detail": "no such run"})]
    with pytest.raises(AirflowError, match="404"):
        follow(client, DagRun("market_data", "r1", "queued"), lines.append, QUICK)


def test_a_run_that_never_ends_is_given_up(peer: AirflowPeer, client: AirflowClient) -> None:
    peer.answers[f"GET {RUN}"] = [run_in("running")]
    peer.answers[f"GET {RUN}/taskInstances"] = [tasks()]
    with pytest.raises(
        RunFailedError, match=r"market_data run r1 did not finish within 0 s.*/dags/market_data/runs/r1"
    ):
        follow(client, DagRun("market_data", "r1", "queued"), print, IMPATIENT)


def test_a_failed_run_names_task_and_error(peer: AirflowPeer, client: AirflowClient) -> None:
    peer.answers[f"GET {RUN}/taskInstances"] = [tasks(("plan", -1, "success"), ("ingest", 1, "failed"))]
    detail = [{"exc_type": "ValueError", "exc_value": "no bar of SPY"}]
    entries = [
        {"event": "starting", "level": "info"},
        {"event": "Task failed", "level": "error", "error_detail": detail},
    ]
    peer.answers[f"GET {RUN}/taskInstances/ingest/logs/1"] = [(200, {"content": entries})]
    lines: list[str] = []
    with pytest.raises(RunFailedError, match=r"DAG market_data ended as failed, failed: ingest\[1\]"):
        require_success(client, DagRun("market_data", "r1", "failed"), lines.append)
    assert lines == ["market_data.ingest[1]: ValueError: no bar of SPY"]


def test_success_asks_nothing_more(peer: AirflowPeer, client: AirflowClient) -> None:
    require_success(client, DagRun("market_data", "r1", "success"), print)
    assert peer.requests == []


def test_the_triggered_run_is_waited_for(peer: AirflowPeer, client: AirflowClient) -> None:
    def events(*runs: tuple[str, str]) -> tuple[int, dict[str, Any]]:
        created = [{"dag_id": dag, "run_id": run, "state": "queued"} for dag, run in runs]
        return 200, {"asset_events": [{"created_dagruns": created}]}

    peer.answers["GET /api/v2/assets/events"] = [
        events(),
        events(("other", "o1")),
        events(("other", "o1"), ("t", "t1")),
    ]
    assert wait_for_triggered(client, DagRun("market_data", "r1", "success"), "t", QUICK) == DagRun("t", "t1", "queued")
    peer.answers["GET /api/v2/assets/events"] = [events()]
    with pytest.raises(RunFailedError, match="started no run of t within 0 s"):
        wait_for_triggered(client, DagRun("market_data", "r1", "success"), "t", IMPATIENT)


def test_import_errors_are_cut_to_their_cause(peer: AirflowPeer, client: AirflowClient) -> None:
    trace = "Traceback (most recent call last):\n  File x\nImportError: no module\n"
    peer.answers["GET /api/v2/importErrors"] = [
        (200, {"import_errors": [{"filename": "market_data.py", "stack_trace": trace}]})
    ]
    assert client.import_errors() == {"market_data.py": "ImportError: no module"}


def test_a_log_without_exceptions_shows_its_errors_or_its_end() -> None:
    plain = [LogEntry("one"), LogEntry("two"), LogEntry("three")]
    assert error_tail(plain, 2) == "two\nthree"
    assert error_tail([*plain, LogEntry("broken", "error"), LogEntry("bye")], 2) == "broken"
    assert error_tail([], 2) == "the task wrote no log"
    assert LogEntry.parse("a line") == LogEntry("a line")
