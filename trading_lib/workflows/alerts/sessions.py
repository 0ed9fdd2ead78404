"""What a session tells a person: a risk level that changed, what is wrong with its data, that it failed, its summary.

Only news is told: replayed, backfilled and backtested sessions are nobody's business.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from datetime import date
from typing import TYPE_CHECKING

import numpy as np

from trading_lib.domain.book.books import BookKind
from trading_lib.domain.errors import TradingError
from trading_lib.monitoring.alert import Alert, AlertLevel, Picture
from trading_lib.workflows.operations.alerting import Place, is_set_up, raise_alert

if TYPE_CHECKING:
    from trading_lib.workflows.setup.settings import Settings
    from trading_lib.workflows.stages.plans import SessionPlan
    from trading_lib.workflows.trade.book_run import BookRun

LOG = logging.getLogger(__name__)
# A session is news until so many later ones have closed: a weekend's outage is made up for within them.
NEWS_SESSIONS = 3
LEVELS = {
    0: AlertLevel.INFO,
    1: AlertLevel.WARNING,
    2: AlertLevel.CRITICAL,
    3: AlertLevel.CRITICAL,
    4: AlertLevel.EMERGENCY,
}
ASKING_LEVEL = 3
MOST_LINES = 30


def is_news(session: date, settings: Settings) -> bool:
    """Whether a session is recent enough to tell a person of it."""
    newest = settings.calendar.latest_with_data(settings.clock())
    for _ in range(NEWS_SESSIONS):
        if session >= newest:
            return True
        newest = settings.calendar.previous(newest)
    return False


def tell_risk_level(run: BookRun, before: int, after: int, reasons: Sequence[str], day: date) -> None:
    """Tell of a risk level that changed; one that falls is good news."""
    if before == after or not _concerns_a_person(run, day):
        return
    level = LEVELS[after] if after > before else AlertLevel.INFO
    name = run.book.name
    text = [f"The risk level of book {name} went from {before} to {after}.", *reasons]
    if after >= ASKING_LEVEL and after > before:
        text.append("It may ask for an approval: trading approvals list")
    alert = Alert(
        level,
        f"risk level {after} in book {name}",
        "\n".join(text),
        source="trade_daily.risk",
        key=f"risk:{name}:{day}:{before}-{after}",
        session=day,
        book=name,
        once=True,
    )
    raise_alert(alert, run.settings)


def tell_stops(run: BookRun, reasons: Sequence[str], day: date) -> None:
    """Tell of stops that were broken on a day without a session."""
    if not reasons or not _concerns_a_person(run, run.session):
        return
    name = run.book.name
    alert = Alert(
        AlertLevel.WARNING,
        f"stops of book {name} were broken on {day}, a day without a session",
        "\n".join(reasons),
        source="stop_checks.check",
        key=f"stops:{name}:{day}",
        session=run.session,
        book=name,
        once=True,
    )
    raise_alert(alert, run.settings)


def tell_held(run: BookRun, lines: Sequence[str]) -> None:
    """Tell of orders that reduce risk and were held back: the book keeps what it has decided to sell."""
    if not lines or not _concerns_a_person(run, run.session):
        return
    name, session = run.book.name, run.session
    alert = Alert(
        AlertLevel.CRITICAL,
        f"{len(lines)} order{'s' * (len(lines) != 1)} of book {name} that reduce risk held back, not sent",
        "\n".join([*lines, f"Why, order by order: trading orders list --book {name} --session {session}"]),
        source="trade_daily.place",
        key=f"held:{name}:{session}",
        session=session,
        book=name,
    )
    raise_alert(alert, run.settings)


def tell_order(book: str, order: str, problem: str, settings: Settings) -> None:
    """Tell of an order at a broker that a person has to look at, once for each thing that is wrong with it."""
    alert = Alert(
        AlertLevel.CRITICAL,
        f"order {order} of book {book} needs a look",
        f"{problem}\nIts life, with the broker's own words: trading orders show {order}",
        source="order_watch",
        key=f"order:{order}:{problem}",
        book=book,
        once=True,
    )
    raise_alert(alert, settings)


def tell_findings(source: str, session: date, lines: Sequence[str], settings: Settings) -> None:
    """Tell what is wrong with a session's data, once a session; nothing where it is well."""
    if not lines or not is_news(session, settings):
        return
    rest = len(lines) - MOST_LINES
    shown = [*lines[:MOST_LINES], *([f"and {rest} more: trading data-report"] if rest > 0 else [])]
    alert = Alert(
        AlertLevel.WARNING,
        f"{len(lines)} finding{'s' * (len(lines) != 1)} in the data of session {session}",
        "\n".join([f"Source {source}:", *shown]),
        source="market_data.check_completeness",
        key=f"data:{source}:{session}",
        session=session,
        once=True,
    )
    raise_alert(alert, settings)


def tell_failure(plan: SessionPlan, error: Exception, settings: Settings) -> None:
    """Tell that a daily run outside Airflow failed; inside, the failed task does."""
    if not is_news(plan.session, settings):
        return
    text = str(error) if isinstance(error, TradingError) else f"{type(error).__name__}: {error}"
    alert = Alert(
        AlertLevel.CRITICAL,
        f"the daily run of book {plan.book} failed",
        f"Error: {text}\nWhere it happened: trading logs --book {plan.book} --level ERROR",
        source="run-daily",
        key=f"run-daily:{plan.book}:{plan.session}:failed",
        session=plan.session,
        book=plan.book,
    )
    raise_alert(alert, settings)


def send_summary(run: BookRun) -> None:
    """Send the summary of a session of a book with its pictures, once; a fault of it is no fault of the session."""
    if not _concerns_a_person(run, run.session):
        return
    from trading_lib.adapters.stores.operations.alert_store import AlertStore
    from trading_lib.workflows.trade.summary import render, session_summary

    name, session = run.book.name, run.session
    key = f"summary:{name}:{session}"
    try:
        place = Place.locate(run.settings)
        config = place.config()
        # Before it is drawn: a session that is run again costs nothing.
        if not config.alerts.daily_summary or AlertStore(run.settings.engine()).is_known(key):
            return
        text = render(session_summary(name, session.isoformat(), run.settings))
        worth = run.portfolio().nav
        alert = Alert(
            AlertLevel.INFO,
            f"book {name}, session {session}: ${float(worth):,.2f}",
            text,
            source="trade_daily.report",
            key=key,
            session=session,
            book=name,
            # The file that takes what no channel does shows none.
            pictures=_pictures(run) if is_set_up(config, place.variables) else (),
            once=True,
        )
    except Exception as error:
        LOG.warning("the summary of session %s could not be made: %s", session, type(error).__name__)
        return
    raise_alert(alert, run.settings)


def _concerns_a_person(run: BookRun, day: date) -> bool:
    return run.book.kind is not BookKind.BACKTEST and not run.market_was_given and is_news(day, run.settings)


def _pictures(run: BookRun) -> tuple[Picture, ...]:
    from trading_lib.performance.tear_sheet.charts import equity_chart, positions_chart

    history = [(at, nav) for at, nav in run.state.adjusted_nav_history(run.book.name) if at <= run.session]
    footer = f"book {run.book.name}, prices of {run.book.data_source}, costs included"
    found = []
    if len(history) > 1:
        sessions = np.array([at for at, _ in history], dtype="datetime64[D]")
        nav = np.array([nav for _, nav in history])
        title, levels = f"{run.book.name} until {run.session}", np.zeros(len(nav), dtype=np.int8)
        drawn = equity_chart(sessions, nav, levels, title, footer)
        found.append(Picture("equity", drawn))
    portfolio = run.portfolio()
    weights = {symbol: portfolio.weight(symbol) for symbol in portfolio.positions}
    if weights:
        found.append(Picture("positions", positions_chart(weights, f"Positions on {run.session}", footer)))
    return tuple(found)
