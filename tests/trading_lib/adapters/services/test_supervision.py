"""When a program starts again, how it is described meanwhile, and what a login refuses."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import psutil
import pytest

from tests.environment.free_port import free_port
from trading_lib.adapters.mlflow.server.locations import is_own_location, is_own_source
from trading_lib.adapters.mlflow.server.login import login_of
from trading_lib.adapters.services.stack_status import ServiceStatus, program_state
from trading_lib.adapters.services.supervision import program
from trading_lib.adapters.services.supervision.components import OWN, Component
from trading_lib.adapters.services.supervision.program import pause_before, wait_for_database
from trading_lib.adapters.services.supervision.records import Record, Records
from trading_lib.domain.errors import ConfigurationError

NOBODY = 2**22 + 1


def record(*started: float, pid: int = NOBODY, restarts: int = 0, waiting_for: str = "") -> Record:
    created = psutil.Process(pid).create_time() if pid != NOBODY else 1.0
    return Record(pid, created, restarts, started, waiting_for)


def test_a_few_starts_cost_no_pause_and_then_it_doubles_up_to_a_minute() -> None:
    starts = [10.0 * number for number in range(12)]
    pauses = [pause_before(record(*starts[:count])) for count in range(1, 13)]
    assert pauses == [0, 0, 0, 0, 5, 10, 20, 40, 60, 60, 60, 60]
    # What happened long ago is forgiven.
    assert pause_before(record(*starts, 5000.0)) == 0


def test_starts_are_counted_and_survive_a_broken_file(tmp_path: Path) -> None:
    records = Records(tmp_path)
    assert records.read("example") is None
    assert records.note_start("example", 1.0).restarts == 0
    records.note_waiting("example", "the database")
    again = records.note_start("example", 2.0)
    assert (again.restarts, again.started, again.waiting_for, again.pid) == (1, (1.0, 2.0), "", os.getpid())
    assert again.is_alive()
    assert records.read("example") == again
    (tmp_path / "example.record.json").write_text("{")
    assert records.read("example") is None
    records.forget()
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("entry", OWN, ids=lambda entry: entry.name)
def test_a_program_of_our_own_waits_for_no_database(
    entry: Component, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    became: list[list[str]] = []

    def become(path: str, command: list[str]) -> None:
        became.append(command)
        raise SystemExit

    (tmp_path / "services").mkdir()
    monkeypatch.setenv("TRADING_HOME", str(tmp_path))
    monkeypatch.delenv("TRADING_DATABASE_URL", raising=False)
    monkeypatch.setattr("sys.argv", ["program", entry.name])
    monkeypatch.setattr(os, "execv", become)
    with pytest.raises(SystemExit):
        program.main()
    assert became == [[sys.executable, "-m", "trading_lib.cli", *entry.trading]]
    known = Records(tmp_path / "services").read(entry.name)
    assert known is not None
    assert known.waiting_for == ""


def test_a_reused_process_number_is_not_taken_for_the_program() -> None:
    assert not Record(os.getpid(), 1.0, 0, (1.0,)).is_alive()


@pytest.mark.parametrize(
    ("known", "healthy", "supervised", "now", "state"),
    [
        (None, False, False, 0.0, "stopped"),
        (None, False, True, 0.0, "starting"),
        (record(0.0), False, False, 10.0, "stopped"),
        (record(0.0), False, True, 10.0, "restarting"),
        (record(0.0, pid=os.getpid()), True, True, 10.0, "healthy"),
        (record(0.0, pid=os.getpid()), True, False, 10.0, "healthy"),
        (record(0.0, pid=os.getpid()), False, True, 10.0, "starting"),
        (record(0.0, pid=os.getpid()), False, True, 1000.0, "not answering"),
        (record(0.0, pid=os.getpid(), waiting_for="the database"), False, True, 1000.0, "starting"),
        (record(0.0, 9.0, pid=os.getpid(), restarts=1), False, True, 10.0, "restarting"),
    ],
)
def test_the_state_of_a_program(known: Record | None, healthy: bool, supervised: bool, now: float, state: str) -> None:
    assert program_state(known, healthy, supervised, now) == state


def test_a_service_says_what_it_waits_for_and_how_often_it_was_restarted() -> None:
    service = ServiceStatus("Scheduler", "restarting", "", 1, 2, "2024-01-02T03:04:05+00:00", "the database")
    assert service.describe() == "waiting for the database, restarted 2 times, last at 2024-01-02T03:04:05+00:00"


def test_a_program_waits_for_its_database_and_says_so_once(capsys: pytest.CaptureFixture[str]) -> None:
    class EnoughError(Exception):
        pass

    looks: list[float] = []
    noted: list[str] = []

    def sleep(seconds: float) -> None:
        looks.append(seconds)
        if len(looks) == 3:
            raise EnoughError

    url = f"postgresql+psycopg2://u:hunter2@127.0.0.1:{free_port(9)}/trading"
    with pytest.raises(EnoughError):
        wait_for_database(url, noted.append, sleep)
    assert noted == ["the database"]
    said = capsys.readouterr().out
    assert said.count("waiting for the database") == 1
    assert "hunter2" not in said


@pytest.mark.parametrize(
    ("user", "password", "named"),
    [
        ("", "x" * 20, "USERNAME"),
        ("a:b", "x" * 20, "USERNAME"),
        ("admin", "", "PASSWORD"),
        ("admin", "short", "PASSWORD"),
    ],
)
def test_a_server_without_a_good_login_does_not_start(user: str, password: str, named: str) -> None:
    environment = {"MLFLOW_TRACKING_USERNAME": user, "MLFLOW_TRACKING_PASSWORD": password}
    with pytest.raises(ConfigurationError, match=f"MLFLOW_TRACKING_{named}") as caught:
        login_of(environment)
    assert "short" not in str(caught.value)


@pytest.mark.parametrize("location", ["mlflow-artifacts:/", "mlflow-artifacts:/1/a%20b", "mlflow-artifacts:/1/..b/c"])
def test_own_locations_pass(location: str) -> None:
    assert is_own_location(location)
    assert is_own_source(location)


@pytest.mark.parametrize("source", ["models:/m-1", "models:/name/1", "runs:/1/model", "prompt"])
def test_sources_on_this_server_pass(source: str) -> None:
    assert is_own_source(source)
    assert not is_own_location(source)


@pytest.mark.parametrize(
    "source", ["..", "a/b", "models:/../x", "file:x", "mlflow-artifacts:/a\n", "mlflow-artifacts:x"]
)
def test_sources_elsewhere_do_not_pass(source: str) -> None:
    assert not is_own_source(source)
