"""Explain a decided session of a book from its stored stages, or of a backtest up to that session."""

from __future__ import annotations

from datetime import date
from pathlib import Path

from trading_lib.adapters.stores.books.book_store import BookStore
from trading_lib.decision import Decision
from trading_lib.domain.book.orders import OrderStatus
from trading_lib.domain.errors import InputError
from trading_lib.orders.generate import OrderBatch
from trading_lib.workflows.data.market import market_from_store
from trading_lib.workflows.data.sources import market_store
from trading_lib.workflows.explain.recomputed import recomputed_evidence
from trading_lib.workflows.explain.symbol import Evidence, Section, explain_symbol
from trading_lib.workflows.learning.scores import with_model_scores
from trading_lib.workflows.setup.settings import Settings
from trading_lib.workflows.setup.source_choice import FILES
from trading_lib.workflows.stages.plans import SessionPlan
from trading_lib.workflows.trade.book_run import BookRun
from trading_lib.workflows.trade.stage_records import signals_from, targets_from


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
    stored = market_from_store(store, book.data_source, universe, settings.calendar, session)
    market = with_model_scores(stored, settings, engine)
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
