"""A service's processes are found and ended, whatever they do to hide; checked on real processes."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest

from trading_lib.adapters.services.processes import ServiceError, ServiceProcess
from trading_lib.adapters.services.waiting import Patience

PATIENT = Patience(limit=20.0, interval=0.02)

# Each says on its output when it is set up, and then waits to be ended.
SLEEPER = "import time; print('set up', flush=True); time.sleep(600)"
FAMILY = f"""
import subprocess, sys, time
children = [subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"]) for _ in range(2)]
{SLEEPER}
"""
# A child in a session of its own, as a daemon makes one.
RUNAWAY = f"""
import subprocess, sys
subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"], start_new_session=True)
{SLEEPER}
"""
STUBBORN = f"import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN); {SLEEPER}"


@pytest.fixture(name="service")
def fixture_service(tmp_path: Path) -> Iterator[ServiceProcess]:
    service = ServiceProcess("example", tmp_path / "example", tmp_path / "logs" / "example.log")
    yield service
    service.stop(Patience(limit=2.0))


def start(service: ServiceProcess, program: str) -> list[psutil.Process]:
    """Start the program and wait until it says that it is set up."""
    service.start([sys.executable, "-c", program], dict(os.environ))
    ready = PATIENT.wait_for(lambda: True if "set up" in service.log.read_text() else None)
    assert ready, service.log.read_text()
    return service.members()


def all_gone(processes: list[psutil.Process]) -> bool:
    return not any(process.is_running() and process.status() != psutil.STATUS_ZOMBIE for process in processes)


@pytest.mark.parametrize(("program", "count"), [(SLEEPER, 1), (FAMILY, 3), (RUNAWAY, 2), (STUBBORN, 1)])
def test_stop_ends_every_process(service: ServiceProcess, program: str, count: int) -> None:
    members = start(service, program)
    assert len(members) == count
    assert service.stop(Patience(limit=1.0)) == count
    assert all_gone(members)
    assert service.members() == []
    assert service.stop(Patience(limit=1.0)) == 0


def test_children_are_found_after_their_parent_was_killed(service: ServiceProcess) -> None:
    parent, *children = start(service, FAMILY)
    parent.send_signal(signal.SIGKILL)
    parent.wait(10)
    assert not service.is_running()
    assert {process.pid for process in service.members()} == {process.pid for process in children}
    assert service.stop(Patience(limit=5.0)) == 2
    assert all_gone(children)


def test_another_object_finds_the_same_processes(service: ServiceProcess) -> None:
    members = start(service, FAMILY)
    again = ServiceProcess("example", service.folder, service.log)
    assert [process.pid for process in again.members()] == [process.pid for process in members]
    assert again.is_running()


def test_starting_twice_starts_once(service: ServiceProcess) -> None:
    before = start(service, SLEEPER)
    service.start([sys.executable, "-c", SLEEPER], dict(os.environ))
    assert service.members() == before


def test_services_of_two_homes_are_kept_apart(service: ServiceProcess, tmp_path: Path) -> None:
    other = ServiceProcess("example", tmp_path / "other", tmp_path / "logs" / "other.log")
    members = start(service, FAMILY)
    start(other, SLEEPER)
    assert other.stop(Patience(limit=5.0)) == 1
    assert [process.pid for process in service.members()] == [process.pid for process in members]


@pytest.mark.parametrize(
    "content", ["", "not json", "[]", '{"pid": "x", "created": 1}', '{"pid": 999999999, "created": 1}']
)
def test_a_broken_or_stale_pid_file_means_not_running(service: ServiceProcess, content: str) -> None:
    service.folder.mkdir(parents=True)
    (service.folder / "example.pid").write_text(content)
    assert service.members() == []
    assert not service.is_running()
    assert len(start(service, SLEEPER)) == 1


def test_a_reused_number_is_not_taken_for_the_service(service: ServiceProcess) -> None:
    """After a crash the recorded number may belong to somebody else's process, which must live on."""
    with subprocess.Popen([sys.executable, "-c", SLEEPER], stdout=subprocess.PIPE, start_new_session=True) as stranger:
        try:
            service.folder.mkdir(parents=True)
            record = {"pid": stranger.pid, "created": psutil.Process(stranger.pid).create_time() - 3600}
            (service.folder / "example.pid").write_text(json.dumps(record))
            assert service.members() == []
            assert service.stop(Patience(limit=1.0)) == 0
            assert stranger.poll() is None
        finally:
            stranger.kill()


def test_a_service_that_dies_says_why(service: ServiceProcess) -> None:
    service.start([sys.executable, "-c", "print('fine so far'); raise ValueError('no such module')"], dict(os.environ))
    died = PATIENT.wait_for(lambda: None if service.is_running() else True)
    assert died
    with pytest.raises(ServiceError, match=r"example stopped while starting: ValueError: no such module.*example\.log"):
        service.require_alive()


def test_patience_looks_once_more_at_the_limit() -> None:
    now, looks = [0.0], []

    def sleep(seconds: float) -> None:
        now[0] += seconds

    def attempt() -> None:
        looks.append(now[0])

    patience = Patience(limit=1.0, interval=0.4, monotonic=lambda: now[0], sleep=sleep)
    assert patience.wait_for(attempt) is None
    assert looks == pytest.approx([0.0, 0.4, 0.8, 1.0])


def test_patience_returns_what_the_attempt_found() -> None:
    answers: Callable[[], str | None] = iter([None, None, "found"]).__next__
    assert Patience(limit=9.0, monotonic=lambda: 0.0, sleep=lambda _: None).wait_for(answers) == "found"
