"""Backfills and their runs, through Airflow's REST interface."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from http import HTTPStatus
from typing import Any
from urllib.parse import quote

from trading_lib.adapters.services.airflow.rest import FINISHED_RUN_STATES, AirflowClient, AirflowError
from trading_lib.adapters.services.waiting import Patience
from trading_lib.domain.errors import InputError

PAGE = 100
CLOSING = Patience(limit=60.0, interval=3.0)
# Airflow's word for which runs of the past are run again.
REPROCESS = ("none", "failed", "completed")


@dataclass(frozen=True, slots=True)
class BackfillRun:
    """A run of a DAG for one data interval; ``state`` is Airflow's, e.g. queued, running, success, failed.

    ``note`` is the first line of what it says of itself in the grid, "" when it says nothing.
    """

    dag_id: str
    run_id: str
    state: str
    start: datetime
    note: str = ""

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


def create_backfill(client: AirflowClient, backfill: Backfill, patience: Patience = CLOSING) -> int:
    """Start a backfill and return its number.

    Airflow calls a backfill running for up to half a minute after its last run has ended; that is waited for.

    Raises
    ------
    InputError
        When a backfill of the DAG is running, or Airflow finds nothing to run.
    """
    body = {
        "dag_id": backfill.dag_id,
        "from_date": backfill.starts[0].isoformat(),
        "to_date": backfill.starts[-1].isoformat(),
        "max_active_runs": backfill.at_once,
        "reprocess_behavior": backfill.reprocess,
        "dag_run_conf": dict(backfill.conf),
    }

    def attempt() -> int | None:
        try:
            return int(client.ask("POST", "/backfills", json=body)["id"])
        except AirflowError as error:
            if error.status == HTTPStatus.UNPROCESSABLE_ENTITY:
                raise InputError(error.problem, "correct the dates or the parameters") from None
            if error.status != HTTPStatus.CONFLICT:
                raise
            if _works(client, backfill.dag_id):
                raise _busy(client, backfill.dag_id) from None
            return None

    number = patience.wait_for(attempt)
    if number is None:
        raise _busy(client, backfill.dag_id)
    return number


def _works(client: AirflowClient, dag_id: str) -> bool:
    """Whether a backfill of the DAG has runs that have not ended."""
    parameters = {"run_type": "backfill", "state": ["queued", "running"], "limit": 1}
    return bool(client.ask("GET", f"/dags/{dag_id}/dagRuns", params=parameters)["dag_runs"])


def _busy(client: AirflowClient, dag_id: str) -> InputError:
    return InputError(
        f"a backfill of {dag_id} is running already (number {running_backfill(client, dag_id)})",
        f"wait for it, or end it with `trading backfill --dag {dag_id} --cancel`",
    )


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
    runs: dict[datetime, BackfillRun] = {}
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
            note = str(entry.get("note") or "").partition("\n")[0]
            runs[start] = BackfillRun(dag_id, str(entry["dag_run_id"]), str(entry["state"]), start, note)
        seen += len(page)
        if len(page) < PAGE:
            return {start: runs[start] for start in starts if start in runs}


def returned_by(client: AirflowClient, run: BackfillRun, task_id: str, key: str = "return_value") -> Any:
    """Return what a task of the run returned, None when it has not."""
    path = f"/dags/{run.dag_id}/dagRuns/{quote(run.run_id, safe='')}/taskInstances/{task_id}/xcomEntries/{key}"
    try:
        return client.ask("GET", path)["value"]
    except AirflowError as error:
        if error.status == HTTPStatus.NOT_FOUND:
            return None
        raise
