"""What the stack refuses before it starts anything; a whole start is the end-to-end test's business."""

from __future__ import annotations

import fcntl
import json
import os
import re
import socket
import sys
from pathlib import Path

import pytest
from sqlalchemy import make_url, text

from tests.environment.free_port import free_port
from trading_lib.adapters.services.airflow.server import AirflowServer
from trading_lib.adapters.services.credentials import Credentials
from trading_lib.adapters.services.databases import DatabaseServer, DatabaseUrls
from trading_lib.adapters.services.folders import StackFolders, project_folder
from trading_lib.adapters.services.ports import Port
from trading_lib.adapters.services.processes import ServiceProcess
from trading_lib.adapters.services.stack import Stack
from trading_lib.adapters.services.supervision.components import COMPONENTS
from trading_lib.adapters.services.supervision.configuration import configuration
from trading_lib.adapters.services.supervision.supervisor import Supervisor
from trading_lib.adapters.services.waiting import Patience
from trading_lib.adapters.stores.postgres.database import connect
from trading_lib.adapters.stores.postgres.embedded_postgres import EmbeddedPostgres
from trading_lib.adapters.stores.postgres.migrations import current_revision, head_revision
from trading_lib.domain.errors import (
    ConfigurationError,
    InputError,
    PortInUseError,
    StorageUnavailableError,
    TradingError,
)


@pytest.fixture(name="folders")
def fixture_folders(tmp_path: Path, repository_root: Path) -> StackFolders:
    return StackFolders(home=tmp_path / "home", project=repository_root)


@pytest.fixture(name="ports")
def fixture_ports() -> dict[str, str]:
    """Two free ports as environment variables."""
    with socket.socket() as first, socket.socket() as second:
        for probe in (first, second):
            probe.bind(("127.0.0.1", 0))
        return {
            "TRADING_AIRFLOW_PORT": str(first.getsockname()[1]),
            "TRADING_MLFLOW_PORT": str(second.getsockname()[1]),
        }


def urls(text: str) -> DatabaseUrls:
    url = make_url(text)
    return DatabaseUrls(url, url.set(database="airflow"), url.set(database="mlflow"), embedded=False)


def test_home_is_local_unless_configured(repository_root: Path, tmp_path: Path) -> None:
    assert StackFolders.locate({}).home == repository_root / ".local"
    assert StackFolders.locate({"TRADING_HOME": str(tmp_path)}).home == tmp_path
    with pytest.raises(ConfigurationError, match="TRADING_PROJECT"):
        project_folder({"TRADING_PROJECT": str(tmp_path)})


@pytest.mark.parametrize("variable", ["TRADING_AIRFLOW_PORT", "TRADING_MLFLOW_PORT"])
def test_a_taken_port_is_found_before_anything_starts(
    folders: StackFolders, ports: dict[str, str], variable: str
) -> None:
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        server.listen()
        environment = {**ports, variable: str(server.getsockname()[1])}
        with pytest.raises(PortInUseError, match=variable):
            Stack(folders, environment, print).up()
    assert not folders.home.exists()


def test_nothing_running_is_said_and_stopping_it_is_harmless(folders: StackFolders, ports: dict[str, str]) -> None:
    stack = Stack(folders, ports, print)
    status = stack.status()
    assert status.stopped
    assert not status.running
    assert [service.name for service in status.services] == [
        "PostgreSQL",
        "MLflow",
        "API server",
        "Scheduler",
        "DAG processor",
        "Triggerer",
        "Alert sender",
        "Heartbeat",
        "Supervisor",
    ]
    assert {service.state for service in status.services} == {"stopped"}
    assert stack.down() == 0
    assert not folders.home.exists()


def test_airflow_s_own_command_needs_a_running_stack(folders: StackFolders, ports: dict[str, str]) -> None:
    with pytest.raises(InputError, match=r"no stack runs in .*home: start it with `make up`"):
        Stack(folders, ports, print).replace_by_airflow(["dags", "list"])
    assert not folders.home.exists()


def test_airflow_s_own_command_gets_its_database_by_the_environment_and_not_where_everybody_reads_it(
    folders: StackFolders, ports: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    called: list[tuple[str, list[str], dict[str, str]]] = []
    monkeypatch.setattr(os, "execve", lambda *arguments: called.append(arguments))
    monkeypatch.setattr(DatabaseServer, "is_running", lambda self: True)
    monkeypatch.setattr(DatabaseServer, "urls", lambda self: urls("postgresql+psycopg2://me:hunter2@db/trading"))
    Stack(folders, ports, print).replace_by_airflow(["dags", "list"])
    [(program, arguments, environment)] = called
    assert arguments == [program, "dags", "list"]
    assert environment["AIRFLOW_HOME"] == str(folders.airflow)
    assert environment["AIRFLOW__DATABASE__SQL_ALCHEMY_CONN"] == "postgresql+psycopg2://me:hunter2@db/airflow"


def test_a_command_waits_for_another_one_on_the_same_stack_and_says_so(
    folders: StackFolders, ports: dict[str, str]
) -> None:
    folders.create()
    said: list[str] = []
    with (folders.home / "stack.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        with pytest.raises(TradingError, match="another command"):
            Stack(folders, ports, said.append, lock_patience=Patience(0.0)).down()

        def other_ends(_seconds: float) -> None:
            fcntl.flock(lock, fcntl.LOCK_UN)

        assert Stack(folders, ports, said.append, lock_patience=Patience(60.0, sleep=other_ends)).down() == 0
    assert said == ["another command is starting or stopping the stack: waiting for it"] * 2


def test_services_that_an_earlier_version_started_are_stopped(folders: StackFolders, ports: dict[str, str]) -> None:
    """It started `airflow standalone` and `mlflow server`, each with a pid file of its own."""
    folders.create()
    started = [
        ServiceProcess("airflow", folders.airflow, folders.logs / "airflow.log"),
        ServiceProcess("mlflow", folders.mlflow, folders.logs / "mlflow.log"),
    ]
    for service in started:
        service.start([sys.executable, "-c", "import time; time.sleep(600)"], dict(os.environ))
    said: list[str] = []
    assert Stack(folders, ports, said.append).down() == 2
    assert [service.members() for service in started] == [[], []]
    assert said == [f"{name} of an earlier version: stopped (1 processes)" for name in ("airflow", "mlflow")]


def test_ports_of_a_stack_that_is_gone_do_not_stick(folders: StackFolders, ports: dict[str, str]) -> None:
    folders.create()
    folders.state.write_text(json.dumps({"ports": {"airflow": 1, "mlflow": 2}}))
    assert str(Stack(folders, ports, print).mlflow.port.number) == ports["TRADING_MLFLOW_PORT"]


@pytest.mark.parametrize(
    ("url", "culprit"),
    [
        ("nonsense", "TRADING_DATABASE_URL is no database URL"),
        ("sqlite:///x.db", "sqlite"),
        ("postgresql://u:hunter2@localhost/airflow", "names the database 'airflow'"),
    ],
)
def test_a_wrong_database_url_is_refused_without_showing_it(tmp_path: Path, url: str, culprit: str) -> None:
    with pytest.raises(ConfigurationError, match=culprit) as caught:
        DatabaseServer(tmp_path, {"TRADING_DATABASE_URL": url})
    assert "hunter2" not in str(caught.value)


def test_an_unreachable_database_is_named_without_its_password(folders: StackFolders, ports: dict[str, str]) -> None:
    environment = {**ports, "TRADING_DATABASE_URL": f"postgresql://u:hunter2@127.0.0.1:{free_port(1)}/trading"}
    stack = Stack(folders, environment, print)
    with pytest.raises(StorageUnavailableError, match=r"127\.0\.0\.1") as caught:
        stack.up()
    assert "hunter2" not in str(caught.value)
    assert not stack.database.is_running()


@pytest.mark.postgres
def test_sibling_databases_are_created_on_a_server_named_by_url(
    postgres_server: EmbeddedPostgres, tmp_path: Path
) -> None:
    postgres_server.create_databases(["trading_by_url"])
    server = DatabaseServer(tmp_path, {"TRADING_DATABASE_URL": postgres_server.url("trading_by_url")})
    assert not server.embedded
    for _ in range(2):
        found = server.start()
    assert (found.trading.database, found.airflow.database, found.mlflow.database) == (
        "trading_by_url",
        "airflow",
        "mlflow",
    )
    for url in (found.airflow, found.mlflow):
        engine = connect(url.render_as_string(hide_password=False))
        with engine.connect() as connection:
            assert connection.execute(text("SELECT current_database()")).scalar() == url.database
        engine.dispose()
    assert server.is_running()
    assert not server.stop()
    assert postgres_server.is_running()


@pytest.mark.parametrize(
    ("used", "url"),
    [
        ("PostgreSQL, database 'trading' at db:5432", ""),
        ("embedded PostgreSQL, database 'trading' at /somewhere", "postgresql://u:hunter2@db/trading"),
        ("PostgreSQL, database 'trading' at other:5432", "postgresql://u:hunter2@db/trading"),
    ],
)
def test_no_other_database_is_started_or_written_to_beside_the_one_in_use(
    folders: StackFolders, ports: dict[str, str], monkeypatch: pytest.MonkeyPatch, used: str, url: str
) -> None:
    folders.create()
    folders.state.write_text(json.dumps({"database": used}))
    monkeypatch.setattr(Supervisor, "is_running", lambda self: True)
    monkeypatch.setattr(DatabaseServer, "start", lambda self: pytest.fail("started"))
    with pytest.raises(ConfigurationError, match=r"the running stack uses .* run `make down` first") as caught:
        Stack(folders, {**ports, "TRADING_DATABASE_URL": url}, print).start_database()
    assert "hunter2" not in str(caught.value)


@pytest.mark.postgres
def test_starting_the_stack_brings_the_embedded_database_its_tables(
    folders: StackFolders, ports: dict[str, str]
) -> None:
    """Tasks know the server by its address only, and wait for tables that somebody else makes."""
    stack = Stack(folders, ports, print)
    try:
        url = stack.start_database().trading.render_as_string(hide_password=False)
        assert current_revision(url) == head_revision()
    finally:
        stack.down()


def test_the_supervisor_s_file_holds_neither_secrets_nor_paths(folders: StackFolders) -> None:
    """A path may hold what its parser takes for a comment; a secret belongs into the environment."""
    text = configuration(COMPONENTS)
    assert str(folders.home) not in text
    assert sys.executable not in text
    assert set(re.findall(r"%\(\w+\)s", text)) == {"%(here)s", "%(ENV_TRADING_HOME)s", "%(ENV_TRADING_PYTHON)s"}
    assert "hunter2" not in urls("postgresql+psycopg2://u:hunter2@db/trading").description


def test_airflow_gets_paths_and_keys_and_keeps_the_user_s_settings(
    folders: StackFolders, repository_root: Path
) -> None:
    server = AirflowServer(folders, Port("Airflow", 8099, "TRADING_AIRFLOW_PORT"), Credentials.generate())
    given = {
        "PATH": "/bin",
        "PYTHONPATH": "/mine",
        "AIRFLOW__CORE__PARALLELISM": "9",
        "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_ALL_ADMINS": "True",
    }
    found = server.environment(given, urls("postgresql+psycopg2://u:p@db/trading"))
    assert found["AIRFLOW__CORE__DAGS_FOLDER"] == str(repository_root / "dags")
    assert found["AIRFLOW__DATABASE__SQL_ALCHEMY_CONN"].endswith("/airflow")
    assert found["AIRFLOW__CORE__EXECUTION_API_SERVER_URL"] == "http://127.0.0.1:8099/execution/"
    assert found["AIRFLOW__CORE__PARALLELISM"] == "9"
    assert found["PATH"].split(os.pathsep)[1:] == ["/bin"]
    assert found["PYTHONPATH"].split(os.pathsep) == [str(repository_root), "/mine"]
    # Nobody may switch the login off by a variable that happens to be set.
    assert found["AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_ALL_ADMINS"] == "False"
