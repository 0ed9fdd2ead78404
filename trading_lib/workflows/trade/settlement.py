"""Settlement of a book up to a newer session: corporate actions, fills at the openings, marking.

Every session in between is settled from what was known at its own decision time, so it does not matter whether it was
settled then or is caught up with later, after a vendor corrected a price.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from datetime import date

from trading_lib.adapters.brokers.simulated import SimulatedOpening
from trading_lib.domain.book.flows import Flow
from trading_lib.domain.book.orders import (
    OPEN_STATUSES,
    TRANSITIONS,
    EvidenceSource,
    Fill,
    Order,
    OrderEvent,
    OrderStatus,
)
from trading_lib.domain.book.portfolio import Portfolio
from trading_lib.domain.book.proceeds import Proceeds
from trading_lib.domain.errors import OversoldError
from trading_lib.execution.simulated import SIMULATED_BROKER
from trading_lib.session.inputs import SessionInput
from trading_lib.session.opening import execute
from trading_lib.session.settle import settle
from trading_lib.workflows.books.flows import flows_due
from trading_lib.workflows.books.proceeds import proceeds_due, save_closings
from trading_lib.workflows.data.market import Market, market_from_store, session_input
from trading_lib.workflows.data.sources import market_store
from trading_lib.workflows.orders.guarding.shadow import fill_shadow, held_orders
from trading_lib.workflows.trade.book_run import BookRun
from trading_lib.workflows.trade.book_turns import BookTurn
from trading_lib.workflows.trade.broker_access import account_of, is_real
from trading_lib.workflows.trade.execution_reports import Reports, reports_of, save_aside, save_cursors

Working = list[tuple[Order, OrderStatus]]


def settle_book(turn: BookTurn, portfolio: Portfolio) -> Portfolio:
    """Settle every session after the portfolio's, up to the run's, and store what filled on the way."""
    run = turn.run
    cancel_unsent(run)
    booked = [fill for fill in run.orders.fills(run.book.name) if fill.session > portfolio.session]
    working = working_orders(run)
    traded = [*portfolio.positions, *portfolio.perpetuals, *(order.symbol for order, _ in working)]
    run.settings.configuration.universe.require_known(traded, f"book {run.book.name}")
    due, moved = proceeds_due(run, portfolio.session), flows_due(run, portfolio.session)
    held = held_orders(run, portfolio.session)
    for day in _sessions_after(run, portfolio.session):
        executed = [fill for fill in booked if fill.session == day]
        before = portfolio
        portfolio, working = _settle_session(turn, portfolio, day, working, executed, due, moved)
        if held:
            data, row = _input_at(run, day, due, moved)
            fill_shadow(run, data, before, held, row, day)
    return portfolio


def cancel_unsent(run: BookRun) -> int:
    """Cancel what earlier sessions decided and never sent, or what never arrived: its opening has passed."""
    unsent = run.orders.orders(run.book.name, statuses=[OrderStatus.INTENDED, OrderStatus.ABSENT])
    missed = [(order, status) for order, status in unsent if order.session < run.session]
    for order, status in missed:
        what = "never sent" if status is OrderStatus.INTENDED else "never arrived"
        detail = f"{what}: session {run.session} began before it {'was' if what == 'never sent' else 'did'}"
        run.orders.record(order.client_order_id, OrderEvent.CANCEL, run.settings.clock(), detail)
    return len(missed)


def working_orders(run: BookRun) -> Working:
    """Orders pending until their opening, in the order of the decision, in which cash is spent."""
    orders = run.orders.orders(run.book.name, statuses=OPEN_STATUSES)
    places: dict[str, int] = {}
    for session in sorted({order.session for order, _ in orders}):
        record = run.state.stage(run.book.name, session, "orders")
        listed = record["client_order_ids"] if record else ()
        places |= {identity: len(places) + at for at, identity in enumerate(listed)}
    return sorted(orders, key=lambda entry: places.get(entry[0].client_order_id, len(places)))


def _sessions_after(run: BookRun, session: date) -> list[date]:
    first, last = run.market.row(session) + 1, run.market.row(run.session) + 1
    days: list[date] = run.market.panel.sessions[first:last].astype(object).tolist()
    return days


def _settle_session(
    turn: BookTurn,
    portfolio: Portfolio,
    day: date,
    working: Working,
    booked: list[Fill],
    due: tuple[Proceeds, ...],
    moved: tuple[Flow, ...],
) -> tuple[Portfolio, Working]:
    """Settle one session: the portfolio after it, and the orders that are open still."""
    run = turn.run
    data, row = _input_at(run, day, due, moved)
    orders = [order for order, _ in working]
    # What waits at a broker that is real meets no opening here.
    simulated = [order for order in orders if not is_real(account_of(run, order), run.settings)]
    opening = SimulatedOpening(lambda: execute(data, portfolio, simulated, row, day, booked), day.isoformat())
    reports = asyncio.run(reports_of(run, portfolio, opening, orders, day))
    # Fills stored by an interrupted settlement stand, whatever the prices are now.
    fills = list({(fill.broker, fill.trade_id): fill for fill in [*reports.fills, *reports.standing(booked)]}.values())
    try:
        # Tried before anything is stored: an impossible fill leaves no trace.
        settled = settle(data, portfolio, row, day, fills)
    except OversoldError as error:
        problem = f"session {day} of book {run.book.name} cannot be settled: {error.problem}"
        raise OversoldError(problem, _remedy(run, fills, error.trade_id), error.trade_id) from error
    turn.lock.ensure_held()
    save_aside(run, reports)
    _record(run, working, fills, reports)
    save_closings(run, day, settled.closings)
    save_cursors(run, reports)
    return settled.portfolio, [entry for entry in working if entry[0].client_order_id in reports.still_open]


def _remedy(run: BookRun, fills: Sequence[Fill], trade_id: str) -> str:
    """Say what helps against a fill that sells more than is held; what a real broker traded is never struck here."""
    real = next((fill for fill in fills if fill.trade_id == trade_id and fill.broker != SIMULATED_BROKER), None)
    book = run.book.name
    if real is None:
        return f"`trading book repair --book {book}` strikes what cannot have been; then run the session again"
    ((order, _),) = run.orders.orders(book, identities=[real.client_order_id])
    why = "look at the broker's pages for a split or a trade that the book does not know"
    if real.quantity > order.quantity:
        why = f"it adjusted an order of {order.quantity:f}, probably for a split that the prices lack"
    return (
        f"{real.broker} did trade it, so nothing is struck; {why}: fetch the prices again, `trading review-move"
        f" --symbol {real.symbol}` if a move waits for a decision, and run the session again"
    )


def _record(run: BookRun, working: Working, filled: Sequence[Fill], reports: Reports) -> None:
    """Store the fills of the pending orders, and the outcome of each order."""
    by_order: dict[str, list[Fill]] = {}
    for fill in filled:
        by_order.setdefault(fill.client_order_id, []).append(fill)
    waiting = {order.client_order_id for order, _ in working}
    for identity in by_order.keys() - waiting:
        _record_late(run, identity, by_order[identity])
    for order, status in working:
        identity = order.client_order_id
        fills = by_order.get(identity, [])
        # The fills are stored before the status, so an interrupted run finds them again.
        new = run.orders.save_fills(fills, run.book.name) if fills else 0
        event = OrderEvent.PARTIAL_FILL if identity in reports.unfilled else OrderEvent.FILL
        if fills and (new or status is not OrderStatus.PARTIALLY_FILLED or event is OrderEvent.FILL):
            run.orders.record(identity, event, fills[-1].filled_at, broker=fills[-1].broker)
        elif not fills and identity in reports.filled:
            # Its last fill was reported in an earlier session, and only now that it was the last.
            run.orders.record(identity, OrderEvent.FILL, run.settings.clock())
    for identity, (ended, reason) in reports.ended.items():
        run.orders.record(identity, ended, run.settings.clock(), reason)


def _record_late(run: BookRun, identity: str, fills: Sequence[Fill]) -> None:
    """Book what an order traded that has ended here: it stays ended."""
    new = run.orders.save_fills(fills, run.book.name)
    ((_, status),) = run.orders.orders(run.book.name, identities=[identity])
    if new and (status, OrderEvent.LATE_FILL) in TRANSITIONS:
        traded = ", ".join(fill.trade_id for fill in fills)
        now, poll = run.settings.clock(), EvidenceSource.POLL
        run.orders.record(identity, OrderEvent.LATE_FILL, now, f"trade {traded}", source=poll)


def _input_at(run: BookRun, day: date, due: tuple[Proceeds, ...], moved: tuple[Flow, ...]) -> tuple[SessionInput, int]:
    """Return what was known at the decision time of ``day``, and its row."""
    market = run.market if day == run.session or run.market_was_given else _market_at(run, day)
    return replace(session_input(run.settings, market, run.book.name), proceeds=due, flows=moved), market.row(day)


def _market_at(run: BookRun, day: date) -> Market:
    settings = run.settings
    store = market_store(settings, run.engine)
    source, universe = run.plan.source_name, settings.configuration.universe
    return market_from_store(store, source, universe, settings.calendar, day)
