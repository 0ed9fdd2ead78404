"""What a backfill is to run, checked before Airflow is asked for anything; what differs from the dates is said."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

from trading_lib.adapters.services.airflow.backfills import REPROCESS, Backfill
from trading_lib.domain.errors import InputError
from trading_lib.domain.market.sessions import parse_session
from trading_lib.workflows.setup.configuration import load_configuration
from trading_lib.workflows.setup.settings import Settings, configuration_folder

Progress = Callable[[str], None]

BACKTEST, MARKET_DATA = "backtest", "market_data"
DAGS = (BACKTEST, MARKET_DATA)


@dataclass(frozen=True, slots=True)
class Request:
    """What the user asked for, as typed.

    Attributes
    ----------
    data
        Folder of prices, None for the configured default.
    sleeves
        "trend=0.5,rotation=0.5", None for those of strategy.yaml.
    reprocess
        Which runs that exist already are run again: none, failed, completed.
    at_once
        Runs at the same time.
    """

    dag_id: str
    first: str
    last: str
    data: Path | None = None
    sleeves: str | None = None
    reprocess: str = "none"
    at_once: int = 2


def planned(request: Request, settings: Settings, progress: Progress) -> Backfill:
    """Check a request before Airflow is asked for anything.

    Raises
    ------
    InputError
        Naming what cannot be done.
    """
    if request.dag_id not in DAGS:
        raise InputError(f"there is no backfill of {request.dag_id!r}", f"use --dag {' or --dag '.join(DAGS)}")
    if request.reprocess not in REPROCESS:
        raise InputError(f"--reprocess {request.reprocess!r} is unknown", f"use one of {', '.join(REPROCESS)}")
    first, last = parse_session(request.first), parse_session(request.last)
    if first > last:
        raise InputError(f"--from {first} lies after --to {last}", "exchange them")
    conf: dict[str, Any] = {}
    if request.data is not None:
        folder = request.data.expanduser().resolve()
        if not folder.is_dir():
            problem = "is a file, not a folder" if folder.exists() else "does not exist"
            raise InputError(f"--data {folder} {problem}", "name a folder of CSV or Parquet files")
        conf["data"] = str(folder)
    if request.sleeves:
        if request.dag_id != BACKTEST:
            raise InputError("--sleeves is for --dag backtest: market data has no strategy", "leave it out")
        conf["sleeves"] = sleeves_from(request.sleeves)
    find = _years if request.dag_id == BACKTEST else _sessions
    starts = find(first, last, settings, progress)
    return Backfill(request.dag_id, starts, conf, request.reprocess, request.at_once)


def sleeves_from(text: str) -> dict[str, float]:
    """Read the option ``--sleeves``: names and shares that the configuration takes."""
    budgets: dict[str, float] = {}
    for part in text.split(","):
        name, _, share = part.partition("=")
        try:
            budgets[name.strip()] = float(share)
        except ValueError:
            raise InputError(f"--sleeves {part.strip()!r} is no NAME=SHARE", "e.g. trend=0.5,rotation=0.5") from None
    # The same check as in the run, which would fail a year at a time.
    folder, variables = configuration_folder(os.environ), dict(os.environ)
    load_configuration(folder, {**variables, "TRADING_STRATEGY__SLEEVES": str(budgets)})
    return budgets


def _years(first: date, last: date, settings: Settings, progress: Progress) -> tuple[datetime, ...]:
    """Find the starts of the years that the window touches and that are over."""
    now = settings.clock()
    years = [year for year in range(first.year, last.year + 1) if datetime(year + 1, 1, 1, tzinfo=UTC) < now]
    if not years:
        raise InputError(
            f"no year between {first} and {last} is over: a backfill of {BACKTEST} runs whole years",
            f"use `trading backtest --from {first} --to {last}`, or trigger the DAG with these dates",
        )
    if last.year > years[-1]:
        progress(f"{years[-1] + 1} is not over, so it is left out")
    if first > date(years[0], 1, 7) or last < date(years[-1], 12, 24):
        progress(f"runs are whole years: {years[0]}-01-01 to {years[-1]}-12-31")
    return tuple(datetime(year, 1, 1, tzinfo=UTC) for year in years)


def _sessions(first: date, last: date, settings: Settings, progress: Progress) -> tuple[datetime, ...]:
    """Find the starts of the intervals of the window's sessions whose data is out."""
    calendar = settings.calendar
    newest = calendar.latest_with_data(settings.clock())
    sessions = [day.item() for day in calendar.between(first, min(last, newest))] if first <= newest else []
    if not sessions:
        raise InputError(f"no session between {first} and {last} has its data yet", f"the newest is {newest}")
    if last > newest:
        progress(f"sessions after {newest} have no data yet, so they are left out")
    return tuple(calendar.data_time(calendar.previous(session)) for session in sessions)
