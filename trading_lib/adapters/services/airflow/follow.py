"""Following a DAG run to its end with a line per task."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from trading_lib.adapters.services.airflow.rest import AirflowClient, AirflowUnavailableError, DagRun, TaskInstance
from trading_lib.adapters.services.waiting import Patience
from trading_lib.domain.errors import TradingError

# States after which a task does nothing more in this run; "up_for_retry" is not among them.
FINISHED_TASK_STATES = frozenset({"success", "failed", "skipped", "upstream_failed", "removed"})
RUN_PATIENCE = Patience(limit=900.0, interval=1.0)
TRIGGER_PATIENCE = Patience(limit=120.0, interval=1.0)
# Seconds without any answer after which nobody waits on: a database that was away for 20 s is back by then, and so is
# everything that had ended without it.
LONGEST_SILENCE = 180.0

T = TypeVar("T")


class RunFailedError(TradingError):
    """A DAG run ended in failure or did not end in time."""


def follow(client: AirflowClient, run: DagRun, progress: Callable[[str], None], patience: Patience) -> DagRun:
    """Wait until ``run`` has finished, reporting each task as it finishes.

    Returns the run with its final state; raises `RunFailedError` when the patience ends first.
    """
    reported: dict[str, str | None] = {}

    def attempt() -> DagRun | None:
        # The run's state first: the tasks read after it are then complete for a finished run.
        current = client.dag_run(run.dag_id, run.run_id)
        for task in client.task_instances(run.dag_id, run.run_id):
            shown = task.state in FINISHED_TASK_STATES or task.state == "up_for_retry"
            if shown and reported.get(task.label) != task.state:
                reported[task.label] = task.state
                progress(f"{run.dag_id}: {task.label} {task.state}")
        return current if current.finished else None

    finished = patience.wait_for(_outlasting(attempt, progress, patience))
    if finished is None:
        raise RunFailedError(
            f"DAG {run.dag_id} run {run.run_id} did not finish within {patience.limit:.0f} s",
            f"look at it at {client.url}/dags/{run.dag_id}/runs/{run.run_id}",
        )
    return finished


def require_success(client: AirflowClient, run: DagRun, progress: Callable[[str], None]) -> None:
    """Raise `RunFailedError` naming the failed tasks unless ``run`` succeeded; ``progress`` gets their errors."""
    if run.state == "success":
        return
    failed = [task for task in client.task_instances(run.dag_id, run.run_id) if task.state == "failed"]
    for task in failed:
        for line in client.error_of(run, task).splitlines():
            progress(f"{run.dag_id}.{task.label}: {line}")
    raise RunFailedError(
        f"DAG {run.dag_id} ended as {run.state}, failed: {_names(failed)}",
        f"its log is at {client.url}/dags/{run.dag_id}/runs/{run.run_id}",
    )


def wait_for_triggered(
    client: AirflowClient,
    run: DagRun,
    dag_id: str,
    patience: Patience,
    progress: Callable[[str], None] = lambda line: None,
) -> DagRun:
    """Return the run of ``dag_id`` that the asset events of ``run`` started, once it exists."""

    def attempt() -> DagRun | None:
        runs = [other for other in client.triggered_runs(run.dag_id, run.run_id) if other.dag_id == dag_id]
        return runs[-1] if runs else None

    triggered = patience.wait_for(_outlasting(attempt, progress, patience))
    if triggered is None:
        raise RunFailedError(
            f"{run.dag_id} run {run.run_id} started no run of {dag_id} within {patience.limit:.0f} s",
            f"check at {client.url}/dags/{dag_id} that the DAG is not paused",
        )
    return triggered


def _outlasting(
    attempt: Callable[[], T | None], progress: Callable[[str], None], patience: Patience
) -> Callable[[], T | None]:
    """Let ``attempt`` be without an answer for a while: its run goes on when Airflow's database is back."""
    silent: list[float] = []

    def outlasting() -> T | None:
        try:
            outcome = attempt()
        except AirflowUnavailableError as error:
            if not silent:
                progress(f"{error.problem}: asking again")
            silent.append(patience.monotonic())
            if silent[-1] - silent[0] >= LONGEST_SILENCE:
                raise
            return None
        silent.clear()
        return outcome

    return outlasting


def _names(tasks: list[TaskInstance]) -> str:
    return ", ".join(task.label for task in tasks) or "no task"
