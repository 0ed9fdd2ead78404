"""A small typed client of Airflow's public REST interface (version 2)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from urllib.parse import quote

import requests

from trading_lib.adapters.services.airflow.log import LogEntry, error_tail
from trading_lib.domain.errors import TradingError

HEALTH_TIMEOUT = 30.0
# Seconds for an answer: on a busy machine a server that is well takes long for one.
REQUEST_TIMEOUT = 90.0
SERVER_ERROR = 500
# Airflow's own names of run states that do not change any more.
FINISHED_RUN_STATES = frozenset({"success", "failed"})
# Named instead of its components when it does not answer.
API_SERVER = "API server"
COMPONENTS = ("metadatabase", "scheduler", "dag_processor", "triggerer")


class AirflowError(TradingError):
    """Airflow could not be reached or refused a request.

    Parameters
    ----------
    status
        HTTP status of the refusal, None when there was no answer.
    """

    def __init__(self, problem: str, remedy: str = "", status: int | None = None) -> None:
        super().__init__(problem, remedy)
        self.status = status


class AirflowUnavailableError(AirflowError):
    """Airflow has no answer now: it does not run, or its database is away. Asking later may help."""


@dataclass(frozen=True, slots=True)
class DagRun:
    """One run of a DAG; ``state`` is Airflow's, e.g. queued, running, success, failed."""

    dag_id: str
    run_id: str
    state: str

    @property
    def finished(self) -> bool:
        """Whether the state will not change any more."""
        return self.state in FINISHED_RUN_STATES


@dataclass(frozen=True, slots=True)
class TaskInstance:
    """One task of a run; ``map_index`` is -1 unless the task is mapped, ``state`` is None before it is scheduled.

    ``map_name`` is what the DAG calls that one of a mapped task's instances, e.g. "etf".
    """

    task_id: str
    map_index: int
    state: str | None
    try_number: int
    map_name: str | None = None

    @property
    def label(self) -> str:
        """Task name, with the name or else the index of a mapped one."""
        return self.task_id if self.map_index < 0 else f"{self.task_id}[{self.map_name or self.map_index}]"


@dataclass(frozen=True, slots=True)
class HumanAnswer:
    """What was answered to a task that waits for a human; names are those of Airflow's hitlDetails."""

    chosen_options: tuple[str, ...]
    params_input: Mapping[str, Any]
    responded_at: datetime
    responded_by_user: Mapping[str, Any] | None


class AirflowClient:
    """Requests as one user; logs in when needed and again when the token has expired.

    Every method raises `AirflowError` when Airflow does not answer or answers with an error.
    """

    def __init__(self, url: str, user: str, password: str) -> None:
        self.url = url.rstrip("/")
        self._user = user
        self._password = password
        self._session = requests.Session()
        # Proxies of the environment must not see requests to this machine.
        self._session.trust_env = False

    def missing_components(self) -> tuple[str, ...]:
        """Return the components that are not healthy yet; needs no login."""
        try:
            response = self._session.get(f"{self.url}/api/v2/monitor/health", timeout=HEALTH_TIMEOUT)
            health = response.json()
        except (requests.RequestException, ValueError):
            return (API_SERVER,)
        if not isinstance(health, dict):
            return (API_SERVER,)
        return tuple(name for name in COMPONENTS if (health.get(name) or {}).get("status") != "healthy")

    def knows_dag(self, dag_id: str) -> bool:
        """Whether the DAG has been read from its file."""
        return self._request("GET", f"/dags/{dag_id}", missing_ok=True) is not None

    def unpause(self, dag_id: str) -> None:
        """Let the DAG's runs start."""
        self._request("PATCH", f"/dags/{dag_id}", json={"is_paused": False})

    def import_errors(self) -> dict[str, str]:
        """Return DAG file -> last line of its traceback, for files that could not be read."""
        entries = self._mapping("GET", "/importErrors")["import_errors"]
        return {str(entry["filename"]): _last_line(str(entry["stack_trace"])) for entry in entries}

    def ensure_pool(self, name: str, slots: int, description: str) -> None:
        """Create the pool, or change its size."""
        body: dict[str, Any] = {"slots": slots, "description": description, "include_deferred": False}
        created = self._request("POST", "/pools", conflict_ok=True, json={"name": name, **body})
        # It exists, perhaps since another command created it a moment ago.
        if created is None:
            self._request("PATCH", f"/pools/{name}", json={"pool": name, **body})

    def trigger(self, dag_id: str, conf: Mapping[str, Any], run_id: str) -> DagRun:
        """Start a run whose params are ``conf``; its id has to be new, so that a lost answer starts no second one."""
        path, body = f"/dags/{dag_id}/dagRuns", {"dag_run_id": run_id, "logical_date": None, "conf": dict(conf)}
        try:
            return _dag_run(self._mapping("POST", path, json=body))
        except AirflowUnavailableError:
            # The request may have arrived; asked again with the same id, Airflow then answers that there is such a run.
            started = self._request("POST", path, conflict_ok=True, json=body)
            return self.dag_run(dag_id, run_id) if started is None else _dag_run(started)

    def dag_run(self, dag_id: str, run_id: str) -> DagRun:
        """Return the run's present state."""
        return _dag_run(self._mapping("GET", f"/dags/{dag_id}/dagRuns/{run_id}"))

    def task_instances(self, dag_id: str, run_id: str) -> tuple[TaskInstance, ...]:
        """Return the run's task instances."""
        path = f"/dags/{dag_id}/dagRuns/{run_id}/taskInstances"
        entries = self._mapping("GET", path, params={"limit": 200})["task_instances"]
        return tuple(
            TaskInstance(
                entry["task_id"],
                int(entry["map_index"]),
                entry["state"],
                int(entry["try_number"]),
                entry.get("rendered_map_index"),
            )
            for entry in entries
        )

    def triggered_runs(self, dag_id: str, run_id: str) -> tuple[DagRun, ...]:
        """Return the runs of other DAGs that this run's asset events started, oldest first."""
        parameters: dict[str, Any] = {"source_dag_id": dag_id, "source_run_id": run_id, "limit": 50}
        events = self._mapping("GET", "/assets/events", params=parameters)["asset_events"]
        runs = {
            (entry["dag_id"], entry["run_id"]): DagRun(entry["dag_id"], entry["run_id"], entry["state"])
            for event in events
            for entry in event["created_dagruns"]
        }
        return tuple(runs.values())

    def human_answer(self, dag_id: str, run_id: str, task_id: str) -> HumanAnswer | None:
        """Return the answer a task waited for, whatever became of the task; None when it was never given.

        Airflow stores answer, time and user before it resumes the task, so they stand also where the task failed
        afterwards and never returned them.
        """
        path = f"/dags/{dag_id}/dagRuns/{quote(run_id, safe='')}/taskInstances/{task_id}/-1/hitlDetails"
        detail = self._request("GET", path, missing_ok=True)
        if detail is None:
            return None
        try:
            return _human_answer(detail)
        except (AttributeError, KeyError, TypeError, ValueError) as error:
            raise AirflowError(
                f"Airflow's hitlDetails of {dag_id}.{task_id} in run {run_id} cannot be read ({error})",
                "look at Required Actions, then answer by `trading approvals approve|reject`",
            ) from None

    def error_of(self, run: DagRun, task: TaskInstance, lines: int = 12) -> str:
        """Return the end of the task's log as far as it explains a failure."""
        path = f"/dags/{run.dag_id}/dagRuns/{run.run_id}/taskInstances/{task.task_id}/logs/{task.try_number}"
        log = self._mapping("GET", path, params={"map_index": task.map_index, "full_content": "true"})
        entries = [LogEntry.parse(entry) for entry in log["content"]]
        return error_tail(entries, lines)

    def ask(self, method: str, path: str, **options: Any) -> dict[str, Any]:
        """Send a request below /api/v2 and return the object it is answered with."""
        return self._mapping(method, path, **options)

    def _mapping(self, method: str, path: str, **options: Any) -> dict[str, Any]:
        response = self._request(method, path, **options)
        if not isinstance(response, dict):
            raise AirflowError(f"Airflow answered {method} {path} with something else than an object", "see its log")
        return response

    def _request(
        self, method: str, path: str, missing_ok: bool = False, conflict_ok: bool = False, **options: Any
    ) -> Any:
        if "Authorization" not in self._session.headers:
            self._log_in()
        response = self._send(method, f"/api/v2{path}", **options)
        if response.status_code == requests.codes.unauthorized:
            self._log_in()
            response = self._send(method, f"/api/v2{path}", **options)
        if missing_ok and response.status_code == requests.codes.not_found:
            return None
        if conflict_ok and response.status_code == requests.codes.conflict:
            return None
        if not response.ok:
            kind = AirflowUnavailableError if response.status_code >= SERVER_ERROR else AirflowError
            raise kind(
                f"Airflow refused {method} {path} ({response.status_code}: {_detail(response)})",
                status=response.status_code,
            )
        return response.json() if response.content else {}

    def _log_in(self) -> None:
        self._session.headers.pop("Authorization", None)
        response = self._send("POST", "/auth/token", json={"username": self._user, "password": self._password})
        if response.status_code >= SERVER_ERROR:
            raise AirflowUnavailableError(f"Airflow at {self.url} cannot log anybody in ({response.status_code})")
        if not response.ok:
            raise AirflowError(
                f"Airflow at {self.url} refused the login of {self._user!r} ({response.status_code})",
                "another Airflow may run there; stop it, or run `trading stack down` and `trading stack up`",
            )
        self._session.headers["Authorization"] = f"Bearer {response.json()['access_token']}"

    def _send(self, method: str, path: str, **options: Any) -> requests.Response:
        try:
            return self._session.request(method, f"{self.url}{path}", timeout=REQUEST_TIMEOUT, **options)
        except requests.RequestException as error:
            raise AirflowUnavailableError(
                f"Airflow at {self.url} does not answer ({type(error).__name__})", "start it with `make up`"
            ) from None


def _dag_run(entry: Mapping[str, Any]) -> DagRun:
    return DagRun(str(entry["dag_id"]), str(entry["dag_run_id"]), str(entry["state"]))


def _human_answer(detail: Any) -> HumanAnswer | None:
    if detail["responded_at"] is None:
        return None
    options, user = detail["chosen_options"], detail["responded_by_user"]
    if not isinstance(options, list) or not all(isinstance(option, str) for option in options):
        raise ValueError(f"chosen_options is {options!r}")
    answered_at = datetime.fromisoformat(detail["responded_at"])
    if answered_at.tzinfo is None:
        raise ValueError(f"responded_at {detail['responded_at']!r} has no time zone")
    return HumanAnswer(
        tuple(options), dict(detail["params_input"] or {}), answered_at, None if user is None else dict(user)
    )


def _detail(response: requests.Response) -> str:
    try:
        return " ".join(str(response.json().get("detail", "")).split())[:300]
    except (ValueError, AttributeError):
        return response.reason


def _last_line(text: str) -> str:
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return lines[-1] if lines else "no reason given"
