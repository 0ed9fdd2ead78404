"""Running the command line as a user does, and asking the started services with plain HTTP, not with our client."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import psutil
import requests

COMMAND_SECONDS = 600
REQUEST_SECONDS = 30
INSISTENCE_SECONDS = 300


T = TypeVar("T")


def insistently(ask: Callable[[], T]) -> T:
    """Ask until there is an answer: while the database is away, Airflow has none."""
    deadline = time.monotonic() + INSISTENCE_SECONDS
    while True:
        try:
            return ask()
        except (AssertionError, KeyError, ValueError, requests.RequestException):
            if time.monotonic() > deadline:
                raise
            time.sleep(1.0)


@dataclass(frozen=True)
class RunningStack:
    """A stack of the test's own: home folder and ports that nobody else uses."""

    home: Path
    environment: dict[str, str]
    root: Path

    def trading(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run ``trading`` in a process of its own."""
        program = "from trading_lib.cli import main; main()"
        return subprocess.run(
            [sys.executable, "-c", program, *arguments],
            cwd=self.root,
            env=self.environment,
            capture_output=True,
            text=True,
            timeout=COMMAND_SECONDS,
            check=False,
            umask=0o022,
        )

    def trading_json(self, *arguments: str) -> dict[str, Any]:
        """Run ``trading ... --json``, which must succeed, and return what it printed."""
        done = self.trading(*arguments, "--json")
        assert done.returncode == 0, done.stderr[-3000:]
        content: dict[str, Any] = json.loads(done.stdout)
        return content

    @property
    def airflow_url(self) -> str:
        return f"http://127.0.0.1:{self.environment['TRADING_AIRFLOW_PORT']}"

    @property
    def mlflow_url(self) -> str:
        return f"http://127.0.0.1:{self.environment['TRADING_MLFLOW_PORT']}"

    @property
    def password(self) -> str:
        return str(json.loads((self.home / "credentials.json").read_text())["admin_password"])

    @property
    def mlflow_login(self) -> tuple[str, str]:
        """User and password of MLflow."""
        return "admin", str(json.loads((self.home / "credentials.json").read_text())["mlflow_password"])

    def mlflow(self, method: str, path: str, **options: Any) -> dict[str, Any]:
        """Ask MLflow's tracking interface with the login."""
        url = f"{self.mlflow_url}/api/2.0/mlflow{path}"
        answer = requests.request(method, url, auth=self.mlflow_login, timeout=REQUEST_SECONDS, **options)
        assert answer.ok, answer.text
        content: dict[str, Any] = answer.json()
        return content

    def airflow(self, method: str, path: str, **options: Any) -> dict[str, Any]:
        """Ask Airflow as the administrator."""
        login = {"username": "admin", "password": self.password}
        token = requests.post(f"{self.airflow_url}/auth/token", json=login, timeout=REQUEST_SECONDS).json()
        headers = {"Authorization": f"Bearer {token['access_token']}"}
        url = f"{self.airflow_url}/api/v2{path}"
        answer = requests.request(method, url, headers=headers, timeout=REQUEST_SECONDS, **options)
        assert answer.ok, answer.text
        content: dict[str, Any] = answer.json()
        return content

    def task_states(self, dag_id: str, run_id: str) -> dict[str, str | None]:
        """Task -> state; mapped tasks as ``name[index]``."""
        found = self.airflow("GET", f"/dags/{dag_id}/dagRuns/{run_id}/taskInstances")["task_instances"]
        return {
            task["task_id"] if task["map_index"] < 0 else f"{task['task_id']}[{task['map_index']}]": task["state"]
            for task in found
        }

    def processes(self) -> list[str]:
        """Return every living process that has to do with the home folder, found by all that /proc shows."""
        found = []
        for process in psutil.process_iter():
            try:
                if process.pid == os.getpid() or process.status() == psutil.STATUS_ZOMBIE:
                    continue
                traces = [process.cwd(), *process.cmdline(), *process.environ().values()]
            except (psutil.Error, OSError):
                try:
                    traces = [process.cwd(), *process.cmdline()]
                except (psutil.Error, OSError):
                    continue
            if any(str(self.home) in trace for trace in traces):
                found.append(f"{process.pid} {' '.join(process.cmdline())}")
        return found
