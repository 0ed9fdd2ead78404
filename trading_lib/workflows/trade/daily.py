"""The daily run of one book without Airflow: the functions of the two DAGs, in the same order."""

from __future__ import annotations

from collections.abc import Callable

from sqlalchemy import Engine

from trading_lib.adapters.stores.books.session_order import begun_session
from trading_lib.domain.errors import InputError
from trading_lib.workflows.alerts.sessions import tell_failure
from trading_lib.workflows.data import tasks as market_data
from trading_lib.workflows.data.market import Market
from trading_lib.workflows.setup.settings import Settings
from trading_lib.workflows.stages.catalogue import DATA_STAGES, TRADE_STAGES
from trading_lib.workflows.stages.plans import SessionPlan
from trading_lib.workflows.stages.results import StageResult
from trading_lib.workflows.trade.book_run import BookRun
from trading_lib.workflows.trade.broker_access import check_brokers

Progress = Callable[[str], None]


def run_daily(plan: SessionPlan, settings: Settings, progress: Progress | None = None) -> dict[str, StageResult]:
    """Ingest, validate, compute factors and trade one session of one book."""
    try:
        return _run(plan, settings, progress)
    except InputError:
        raise  # whoever typed it reads it
    except Exception as error:
        tell_failure(plan, error, settings)
        raise


def _run(plan: SessionPlan, settings: Settings, progress: Progress | None) -> dict[str, StageResult]:
    say = progress or (lambda line: None)
    check_brokers(plan.source_name, settings)
    results: dict[str, StageResult] = {}
    for group in plan.groups:
        results[f"ingest {group}"] = market_data.ingest(plan, group, settings, say)
        say(f"ingest {group}: {results[f'ingest {group}']}")
    for stage in DATA_STAGES:
        results[stage.name] = stage.load()(plan, settings)
        say(f"{stage.name}: {results[stage.name]}")
    results |= trade_session(plan, settings, progress=progress)
    return results


def trade_session(
    plan: SessionPlan,
    settings: Settings,
    market: Market | None = None,
    engine: Engine | None = None,
    progress: Progress | None = None,
) -> dict[str, StageResult]:
    """Run the trading tasks of one session on stored data; another session of the book waits until they are done.

    Of two sessions that are started at the same moment, the older one runs first.

    Parameters
    ----------
    market
        A market that is loaded already and reaches at least the session; replays of many sessions share one.
    """
    connected = engine or settings.engine()
    results: dict[str, StageResult] = {}
    try:
        with begun_session(connected, plan.book, plan.session):
            run = BookRun.open(plan, settings, market, connected)
            with run.orders.session_lock(run.book.name):
                for stage in TRADE_STAGES:
                    results[stage.name] = stage.load()(plan, run)
                    if progress:
                        progress(f"{stage.name}: {results[stage.name]}")
    finally:
        if engine is None:
            connected.dispose()
    return results
