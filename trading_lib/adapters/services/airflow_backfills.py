"""Backfills and their runs, through Airflow's REST interface."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from http import HTTPStatus
from typing import Any
from urllib.parse import quote

from trading_lib.adapters.services.airflow_rest import FINISHED_RUN_STATES, AirflowClient, AirflowError
from trading_lib.domain.errors import InputError

PAGE = 100
# Airflow's word for which runs of the past are run again.
REPROCESS = ("none", "failed", "completed")


@dataclass(frozen=True, slots=True)
class BackfillRun:
    """A run of a DAG for one data interval; ``state`` is Airflow's, e.g. queued, running, success, failed."""

    dag_id: str
    run_id: str
    state: str
    start: datetime

    @property
    def finished(self) -> bool:
        """Whether the state will not change any more."""
        return self.state in FINISHED_RUN_STATES

    def repeated_by(self, reprocess: str) -> bool:
        """Whether Airflow runs it again in a backfill with that behaviour."""
        return self.finished and (reprocess == "completed" or (reprocess == "failed" and self.state == "failed"))


@dataclass(frozen=True, slots=True)
class Backfill:
    """What to ask Airflow for: the runs of a DAG whose intervals start at ``starts``."""

    dag_id: str
    starts: tuple[datetime, ...]
    conf: Mapping[str, Any]
    reprocess: str
    at_once: int


def create_backfill(client: AirflowClient, wanted: Backfill) -> int:
    """Start a backfill and return its number.

    Raises
    ------
    InputError
        When a backfill of the DAG is running, or Airflow finds nothing to run.
    """
    body = {
        "dag_id": wanted.dag_id,
        "from_date": wanted.starts[0].isoformat(),
        "to_date": wanted.starts[-1].isoformat(),
        "max_active_runs": wanted.at_once,
        "reprocess_behavior": wanted.reprocess,
        "dag_run_conf": dict(wanted.conf),
    }
    try:
        return int(client.ask("POST", "/backfills", json=body)["id"])
    except AirflowError as error:
        if error.status == HTTPStatus.CONFLICT:
            number = running_backfill(client, wanted.dag_id)
            raise InputError(
                f"a backfill of {wanted.dag_id} is running already (number {number})",
                f"wait for it, or end it with `trading backfill --dag {wanted.dag_id} --cancel`",
            ) from None
        if error.status == HTTPStatus.UNPROCESSABLE_ENTITY:
            raise InputError(error.problem, "correct the dates or the parameters") from None
        raise


def running_backfill(client: AirflowClient, dag_id: str) -> int | None:
    """Return the number of the DAG's backfill that has not ended, None when there is none."""
    parameters = {"dag_id": dag_id, "order_by": "-id", "limit": PAGE}
    entries = client.ask("GET", "/backfills", params=parameters)["backfills"]
    return next((int(entry["id"]) for entry in entries if entry["completed_at"] is None), None)


def cancel_backfill(client: AirflowClient, number: int) -> None:
    """End a backfill: what is queued does not start, what runs goes on to its end."""
    client.ask("PUT", f"/backfills/{number}/cancel")


def runs_between(client: AirflowClient, dag_id: str, starts: Sequence[datetime]) -> dict[datetime, BackfillRun]:
    """Start of interval -> run, of all runs there are from the first to the last of ``starts``."""
    found: dict[datetime, BackfillRun] = {}
    seen = 0
    while True:
        parameters = {
            "logical_date_gte": starts[0].isoformat(),
            "logical_date_lte": starts[-1].isoformat(),
            "limit": PAGE,
            "offset": seen,
            "order_by": "logical_date",
        }
        page = client.ask("GET", f"/dags/{dag_id}/dagRuns", params=parameters)["dag_runs"]
        for entry in page:
            start = datetime.fromisoformat(entry["logical_date"])
            found[start] = BackfillRun(dag_id, str(entry["dag_run_id"]), str(entry["state"]), start)
        seen += len(page)
        if len(page) < PAGE:
            return {start: found[start] for start in starts if start in found}


def returned_by(client: AirflowClient, run: BackfillRun, task_id: str, key: str = "return_value") -> Any:
    """Return what a task of the run returned, None when it has not."""
    path = f"/dags/{run.dag_id}/dagRuns/{quote(run.run_id, safe='')}/taskInstances/{task_id}/xcomEntries/{key}"
    try:
        return client.ask("GET", path)["value"]
    except AirflowError as error:
        if error.status == HTTPStatus.NOT_FOUND:
            return None
        raise
