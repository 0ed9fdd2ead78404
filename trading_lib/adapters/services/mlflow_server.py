"""The MLflow tracking server as a service of the stack."""

from __future__ import annotations

from collections.abc import Callable

from trading_lib.adapters.mlflow.server.login import PASSWORD_VARIABLE, USER_VARIABLE
from trading_lib.adapters.services.credentials import ADMINISTRATOR, Credentials
from trading_lib.adapters.services.folders import StackFolders
from trading_lib.adapters.services.ports import HOST, Port
from trading_lib.adapters.services.processes import ServiceError
from trading_lib.adapters.services.waiting import Patience

REQUEST_TIMEOUT = 5.0


class MlflowServer:
    """Address, health and environment of the server; runs in the database, artifacts under the home folder."""

    def __init__(self, folders: StackFolders, port: Port) -> None:
        self._folders = folders
        self.port = port

    @property
    def url(self) -> str:
        """Address of the user interface and of the tracking interface."""
        return f"http://{HOST}:{self.port.number}"

    def is_healthy(self, login: tuple[str, str]) -> bool:
        """Whether the server answers and knows this login: one of another home does not."""
        # Every command asks this module for an address, few wait for the library.
        import requests

        session = requests.Session()
        # Proxies of the environment must not see requests to this machine.
        session.trust_env = False
        try:
            return session.get(f"{self.url}/version", auth=login, timeout=REQUEST_TIMEOUT).ok
        except requests.RequestException:
            return False

    def wait_healthy(self, patience: Patience, require_alive: Callable[[], None], login: tuple[str, str]) -> None:
        """Return when the server answers; raises `ServiceError` when it dies or the patience ends."""

        def attempt() -> bool | None:
            require_alive()
            return True if self.is_healthy(login) else None

        if patience.wait_for(attempt) is None:
            log = self._folders.logs / "mlflow.log"
            raise ServiceError(f"MLflow did not answer at {self.url} within {patience.limit:.0f} s", f"see {log}")

    def environment(self) -> dict[str, str]:
        """Return what the server needs besides its database; none of it is secret."""
        return {
            "MLFLOW_ARTIFACTS_DESTINATION": (self._folders.mlflow / "artifacts").as_uri(),
            # The job service starts eight more processes for features this project does not use.
            "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false",
            "MLFLOW_DISABLE_TELEMETRY": "true",
            "DO_NOT_TRACK": "true",
        }


def mlflow_login(credentials: Credentials) -> dict[str, str]:
    """Return the variables by which MLflow's clients log in."""
    return {USER_VARIABLE: ADMINISTRATOR, PASSWORD_VARIABLE: credentials.mlflow_password}
