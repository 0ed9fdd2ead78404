"""The command line: the same jobs as the DAGs, without Airflow.

Exit codes: 0 done, 1 ran and found a problem, 2 bad usage or input.
"""

from __future__ import annotations

import json
import logging
import sys
from typing import NoReturn

import typer

from trading_lib.cli.approvals import app as approvals_app
from trading_lib.cli.audit import app as audit_app
from trading_lib.cli.backfill import app as backfill_app
from trading_lib.cli.books import app as books_app
from trading_lib.cli.data import app as data_app
from trading_lib.cli.database import app as database_app
from trading_lib.cli.experiments import app as experiments_app
from trading_lib.cli.explain import app as explain_app
from trading_lib.cli.operations import app as operations_app
from trading_lib.cli.quality import app as quality_app
from trading_lib.cli.research import app as research_app
from trading_lib.cli.trade import app as trade_app
from trading_lib.cli.trades import app as trades_app
from trading_lib.domain.errors import FileTroubleError, TradingError

app = typer.Typer(
    name="trading",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    help="Intelligent Trading System: backtest, paper-trade and operate a systematic portfolio.",
)
for group in (
    research_app,
    experiments_app,
    backfill_app,
    trade_app,
    books_app,
    trades_app,
    approvals_app,
    data_app,
    quality_app,
    audit_app,
    explain_app,
    operations_app,
):
    app.registered_commands += group.registered_commands
    app.registered_groups += group.registered_groups
app.add_typer(database_app, name="db")


def main(arguments: list[str] | None = None) -> None:
    """Run the command line; an error of ours is one line on standard error and its exit code."""
    given = sys.argv[1:] if arguments is None else arguments
    _say_when_compiling()
    try:
        app(given)
    except TradingError as error:
        _fail(error, given)
    except OSError as error:
        # A disk that is full, read-only or another user's can meet every command anywhere.
        if error.errno not in FileTroubleError.REMEDIES:
            raise
        _fail(FileTroubleError(error), given)


def _fail(error: TradingError, given: list[str]) -> NoReturn:
    if "--json" in given:
        typer.echo(json.dumps({"error": str(error), "kind": type(error).__name__}))
    typer.echo(f"error: {' '.join(str(error).split())}", err=True)
    raise SystemExit(error.exit_code) from None


def _say_when_compiling() -> None:
    """Let `domain.kernels`, which takes long to import, explain the one long wait on standard error."""
    log = logging.getLogger("trading_lib.domain.kernels")
    if not log.handlers:
        handler = logging.StreamHandler()
        handler.setFormatter(logging.Formatter("%(message)s"))
        log.addHandler(handler)
    log.setLevel(logging.INFO)
