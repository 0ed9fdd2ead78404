"""The whole local stack: start, stop and describe PostgreSQL, MLflow and Airflow together."""

from __future__ import annotations

import fcntl
import json
import os
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any, NoReturn

from trading_lib.adapters.backups.wal.archive import archive_is_configured
from trading_lib.adapters.services.airflow.rest import API_SERVER
from trading_lib.adapters.services.airflow.server import AirflowServer
from trading_lib.adapters.services.credentials import ADMINISTRATOR, load_or_create, write_private
from trading_lib.adapters.services.databases import EMBEDDED, URL_VARIABLE, DatabaseServer, DatabaseUrls
from trading_lib.adapters.services.folders import HOME_VARIABLE, PROJECT_VARIABLE, StackFolders
from trading_lib.adapters.services.mlflow_server import MlflowServer, mlflow_login
from trading_lib.adapters.services.ports import HOST, Port, ServicePorts, require_free
from trading_lib.adapters.services.processes import Progress, ServiceProcess
from trading_lib.adapters.services.stack_status import ServiceStatus, StackStatus, State, moment, program_state
from trading_lib.adapters.services.supervision.components import (
    AIRFLOW,
    COMPONENTS,
    HEARTBEAT,
    MLFLOW,
    OWN,
    WAL,
    WATCH,
    component,
)
from trading_lib.adapters.services.supervision.postgres_watch import POSTGRESQL
from trading_lib.adapters.services.supervision.supervisor import Supervisor
from trading_lib.adapters.services.waiting import Patience
from trading_lib.adapters.stores.postgres.database import connect
from trading_lib.adapters.stores.postgres.migrations import create_when_empty
from trading_lib.domain.errors import ConfigurationError, InputError, TradingError

TRACKING_VARIABLE = "MLFLOW_TRACKING_URI"
DAGS = ("market_data", "trade_daily")
# A first start migrates two databases and compiles nothing yet; slow machines need minutes for that.
START_PATIENCE = Patience(limit=420.0, interval=1.0)
STOP_PATIENCE = Patience(limit=20.0)
# Another command holds the lock while it starts or stops processes, not while it waits for them.
LOCK_PATIENCE = Patience(limit=90.0, interval=0.5)


class Stack:
    """The services below one home folder.

    Parameters
    ----------
    environment
        Where ports, the database URL and what services inherit come from; normally ``os.environ``.
    progress
        Gets one line of text whenever something noteworthy happens.
    lock_patience
        How long to wait for another command that starts or stops the same stack.
    """

    def __init__(
        self,
        folders: StackFolders,
        environment: Mapping[str, str],
        progress: Progress,
        lock_patience: Patience = LOCK_PATIENCE,
    ) -> None:
        self.folders = folders
        self._environment = environment
        self._progress = progress
        self._lock_patience = lock_patience
        self.database = DatabaseServer(folders.postgres, environment)
        self.supervisor = Supervisor(folders)
        ports = self._ports()
        self.mlflow = MlflowServer(folders, ports.mlflow)
        self._airflow_port = ports.airflow

    @property
    def airflow(self) -> AirflowServer:
        """The Airflow service; its credentials are generated when they are first needed."""
        return AirflowServer(self.folders, self._airflow_port, load_or_create(self.folders.credentials))

    def start_database(self) -> DatabaseUrls:
        """Start the database server and create missing databases, and the tables of an embedded one that is empty.

        Tasks know the embedded server by its address alone, and leave the tables of such a database to their owner.
        A taken port of a service is found before anything starts, and raises `PortInUseError`.
        """
        if not self.supervisor.process.members():
            self._stop_earlier_version()
            self._require_free_ports()
        self._refuse_another_database()
        was_running = self.database.is_running()
        urls = self.database.start()
        if not was_running:
            self._progress(f"{urls.description}: started")
        if urls.embedded:
            _create_tables_when_empty(urls.trading.render_as_string(hide_password=False))
        return urls

    def start_services(self, urls: DatabaseUrls) -> bool:
        """Start MLflow and Airflow without waiting for them; return False when both were running already."""
        self.folders.create()
        with self._exclusive():
            idle = self.supervisor.is_running()
            if not idle:
                # What outlived its supervisor would hold the ports, and fight the new programs for the same tasks.
                left = self.supervisor.process.stop(STOP_PATIENCE)
                if left:
                    self._progress(f"ended {left} processes that their supervisor had left behind")
                self._require_free_ports()
                self.airflow.prepare()
                self.supervisor.start(self._components(), self._services_environment(urls))
                for port in (self.mlflow.port, self._airflow_port):
                    self._progress(f"{port.service}: starting on port {port.number}")
            self._save_state(urls)
        return not idle

    def wait_healthy(self, patience: Patience = START_PATIENCE) -> None:
        """Return when both answer, the DAGs are known and the pools exist."""
        self.wait_for_mlflow(patience)
        airflow = self.airflow
        airflow.wait_healthy(patience, self._progress, self.supervisor.liveness(AIRFLOW), DAGS)
        airflow.apply_pools()
        self._progress(f"Airflow: ready at {airflow.url}")

    def wait_for_mlflow(self, patience: Patience = START_PATIENCE) -> None:
        """Return when MLflow answers."""
        self.mlflow.wait_healthy(patience, self.supervisor.liveness((component(MLFLOW),)), self.mlflow_login())
        self._progress(f"MLflow: ready at {self.mlflow.url}")

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
            ended += self._stop_earlier_version()
            count = self.supervisor.process.stop(STOP_PATIENCE)
            if count:
                self._progress(f"Airflow and MLflow: stopped ({count} processes)")
            ended += count
            if self.database.stop():
                self._progress("PostgreSQL: stopped")
                ended += 1
            self.folders.state.unlink(missing_ok=True)
        return ended

    def status(self) -> StackStatus:
        """Describe what runs, without starting or waiting for anything."""
        processes = self.supervisor.processes()
        supervised = self.supervisor.is_running()
        health = self._airflow_health() if any(processes.get(entry.name) for entry in AIRFLOW) else {}
        health[MLFLOW] = bool(processes.get(MLFLOW)) and self.mlflow.is_healthy(self.mlflow_login())
        health |= {entry.name: bool(processes.get(entry.name)) for entry in OWN}
        # A process that lives but does not look any more is no heartbeat.
        health[HEARTBEAT] = health[HEARTBEAT] and heartbeat_is_fresh(self.folders.home, time.time())
        services = [self._database_status(supervised)]
        for entry in (component(MLFLOW), *AIRFLOW, *OWN):
            record = self.supervisor.records.read(entry.name)
            if entry.name == WAL and record is None:
                # Most installations have none.
                continue
            state = program_state(record, health.get(entry.name, False), supervised, time.time())
            address = self.mlflow.url if entry.name == MLFLOW else self._airflow_url if entry == AIRFLOW[0] else ""
            services.append(
                ServiceStatus(
                    name=entry.title,
                    state=state,
                    address=address,
                    processes=processes.get(entry.name, 0),
                    restarts=record.restarts if record and state != "stopped" else 0,
                    since=moment(record.since) if record and state != "stopped" else None,
                    waiting_for=record.waiting_for if record and state != "stopped" else "",
                )
            )
        services.append(self._supervisor_status(supervised, processes))
        return StackStatus(services=tuple(services), home=str(self.folders.home))

    def login(self) -> tuple[str, str]:
        """User and password of Airflow's administrator."""
        return ADMINISTRATOR, load_or_create(self.folders.credentials).admin_password

    def mlflow_login(self) -> tuple[str, str]:
        """User and password of MLflow."""
        return ADMINISTRATOR, load_or_create(self.folders.credentials).mlflow_password

    def replace_by_airflow(self, arguments: Sequence[str]) -> NoReturn:
        """Become the ``airflow`` command, in the environment of this stack's Airflow.

        Raises
        ------
        InputError
            When the stack's database is not running.
        """
        if not self.database.is_running():
            raise InputError(f"no stack runs in {self.folders.home}", "start it with `make up` (trading stack up)")
        urls = self.database.urls()
        environment = self._services_environment(urls)
        program = str(Path(sys.executable).parent / "airflow")
        os.execve(program, [program, *arguments], environment)  # noqa: S606 - our own program, no shell

    def local_addresses(self, urls: DatabaseUrls) -> dict[str, str]:
        """Return the variables by which services, their tasks and this process find the same folders and servers."""
        return {
            HOME_VARIABLE: str(self.folders.home),
            PROJECT_VARIABLE: str(self.folders.project),
            URL_VARIABLE: urls.trading.render_as_string(hide_password=False),
            TRACKING_VARIABLE: self.mlflow.url,
            **mlflow_login(load_or_create(self.folders.credentials)),
        }

    @property
    def _airflow_url(self) -> str:
        return f"http://{HOST}:{self._airflow_port.number}"

    def _components(self) -> tuple[Any, ...]:
        """Programs of the supervisor; a database server that is not ours is nobody's to watch, nor is its log."""
        left_out = set() if self.database.embedded else {WATCH, WAL}
        if not archive_is_configured(self._environment):
            left_out.add(WAL)
        return tuple(entry for entry in COMPONENTS if entry.name not in left_out)

    def _services_environment(self, urls: DatabaseUrls) -> dict[str, str]:
        environment = {**self._environment, **self.local_addresses(urls), **self.mlflow.environment()}
        ports = {port.variable: str(port.number) for port in (self.mlflow.port, self._airflow_port)}
        return {**self.airflow.environment(environment, urls), **ports}

    def _airflow_health(self) -> dict[str, bool]:
        """Component -> whether Airflow says that it is well; nothing is well when it does not answer."""
        missing = self.airflow.client().missing_components()
        return {entry.name: not {entry.health, API_SERVER} & set(missing) for entry in AIRFLOW}

    def _database_status(self, supervised: bool) -> ServiceStatus:
        running = self.database.is_running()
        record = self.supervisor.records.read(POSTGRESQL)
        state: State = "healthy" if running else "restarting" if supervised and self.database.embedded else "stopped"
        return ServiceStatus(
            name="PostgreSQL",
            state=state,
            address=self.database.urls().description if running else "not running",
            processes=int(running and self.database.embedded),
            restarts=record.restarts if record and supervised else 0,
            since=moment(record.since) if record and supervised else None,
        )

    def _supervisor_status(self, supervised: bool, processes: Mapping[str, int]) -> ServiceStatus:
        left = 0 if supervised else sum(processes.values())
        address = f"{left} processes outlived it: repair with `make up`" if left else ""
        return ServiceStatus("Supervisor", "healthy" if supervised else "stopped", address, processes.get("", 0))

    def _earlier_version(self) -> tuple[ServiceProcess, ServiceProcess]:
        """Airflow and MLflow as earlier versions of this program started them."""
        return (
            ServiceProcess("airflow", self.folders.airflow, self.folders.logs / "airflow.log"),
            ServiceProcess("mlflow", self.folders.mlflow, self.folders.logs / "mlflow.log"),
        )

    def _stop_earlier_version(self) -> int:
        ended = 0
        for service in self._earlier_version():
            count = service.stop(STOP_PATIENCE)
            if count:
                self._progress(f"{service.name} of an earlier version: stopped ({count} processes)")
            ended += count
        return ended

    def _require_free_ports(self) -> None:
        for port in (self._airflow_port, self.mlflow.port):
            require_free(port)

    def _ports(self) -> ServicePorts:
        """Ports in use where the services run already: a changed variable must not hide them from `down`."""
        configured = ServicePorts.configured(self._environment)
        recorded = self._recorded().get("ports", {})
        if not recorded or not self.supervisor.process.members():
            return configured
        return ServicePorts(
            airflow=_moved(configured.airflow, recorded.get("airflow")),
            mlflow=_moved(configured.mlflow, recorded.get("mlflow")),
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

    def _refuse_another_database(self) -> None:
        """Raise before anything starts: `down` would not find a server that the running stack does not use."""
        used = self._recorded().get("database")
        if not used or not self.supervisor.is_running():
            return
        if self.database.embedded:
            requested, same = "the embedded PostgreSQL", used.startswith(EMBEDDED)
        else:
            requested = self.database.urls().description
            same = requested == used
        if not same:
            raise ConfigurationError(
                f"the running stack uses {used}, not {requested}", f"run `make down` first, or correct {URL_VARIABLE}"
            )

    @contextmanager
    def _exclusive(self) -> Iterator[None]:
        """Let one command at a time start or stop services; another one waits for it."""
        lock = os.open(self.folders.home / "stack.lock", os.O_CREAT | os.O_RDWR, 0o600)
        said: list[bool] = []

        def attempt() -> bool | None:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                if not said:
                    said.append(True)
                    self._progress("another command is starting or stopping the stack: waiting for it")
                return None
            return True

        try:
            if self._lock_patience.wait_for(attempt) is None:
                raise TradingError("another command is starting or stopping the stack", "wait for it to end")
            yield
        finally:
            os.close(lock)


def heartbeat_is_fresh(home: Path, now: float) -> bool:
    """Whether the heartbeat has looked lately, by its file, which also says how old that may be."""
    path = home / "heartbeat" / "heartbeat.json"
    try:
        return now - path.stat().st_mtime < float(json.loads(path.read_text())["stale_after"])
    except (OSError, ValueError, KeyError, TypeError):
        return False


def _create_tables_when_empty(url: str) -> None:
    engine = connect(url)
    try:
        create_when_empty(engine, url)
    finally:
        engine.dispose()


def _moved(port: Port, number: object) -> Port:
    return replace(port, number=number) if isinstance(number, int) else port
