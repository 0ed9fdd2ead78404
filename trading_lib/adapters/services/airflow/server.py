"""Airflow as a service of the stack: its four programs get everything they need in their environment."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable, Mapping
from pathlib import Path

from trading_lib.adapters.services.airflow.rest import AirflowClient
from trading_lib.adapters.services.airflow.settings import SETTINGS_FILE, read_airflow_settings
from trading_lib.adapters.services.credentials import ADMINISTRATOR, Credentials, write_private
from trading_lib.adapters.services.databases import DatabaseUrls
from trading_lib.adapters.services.folders import StackFolders
from trading_lib.adapters.services.ports import HOST, Port
from trading_lib.adapters.services.processes import Progress, ServiceError
from trading_lib.adapters.services.waiting import Patience

# Logs are read from disk and no log server runs. The API server still asks for the log of a running task there: on a
# port that only the system's own services may open, nobody else can answer.
NO_LOG_SERVER_PORT = "9"
# Tasks at the same time; more only makes two cores wait for each other.
PARALLELISM = 4
# A database that is away for a minute must cost no task its life: a task asks the API server again for about two
# minutes, and what a scheduler leaves behind that died is taken over by the next one within half a minute.
OUTAGES = {
    "AIRFLOW__WORKERS__EXECUTION_API_RETRIES": "20",
    "AIRFLOW__WORKERS__EXECUTION_API_RETRY_WAIT_MIN": "1",
    "AIRFLOW__WORKERS__EXECUTION_API_RETRY_WAIT_MAX": "10",
    "AIRFLOW__WORKERS__EXECUTION_API_TIMEOUT": "30",
    "AIRFLOW__WORKERS__MAX_FAILED_HEARTBEATS": "20",
    "AIRFLOW__SCHEDULER__ORPHANED_TASKS_CHECK_INTERVAL": "30",
}


class AirflowServer:
    """Starts, watches and stops scheduler, API server, DAG processor and triggerer as one service."""

    def __init__(self, folders: StackFolders, port: Port, credentials: Credentials) -> None:
        self._folders = folders
        self._credentials = credentials
        self.port = port

    @property
    def url(self) -> str:
        """Address of the user interface."""
        return f"http://{HOST}:{self.port.number}"

    def client(self) -> AirflowClient:
        """Return a client that is logged in as the administrator."""
        return AirflowClient(self.url, ADMINISTRATOR, self._credentials.admin_password)

    def prepare(self) -> None:
        """Write the file that Airflow reads its users' passwords from."""
        write_private(self._password_file, json.dumps({ADMINISTRATOR: self._credentials.admin_password}) + "\n")

    def wait_healthy(
        self,
        patience: Patience,
        progress: Progress,
        require_alive: Callable[[], None],
        dags: tuple[str, ...] = (),
    ) -> None:
        """Return when every component is healthy and ``dags`` are known.

        Raises `ServiceError` when Airflow dies, when a DAG file cannot be imported, or when the patience ends.
        """
        client = self.client()
        waiting: list[str] = []

        def attempt() -> bool | None:
            require_alive()
            missing = client.missing_components()
            if not missing:
                for path, error in client.import_errors().items():
                    raise ServiceError(f"Airflow cannot import {path}: {error}", "correct the file")
                missing = tuple(f"DAG {dag}" for dag in dags if not client.knows_dag(dag))
            if list(missing) != waiting:
                waiting[:] = missing
                if missing:
                    progress(f"Airflow: waiting for {', '.join(missing)}")
            return None if missing else True

        if patience.wait_for(attempt) is None:
            raise ServiceError(
                f"Airflow was not ready within {patience.limit:.0f} s (missing: {', '.join(waiting)})",
                f"see airflow-*.log in {self._folders.logs}",
            )

    def apply_pools(self) -> None:
        """Create or resize the pools of ``airflow_settings.yaml``."""
        client = self.client()
        for pool in read_airflow_settings(self._settings_file).pools:
            client.ensure_pool(pool.pool_name, pool.pool_slot, pool.pool_description)

    def environment(self, environment: Mapping[str, str], databases: DatabaseUrls) -> dict[str, str]:
        """Return the environment Airflow and its tasks run in; what ``environment`` already sets stays, paths aside."""
        programs = str(Path(sys.executable).parent)
        search = [str(self._folders.project), *filter(None, [environment.get("PYTHONPATH")])]
        defaults = {
            **read_airflow_settings(self._settings_file).environment,
            "AIRFLOW__CORE__PARALLELISM": str(PARALLELISM),
            "AIRFLOW__DAG_PROCESSOR__REFRESH_INTERVAL": "10",
            # The next task starts within this, not within a second; it costs an idle machine 5 % of a core.
            "AIRFLOW__SCHEDULER__SCHEDULER_IDLE_SLEEP_TIME": "0.2",
            # On a busy small machine parsing takes long; a DAG given up on would miss the asset that starts it.
            "AIRFLOW__CORE__DAGBAG_IMPORT_TIMEOUT": "120",
            "AIRFLOW__DAG_PROCESSOR__DAG_FILE_PROCESSOR_TIMEOUT": "180",
            "AIRFLOW__DAG_PROCESSOR__STALE_DAG_THRESHOLD": "600",
            "AIRFLOW__API__WORKERS": "1",
            **OUTAGES,
        }
        return {
            **defaults,
            **environment,
            **self._core(databases),
            **self._interface(),
            "PATH": os.pathsep.join([programs, environment.get("PATH", os.defpath)]),
            "PYTHONPATH": os.pathsep.join(search),
        }

    @property
    def _password_file(self) -> Path:
        return self._folders.airflow / "passwords.json"

    @property
    def _settings_file(self) -> Path:
        return self._folders.project / SETTINGS_FILE

    def _core(self, databases: DatabaseUrls) -> dict[str, str]:
        return {
            "AIRFLOW_HOME": str(self._folders.airflow),
            "AIRFLOW__CORE__DAGS_FOLDER": str(self._folders.project / "dags"),
            "AIRFLOW__CORE__PLUGINS_FOLDER": str(self._folders.project / "plugins"),
            "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
            "AIRFLOW__CORE__EXECUTOR": "LocalExecutor",
            "AIRFLOW__CORE__DAGS_ARE_PAUSED_AT_CREATION": "False",
            "AIRFLOW__CORE__FERNET_KEY": self._credentials.encryption_key,
            "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": databases.airflow.render_as_string(hide_password=False),
            "AIRFLOW__LOGGING__BASE_LOG_FOLDER": str(self._folders.logs / "tasks"),
            "AIRFLOW__LOGGING__WORKER_LOG_SERVER_PORT": NO_LOG_SERVER_PORT,
            "AIRFLOW__LOGGING__TRIGGER_LOG_SERVER_PORT": NO_LOG_SERVER_PORT,
        }

    def _interface(self) -> dict[str, str]:
        return {
            "AIRFLOW__API__HOST": HOST,
            "AIRFLOW__API__PORT": str(self.port.number),
            "AIRFLOW__API__BASE_URL": self.url,
            "AIRFLOW__API__SECRET_KEY": self._credentials.session_key,
            "AIRFLOW__API_AUTH__JWT_SECRET": self._credentials.token_key,
            "AIRFLOW__CORE__EXECUTION_API_SERVER_URL": f"{self.url}/execution/",
            "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_USERS": f"{ADMINISTRATOR}:admin",
            "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_ALL_ADMINS": "False",
            "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_PASSWORDS_FILE": str(self._password_file),
        }
