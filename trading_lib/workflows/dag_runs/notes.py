"""The note of a run in Airflow's grid: its prices and its result."""

from __future__ import annotations

import logging
import os
from urllib.parse import quote

from trading_lib.adapters.services.airflow.access import airflow_of_environment
from trading_lib.adapters.services.airflow.rest import AirflowClient, AirflowError
from trading_lib.domain.errors import ConfigurationError
from trading_lib.workflows.setup.source_choice import SIMULATED
from trading_lib.workflows.stages.plans import BacktestPlan, ChunkPlan, SessionPlan

LOG = logging.getLogger(__name__)
# Airflow's own limit.
NOTE_LENGTH = 1000
SIMULATED_WORDS, PRICES_WORDS = "SIMULATED prices", "Prices of "


def prices_line(source: str, *about: str) -> str:
    """Say what a run works on, simulated prices in capitals: "SIMULATED prices, session 2022-06-15, book demo"."""
    return ", ".join([SIMULATED_WORDS if source == SIMULATED else f"{PRICES_WORDS}{source}", *about])


def about_session(plan: SessionPlan, *, book: bool) -> str:
    """Say which session of whose prices a run works on, and of which book where it works on one."""
    parts = [f"session {plan.session}", *([f"book {plan.book}"] if book else [])]
    return prices_line(plan.source_name, *parts)


def about_window(plan: BacktestPlan | ChunkPlan) -> str:
    """Say which window of whose prices a run of research works on, and with which strategy where it has only one."""
    strategy = [plan.strategy] if isinstance(plan, BacktestPlan) else []
    return prices_line(plan.prices, f"{plan.first} to {plan.last}", *strategy)


def note_run(dag_id: str, run_id: str, *lines: str, client: AirflowClient | None = None) -> None:
    """Write the lines into the note of a run; a note that the operator wrote stays.

    A missing note does not invalidate a run: when Airflow cannot be reached, this is logged and the run goes on.
    """
    path = f"/dags/{dag_id}/dagRuns/{quote(run_id, safe='')}"
    try:
        airflow = client or airflow_of_environment(os.environ)
        before = airflow.ask("GET", path).get("note")
        if before and not str(before).startswith((SIMULATED_WORDS, PRICES_WORDS)):
            return
        airflow.ask("PATCH", path, json={"note": "\n".join(lines)[:NOTE_LENGTH]})
    except (AirflowError, ConfigurationError) as error:
        LOG.warning("the run has no note: %s", error)
