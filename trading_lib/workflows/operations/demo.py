"""The demonstration: bring the stack up, load history, run one session through Airflow, show what was decided.

Inputs are an optional folder of prices and an optional session; the output is the session's summary. Everything
runs on the real parts, and a second time it finds its own results and changes nothing.
"""

from __future__ import annotations

import re
from collections.abc import Callable, MutableMapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from trading_lib.adapters.services.airflow.follow import (
    RUN_PATIENCE,
    TRIGGER_PATIENCE,
    follow,
    require_success,
    wait_for_triggered,
)
from trading_lib.adapters.services.airflow.rest import AirflowClient, DagRun
from trading_lib.adapters.services.folders import StackFolders
from trading_lib.adapters.services.stack import Stack
from trading_lib.workflows.data import tasks as market_data
from trading_lib.workflows.data.ingest import newest_session
from trading_lib.workflows.operations import bootstrap as history
from trading_lib.workflows.operations import database
from trading_lib.workflows.research import tracking
from trading_lib.workflows.setup.settings import load_settings
from trading_lib.workflows.setup.source_choice import FILES, choose_source
from trading_lib.workflows.stages.plans import SessionPlan
from trading_lib.workflows.trade import summary

Progress = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class DemoSummary:
    """What the demonstration shows.

    Attributes
    ----------
    session_summary
        What `trading_lib.workflows.trade.summary.session_summary` returned.
    runs
        The DAG runs, in order.
    addresses
        Service -> address of its user interface.
    login, mlflow_login
        User and password of Airflow and of MLflow.
    """

    session_summary: dict[str, Any]
    runs: tuple[DagRun, ...]
    addresses: dict[str, str]
    login: tuple[str, str]
    mlflow_login: tuple[str, str]

    def render(self) -> str:
        """Return the summary as text for a terminal."""
        (user, password), (mlflow_user, mlflow_password) = self.login, self.mlflow_login
        lines = [
            summary.render(self.session_summary).rstrip(),
            "",
            f"Airflow  {self.addresses['airflow']}   user {user}, password {password}",
            f"MLflow   {self.addresses['mlflow']}   user {mlflow_user}, password {mlflow_password}",
            f"         all backtests: {self.addresses['mlflow_runs']}",
            "Everything keeps running; stop it with: make down",
        ]
        return "\n".join(lines)

    def as_dict(self) -> dict[str, Any]:
        """Return the summary as JSON-able values."""
        user, password = self.login
        return {
            "summary": self.session_summary,
            "dag_runs": [{"dag_id": run.dag_id, "run_id": run.run_id, "state": run.state} for run in self.runs],
            "addresses": self.addresses,
            "login": {"user": user, "password": password},
            "mlflow_login": {"user": self.mlflow_login[0], "password": self.mlflow_login[1]},
        }


def run_demo(
    folders: StackFolders,
    data: Path | None,
    session: str | None,
    progress: Progress,
    environment: MutableMapping[str, str],
) -> DemoSummary:
    """Run the demonstration; the stack stays up afterwards.

    Parameters
    ----------
    data
        Folder of prices; None for the simulated market.
    session
        ``YYYY-MM-DD``; None for the newest session there are prices for.
    environment
        The process's own environment. The addresses of the started services are put into it, because the
        workflows called here find database and MLflow there, as they do inside an Airflow task.

    Raises
    ------
    InputError
        For unusable input, before anything is started.
    RunFailedError
        When a DAG run failed; the failed task and the end of its log went to ``progress``.
    """
    settings = load_settings(environment)
    chosen = choose_source(None, data.expanduser().resolve() if data is not None else None, settings)
    kind, folder, book = chosen.kind, chosen.folder, _book_for(chosen.folder, session)
    day = session or newest_session(kind, folder, settings).isoformat()
    plan = market_data.plan(day, kind, str(folder) if folder else None, book, settings)

    stack = Stack(folders, environment, progress)
    urls = stack.start_database()
    # MLflow's links would end up among the lines of the summary, or in the middle of its JSON.
    environment.update(stack.local_addresses(urls), MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT="true")
    progress(f"database schema: revision {database.upgrade()}")
    if not stack.start_services(urls):
        progress("the stack is running already")
    stack.wait_for_mlflow()
    history.bootstrap(plan.source, plan.data, plan.session.isoformat(), plan.book, progress)
    stack.wait_healthy()

    client = stack.airflow.client()
    runs = _run_session(client, plan, settings.clock(), progress)
    return DemoSummary(
        session_summary=summary.session_summary(plan.book, plan.session.isoformat()),
        runs=runs,
        addresses={
            "airflow": stack.airflow.url,
            "mlflow": stack.mlflow.url,
            "mlflow_runs": tracking.runs_address(stack.mlflow.url),
        },
        login=stack.login(),
        mlflow_login=stack.mlflow_login(),
    )


def _run_session(client: AirflowClient, plan: SessionPlan, now: datetime, progress: Progress) -> tuple[DagRun, ...]:
    """Run both DAGs for the planned session; each has a run id of its own, so that a repetition is visible."""
    for dag_id in ("market_data", "trade_daily"):
        client.unpause(dag_id)
    conf = dict(market_data.publish(plan))
    run_id = f"demo__{plan.session}__{now:%Y%m%dT%H%M%S%f}"
    progress(f"Airflow: running session {plan.session} of book {plan.book}")
    ingested = follow(client, client.trigger("market_data", conf, run_id), progress, RUN_PATIENCE)
    require_success(client, ingested, progress)
    traded = wait_for_triggered(client, ingested, "trade_daily", TRIGGER_PATIENCE, progress)
    traded = follow(client, traded, progress, RUN_PATIENCE)
    require_success(client, traded, progress)
    return ingested, traded


def _book_for(folder: Path | None, session: str | None) -> str:
    """Name the demo's book: sources never mix, and a session asked for by date gets a book of its own.

    A book only moves forward; without the date in its name an earlier session could not be shown after a later one.
    """
    origin = re.sub(r"[^a-z0-9]+", "-", folder.name.lower()).strip("-") or FILES if folder else ""
    return "-".join(part for part in ("demo", origin, session or "") if part)
