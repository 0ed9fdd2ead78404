"""A backfill through Airflow from the command line: check the request, start it, follow it, report each run.

Input is a window, optionally a folder of prices; the output is one record per run. Nothing is traded: the DAG backtest
opens no book, and backfilled market data is published to nobody.
"""

from __future__ import annotations

from collections.abc import Mapping, MutableMapping, Sequence
from datetime import datetime, timedelta
from typing import Any, TypeVar

from trading_lib.adapters.services.airflow.access import URL_VARIABLE, airflow_of_environment
from trading_lib.adapters.services.airflow.backfills import (
    Backfill,
    BackfillRun,
    cancel_backfill,
    create_backfill,
    returned_by,
    running_backfill,
    runs_between,
)
from trading_lib.adapters.services.airflow.rest import AirflowClient, AirflowError, DagRun
from trading_lib.adapters.services.stack import Stack
from trading_lib.adapters.services.waiting import Patience
from trading_lib.domain.errors import InputError
from trading_lib.workflows.dag_runs import notes
from trading_lib.workflows.dag_runs.backfill_request import BACKTEST, Progress, Request, planned
from trading_lib.workflows.dag_runs.reports import headline
from trading_lib.workflows.setup.settings import Settings, load_settings
from trading_lib.workflows.stages.catalogue import EARLIER_NAMES
from trading_lib.workflows.stages.plans import BacktestPlan, SessionPlan
from trading_lib.workflows.stages.research_results import BacktestFigures, LoggedRun
from trading_lib.workflows.stages.xcom import read

Record = dict[str, Any]
T = TypeVar("T")

LOOK_EVERY = Patience(limit=7 * 24 * 3600.0, interval=2.0)
# Airflow may be restarted meanwhile; it may be unreachable this many times in a row.
MOST_ABSENCES = 150


def run_backfill(
    request: Request, environment: MutableMapping[str, str], progress: Progress, patience: Patience = LOOK_EVERY
) -> Record:
    """Start the backfill, follow it to its end and return what each run found.

    Raises
    ------
    InputError
        When it cannot be started: nothing to run, another one running, no stack.
    """
    settings = load_settings(environment)
    backfill = planned(request, settings, progress)
    client = client_of(settings, environment, progress)
    before = runs_between(client, backfill.dag_id, backfill.starts)
    kept = [run for run in before.values() if not run.repeated_by(backfill.reprocess)]
    if len(kept) == len(backfill.starts):
        raise InputError(
            f"every run of {backfill.dag_id} from {_label(kept[0])} to {_label(kept[-1])} is there already"
            f" ({_counts(kept)}){_noted(kept[0])}",
            _remedy(kept),
        )
    for run in kept:
        progress(f"{backfill.dag_id} {_label(run)}: {run.state} already, not run again{_noted(run)}; {_remedy([run])}")
    client.unpause(backfill.dag_id)
    number = create_backfill(client, backfill)
    prices = f"the prices in {backfill.conf['data']}" if "data" in backfill.conf else "prices of the configured default"
    runs = len(backfill.starts) - len(kept)
    progress(f"backfill {number} of {backfill.dag_id}: {runs} runs on {prices}, at {client.url}/dags/{backfill.dag_id}")
    starts = [start for start in backfill.starts if start not in {run.start for run in kept}]
    try:
        finished = _followed(client, backfill, starts, progress, patience)
    except KeyboardInterrupt:
        progress(
            f"backfill {number} goes on; see {client.url}/dags/{backfill.dag_id},"
            f" or end it with: trading backfill --dag {backfill.dag_id} --cancel"
        )
        raise
    records = [_record(client, run, repeated=True) for run in finished]
    records += [_record(client, run, repeated=False) for run in kept]
    records.sort(key=lambda record: str(record["run_id"]))
    return {"backfill": number, "dag": backfill.dag_id, "runs": records}


def cancel(dag_id: str, environment: MutableMapping[str, str], progress: Progress) -> Record:
    """End the running backfill of a DAG: what runs goes on to its end, the rest does not start."""
    client = client_of(load_settings(environment), environment, progress)
    number = running_backfill(client, dag_id)
    if number is None:
        raise InputError(f"no backfill of {dag_id} is running", "there is nothing to cancel")
    cancel_backfill(client, number)
    return {"cancelled": number, "dag": dag_id}


def client_of(settings: Settings, environment: MutableMapping[str, str], progress: Progress) -> AirflowClient:
    """Return a client of the running stack, or of the Airflow that the environment names.

    Raises
    ------
    InputError
        When no Airflow answers.
    """
    if environment.get(URL_VARIABLE):
        client = airflow_of_environment(environment)
    elif not settings.folders.state.exists():
        raise InputError(f"no stack runs in {settings.folders.home}", "start it with `make up` (trading stack up)")
    else:
        client = Stack(settings.folders, environment, progress).airflow.client()
    if missing := client.missing_components():
        raise InputError(f"Airflow at {client.url} is not ready ({', '.join(missing)})", "see `trading stack status`")
    return client


def _followed(
    client: AirflowClient, backfill: Backfill, starts: Sequence[datetime], progress: Progress, patience: Patience
) -> list[BackfillRun]:
    """Wait until the runs are over, with a line whenever the state of one changes."""
    shown: dict[datetime, str] = {}
    absences = [0]

    def attempt() -> list[BackfillRun] | None:
        try:
            runs = runs_between(client, backfill.dag_id, starts)
        except AirflowError as error:
            absences[0] += 1
            if absences[0] == 1:
                progress(f"Airflow does not answer, waiting for it: {error.problem}")
            if absences[0] > MOST_ABSENCES:
                raise
            return None
        absences[0] = 0
        done = sum(run.finished for run in runs.values())
        for start, run in runs.items():
            if shown.get(start) != run.state and run.state != "queued":
                progress(f"{backfill.dag_id} {_label(run)}: {run.state} ({done} of {len(starts)} done)")
            shown[start] = run.state
        return list(runs.values()) if len(runs) == len(starts) == done else None

    runs = patience.wait_for(attempt)
    if runs is None:
        raise AirflowError(f"the backfill of {backfill.dag_id} did not end", f"see {client.url}/dags/{backfill.dag_id}")
    return runs


def _record(client: AirflowClient, run: BackfillRun, *, repeated: bool) -> Record:
    """Say what a run found; of a failed one, why it failed."""
    record: Record = {"run_id": run.run_id, "of": _label(run), "state": run.state, "ran_now": repeated}
    if run.state == "failed":
        tasks = client.task_instances(run.dag_id, run.run_id)
        failed = [task for task in tasks if task.state == "failed"]
        dag_run = DagRun(run.dag_id, run.run_id, run.state)
        reasons = [f"{task.label}: {client.error_of(dag_run, task, 3)}" for task in failed]
        return record | {"result": "; ".join(reasons) or "cancelled before it started", "url": None}
    try:
        return record | (_backtested(client, run) if run.dag_id == BACKTEST else _fetched(client, run))
    except InputError as error:
        # A run of another version: its result cannot be read; the others are reported.
        return record | {"result": str(error), "url": None}


def _backtested(client: AirflowClient, run: BackfillRun) -> Record:
    window = _left(client, run, BacktestPlan, "window")
    figures = _left(client, run, BacktestFigures, BACKTEST)
    logged = _left(client, run, LoggedRun, "mlflow_run")
    about = [notes.prices_line(window.prices, window.strategy)] if window else []
    return {
        "result": ", ".join([*about, headline(figures)] if figures else []),
        "url": logged.url if logged else None,
        "data_source": window.prices if window else None,
        "strategy": window.strategy if window else None,
    }


def _fetched(client: AirflowClient, run: BackfillRun) -> Record:
    plan = _left(client, run, SessionPlan, "plan", "plan")
    name = "check_completeness"
    check = returned_by(client, run, name) or returned_by(client, run, EARLIER_NAMES[name]) or {}
    bars = f"{check.get('bars')} bars, {check.get('warnings')} warnings, {check.get('severity')}"
    return {
        "result": ", ".join([*([notes.prices_line(plan.source_name)] if plan else []), bars]),
        "url": f"{client.url}/dags/{run.dag_id}/runs/{run.run_id}",
        "data_source": plan.source_name if plan else None,
    }


def _left(client: AirflowClient, run: BackfillRun, kind: type[T], task: str, key: str = "return_value") -> T | None:
    """Read what a task of a run left; None where it left nothing, or Airflow has deleted it since."""
    value = returned_by(client, run, task, key)
    return None if value is None else read(kind, value, task)


def _label(run: BackfillRun) -> str:
    """Name the year or the session that a run is about."""
    if run.dag_id == BACKTEST:
        return str(run.start.year)
    from trading_lib.domain.market.sessions import exchange_sessions

    calendar = exchange_sessions()
    return calendar.next(calendar.latest_with_data(run.start + timedelta(seconds=1))).isoformat()


def _counts(runs: Sequence[BackfillRun]) -> str:
    states = sorted({run.state for run in runs})
    return ", ".join(f"{sum(run.state == state for run in runs)} {state}" for state in states)


def _noted(run: BackfillRun) -> str:
    return f", on {run.note}" if run.note.startswith((notes.SIMULATED_WORDS, notes.PRICES_WORDS)) else ""


def _remedy(runs: Sequence[BackfillRun]) -> str:
    states = {run.state for run in runs}
    if not states <= {"success", "failed"}:
        return "wait until it has ended"
    return "--reprocess failed runs the failed ones again, --reprocess completed all of them"


def lines(result: Mapping[str, Any]) -> list[str]:
    """Lay the result out for a terminal: one line per run."""
    rows = []
    for record in result["runs"]:
        earlier = "" if record["ran_now"] else " (from before)"
        address = f"  {record['url']}" if record["url"] else ""
        rows.append(f"{record['of']:<12}{record['state']:<9}{record['result']}{earlier}{address}")
    failed = sum(record["state"] != "success" for record in result["runs"] if record["ran_now"])
    total = sum(record["ran_now"] for record in result["runs"])
    return [*rows, f"backfill {result['backfill']} of {result['dag']}: {total - failed} of {total} runs succeeded"]
