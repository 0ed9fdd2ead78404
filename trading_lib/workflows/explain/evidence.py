"""Gather what a decided session rested on: from a book's stored stages, or by a backtest up to that session."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from pathlib import Path

from trading_lib.adapters.stores.books.book_store import BookStore
from trading_lib.decision import Decision
from trading_lib.domain.book.orders import Fill, OrderStatus
from trading_lib.domain.errors import InputError, SessionError
from trading_lib.orders.generate import OrderBatch
from trading_lib.risk.levels.resolution import ToldSession, with_resolutions
from trading_lib.session.step import SessionOutcome, trade_session, trade_sessions
from trading_lib.session.window import window_rows
from trading_lib.workflows.data.market import market_from_source, market_from_store, session_input
from trading_lib.workflows.data.sources import market_store
from trading_lib.workflows.explain.symbol import Evidence, Section, explain_symbol
from trading_lib.workflows.setup.settings import Settings
from trading_lib.workflows.setup.source_choice import FILES, research_source
from trading_lib.workflows.stages.plans import SessionPlan
from trading_lib.workflows.trade.book_run import BookRun
from trading_lib.workflows.trade.stage_records import signals_from, targets_from

# A backtest for one session begins after a year of history.
YEAR = 252


def explain(
    settings: Settings,
    session: date,
    symbol: str,
    book: str | None = None,
    data: Path | None = None,
    first: date | None = None,
) -> Section:
    """Explain one asset in one session.

    Parameters
    ----------
    book
        Reads the book's stored decision and changes nothing. Otherwise a backtest on ``data``, or on the simulated
        market, decides the session.
    first
        First session of that backtest, default a year after the data begins.

    Raises
    ------
    InputError
        When there is no such session, asset, book or decision.
    """
    settings.configuration.universe[symbol]  # an unknown symbol is named before anything is loaded
    settings.calendar.position(session)
    if book is not None:
        if data is not None or first is not None:
            raise InputError("--book reads a stored decision", "leave out --data and --from, or --book")
        return explain_symbol(stored_evidence(settings, session, book), symbol)
    return explain_symbol(recomputed_evidence(settings, session, data, first), symbol)


def stored_evidence(settings: Settings, session: date, name: str) -> Evidence:
    """Read a book's decision back, with the market as it was known at its time."""
    engine = settings.engine()
    book = BookStore(engine).book(name)
    store, universe = market_store(settings, engine), settings.configuration.universe
    market = market_from_store(store, book.data_source, universe, settings.calendar, session)
    kind = FILES if book.data_folder else book.data_source
    plan = SessionPlan(session=session, source=kind, source_name=book.data_source, data=book.data_folder, book=name)
    run = BookRun(settings, plan, session, book, market, engine)
    decided = run.state.decision(name, session)
    if decided is None:
        newest = run.state.last_session(name)
        newest_decision = f"its newest decision is of {newest}" if newest else "it has decided none"
        raise InputError(
            f"book {name} has not decided session {session}", f"{newest_decision}; see `trading run-daily`"
        )
    if list(decided.payload["symbols"]) != list(universe.symbols):
        raise InputError(
            f"the universe has changed since book {name} decided {session}", "explain it with the universe of that time"
        )
    regime, panel = signals_from(run.stage("signals"))
    orders = run.orders.orders(name, session=session)
    sent = {order.client_order_id for order, _ in orders}
    by_id = {order.client_order_id: order for order, _ in orders}
    identities = [identity for identity in run.stage("orders")["client_order_ids"] if identity in sent]
    batch = OrderBatch(tuple(by_id[identity] for identity in identities), dict(run.stage("orders")["skipped"]))
    outcomes = {}
    for order, status in orders:
        detail = run.orders.events(order.client_order_id)[-1][3] if status is not OrderStatus.INTENDED else ""
        outcomes[order.client_order_id] = f"{status.value}: {detail}" if detail else status.value
    changed = decided.config_hash != settings.configuration.config_hash
    note = f", decided under configuration {decided.config_hash} (now another is in force)" if changed else ""
    return Evidence(
        origin=f"book {name}, stored decision{note}",
        data_source=book.data_source,
        config_hash=decided.config_hash,
        config=run.decision_config,
        view=run.view,
        portfolio=run.portfolio(),
        decision=Decision(regime, panel, targets_from(run.stage("targets")), run.assessment(), batch),
        quarantine=store.quarantined(book.data_source, session),
        outcomes=outcomes,
        fills=[fill for fill in run.orders.fills(name) if fill.client_order_id in sent],
    )


def recomputed_evidence(settings: Settings, session: date, data: Path | None, first: date | None) -> Evidence:
    """Decide the session by a backtest; where the data goes on, the next opening shows the fills."""
    configuration, calendar = settings.configuration, settings.calendar
    source = research_source(data, settings)
    following = calendar.next(session)
    loaded = market_from_source(source, configuration.universe, calendar, following, settings.clock())
    market = loaded.market
    row, sessions = market.row(session), market.panel.sessions
    begin: date = first or sessions[min(YEAR, row)].item()
    if begin > session:
        raise SessionError(f"the backtest would begin at {begin}, after session {session}", "choose an earlier --from")
    run = session_input(settings, market)
    rows = window_rows(market.panel, calendar, begin, session)
    *_, outcome = trade_sessions(run, rows)
    outcomes = {order.client_order_id: f"DENIED: {reason}" for order, reason in outcome.denied}
    outcomes |= {order.client_order_id: "accepted" for order in outcome.end_of_day.working}
    fills: tuple[Fill, ...] = ()
    if row + 1 < len(sessions):
        after = trade_session(run, row + 1, outcome.end_of_day)
        fills = after.fills
        outcomes |= {fill.client_order_id: "FILLED" for fill in fills}
        outcomes |= {
            cancellation.client_order_id: f"CANCELLED: {cancellation.reason}" for cancellation in after.cancelled
        }
    broken: dict[str, list[str]] = {}
    for finding in loaded.validation.findings:
        if finding.session == session:
            broken.setdefault(finding.symbol, []).append(f"{finding.rule} ({finding.severity.value})")
    return Evidence(
        origin=f"recomputed by a backtest from {begin}",
        data_source=market.panel.source,
        config_hash=configuration.config_hash,
        config=configuration.decision,
        view=market.view(configuration.universe, session),
        portfolio=outcome.end_of_day.portfolio,
        decision=_with_what_ended_at_once(outcome),
        quarantine=broken,
        outcomes=outcomes,
        fills=fills,
    )


def _with_what_ended_at_once(outcome: SessionOutcome) -> Decision:
    """Return the decision with its events resolved as far as the session itself says; a book knows what came later."""
    assessment = outcome.decision.assessment
    told = ToldSession(outcome.session, assessment.events, outcome.end_of_day.risk)
    return replace(outcome.decision, assessment=replace(assessment, events=with_resolutions([told])))
