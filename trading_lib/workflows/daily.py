"""The whole day of one book without Airflow: the same functions the two DAGs call, in the same order."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from sqlalchemy import Engine

from trading_lib.workflows import market_data, trading
from trading_lib.workflows.book_run import BookRun
from trading_lib.workflows.market import Market
from trading_lib.workflows.settings import Settings

Progress = Callable[[str], None]


def run_daily(plan: market_data.Plan, settings: Settings, progress: Progress | None = None) -> dict[str, Any]:
    """Ingest, validate, compute factors and trade one session of one book."""
    say = progress or (lambda line: None)
    results: dict[str, Any] = {}
    for group in plan["groups"]:
        results[f"ingest {group}"] = market_data.ingest(plan, group, settings, say)
        say(f"ingest {group}: {results[f'ingest {group}']}")
    for task in (market_data.validate, market_data.factors):
        results[task.__name__] = task(plan, settings)
        say(f"{task.__name__}: {results[task.__name__]}")
    results |= trade_session(plan, settings, progress=progress)
    return results


def trade_session(
    plan: market_data.Plan,
    settings: Settings,
    market: Market | None = None,
    engine: Engine | None = None,
    progress: Progress | None = None,
) -> dict[str, Any]:
    """Run the trading tasks of one session on stored data; another session of the book waits until they are done.

    Parameters
    ----------
    market
        A market that is loaded already and reaches at least the session; replays of many sessions share one.
    """
    connected = engine or settings.engine()
    results: dict[str, Any] = {}
    try:
        run = BookRun.open(plan, settings, market, connected)
        with run.orders.session_lock(run.book.name):
            for task in trading.TRADE_TASKS:
                results[task.__name__] = task(plan, run)
                if progress:
                    progress(f"{task.__name__}: {results[task.__name__]}")
    finally:
        if engine is None:
            connected.dispose()
    return results
