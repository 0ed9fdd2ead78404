"""Commands that run the stack: ``demo``, ``stack up|down|status``, ``doctor``. Progress goes to standard error."""

from __future__ import annotations

import json
import os
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from trading_lib.cli.output import progress

if TYPE_CHECKING:
    from trading_lib.adapters.services.stack import Stack

app = typer.Typer(no_args_is_help=True)
stack_app = typer.Typer(no_args_is_help=True, help="Start, stop and describe PostgreSQL, MLflow and Airflow.")
app.add_typer(stack_app, name="stack")

JsonOption = Annotated[bool, typer.Option("--json", help="Print one JSON object instead of text.")]


@app.command()
def demo(
    data: Annotated[
        Path | None, typer.Option(help="Folder of CSV or Parquet prices; without it the default of sources.yaml.")
    ] = None,
    session: Annotated[
        str | None, typer.Option(help="Trading session as YYYY-MM-DD; the newest one without it.")
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Start everything, run one session through Airflow and show what was decided and why.

    Example: trading demo --data prices/ --session 2022-06-15
    """
    from trading_lib.adapters.services.folders import StackFolders
    from trading_lib.workflows.operations.demo import run_demo

    result = run_demo(StackFolders.locate(os.environ), data, session, progress, os.environ)
    typer.echo(json.dumps(result.as_dict(), indent=2, default=str) if as_json else result.render())


@stack_app.command("up")
def stack_up(as_json: JsonOption = False) -> None:
    """Start PostgreSQL, MLflow and Airflow, and wait until they are ready.

    Example: TRADING_AIRFLOW_PORT=8090 trading stack up
    """
    stack = _stack()
    if not stack.up():
        progress("the stack was running already; nothing was started")
    _show(stack, as_json)


@stack_app.command("down")
def stack_down(as_json: JsonOption = False) -> None:
    """Stop all of them; no process stays behind.

    Example: trading stack down
    """
    ended = _stack().down()
    if as_json:
        typer.echo(json.dumps({"processes_ended": ended}))
    elif not ended:
        typer.echo("nothing was running")


@stack_app.command("status")
def stack_status(as_json: JsonOption = False) -> None:
    """Show what runs where; exit code 1 unless everything is healthy.

    Example: trading stack status --json
    """
    if not _show(_stack(), as_json):
        raise typer.Exit(1)


@stack_app.command("pools")
def stack_pools(as_json: JsonOption = False) -> None:
    """Show the pools of airflow_settings.yaml; with --json as ``airflow pools import`` reads them.

    Example: trading stack pools --json > pools.json && airflow pools import pools.json
    """
    from trading_lib.adapters.services.airflow.settings import SETTINGS_FILE, pools_record, read_airflow_settings
    from trading_lib.adapters.services.folders import StackFolders

    pools = read_airflow_settings(StackFolders.locate(os.environ).project / SETTINGS_FILE).pools
    if as_json:
        typer.echo(json.dumps(pools_record(pools), indent=2))
        return
    for pool in pools:
        typer.echo(f"{pool.pool_name:<14} {pool.pool_slot:>3} slots  {pool.pool_description}")


@app.command()
def doctor(as_json: JsonOption = False) -> None:
    """Check interpreter, installed packages, ports, database, services and disk; exit code 1 if a check fails.

    Example: trading doctor --json
    """
    from trading_lib.workflows.operations.doctor import run_checks

    checks = run_checks(os.environ)
    failed = any(check.state == "failed" for check in checks)
    if as_json:
        typer.echo(json.dumps({"ok": not failed, "checks": [asdict(check) for check in checks]}, indent=2))
    else:
        for check in checks:
            remedy = f" - {check.remedy}" if check.remedy else ""
            typer.echo(f"{check.state:<8} {check.name:<18} {check.detail}{remedy}")
    if failed:
        raise typer.Exit(1)


def _stack() -> Stack:
    from trading_lib.adapters.services.folders import StackFolders
    from trading_lib.adapters.services.stack import Stack

    return Stack(StackFolders.locate(os.environ), os.environ, progress)


def _show(stack: Stack, as_json: bool) -> bool:
    """Print the status and return whether everything is healthy."""
    status = stack.status()
    if as_json:
        typer.echo(json.dumps(status.as_dict(), indent=2))
        return status.running
    for service in status.services:
        typer.echo(f"{service.name:<14} {service.state:<14} {service.describe()}".rstrip())
    if status.running:
        for name, (user, _) in (("Airflow", stack.login()), ("MLflow", stack.mlflow_login())):
            key = "admin_password" if name == "Airflow" else "mlflow_password"
            typer.echo(f"{name} login: user {user}, password under {key} in {stack.folders.credentials}")
    return status.running
