"""Folders of the stack below one home folder."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from trading_lib.adapters.files.private_folder import refuse_shared
from trading_lib.domain.errors import ConfigurationError

HOME_VARIABLE = "TRADING_HOME"
PROJECT_VARIABLE = "TRADING_PROJECT"


def project_folder(environment: Mapping[str, str]) -> Path:
    """Return the folder that holds ``dags/``, ``plugins/`` and ``include/``.

    ``TRADING_PROJECT`` names it where the package is not installed from a checkout. A folder without ``dags/``
    raises `ConfigurationError`.
    """
    configured = environment.get(PROJECT_VARIABLE)
    folder = Path(configured).expanduser().resolve() if configured else Path(__file__).resolve().parents[3]
    if not (folder / "dags").is_dir():
        raise ConfigurationError(
            f"{folder} has no folder dags/", f"set {PROJECT_VARIABLE} to the checkout of this project"
        )
    return folder


@dataclass(frozen=True, slots=True)
class StackFolders:
    """The layout below the home folder; nothing is created by asking for a path.

    Attributes
    ----------
    home
        Absolute path; ``.local`` in the checkout unless ``TRADING_HOME`` says otherwise.
    project
        See `project_folder`.
    """

    home: Path
    project: Path

    @classmethod
    def locate(cls, environment: Mapping[str, str]) -> StackFolders:
        """Find the folders from ``TRADING_HOME`` and ``TRADING_PROJECT``."""
        project = project_folder(environment)
        configured = environment.get(HOME_VARIABLE)
        home = Path(configured).expanduser().resolve() if configured else project / ".local"
        # Not by methods of Path, which raise where the way is closed: a backtest needs no home at all.
        if os.path.exists(home) and not os.path.isdir(home):
            raise ConfigurationError(f"{home} is a file", f"set {HOME_VARIABLE} to a folder")
        return cls(home=home, project=project)

    @property
    def airflow(self) -> Path:
        """AIRFLOW_HOME."""
        return self.home / "airflow"

    @property
    def mlflow(self) -> Path:
        """Working folder of the MLflow server; its artifacts lie below."""
        return self.home / "mlflow"

    @property
    def postgres(self) -> Path:
        """Data folder of the embedded PostgreSQL."""
        return self.home / "postgres"

    @property
    def services(self) -> Path:
        """Working folder of the supervisor and its programs, and what they note about themselves."""
        return self.home / "services"

    @property
    def logs(self) -> Path:
        """Output of the services."""
        return self.home / "logs"

    @property
    def mail(self) -> Path:
        """Failure mails that could not be sent."""
        return self.home / "mail"

    @property
    def alerts(self) -> Path:
        """Alerts that were raised while the database was away."""
        return self.home / "alerts"

    @property
    def credentials(self) -> Path:
        """Generated passwords and keys, readable by their owner only."""
        return self.home / "credentials.json"

    @property
    def state(self) -> Path:
        """What was started where."""
        return self.home / "stack.json"

    def create(self) -> None:
        """Create the folders of the services, closed to other users as they hold secrets and logs."""
        for name in ("airflow", "mlflow", "services", "logs", "mail"):
            self.closed(name)

    def closed(self, name: str) -> Path:
        """Return the folder ``name`` of the home, created if need be and closed to other users in any case.

        A new home is closed too. One that exists keeps its mode, as it may be a folder that is used for more than this;
        one that others may write to raises `ConfigurationError`.
        """
        refuse_shared(self.home)
        self.home.mkdir(mode=0o700, parents=True, exist_ok=True)
        folder = self.home / name
        folder.mkdir(mode=0o700, exist_ok=True)
        if folder.stat().st_mode & 0o077:
            folder.chmod(0o700)
        return folder
