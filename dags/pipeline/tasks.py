"""What the tasks of all DAGs share: known parameters only, and our errors as one line; defaults.py has the rest.

Airflow logs a traceback of whatever a task raises, apart from `SystemExit`. So an error of ours, whose text says what
is wrong and what to do, is logged as that one line and ends the task like a command: with an exit code. Anything else
is a fault of the program and keeps its traceback.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from functools import wraps
from typing import Any, TypeVar, cast

from trading_lib.domain.errors import BrokerUnavailableError, SourceError, StorageUnavailableError, TradingError
from trading_lib.workflows.dag_runs.parameters import check_known
from trading_lib.workflows.stages.plans import SessionPlan
from trading_lib.workflows.stages.xcom import read
from trading_lib.workflows.trade.stage_log import stands_in_log

LOG = logging.getLogger(__name__)
Function = TypeVar("Function", bound=Callable[..., Any])
T = TypeVar("T")


class TaskEnded(SystemExit):
    """A task ended by an error of ours, which is the cause; the text is the error's."""

    exit_code = 1

    def __init__(self, line: str) -> None:
        super().__init__(self.exit_code)
        self.line = line

    def __str__(self) -> str:
        return self.line


class Refused(TaskEnded):
    """The same again would end the same."""

    exit_code = 2


class TryAgain(TaskEnded):
    """Something was away that usually comes back: the database, MLflow, Airflow itself, a vendor, a broker."""

    exit_code = 75


def plainly(function: Function) -> Function:
    """Let a task end with one line when it raises an error of ours; see the module."""

    @wraps(function)
    def run(*arguments: Any, **named: Any) -> Any:
        try:
            return function(*arguments, **named)
        except Exception as error:
            kind = _ending(error)
            if kind is None:
                raise
            line = " ".join(str(error).split())
            if not stands_in_log(error):
                LOG.error("%s", line)
            raise kind(line) from error

    return cast(Function, run)


def _ending(error: Exception) -> type[TaskEnded] | None:
    from sqlalchemy.exc import InterfaceError, OperationalError

    from trading_lib.adapters.services.airflow.rest import AirflowError

    away = StorageUnavailableError | BrokerUnavailableError | AirflowError | OperationalError | InterfaceError
    if isinstance(error, away):
        return TryAgain
    if isinstance(error, SourceError) and error.transient:
        return TryAgain
    return Refused if isinstance(error, TradingError) else None


@plainly
def known_parameters_only(context: Any) -> None:
    """Refuse a run whose configuration has a key that the DAG does not have."""
    check_known(context["dag_run"].conf or {}, context["dag"].params)


@plainly
def back_up_state(ti: Any = None) -> dict[str, Any]:
    """Back up the state of the book that traded. What goes wrong is an alert: the session itself stands."""
    from trading_lib.workflows.backups import jobs

    return jobs.state_after_trade(session_plan(ti).book)


def left_by(ti: Any, kind: type[T], task_id: str, key: str = "return_value") -> T:
    """Read what an earlier task of the run left; asked for here, so that the graph shows the order alone."""
    return read(kind, ti.xcom_pull(task_ids=task_id, key=key), task_id)


def session_plan(ti: Any, key: str = "return_value") -> SessionPlan:
    """Read what the task plan of a daily run settled."""
    return left_by(ti, SessionPlan, "plan", key)
