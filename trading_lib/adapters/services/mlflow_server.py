"""The MLflow tracking server as a service of the stack."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path

import requests

from trading_lib.adapters.services.databases import DatabaseUrls
from trading_lib.adapters.services.folders import StackFolders
from trading_lib.adapters.services.ports import HOST, Port, require_free
from trading_lib.adapters.services.processes import ServiceError, ServiceProcess
from trading_lib.adapters.services.waiting import Patience

REQUEST_TIMEOUT = 5.0


class MlflowServer:
    """Starts, watches and stops ``mlflow server``; runs in the database, artifacts under the home folder."""

    def __init__(self, folders: StackFolders, port: Port) -> None:
        self._folders = folders
        self.port = port
        self.process = ServiceProcess("mlflow", folders.mlflow, folders.logs / "mlflow.log")

    @property
    def url(self) -> str:
        """Address of the user interface and of the tracking interface."""
        return f"http://{HOST}:{self.port.number}"

    def start(self, environment: Mapping[str, str], databases: DatabaseUrls) -> None:
        """Start the server unless it runs; raises `PortInUseError` when its port is taken."""
        if self.process.is_running():
            return
        self.process.stop(Patience(limit=5.0))
        require_free(self.port)
        self.process.start(self._command(), self._environment(environment, databases))

    def is_healthy(self) -> bool:
        """Whether the server answers."""
        try:
            return requests.get(f"{self.url}/health", timeout=REQUEST_TIMEOUT).ok
        except requests.RequestException:
            return False

    def wait_healthy(self, patience: Patience) -> None:
        """Return when the server answers; raises `ServiceError` when it dies or the patience ends."""

        def attempt() -> bool | None:
            self.process.require_alive()
            return True if self.is_healthy() else None

        if patience.wait_for(attempt) is None:
            raise ServiceError(
                f"MLflow did not answer at {self.url} within {patience.limit:.0f} s", f"see {self.process.log}"
            )

    def _command(self) -> list[str]:
        program = Path(sys.executable).parent / "mlflow"
        return [str(program), "server", "--host", HOST, "--port", str(self.port.number), "--workers", "1"]

    def _environment(self, environment: Mapping[str, str], databases: DatabaseUrls) -> dict[str, str]:
        artifacts = self._folders.mlflow / "artifacts"
        return {
            **environment,
            # By environment and not by option: the URL may hold a password, and options show in `ps`.
            "MLFLOW_BACKEND_STORE_URI": databases.mlflow.render_as_string(hide_password=False),
            "MLFLOW_ARTIFACTS_DESTINATION": artifacts.as_uri(),
            # The job service starts eight more processes for features this project does not use.
            "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false",
            "MLFLOW_DISABLE_TELEMETRY": "true",
            "DO_NOT_TRACK": "true",
            # A tracking address in the user's environment would make the server a client of it.
            "MLFLOW_TRACKING_URI": "",
        }
