"""A backfill by command: what is refused before Airflow is asked, what is followed, what each run found.

How it gets on with a real Airflow is the end-to-end test's business.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from tests.peers.airflow_interface import AirflowPeer, airflow_peer
from trading_lib.adapters.services.airflow.backfills import Backfill, create_backfill
from trading_lib.adapters.services.airflow.rest import AirflowClient, AirflowError
from trading_lib.adapters.services.waiting import Patience
from trading_lib.domain.errors import InputError
from trading_lib.workflows.dag_runs import backfill, backfill_request
from trading_lib.workflows.dag_runs.backfill_request import Request
from trading_lib.workflows.setup.settings import Settings, load_settings

NOW = datetime(2022, 6, 15, 22, 0, tzinfo=UTC)
RUNS = "GET /api/v2/dags/backtest/dagRuns"
QUICK = Patience(limit=5.0, interval=0.01)
IMPATIENT = Patience(limit=0.0)


@pytest.fixture(name="peer")
def fixture_peer() -> Iterator[AirflowPeer]:
    with airflow_peer() as server:
        healthy = {name: {"status": "healthy"} for name in ("metadatabase", "scheduler", "dag_processor", "triggerer")}
        server.answers["GET /api/v2/monitor/health"] = [(200, healthy)]
        server.answers["PATCH /api/v2/dags/backtest"] = [(200, {})]
        server.answers["POST /api/v2/backfills"] = [(200, {"id": 7})]
        yield server


@pytest.fixture(name="environment")
def fixture_environment(peer: AirflowPeer, tmp_path: Path) -> dict[str, str]:
    return {
        "TRADING_HOME": str(tmp_path),
        "TRADING_AIRFLOW_API_URL": peer.url,
        "TRADING_AIRFLOW_API_USER": "admin",
        "TRADING_AIRFLOW_API_PASSWORD": "hunter2",
    }


@pytest.fixture(name="settings")
def fixture_settings(tmp_path: Path) -> Settings:
    return load_settings({"TRADING_HOME": str(tmp_path)}, clock=lambda: NOW)


def runs(*states: tuple[int, str], note: str = "") -> tuple[int, dict[str, Any]]:
    entries = [
        {
            "dag_run_id": f"backfill__{year + 1}",
            "state": state,
            "logical_date": f"{year}-01-01T00:00:00Z",
            "note": note,
        }
        for year, state in states
    ]
    return 200, {"dag_runs": entries}


def asked(first: str, last: str, **more: Any) -> Request:
    return Request(**{"dag_id": "backtest", "first": first, "last": last} | more)


def planned(settings: Settings, request: Request) -> tuple[Backfill, list[str]]:
    said: list[str] = []
    return backfill_request.planned(request, settings, said.append), said


def test_whole_years_that_are_over_are_run_and_what_differs_from_the_dates_is_said(settings: Settings) -> None:
    wanted, said = planned(settings, asked("2020-06-01", "2022-06-01"))
    assert [start.year for start in wanted.starts] == [2020, 2021]
    assert said == ["2022 is not over, so it is left out", "runs are whole years: 2020-01-01 to 2021-12-31"]
    wanted, said = planned(settings, asked("2020-01-02", "2021-12-31"))
    assert [start.year for start in wanted.starts] == [2020, 2021]
    assert said == [], "the first and the last session of a year are the year"


def test_sessions_are_run_by_the_interval_that_ends_with_their_data(settings: Settings) -> None:
    # 2022-05-30 was Memorial Day; the interval of a session starts when the bars of the one before are out.
    wanted, said = planned(settings, asked("2022-05-28", "2022-06-01", dag_id="market_data"))
    assert [start.isoformat() for start in wanted.starts] == ["2022-05-27T20:15:00+00:00", "2022-05-31T20:15:00+00:00"]
    assert said == []
    wanted, said = planned(settings, asked("2022-06-14", "2022-06-30", dag_id="market_data"))
    assert len(wanted.starts) == 2
    assert said == ["sessions after 2022-06-15 have no data yet, so they are left out"]


def test_a_folder_travels_whole_and_sleeves_as_numbers(settings: Settings, tmp_path: Path) -> None:
    wanted, _ = planned(settings, asked("2020-01-01", "2020-12-31", data=tmp_path, sleeves="trend=0.25, rotation=0.5"))
    assert wanted.conf == {"data": str(tmp_path), "sleeves": {"trend": 0.25, "rotation": 0.5}}


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"dag_id": "trade_daily"}, "there is no backfill of 'trade_daily': use --dag backtest or --dag market_data"),
        ({"first": "2021-12-31", "last": "2020-01-01"}, "lies after --to"),
        ({"first": "2022-01-01", "last": "2022-06-01"}, "no year between 2022-01-01 and 2022-06-01 is over"),
        ({"dag_id": "market_data", "first": "2022-06-18", "last": "2022-06-19"}, "no session between"),
        ({"dag_id": "market_data", "first": "2023-06-15", "last": "2023-06-19"}, "no session between"),
        ({"data": Path("no-such-folder")}, "no-such-folder does not exist"),
        ({"data": Path(__file__)}, "is a file, not a folder"),
        ({"sleeves": "trend"}, "--sleeves 'trend' is no NAME=SHARE"),
        ({"sleeves": "trnd=1"}, "trnd"),
        ({"sleeves": "trend=1", "dag_id": "market_data"}, "market data has no strategy"),
        ({"reprocess": "all"}, "--reprocess 'all' is unknown: use one of none, failed, completed"),
        ({"first": "yesterday"}, "yesterday"),
    ],
)
def test_what_makes_no_sense_is_refused_before_airflow_is_asked(
    settings: Settings, changes: dict[str, Any], said: str
) -> None:
    with pytest.raises(InputError) as caught:
        planned(settings, asked(**{"first": "2020-01-01", "last": "2021-12-31"} | changes))
    assert said in str(caught.value)


def test_a_backfill_is_followed_and_each_run_tells_what_it_found(
    peer: AirflowPeer, environment: dict[str, str]
) -> None:
    peer.answers[RUNS] = [
        runs((2015, "success"), note="SIMULATED prices, 2015-01-01 to 2015-12-31"),
        runs((2015, "success"), (2016, "running"), (2017, "queued")),
        (503, "away"),
        runs((2015, "success"), (2016, "success"), (2017, "failed")),
    ]
    for year, prices, strategy in ((2016, "simulated", "trend 100"), (2017, "files:p", "dual 100")):
        task = f"GET /api/v2/dags/backtest/dagRuns/backfill__{year}/taskInstances"
        # As runs of version 0.1 left them.
        window = {"from": f"{year - 1}-01-01", "to": f"{year - 1}-12-31", "data": None, "sleeves": None}
        figures = {"data_source": prices, "sessions": 252, "final_nav": "104700.00", "annual_return": 0.047}
        figures |= {"sharpe": None, "max_drawdown": 0.057, "max_risk_level": 1, "orders": 12}
        values = {
            "window": window | {"prices": prices, "strategy": strategy},
            "backtest": figures,
            "mlflow_run": {"run_id": "7", "url": f"http://mlflow/#/runs/{year}"},
        }
        for name, value in values.items():
            peer.answers[f"{task}/{name}/xcomEntries/return_value"] = [(200, {"value": value})]
    task = "GET /api/v2/dags/backtest/dagRuns/backfill__2018/taskInstances"
    failed = {"task_id": "backtest", "map_index": -1, "state": "failed", "try_number": 1}
    peer.answers[task] = [(200, {"task_instances": [failed]})]
    log = [{"event": "no prices of 2017", "level": "error"}, {"event": "Task exited", "level": "error"}]
    peer.answers[f"{task}/backtest/logs/1"] = [(200, {"content": log})]

    said: list[str] = []
    result = backfill.run_backfill(asked("2015-01-01", "2017-12-31"), environment, said.append, QUICK)
    [body] = [body for body in peer.bodies if "reprocess_behavior" in body]
    assert body == {
        "dag_id": "backtest",
        "from_date": "2015-01-01T00:00:00+00:00",
        "to_date": "2017-01-01T00:00:00+00:00",
        "max_active_runs": 2,
        "reprocess_behavior": "none",
        "dag_run_conf": {},
    }
    assert said[0].startswith("backtest 2015: success already, not run again, on SIMULATED prices, 2015-01-01")
    assert said[1].startswith("backfill 7 of backtest: 2 runs on prices of the configured default")
    assert said[2:] == [
        "backtest 2016: running (0 of 2 done)",
        said[3],
        "backtest 2016: success (2 of 2 done)",
        "backtest 2017: failed (2 of 2 done)",
    ]
    assert said[3].startswith("Airflow does not answer, waiting for it")
    figures_line = "return 4.7% a year, Sharpe -, drawdown 5.7%"
    assert backfill.lines(result) == [
        f"2015        success  SIMULATED prices, trend 100, {figures_line} (from before)  http://mlflow/#/runs/2016",
        f"2016        success  Prices of files:p, dual 100, {figures_line}  http://mlflow/#/runs/2017",
        "2017        failed   backtest: no prices of 2017",
        "backfill 7 of backtest: 1 of 2 runs succeeded",
    ]


@pytest.mark.parametrize("task_id", ["check_completeness", "validate"])
def test_a_session_of_market_data_tells_its_completeness_under_either_task_id(peer: AirflowPeer, task_id: str) -> None:
    run = f"GET /api/v2/dags/market_data/dagRuns/backfill__1/taskInstances/{task_id}/xcomEntries/return_value"
    peer.answers[run] = [(200, {"value": {"bars": 14, "warnings": 1, "severity": "WARNING"}})]
    session = backfill.BackfillRun("market_data", "backfill__1", "success", datetime(2022, 6, 15, tzinfo=UTC))
    record = backfill._fetched(AirflowClient(peer.url, "admin", "hunter2"), session)
    assert record["result"] == "14 bars, 1 warnings, WARNING"


@pytest.mark.parametrize(("reprocess", "again"), [("none", False), ("failed", False), ("completed", True)])
def test_runs_that_are_there_are_said_and_not_passed_over_in_silence(
    peer: AirflowPeer, environment: dict[str, str], reprocess: str, again: bool
) -> None:
    peer.answers[RUNS] = [runs((2015, "success"), (2016, "success"), note="SIMULATED prices, 2015")]
    request = asked("2015-01-01", "2016-12-31", reprocess=reprocess)
    if again:
        assert len(backfill.run_backfill(request, environment, [].append, QUICK)["runs"]) == 2
        return
    said = r"every run of backtest from 2015 to 2016 is there already \(2 success\), on SIMULATED prices.*--reprocess"
    with pytest.raises(InputError, match=said):
        backfill.run_backfill(request, environment, [].append, QUICK)
    assert "POST /api/v2/backfills" not in peer.requests


def test_another_backfill_that_works_is_named_and_one_that_has_just_ended_is_waited_for(peer: AirflowPeer) -> None:
    client = AirflowClient(peer.url, "admin", "hunter2")
    wanted = Backfill("backtest", (datetime(2015, 1, 1, tzinfo=UTC),), {}, "none", 2)
    peer.answers["POST /api/v2/backfills"] = [(409, {"detail": "busy"}), (200, {"id": 8})]
    peer.answers[RUNS] = [runs()]
    assert create_backfill(client, wanted, QUICK) == 8
    peer.answers["POST /api/v2/backfills"] = [(409, {"detail": "busy"})]
    peer.answers["GET /api/v2/backfills"] = [(200, {"backfills": [{"id": 5, "completed_at": None}]})]
    for state, patience in (("running", QUICK), ("success", IMPATIENT)):
        peer.answers[RUNS] = [runs((2015, state)) if state == "running" else runs()]
        with pytest.raises(InputError, match=r"a backfill of backtest is running already \(number 5\).*--cancel"):
            create_backfill(client, wanted, patience)


def test_a_refusal_of_airflow_is_told_and_its_faults_are_not_taken_for_ours(peer: AirflowPeer) -> None:
    client = AirflowClient(peer.url, "admin", "hunter2")
    wanted = Backfill("backtest", (datetime(2015, 1, 1, tzinfo=UTC),), {}, "none", 2)
    peer.answers["POST /api/v2/backfills"] = [(422, {"detail": "No runs to create"}), (500, "broken")]
    with pytest.raises(InputError, match="No runs to create"):
        create_backfill(client, wanted, QUICK)
    with pytest.raises(AirflowError, match="500"):
        create_backfill(client, wanted, QUICK)


def test_cancelling_ends_the_running_one(peer: AirflowPeer, environment: dict[str, str]) -> None:
    entries = [{"id": 6, "completed_at": None}, {"id": 5, "completed_at": "2022-06-15T20:00:00Z"}]
    peer.answers["GET /api/v2/backfills"] = [(200, {"backfills": entries}), (200, {"backfills": entries[1:]})]
    peer.answers["PUT /api/v2/backfills/6/cancel"] = [(200, {})]
    assert backfill.cancel("backtest", environment, [].append) == {"cancelled": 6, "dag": "backtest"}
    with pytest.raises(InputError, match="no backfill of backtest is running"):
        backfill.cancel("backtest", environment, [].append)


def test_without_a_stack_the_command_says_how_to_start_one(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"no stack runs in .*: start it with `make up`"):
        backfill.run_backfill(asked("2015-01-01", "2015-12-31"), {"TRADING_HOME": str(tmp_path)}, [].append)
    assert list(tmp_path.iterdir()) == [], "asking creates nothing"
