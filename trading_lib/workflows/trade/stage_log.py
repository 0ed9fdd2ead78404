"""Logging of the stages: the start and the end of each, with its book, session and run.

The command line starts the log itself. In a task of Airflow the first stage starts it. As a library nothing is written:
records go to Python's logging, and whoever embeds this decides what becomes of them.
"""

from __future__ import annotations

import inspect
import logging
import os
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import fields, is_dataclass
from datetime import date
from functools import wraps
from pathlib import Path
from typing import TYPE_CHECKING, Any, ParamSpec, TypeVar

from trading_lib.adapters.logs.structured import JsonLog, is_running, log_context, start
from trading_lib.adapters.services.folders import StackFolders
from trading_lib.domain.errors import TradingError

if TYPE_CHECKING:
    from trading_lib.adapters.logs.config import LogConfig

P = ParamSpec("P")
R = TypeVar("R")

LOG = logging.getLogger(__name__)
# Longest text of a result that a line repeats; long ones stand in the database.
LONGEST_VALUE = 120
# Marks an error that stands in the log already.
LOGGED = "_trading_logged"
SUBJECT = ("book", "session")
# Fields of a long report that a line shows.
HEADLINES = ("data_source", "from", "to", "sessions", "final_nav", "sharpe", "max_drawdown", "orders", "passed")


def start_log(
    run: str, environment: Mapping[str, str] | None = None, say: Callable[[str], None] | None = None, **context: str
) -> None:
    """Let everything that is logged from now on go to ``logs/trading.jsonl`` below the home folder.

    Parameters
    ----------
    say
        Told in one line when that cannot be written; standard error by default.
    """
    variables = dict(os.environ if environment is None else environment)
    try:
        home = StackFolders.locate(variables).home
    except TradingError:
        return  # whatever the command does says so itself
    about, secrets = {"run": run, **context}, home / "credentials.json"
    start(JsonLog(home / "logs", lambda: _config(variables), about, secrets, say or _tell))


def _tell(line: str) -> None:
    print(line, file=sys.stderr)


def _config(environment: Mapping[str, str]) -> LogConfig:
    """Return logging.yaml; the built-in values where it is absent, and with a warning where it is broken."""
    from trading_lib.adapters.files.include_folder import include_folder
    from trading_lib.adapters.logs.config import LogConfig
    from trading_lib.workflows.setup.configuration_file import load_file

    named = environment.get("TRADING_CONFIG")
    path = (Path(named).expanduser() if named else include_folder() / "config") / "logging.yaml"
    if not path.exists():
        return LogConfig()
    try:
        return load_file(path, LogConfig, environment)
    except TradingError as error:
        print(f"warning: {' '.join(str(error).split())}; logging as if it were absent", file=sys.stderr)
        return LogConfig()


@contextmanager
def stage_log(name: str, plan: Mapping[str, Any] | None = None, log: logging.Logger = LOG) -> Iterator[dict[str, Any]]:
    """Log the beginning and the end of a stage, and bind what it is about to every line between.

    Parameters
    ----------
    plan
        Names ``book`` and ``session`` where there are any.
    log
        Whose lines these are.

    Yields
    ------
    A dictionary for the counts that the last line says.
    """
    in_airflow = _airflow_context()
    if in_airflow and not is_running():
        start_log(in_airflow["run"])
    bound = {key: str(plan[key]) for key in SUBJECT if plan and plan.get(key)}
    counts: dict[str, Any] = {}
    with log_context(stage=name, **in_airflow, **bound):
        began = time.perf_counter()
        log.info("%s begins", name)
        try:
            yield counts
        except Exception as error:
            _log_failure(log, name, error, time.perf_counter() - began)
            raise
        took = time.perf_counter() - began
        said = {key: value for key, value in counts.items() if bound.get(key) != str(value)}
        log.info("%s done in %.2f s%s", name, took, _words(said), extra={"duration_s": round(took, 3), **_fields(said)})


def stands_in_log(error: Exception) -> bool:
    """Whether a stage has logged this error already."""
    return bool(getattr(error, LOGGED, False))


def log_error(log: logging.Logger, what: str, error: Exception, **fields: Any) -> None:
    """Log an error once, however many stages it passes on its way; where a defect happened is logged with it."""
    expected = isinstance(error, TradingError)
    if stands_in_log(error):
        log.info("%s", what, extra=fields)
        return
    with suppress(AttributeError):
        setattr(error, LOGGED, True)
    text = str(error) if expected else f"{type(error).__name__}: {error}"
    # A file name that is no text must not break whoever shows the line.
    text = text.encode(errors="backslashreplace").decode()
    fields |= {"exception": type(error).__name__}
    log.error("%s: %s", what, text, extra=fields, exc_info=None if expected else error)


def _log_failure(log: logging.Logger, name: str, error: Exception, took: float) -> None:
    log_error(log, f"{name} failed after {took:.2f} s", error, duration_s=round(took, 3))


def logged(name: str) -> Callable[[Callable[P, R]], Callable[P, R]]:
    """Log a function as a stage: its arguments say book and session, the figures of its result are the counts."""

    def decorate(function: Callable[P, R]) -> Callable[P, R]:
        described, log = inspect.signature(function), logging.getLogger(function.__module__)

        @wraps(function)
        def run(*args: P.args, **kwargs: P.kwargs) -> R:
            with stage_log(name, _subject(described, args, kwargs), log) as counts:
                result = function(*args, **kwargs)
                counts.update(_figures(result))
            return result

        return run

    return decorate


def _subject(described: inspect.Signature, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> dict[str, str]:
    """Find book and session among the arguments: a plan's, those of a record, or their own."""
    subject: dict[str, str] = {}
    given = described.bind_partial(*args, **kwargs).arguments
    for key in SUBJECT:
        inside = (v.get(key) if isinstance(v, Mapping) else getattr(v, key, None) for v in given.values())
        named = [value for value in (given.get(key), *inside) if isinstance(value, str | date)]
        if named:
            subject[key] = str(named[0])
    return subject


def _figures(result: Any) -> dict[str, Any]:
    """Return what a line can say of a result: its short values, and how many its collections hold."""
    report = getattr(result, "report", None)
    if isinstance(report, Mapping):
        return _figures({name: report[name] for name in HEADLINES if name in report})
    if is_dataclass(result) and not isinstance(result, type):
        return _figures({field.name: getattr(result, field.name) for field in fields(result)})
    if not isinstance(result, Mapping):
        return {"items": len(result)} if isinstance(result, list | tuple) else {}
    figures: dict[str, Any] = {}
    for key, value in result.items():
        if isinstance(value, bool | int | float) or (isinstance(value, str) and len(value) <= LONGEST_VALUE):
            figures[str(key)] = value
        elif isinstance(value, list | tuple | dict):
            figures[str(key)] = len(value)
    return figures


def _words(fields: Mapping[str, Any]) -> str:
    text = ", ".join(f"{n} {v:.6g}" if isinstance(v, float) else f"{n} {v}" for n, v in fields.items())
    return f": {text}" if text else ""


def _fields(values: Mapping[str, Any]) -> dict[str, Any]:
    """One field, so that no count can take the name of something else in the record."""
    return {"details": dict(values)} if values else {}


def _airflow_context() -> dict[str, str]:
    """Return the run and the task of Airflow that this process works for; nothing outside Airflow."""
    run = os.environ.get("AIRFLOW_CTX_DAG_RUN_ID")
    if not run:
        return {}
    context = {"run": run, "dag": os.environ.get("AIRFLOW_CTX_DAG_ID"), "task": os.environ.get("AIRFLOW_CTX_TASK_ID")}
    return {name: value for name, value in context.items() if value}
