"""The real supervisor with the real MLflow server on a real PostgreSQL: what dies comes back, and MLflow is closed."""

from __future__ import annotations

import base64
import json
import os
import shutil
import signal
import socket
import stat
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil
import pytest
import requests

from trading_lib.adapters.services.credentials import Credentials
from trading_lib.adapters.services.folders import StackFolders
from trading_lib.adapters.services.mlflow_server import MlflowServer, mlflow_login
from trading_lib.adapters.services.ports import Port
from trading_lib.adapters.services.supervision.components import MLFLOW, WATCH, component
from trading_lib.adapters.services.supervision.postgres_watch import POSTGRESQL
from trading_lib.adapters.services.supervision.supervisor import Supervisor
from trading_lib.adapters.services.waiting import Patience
from trading_lib.adapters.stores.postgres.embedded_postgres import EmbeddedPostgres

pytestmark = pytest.mark.postgres

PATIENT = Patience(limit=90.0, interval=0.1)
TRACKING, AJAX = "/api/2.0/mlflow", "/ajax-api/2.0/mlflow"
FOREIGN = (
    "file:///etc",
    "FILE:///etc",
    " file:///etc",
    "/etc",
    "etc/../..",
    "http://127.0.0.1:9/x",
    "https://example.com/x",
    "s3://bucket/x",
    "ftp://example.com/x",
    "runs:/x/y",
    "mlflow-artifacts://example.com/x",
    "mlflow-artifacts:///etc",
    "mlflow-artifacts:/../../x",
    "mlflow-artifacts:/%2e%2e/x",
    "mlflow-artifacts:/%252e%252e/x",
    "mlflow-artifacts:/a\\..\\b",
)
UPWARDS = ("../../../../etc/passwd", "%2e%2e/%2e%2e/x", "%252e%252e/x", "/etc/passwd", "file:///etc/passwd")


@dataclass(frozen=True)
class Running:
    """The services of one home, and a browser that is logged in."""

    folders: StackFolders
    supervisor: Supervisor
    database: EmbeddedPostgres
    mlflow: MlflowServer
    session: requests.Session
    login: tuple[str, str]

    def mlflow_answers(self) -> bool:
        return self.mlflow.is_healthy(self.login)

    def ask(self, method: str, path: str, **options: Any) -> requests.Response:
        return self.session.request(method, self.mlflow.url + path, timeout=30, **options)

    def pid(self, name: str) -> int:
        record = self.supervisor.records.read(name)
        assert record is not None
        return record.pid

    def restarts(self, name: str) -> int:
        record = self.supervisor.records.read(name)
        return record.restarts if record else 0


def eventually(condition: Callable[[], bool]) -> bool:
    return PATIENT.wait_for(lambda: condition() or None) is True


@pytest.fixture(scope="module", name="running")
def fixture_running(repository_root: Path) -> Iterator[Running]:
    folders = StackFolders(home=Path(tempfile.mkdtemp(prefix="its")).resolve(), project=repository_root)
    folders.home.chmod(0o755)  # PostgreSQL has a user of its own where the tests run as root
    folders.create()
    database = EmbeddedPostgres(folders.postgres)
    database.start()
    database.create_databases(["trading", "mlflow"])
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        mlflow = MlflowServer(folders, Port("MLflow", probe.getsockname()[1], "TRADING_MLFLOW_PORT"))
    login = mlflow_login(Credentials.generate())
    environment = {
        **os.environ,
        "PYTHONPATH": str(repository_root),
        "TRADING_PROJECT": str(repository_root),
        "TRADING_DATABASE_URL": database.url("trading"),
        "TRADING_MLFLOW_PORT": str(mlflow.port.number),
        **mlflow.environment(),
        **login,
    }
    supervisor = Supervisor(folders)
    supervisor.start((component(WATCH), component(MLFLOW)), environment)
    session = requests.Session()
    session.trust_env = False
    session.auth = known = (login["MLFLOW_TRACKING_USERNAME"], login["MLFLOW_TRACKING_PASSWORD"])
    try:
        mlflow.wait_healthy(PATIENT, supervisor.liveness((component(MLFLOW),)), known)
        yield Running(folders, supervisor, database, mlflow, session, known)
    finally:
        supervisor.process.stop(Patience(limit=10.0))
        database.stop()
        shutil.rmtree(folders.home, ignore_errors=True)


@pytest.fixture(name="run")
def fixture_run(running: Running, request: pytest.FixtureRequest) -> dict[str, Any]:
    """A run of an experiment of the test's own."""
    created = running.ask("POST", f"{TRACKING}/experiments/create", json={"name": request.node.name})
    body = {"experiment_id": created.json()["experiment_id"]}
    run: dict[str, Any] = running.ask("POST", f"{TRACKING}/runs/create", json=body).json()["run"]["info"]
    assert run["artifact_uri"].startswith("mlflow-artifacts:/")
    return run


def artifact_folder(running: Running, run: dict[str, Any]) -> Path:
    return running.folders.mlflow / "artifacts" / run["experiment_id"] / run["run_id"] / "artifacts"


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/"),
        ("GET", "/version"),
        ("GET", "/static-files/index.html"),
        ("GET", "/health/"),
        ("POST", "/health"),
        ("GET", "//health"),
        ("GET", "/mlflow/health"),
        ("GET", "/health/..%2fversion"),
        ("POST", f"{TRACKING}/experiments/search"),
        ("POST", f"{AJAX}/experiments/search"),
        ("OPTIONS", f"{TRACKING}/experiments/search"),
        ("POST", f"{AJAX}/upload-artifact"),
        ("GET", "/get-artifact?path=x&run_uuid=y"),
        ("GET", "/model-versions/get-artifact?path=x&name=y&version=1"),
        ("PUT", "/api/2.0/mlflow-artifacts/artifacts/x"),
        ("GET", "/api/2.0/mlflow-artifacts/artifacts"),
        ("POST", "/graphql"),
        ("POST", "/v1/traces"),
        ("GET", "/ajax-api/3.0/mlflow/server-info"),
        ("GET", "/ajax-api/3.0/mlflow/assistant/config"),
        ("POST", "/gateway/x/mlflow/invocations"),
        ("GET", "/ajax-api/3.0/jobs/1"),
        ("GET", "/no-such-page"),
    ],
)
def test_nothing_but_the_health_check_answers_without_the_password(running: Running, method: str, path: str) -> None:
    wrong = base64.b64encode(b"admin:admin").decode()
    for headers in (
        {},
        {"Authorization": f"Basic {wrong}"},
        {"Authorization": "Bearer x"},
        {"Authorization": "Basic ="},
    ):
        answer = requests.request(method, running.mlflow.url + path, headers=headers, timeout=30)
        assert (answer.status_code, answer.text) == (401, "login required\n")
        assert answer.headers["WWW-Authenticate"].startswith("Basic ")
    assert requests.get(f"{running.mlflow.url}/health", timeout=30).text == "OK"


def test_the_page_chooses_classic_tables_and_leaves_a_choice_that_was_made(running: Running) -> None:
    page = running.ask("GET", "/")
    assert page.headers["content-length"] == str(len(page.content))
    assert page.text.count("localStorage.getItem('mlflow.workflowType_v1')===null") == 1
    assert page.text.index("localStorage") < page.text.index("</head>")
    # The browser would otherwise show the page it has, as MLflow made it.
    assert "etag" not in page.headers
    again = running.ask("GET", "/", headers={"If-Modified-Since": "Fri, 01 Jan 2100 00:00:00 GMT"})
    assert (again.status_code, again.content) == (200, page.content)


@pytest.mark.parametrize(("method", "path"), [("GET", "config"), ("POST", "message"), ("GET", "")])
def test_the_assistant_that_runs_programs_is_switched_off(running: Running, method: str, path: str) -> None:
    answer = running.ask(method, f"/ajax-api/3.0/mlflow/assistant/{path}")
    assert (answer.status_code, answer.text) == (404, "the assistant is switched off\n")


def test_the_password_opens_the_user_interface_and_the_tracking_interface(running: Running) -> None:
    assert "<title>MLflow</title>" in running.ask("GET", "/").text
    answer = running.ask("POST", f"{TRACKING}/experiments/search", json={"max_results": 5})
    assert "experiments" in answer.json()
    assert running.mlflow_answers()
    # A server that happens to run on the same port belongs to another home.
    assert not running.mlflow.is_healthy(("admin", "the password of another home"))


@pytest.mark.parametrize("headers", [{"Origin": "http://localhost:9"}, {"Origin": "null"}, {"Host": "example.com"}])
def test_a_page_of_another_origin_gets_nothing_even_with_the_password(
    running: Running, headers: dict[str, str]
) -> None:
    assert running.ask("POST", f"{AJAX}/experiments/search", json={}, headers=headers).status_code == 403
    assert running.ask("GET", "/version", headers={"Origin": running.mlflow.url}).status_code == 200


@pytest.mark.parametrize("location", FOREIGN)
def test_an_experiment_elsewhere_is_refused(running: Running, location: str) -> None:
    for interface in (TRACKING, AJAX):
        body = {"name": f"elsewhere {location}", "artifact_location": location}
        answer = running.ask("POST", f"{interface}/experiments/create", json=body)
        assert answer.status_code == 400, answer.text
        assert answer.json()["error_code"] == "INVALID_PARAMETER_VALUE"


@pytest.mark.parametrize("source", FOREIGN)
def test_a_model_version_from_elsewhere_is_refused(running: Running, run: dict[str, Any], source: str) -> None:
    running.ask("POST", f"{TRACKING}/registered-models/create", json={"name": "model"})
    for more in ({}, {"run_id": run["run_id"]}):
        body = {"name": "model", "source": source, **more}
        answer = running.ask("POST", f"{TRACKING}/model-versions/create", json=body)
        assert 400 <= answer.status_code < 500, answer.text


def test_a_trace_elsewhere_is_refused(running: Running, run: dict[str, Any]) -> None:
    place = {"type": "MLFLOW_EXPERIMENT", "mlflow_experiment": {"experiment_id": run["experiment_id"]}}
    info = {"trace_id": "tr-1", "trace_location": place, "request_time": "2024-01-01T00:00:00Z", "state": "OK"}
    elsewhere = {"mlflow.artifactLocation": "file:///etc"}
    body = {"trace": {"trace_info": {**info, "tags": elsewhere}}}
    assert running.ask("POST", "/api/3.0/mlflow/traces", json=body).status_code == 400
    body = {"trace": {"trace_info": info}}
    assert running.ask("POST", "/api/3.0/mlflow/traces", json=body).status_code == 200
    tag = {"key": "mlflow.artifactLocation", "value": "file:///etc"}
    assert running.ask("PATCH", f"{TRACKING}/traces/tr-1/tags", json=tag).status_code == 400


@pytest.mark.parametrize("path", UPWARDS)
def test_no_path_leads_out_of_a_run(running: Running, run: dict[str, Any], path: str) -> None:
    asked = {"run_uuid": run["run_id"], "path": path}
    assert running.ask("POST", f"{AJAX}/upload-artifact", params=asked, data=b"x").status_code == 400
    assert running.ask("GET", "/get-artifact", params=asked).status_code in (400, 404)
    for prefix in ("/api/2.0", "/ajax-api/2.0"):
        address = f"{prefix}/mlflow-artifacts/artifacts/{path}"
        assert running.ask("PUT", address, data=b"x").status_code in (400, 404)
        assert running.ask("GET", address).status_code in (400, 404)


def test_links_are_neither_followed_nor_listed(running: Running, run: dict[str, Any], tmp_path: Path) -> None:
    """Once a link led from an upload into the DAGs of Airflow."""
    (tmp_path / "secret").write_text("secret")
    uploaded = {"run_uuid": run["run_id"], "path": "own.txt"}
    assert running.ask("POST", f"{AJAX}/upload-artifact", params=uploaded, data=b"own").status_code == 200
    folder = artifact_folder(running, run)
    (folder / "file").symlink_to(tmp_path / "secret")
    (folder / "dags").symlink_to(tmp_path)
    for path in ("file", "dags/secret", "dags"):
        asked = {"run_uuid": run["run_id"], "path": path}
        assert running.ask("GET", "/get-artifact", params=asked).status_code == 400
        inside = f"{run['experiment_id']}/{run['run_id']}/artifacts/{path}"
        assert running.ask("GET", f"/api/2.0/mlflow-artifacts/artifacts/{inside}").status_code == 400
        assert running.ask("PUT", f"/api/2.0/mlflow-artifacts/artifacts/{inside}/x", data=b"x").status_code == 400
    upload = {"run_uuid": run["run_id"], "path": "dags/attack.py"}
    assert running.ask("POST", f"{AJAX}/upload-artifact", params=upload, data=b"x").status_code == 400
    assert sorted(path.name for path in tmp_path.iterdir()) == ["secret"]
    listed = running.ask("GET", f"{TRACKING}/artifacts/list", params={"run_id": run["run_id"]}).json()
    assert [file["path"] for file in listed["files"]] == ["own.txt"]


def test_what_the_server_writes_is_closed_to_others(running: Running, run: dict[str, Any]) -> None:
    uploaded = {"run_uuid": run["run_id"], "path": "folder/own.txt"}
    running.ask("POST", f"{AJAX}/upload-artifact", params=uploaded, data=b"own")
    written = artifact_folder(running, run) / "folder" / "own.txt"
    assert stat.S_IMODE(written.stat().st_mode) & 0o077 == 0
    assert stat.S_IMODE(running.folders.mlflow.stat().st_mode) == 0o700
    shown = " ".join(" ".join(process.cmdline()) for process in running.supervisor.process.members())
    assert running.login[1] not in shown
    text = (running.folders.services / "supervisord.conf").read_text()
    assert running.login[1] not in text


def test_a_killed_program_is_started_again_and_counted(running: Running) -> None:
    before, restarts = running.pid(WATCH), running.restarts(WATCH)
    os.kill(before, signal.SIGKILL)
    assert eventually(lambda: running.pid(WATCH) != before)
    assert running.restarts(WATCH) == restarts + 1
    assert eventually(lambda: running.supervisor.processes()[WATCH] == 1)


def test_a_killed_database_is_started_again_and_mlflow_goes_on(running: Running, run: dict[str, Any]) -> None:
    postmaster = int((running.database.folder / "postmaster.pid").read_text().splitlines()[0])
    os.kill(postmaster, signal.SIGKILL)
    assert eventually(lambda: running.restarts(POSTGRESQL) == 1 and running.database.is_running())
    asked = {"run_id": run["run_id"]}
    assert eventually(lambda: running.ask("GET", f"{TRACKING}/runs/get", params=asked).ok)
    # The server outlives the stack's programs, so it is none of them.
    started = int((running.database.folder / "postmaster.pid").read_text().splitlines()[0])
    assert started not in {process.pid for process in running.supervisor.process.members()}


def test_what_outlives_a_killed_supervisor_is_found_and_replaced(running: Running) -> None:
    supervisor = running.supervisor
    first = int(json.loads((running.folders.services / "supervisor.pid").read_text())["pid"])
    environment = psutil.Process(first).environ()
    os.kill(first, signal.SIGKILL)
    assert eventually(lambda: not supervisor.is_running())
    left = {process.pid for process in supervisor.process.members()}
    assert {running.pid(MLFLOW), running.pid(WATCH)} <= left
    supervisor.start((component(WATCH),), environment)
    assert eventually(lambda: supervisor.processes() == {"": 1, WATCH: 1})
    assert not left & {process.pid for process in supervisor.process.members()}
    assert not running.mlflow_answers()


def test_stopping_ends_every_program_and_nothing_starts_again(running: Running) -> None:
    members = running.supervisor.process.members()
    assert running.supervisor.process.stop(Patience(limit=10.0)) == len(members) == 2
    assert not any(process.is_running() and process.status() != psutil.STATUS_ZOMBIE for process in members)
    assert running.supervisor.processes() == {}
    assert running.database.is_running()
