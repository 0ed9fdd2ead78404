"""The command line: the same jobs as the DAGs, without Airflow.

Exit codes: 0 done, 1 ran and found a problem, 2 bad usage or input.
"""

from __future__ import annotations

import atexit
import gc
import logging
import os
import platform
import sys
import traceback
from datetime import UTC, datetime
from itertools import takewhile
from typing import Annotated, NoReturn

import typer
from typer.exceptions import TyperException

from trading_lib.adapters.logs.structured import written_to
from trading_lib.cli.book.approvals import app as approvals_app
from trading_lib.cli.book.books import app as books_app
from trading_lib.cli.book.explain import app as explain_app
from trading_lib.cli.book.trade import app as trade_app
from trading_lib.cli.book.trades import app as trades_app
from trading_lib.cli.learning.model import app as model_app
from trading_lib.cli.learning.prediction import app as prediction_app
from trading_lib.cli.learning.train import app as train_app
from trading_lib.cli.market.data import app as data_app
from trading_lib.cli.market.quality import app as quality_app
from trading_lib.cli.operations.alerts import app as alerts_app
from trading_lib.cli.operations.backup import app as backup_app
from trading_lib.cli.operations.configuration import app as configuration_app
from trading_lib.cli.operations.database import app as database_app
from trading_lib.cli.operations.heartbeat import app as heartbeat_app
from trading_lib.cli.operations.logs import app as logs_app
from trading_lib.cli.operations.notify import app as notify_app
from trading_lib.cli.operations.operations import app as operations_app
from trading_lib.cli.operations.restore_host import app as restore_host_app
from trading_lib.cli.operations.wal import app as wal_app
from trading_lib.cli.orders.arming import app as arming_app
from trading_lib.cli.orders.broker_simulator import app as broker_simulator_app
from trading_lib.cli.orders.kill_switch import app as kill_switch_app
from trading_lib.cli.orders.preflight import app as preflight_app
from trading_lib.cli.orders.reconciliation import app as reconciliation_app
from trading_lib.cli.orders.recovery import app as recovery_app
from trading_lib.cli.orders.simulate_orders import app as simulate_orders_app
from trading_lib.cli.orders.watching import app as orders_app
from trading_lib.cli.research.audit import app as audit_app
from trading_lib.cli.research.backfill import app as backfill_app
from trading_lib.cli.research.experiments import app as experiments_app
from trading_lib.cli.research.metrics import app as metrics_app
from trading_lib.cli.research.research import app as research_app
from trading_lib.cli.research.strategy import app as strategy_app
from trading_lib.cli.usage import give_each_once, report, usage_line
from trading_lib.domain.errors import FileTroubleError, TradingError
from trading_lib.workflows.trade.stage_log import log_error, start_log

LOG = logging.getLogger(__name__)
# New containers after which Python looks for cycles that nobody holds; its own 700 is for programs that start small.
GARBAGE_THRESHOLD = 50_000

app = typer.Typer(
    name="trading",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    help="Intelligent Trading System: backtest, paper-trade and operate a systematic portfolio.",
)
for group in (
    research_app,
    metrics_app,
    experiments_app,
    strategy_app,
    train_app,
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
    restore_host_app,
    configuration_app,
    notify_app,
    heartbeat_app,
    logs_app,
    broker_simulator_app,
    orders_app,
    reconciliation_app,
    recovery_app,
    arming_app,
    simulate_orders_app,
    kill_switch_app,
    preflight_app,
):
    app.registered_commands += group.registered_commands
    app.registered_groups += group.registered_groups
app.add_typer(database_app, name="db")
app.add_typer(backup_app, name="backup")
app.add_typer(alerts_app, name="alerts")
app.add_typer(wal_app, name="wal")
model_app.registered_commands += prediction_app.registered_commands
app.add_typer(model_app, name="model")


give_each_once(app)


def _version(asked: bool) -> None:
    if asked:
        from trading_lib.workflows.setup.code_version import code_version

        typer.echo(f"trading {code_version()} (Python {platform.python_version()})")
        raise typer.Exit


@app.callback()
def trading(
    version: Annotated[
        bool,
        typer.Option(
            "--version",
            help="Say which version this is, with the commit of a checkout.",
            callback=_version,
            is_eager=True,
        ),
    ] = False,
) -> None:
    """Intelligent Trading System: backtest, paper-trade and operate a systematic portfolio."""


def main(arguments: list[str] | None = None) -> None:
    """Run the command line; an error is one line on standard error and its exit code."""
    _use_memory_well()
    given = sys.argv[1:] if arguments is None else arguments
    as_json = "--json" in given
    # Reported at the end, and not beside an error, which may well have the same cause.
    lost: list[str] = []
    start_log(_run_name(given), say=lost.append)
    _say_when_compiling()
    try:
        code = app(given, prog_name="trading", standalone_mode=False)
    except TradingError as error:
        _fail(error, as_json)
    except TyperException as error:
        _usage_error(error, as_json, " ".join(["trading", *_command_words(given)]))
    except OSError as error:
        # A disk that is full, read-only or another user's can meet every command anywhere.
        if error.errno not in FileTroubleError.REMEDIES:
            _defect(error, as_json)
        _fail(FileTroubleError(error), as_json)
    except Exception as error:
        _defect(error, as_json)
    else:
        for line in lost:
            typer.echo(line, err=True)
        raise SystemExit(code if isinstance(code, int) else 0)


def _use_memory_well() -> None:
    """Modules and prices are many objects that stay: searching them for garbage took a third of a short backtest."""
    gc.set_threshold(GARBAGE_THRESHOLD)
    # Python searches all of them again as it ends, when the process gives back its memory anyway.
    atexit.register(gc.freeze)
    # Arrow's own pool gives little back: of a backtest on files it would keep sixty megabytes.
    os.environ.setdefault("ARROW_DEFAULT_MEMORY_POOL", "system")


def _fail(error: TradingError, as_json: bool) -> NoReturn:
    log_error(LOG, "the command failed", error)
    report(str(error), type(error).__name__, as_json)
    raise SystemExit(error.exit_code) from None


def _run_name(given: list[str]) -> str:
    """Name this run in the log: its command, the moment and the process."""
    return f"{'-'.join(_command_words(given)) or 'trading'}-{datetime.now(UTC):%Y%m%dT%H%M%S.%f}-{os.getpid()}"


def _command_words(given: list[str]) -> list[str]:
    return list(takewhile(lambda word: not word.startswith("-"), given))[:2]


def _usage_error(error: TyperException, as_json: bool, command: str) -> NoReturn:
    code = int(getattr(error, "exit_code", 1))
    if type(error).__name__ == "NoArgsIsHelpError":
        typer.echo(str(error))
        raise SystemExit(code) from None
    if isinstance(error, typer.Abort):
        report("stopped", "Abort", as_json)
        raise SystemExit(1) from None
    report(usage_line(error, command), "UsageError", as_json)
    raise SystemExit(code) from None


def _defect(error: Exception, as_json: bool) -> NoReturn:
    """Return a line for an unexpected error; its place is in the log."""
    log_error(LOG, "the command failed", error)
    where = written_to()
    if where is None:
        traceback.print_exception(error)
    hint = f"this is a defect of the program; where it happened stands in {where}" if where else "report this defect"
    report(f"{type(error).__name__}: {error}: {hint}", type(error).__name__, as_json)
    raise SystemExit(1) from None


def _say_when_compiling() -> None:
    """Let `domain.kernels`, which takes long to import, explain the one long wait on standard error."""
    log = logging.getLogger("trading_lib.domain.kernels")
    if not log.handlers:
        handler = logging.StreamHandler()
        handler.setFormatter(logging.Formatter("%(message)s"))
        log.addHandler(handler)
    log.setLevel(logging.INFO)
