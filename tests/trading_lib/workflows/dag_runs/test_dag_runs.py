"""What all DAG runs share: their parameters, the note in the grid, how long a session took."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pytest

from tests.peers.airflow_interface import AirflowPeer, airflow_peer
from trading_lib.adapters.services.airflow.rest import AirflowClient
from trading_lib.domain.errors import InputError
from trading_lib.workflows.dag_runs import latency, notes, parameters
from trading_lib.workflows.setup.settings import Settings, load_settings
from trading_lib.workflows.stages.plans import BacktestPlan, ChunkPlan, SessionPlan

RUN = "/api/v2/dags/market_data/dagRuns/r1"
PLAN = SessionPlan(session=date(2022, 6, 15), source="simulated", source_name="simulated", data=None, book="demo")
KEYS = ("session", "source", "data", "book", "run_type", "received_at")


@pytest.fixture(name="peer")
def fixture_peer() -> Iterator[AirflowPeer]:
    with airflow_peer() as server:
        yield server


def at(moment: str, **environment: str) -> Settings:
    return load_settings(environment, clock=lambda: datetime.fromisoformat(moment))


def test_an_unknown_key_is_named_with_the_likeliest_and_the_known_ones() -> None:
    parameters.check_known({"session"}, {"session", "book"})
    with pytest.raises(InputError, match=r"unknown parameter 'zzz' \(and 1 more\): use book, session"):
        parameters.check_known({"zzz", "zzzz"}, {"session", "book"})


def test_a_relative_folder_of_a_run_lies_in_the_project_and_must_exist(tmp_path: Path) -> None:
    (tmp_path / "prices").mkdir()
    settings = load_settings({})
    settings = replace(settings, folders=replace(settings.folders, project=tmp_path))
    asked = parameters.of_session({"session": "", "data": "prices", "source": None}, settings)
    assert asked == {"session": None, "source": None, "book": None, "data": str(tmp_path / "prices")}
    with pytest.raises(InputError, match=r"parameter 'data' names .*/gone, which does not exist"):
        parameters.of_session({"data": "gone"}, settings)


def test_the_newest_event_is_traded_and_one_that_cannot_be_read_is_refused() -> None:
    older, newer = {"session": "2022-06-14", "book": "demo"}, {"session": "2022-06-15", "book": "demo"}
    assert parameters.newest_event([newer, older], KEYS) == newer
    with pytest.raises(InputError, match=r"unknown parameter 'sesion' \(did you mean 'session'\?\)"):
        parameters.newest_event([newer, {"sesion": "2022-06-15"}], KEYS)
    with pytest.raises(InputError, match="names no session"):
        parameters.newest_event([{"book": "demo"}], KEYS)
    with pytest.raises(InputError, match="has session 20220615: it must be text"):
        parameters.newest_event([{"session": 20220615}], KEYS)


def test_simulated_prices_are_named_in_capitals() -> None:
    assert notes.about_session(PLAN, book=True) == "SIMULATED prices, session 2022-06-15, book demo"
    days = {"first": date(2015, 1, 1), "last": date(2015, 12, 31), "data": None, "prices": "files:prices"}
    window = BacktestPlan(**days, sleeves=None, strategy="trend 100")
    assert notes.about_window(window) == "Prices of files:prices, 2015-01-01 to 2015-12-31, trend 100"
    chunk = ChunkPlan(**days, grid={}, sweep="ab", start=0, stop=1, label="point 0")
    assert notes.about_window(chunk) == "Prices of files:prices, 2015-01-01 to 2015-12-31"


def test_a_note_of_a_person_stays_and_an_airflow_that_is_away_stops_nothing(peer: AirflowPeer) -> None:
    client = AirflowClient(peer.url, "admin", "secret")
    before = (None, "SIMULATED prices", "mine")
    peer.answers[f"GET {RUN}"] = [(200, {"note": note}) for note in before]
    peer.answers[f"PATCH {RUN}"] = [(200, {})]
    for _ in range(3):
        notes.note_run("market_data", "r1", "SIMULATED prices", "done", client=client)
    assert [request.split()[0] for request in peer.requests if "auth" not in request] == [
        "GET",
        "PATCH",
        "GET",
        "PATCH",
        "GET",
    ]
    peer.answers[f"GET {RUN}"] = [(500, "broken")]
    notes.note_run("market_data", "r1", "SIMULATED prices", client=client)


# The close of 2022-06-15 was at 20:00 UTC.
@pytest.mark.parametrize(
    ("moment", "line", "late"),
    [
        ("2022-06-15T20:16:30+00:00", "close to data ready: 16.5 min (target below 30.0 min)", False),
        ("2022-06-15T20:45:00+00:00", "close to data ready: 45.0 min (target below 30.0 min, MISSED)", True),
    ],
)
def test_a_scheduled_run_says_how_long_after_the_close_its_data_was_ready(moment: str, line: str, late: bool) -> None:
    measured = latency.data_ready(PLAN, "scheduled", at(moment))
    assert (measured["line"], measured["late"]) == (line, late)


def test_the_target_is_configuration() -> None:
    settings = at("2022-06-15T20:16:30+00:00", TRADING_SOURCES__LATENCY__DATA_READY_MINUTES="10")
    assert latency.data_ready(PLAN, "scheduled", settings)["late"]


def test_a_run_by_hand_has_no_time_since_the_close() -> None:
    measured = latency.data_ready(PLAN, "manual", at("2022-06-17T12:00:00+00:00"))
    assert measured["seconds"] is None
    assert measured["line"] == "close to data ready: not applicable, the run was started by hand (manual)"


def test_the_newest_group_counts_and_none_when_nothing_was_fetched() -> None:
    assert latency.received_at([{"received_at": "2022-06-15T20:16"}, None, {"received_at": "2022-06-15T20:17"}]) == (
        "2022-06-15T20:17"
    )
    assert latency.received_at([]) is None


@pytest.mark.parametrize(
    ("received", "stored", "said"),
    [
        # Data at once after the close waits for the decision time, 20:30, which is no delay of ours.
        ("2022-06-15T20:16:00+00:00", "2022-06-15T20:30:12+00:00", "12.0 s (target below 60.0 s)"),
        ("2022-06-15T21:00:00+00:00", "2022-06-15T21:01:30+00:00", "90.0 s (target below 60.0 s, MISSED)"),
        ("2022-06-15T21:00:00+00:00", "2022-06-15T20:31:00+00:00", "not applicable, its signals were stored before"),
        (None, "2022-06-15T20:31:00+00:00", "not applicable, no new data started the run"),
    ],
)
def test_signals_are_measured_from_data_that_may_be_decided_on(
    received: str | None, stored: str, said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Store:
        def __init__(self, engine: Any) -> None: ...

        def stage_stored_at(self, book: str, session: Any, stage: str) -> datetime:
            return datetime.fromisoformat(stored).astimezone(UTC)

    monkeypatch.setattr(latency, "StateStore", Store)
    monkeypatch.setattr(Settings, "engine", lambda self: None)
    plan = replace(PLAN, received_at=parameters.received_at({"received_at": received}))
    found = latency.signals_stored(plan, at("2022-06-16T12:00:00+00:00"))
    assert found["line"] == f"data received to signals stored: {said}"
