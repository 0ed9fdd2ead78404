"""Bootstrap before the first live session: load history, replay a warm-up of the book, track one backtest."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import date
from typing import Any

from trading_lib.adapters.stores.books.state_store import StateStore
from trading_lib.workflows.data import fetch as fetching
from trading_lib.workflows.data import tasks as market_data
from trading_lib.workflows.data.market import Market, market_from_store
from trading_lib.workflows.data.sources import market_store
from trading_lib.workflows.research import backtest as backtesting
from trading_lib.workflows.research.tracking import tracking_uri
from trading_lib.workflows.setup.settings import Settings, load_settings
from trading_lib.workflows.stages.plans import SessionPlan
from trading_lib.workflows.stages.xcom import plain
from trading_lib.workflows.trade import stop_checks
from trading_lib.workflows.trade.daily import trade_session

Progress = Callable[[str], None]

# A quarter of a year gives the book positions, fills and a curve before the first scheduled session.
WARM_UP_SESSIONS = 60
BACKTEST_SESSIONS = 5 * 252


def bootstrap(
    source: str,
    data: str | None,
    session: str,
    book: str,
    progress: Progress,
    settings: Settings | None = None,
    track_backtest: bool = True,
) -> dict[str, Any]:
    """Prepare a book for ``session``: everything up to the session before it.

    The same again changes nothing: stored bars stay, replayed sessions are recognised.
    """
    active = settings or load_settings()
    plan = market_data.plan(session, source, data, book, active)
    before = active.calendar.previous(plan.session)
    loaded = fetching.ingest_history(plan, active, before)
    progress(
        f"history of {plan.source_name}: {loaded['inserted']:,} bars new, {loaded['unchanged']:,} known, "
        f"{loaded['quarantined']} quarantined"
    )
    for note in loaded["notes"]:
        progress(f"  {note}")
    engine = active.engine()
    universe = active.configuration.universe
    market = market_from_store(market_store(active, engine), plan.source_name, universe, active.calendar, before)
    replayed = replay(plan, active, market, before, progress)
    result = {"plan": plain(plan), "bars": loaded["inserted"] + loaded["unchanged"], "replayed_sessions": replayed}
    return result | (_tracked_backtest(active, market, before, progress) if track_backtest else {})


def replay(plan: SessionPlan, settings: Settings, market: Market, last: date, progress: Progress) -> int:
    """Trade the book through the sessions it has not seen, at most a quarter of a year for a new one."""
    engine = settings.engine()
    latest = StateStore(engine).last_session(plan.book)
    if latest and latest >= last:
        return 0
    row = market.row(last)
    start = market.row(latest) + 1 if latest else max(0, row - WARM_UP_SESSIONS + 1)
    for at in range(start, row + 1):
        day: date = market.panel.sessions[at].item()
        if at > start or latest:
            stop_checks.replay_between(plan, settings, market, engine, market.panel.sessions[at - 1].item(), day)
        trade_session(replace(plan, session=day), settings, market, engine)
        if (at - start) % 10 == 9 or at == row:
            progress(f"book {plan.book}: {at - start + 1} of {row - start + 1} sessions replayed, to {day}")
    return row - start + 1


def _tracked_backtest(settings: Settings, market: Market, last: date, progress: Progress) -> dict[str, Any]:
    row = market.row(last)
    first: date = market.panel.sessions[max(0, row - BACKTEST_SESSIONS + 1)].item()
    run = backtesting.backtest_market(settings, market, first, last)
    address = tracking_uri(settings)
    run_id = backtesting.track(run, address) if address else None
    progress(f"backtest {run.report['from']} to {run.report['to']}: final value ${run.report['final_nav']:,.2f}")
    return {"backtest": run.report, "mlflow_run_id": run_id}
