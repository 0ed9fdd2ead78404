"""Runs of the past through Airflow: ``trading backfill``; and Airflow's own command: ``trading airflow``."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated

import typer

from trading_lib.cli.output import JSON_OPTION, progress, show
from trading_lib.domain.errors import InputError

app = typer.Typer()
INTERRUPTED = 130


@app.command()
def backfill(
    first: Annotated[str | None, typer.Option("--from", help="First day, YYYY-MM-DD.", show_default=False)] = None,
    last: Annotated[str | None, typer.Option("--to", help="Last day.", show_default=False)] = None,
    data: Annotated[
        Path | None,
        typer.Option("--data", help="Folder of prices; without it the default of sources.yaml.", show_default=False),
    ] = None,
    dag: Annotated[
        str, typer.Option("--dag", help="backtest: a run per year. market_data: a run per session.")
    ] = "backtest",
    sleeves: Annotated[
        str | None,
        typer.Option("--sleeves", help="For backtest, e.g. trend=0.5,rotation=0.5.", show_default=False),
    ] = None,
    reprocess: Annotated[
        str, typer.Option("--reprocess", help="Which runs that are there already run again: none, failed, completed.")
    ] = "none",
    at_once: Annotated[int, typer.Option("--at-once", min=1, help="How many runs at the same time.")] = 2,
    cancel: Annotated[bool, typer.Option("--cancel", help="End the running backfill of --dag instead.")] = False,
    as_json: Annotated[bool, JSON_OPTION] = False,
) -> None:
    """Run years of the past through Airflow, or fetch past sessions, and show what each run found.

    The stack must be up. Ctrl-C leaves the backfill running. Exit code 1 when a run failed.

    Example: trading backfill --from 2015-01-01 --to 2019-12-31 --data prices
    """
    from trading_lib.workflows.dag_runs import backfill as workflow
    from trading_lib.workflows.dag_runs.backfill_request import Request

    if cancel:
        show(workflow.cancel(dag, os.environ, progress), as_json)
        return
    if first is None or last is None:
        raise InputError("a backfill needs --from and --to", "e.g. --from 2015-01-01 --to 2019-12-31")
    request = Request(dag, first, last, data, sleeves, reprocess, at_once)
    try:
        result = workflow.run_backfill(request, os.environ, progress)
    except KeyboardInterrupt:
        raise typer.Exit(INTERRUPTED) from None
    show(result, as_json, workflow.lines(result))
    if any(run["state"] != "success" for run in result["runs"] if run["ran_now"]):
        raise typer.Exit(1)


@app.command(
    "airflow",
    # What follows Airflow's first word is Airflow's, --help included.
    context_settings={"allow_extra_args": True, "ignore_unknown_options": True, "allow_interspersed_args": False},
)
def airflow(context: typer.Context) -> None:
    """Run Airflow's own command on this stack: its database, folders and keys are set for it.

    Where commands of ours take --json, most of Airflow's take --output json.

    Example: trading airflow dags list-runs backtest
    """
    from trading_lib.adapters.services.folders import StackFolders
    from trading_lib.adapters.services.stack import Stack

    Stack(StackFolders.locate(os.environ), os.environ, progress).replace_by_airflow(context.args)
