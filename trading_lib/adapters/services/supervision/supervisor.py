"""The supervisor as a service: starts the programs and restarts those that die."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import psutil

from trading_lib.adapters.services.credentials import write_private
from trading_lib.adapters.services.folders import HOME_VARIABLE, StackFolders
from trading_lib.adapters.services.processes import ServiceError, ServiceProcess, last_error
from trading_lib.adapters.services.supervision.components import COMPONENT_VARIABLE, Component
from trading_lib.adapters.services.supervision.configuration import PYTHON_VARIABLE, configuration
from trading_lib.adapters.services.supervision.records import Records
from trading_lib.adapters.services.waiting import Patience

# A program that stops so often before it is ready will not be ready soon.
RESTARTS_WHILE_STARTING = 3


class Supervisor:
    """Starts, finds and stops the supervisor of one home and everything below it."""

    def __init__(self, folders: StackFolders) -> None:
        self._folders = folders
        self.records = Records(folders.services)
        self.process = ServiceProcess("supervisor", folders.services, folders.logs / "supervisor-start.log")

    def start(self, components: Sequence[Component], environment: Mapping[str, str]) -> None:
        """Start the supervisor with these programs; what an earlier one has left behind is ended first."""
        self.process.stop(Patience(limit=5.0))
        self.records.forget()
        path = self._folders.services / "supervisord.conf"
        write_private(path, configuration(components))
        command = [sys.executable, "-m", "supervisor.supervisord", "-c", str(path)]
        variables = {
            HOME_VARIABLE: str(self._folders.home),
            PYTHON_VARIABLE: sys.executable,
            # Airflow changes its processes' titles, which would overwrite the environment that they are found by.
            "SPT_NOENV": "1",
        }
        self.process.start(command, {**environment, **variables})

    def is_running(self) -> bool:
        """Whether the supervisor itself lives; programs that outlived it do not count."""
        return self.process.is_running()

    def processes(self) -> dict[str, int]:
        """Count the living processes by component; "" counts the supervisor's own and what belongs to no component."""
        counts: dict[str, int] = {}
        for process in self.process.members():
            name = _component_of(process)
            counts[name] = counts.get(name, 0) + 1
        return counts

    def log(self, name: str) -> Path:
        """Output of a program."""
        return self._folders.logs / f"{name}.log"

    def liveness(self, components: Sequence[Component]) -> Callable[[], None]:
        """Return a check for who waits for these programs.

        It raises `ServiceError` when the supervisor has died, or when one of them has stopped again and again since
        this was called: the supervisor goes on trying, but the operator should know.
        """
        before = {entry.name: self._restarts(entry.name) for entry in components}

        def require_alive() -> None:
            self.process.require_alive()
            for entry in components:
                stopped = self._restarts(entry.name) - before[entry.name]
                if stopped >= RESTARTS_WHILE_STARTING:
                    log = self.log(entry.name)
                    raise ServiceError(
                        f"{entry.name} stopped {stopped} times while starting: {last_error(log)}",
                        f"the whole log is {log}",
                    )

        return require_alive

    def _restarts(self, name: str) -> int:
        record = self.records.read(name)
        return record.restarts if record else 0


def _component_of(process: psutil.Process) -> str:
    try:
        return str(process.environ().get(COMPONENT_VARIABLE, ""))
    except (psutil.Error, OSError):
        return ""
