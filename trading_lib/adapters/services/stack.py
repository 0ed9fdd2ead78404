"""The whole local stack: start, stop and describe PostgreSQL, MLflow and Airflow together."""

from __future__ import annotations

import fcntl
import json
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any

from trading_lib.adapters.services.airflow_server import AirflowServer
from trading_lib.adapters.services.credentials import ADMINISTRATOR, load_or_create, write_private
from trading_lib.adapters.services.databases import URL_VARIABLE, DatabaseServer, DatabaseUrls
from trading_lib.adapters.services.folders import HOME_VARIABLE, PROJECT_VARIABLE, StackFolders
from trading_lib.adapters.services.mlflow_server import MlflowServer
from trading_lib.adapters.services.ports import HOST, Port, ServicePorts, require_free
from trading_lib.adapters.services.processes import Progress, ServiceProcess
from trading_lib.adapters.services.waiting import Patience
from trading_lib.domain.errors import ConfigurationError, TradingError

TRACKING_VARIABLE = "MLFLOW_TRACKING_URI"
DAGS = ("market_data", "trade_daily")
# A first start migrates two databases and compiles nothing yet; slow machines need minutes for that.
START_PATIENCE = Patience(limit=420.0, interval=1.0)
STOP_PATIENCE = Patience(limit=20.0)


@dataclass(frozen=True, slots=True)
class ServiceStatus:
    """One service: whether its process lives, whether it answers, where, and how many processes it has."""

    name: str
    running: bool
    healthy: bool
    address: str
    processes: int


@dataclass(frozen=True, slots=True)
class StackStatus:
    """All services, in the order they start."""

    services: tuple[ServiceStatus, ...]
    home: str

    @property
    def running(self) -> bool:
        """Whether every service runs and answers."""
        return all(service.healthy for service in self.services)

    @property
    def stopped(self) -> bool:
        """Whether nothing runs at all."""
        return not any(service.running or service.processes for service in self.services)


class Stack:
    """The services below one home folder.

    Parameters
    ----------
    environment
        Where ports, the database URL and what services inherit come from; normally ``os.environ``.
    progress
        Gets one line of text whenever something noteworthy happens.
    """

    def __init__(self, folders: StackFolders, environment: Mapping[str, str], progress: Progress) -> None:
        self.folders = folders
        self._environment = environment
        self._progress = progress
        self.database = DatabaseServer(folders.postgres, environment)
        ports = self._ports()
        self.mlflow = MlflowServer(folders, ports.mlflow)
        self._airflow_port = ports.airflow

    @property
    def airflow(self) -> AirflowServer:
        """The Airflow service; its credentials are generated when they are first needed."""
        return AirflowServer(self.folders, self._airflow_port, load_or_create(self.folders.credentials))

    def start_database(self) -> DatabaseUrls:
        """Start the database server and create missing databases.

        A taken port of a service is found before anything starts, and raises `PortInUseError`.
        """
        for port, service in ((self._airflow_port, self._airflow_process()), (self.mlflow.port, self.mlflow.process)):
            if not service.is_running():
                require_free(port)
        was_running = self.database.is_running()
        urls = self.database.start()
        if not was_running:
            self._progress(f"{urls.description}: started")
        self._refuse_another_database(urls)
        return urls

    def start_services(self, urls: DatabaseUrls) -> bool:
        """Start MLflow and Airflow without waiting for them; return False when both were running already."""
        self.folders.create()
        with self._exclusive():
            environment = {**self._environment, **self.local_addresses(urls)}
            airflow, idle = self.airflow, True
            for server in (self.mlflow, airflow):
                if not server.process.is_running():
                    server.start(environment, urls)
                    self._progress(f"{server.port.service}: starting on port {server.port.number}")
                    idle = False
            self._save_state(urls)
        return not idle

    def wait_healthy(self, patience: Patience = START_PATIENCE) -> None:
        """Return when both answer, the DAGs are known and the pools exist."""
        self.mlflow.wait_healthy(patience)
        self._progress(f"MLflow: ready at {self.mlflow.url}")
        airflow = self.airflow
        airflow.wait_healthy(patience, self._progress, DAGS)
        airflow.apply_pools()
        self._progress(f"Airflow: ready at {airflow.url}")

    def up(self) -> bool:
        """Start everything and wait for it; return False when it was running already."""
        started = self.start_services(self.start_database())
        self.wait_healthy()
        return started

    def down(self) -> int:
        """Stop everything, services before their database; return how many processes were ended."""
        ended = 0
        if not self.folders.home.exists():
            return ended
        with self._exclusive():
            for service in (self._airflow_process(), self.mlflow.process):
                count = service.stop(STOP_PATIENCE)
                if count:
                    self._progress(f"{service.name}: stopped ({count} processes)")
                ended += count
            if self.database.stop():
                self._progress("PostgreSQL: stopped")
                ended += 1
            self.folders.state.unlink(missing_ok=True)
        return ended

    def status(self) -> StackStatus:
        """Describe what runs, without starting or waiting for anything."""
        database = self.database.is_running()
        address = self.database.urls().description if database else "not running"
        mlflow = len(self.mlflow.process.members())
        airflow = len(self._airflow_process().members())
        airflow_healthy = airflow > 0 and not self.airflow.client().missing_components()
        return StackStatus(
            services=(
                ServiceStatus("PostgreSQL", database, database, address, int(database and self.database.embedded)),
                ServiceStatus("MLflow", mlflow > 0, mlflow > 0 and self.mlflow.is_healthy(), self.mlflow.url, mlflow),
                ServiceStatus("Airflow", airflow > 0, airflow_healthy, self._airflow_url, airflow),
            ),
            home=str(self.folders.home),
        )

    def login(self) -> tuple[str, str]:
        """User and password of Airflow's administrator."""
        return ADMINISTRATOR, load_or_create(self.folders.credentials).admin_password

    def local_addresses(self, urls: DatabaseUrls) -> dict[str, str]:
        """Return the variables by which services, their tasks and this process find the same folders and servers."""
        return {
            HOME_VARIABLE: str(self.folders.home),
            PROJECT_VARIABLE: str(self.folders.project),
            URL_VARIABLE: urls.trading.render_as_string(hide_password=False),
            TRACKING_VARIABLE: self.mlflow.url,
        }

    @property
    def _airflow_url(self) -> str:
        return f"http://{HOST}:{self._airflow_port.number}"

    def _airflow_process(self) -> ServiceProcess:
        return ServiceProcess("airflow", self.folders.airflow, self.folders.logs / "airflow.log")

    def _ports(self) -> ServicePorts:
        """Ports in use where a service runs already: a changed variable must not hide it from `down`."""
        configured = ServicePorts.configured(self._environment)
        recorded = self._recorded().get("ports", {})
        mlflow = MlflowServer(self.folders, configured.mlflow).process
        return ServicePorts(
            airflow=_moved(configured.airflow, recorded.get("airflow"), self._airflow_process()),
            mlflow=_moved(configured.mlflow, recorded.get("mlflow"), mlflow),
        )

    def _recorded(self) -> dict[str, Any]:
        try:
            content = json.loads(self.folders.state.read_text())
        except (OSError, ValueError):
            return {}
        return content if isinstance(content, dict) else {}

    def _save_state(self, urls: DatabaseUrls) -> None:
        content = {
            "database": urls.description,
            "ports": {"airflow": self._airflow_port.number, "mlflow": self.mlflow.port.number},
            "airflow_address": self._airflow_url,
            "mlflow_address": self.mlflow.url,
        }
        write_private(self.folders.state, json.dumps(content, indent=2) + "\n")

    def _refuse_another_database(self, urls: DatabaseUrls) -> None:
        used = self._recorded().get("database")
        services = (self._airflow_process(), self.mlflow.process)
        if used and used != urls.description and any(service.is_running() for service in services):
            raise ConfigurationError(
                f"the running stack uses {used}, not {urls.description}", "run `make down` first, or unset the variable"
            )

    @contextmanager
    def _exclusive(self) -> Iterator[None]:
        """Let one command at a time start or stop services."""
        lock = os.open(self.folders.home / "stack.lock", os.O_CREAT | os.O_RDWR, 0o600)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(lock)
            raise TradingError("another command is starting or stopping the stack", "wait for it to end") from None
        try:
            yield
        finally:
            os.close(lock)


def _moved(port: Port, number: object, service: ServiceProcess) -> Port:
    return replace(port, number=number) if isinstance(number, int) and service.is_running() else port
