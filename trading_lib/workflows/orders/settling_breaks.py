"""Settling breaks: the operator has looked, and says whether the book follows its broker or the difference stays."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from trading_lib.adapters.stores.orders.break_store import BreakStore, StoredBreak, require_open
from trading_lib.domain.book.orders import Fill, Order, OrderPurpose, Side, client_order_id
from trading_lib.domain.book.portfolio import to_cent
from trading_lib.domain.errors import InputError
from trading_lib.execution.reconciliation.breaks import TRADE, BreakKind, trade_id_of
from trading_lib.workflows.orders.own_records import flow_reference, newest_portfolio
from trading_lib.workflows.orders.reconciling import break_record
from trading_lib.workflows.trade.broker_access import BookAtBrokers
from trading_lib.workflows.trade.stage_log import logged

if TYPE_CHECKING:
    from trading_lib.workflows.setup.settings import Settings
    from trading_lib.workflows.trade.broker_access import AtBrokers

Result = dict[str, Any]
LEG = "manual"
NOTE_LENGTH = 500


class Settlement(StrEnum):
    """How a break is settled.

    KNOWN: the book stays as it is, and the difference is known from now on. FLOW: money that came or went is recorded
    as capital. ADOPTED: a trade that was not the book's becomes the book's.
    """

    KNOWN = "known"
    FLOW = "flow"
    ADOPTED = "adopted"


DEFAULTS = {BreakKind.TRANSFER: Settlement.FLOW}
POSSIBLE = {
    Settlement.FLOW: frozenset({BreakKind.TRANSFER}),
    Settlement.ADOPTED: frozenset({BreakKind.MANUAL_TRADE, BreakKind.LIQUIDATION}),
    Settlement.KNOWN: frozenset(BreakKind),
}


@logged("settle break")
def accept_break(
    book: str, number: int, by: str, note: str, how: str | None = None, settings: Settings | None = None
) -> Result:
    """Settle an open break on the operator's word, and record who said so.

    Parameters
    ----------
    how
        Of `Settlement`; by default money alone is recorded as capital, and everything else becomes a known difference.

    Raises
    ------
    InputError
        When there is no such open break, nobody or no reason is named, or the break cannot be settled that way; nothing
        is stored then.
    """
    from trading_lib.adapters.stores.books.book_store import BookStore
    from trading_lib.workflows.setup.settings import load_settings

    active = settings or load_settings()
    engine = active.engine()
    at = BookAtBrokers(active, BookStore(engine).book(book), engine)
    words = " ".join(note.split())
    if not by.strip() or not words or len(words) > NOTE_LENGTH:
        raise InputError(
            f"settling break {number} needs the name of who does it and why",
            f"give --by NAME and --note TEXT of at most {NOTE_LENGTH} characters",
        )
    store = BreakStore(engine)
    one = store.break_(number)
    chosen = _chosen(one, book, how)
    # Checked before anything follows from it; `settle` decides for good.
    require_open(one)
    if chosen is Settlement.FLOW:
        did, todo = _record_flow(one, by, words, active)
        settled = store.settle(number, active.clock(), by, words)
    else:
        with at.orders.book_lock(book):
            did, todo = _adopt(at, one, by, words) if chosen is Settlement.ADOPTED else _keep(one)
            settled = store.settle(number, active.clock(), by, words)
    return {**break_record(settled), "settled_as": str(chosen), "did": did, "you_must": todo}


def _chosen(one: StoredBreak, book: str, how: str | None) -> Settlement:
    if one.book != book:
        raise InputError(f"break {one.number} is of book {one.book}, not of {book}", f"give --book {one.book}")
    try:
        chosen = DEFAULTS.get(one.kind, Settlement.KNOWN) if how is None else Settlement(how)
    except ValueError:
        raise InputError(f"{how!r} is no way to settle a break", f"use {', '.join(Settlement)}") from None
    if one.kind not in POSSIBLE[chosen]:
        raise InputError(
            f"break {one.number} is a {one.kind}, which cannot be settled as {chosen}", "settle it as known"
        )
    return chosen


def _keep(one: StoredBreak) -> tuple[str, str]:
    did = "nothing of the book was changed; the difference is known from now on, and a cent or unit more is a new break"
    if one.kind in (BreakKind.POSITION, BreakKind.MANUAL_TRADE, BreakKind.LIQUIDATION):
        todo = f"undo it at the broker if the book is to trade all of {one.symbol} in this account; it does not see it"
    elif one.kind is BreakKind.MANUAL_ORDER:
        todo = "cancel the order at the broker unless it is wanted; what it fills is a new break"
    else:
        todo = ""
    return did, todo


def _record_flow(one: StoredBreak, by: str, note: str, settings: Settings) -> tuple[str, str]:
    """Record money that came or went as capital of the next session."""
    from trading_lib.workflows.books.flows import record_flow

    amount = to_cent(Decimal(one.broker) - Decimal(one.ours))
    session = _next_session(settings, one.book)
    source, target = (None, one.account) if amount > 0 else (one.account, None)
    reference = flow_reference(one.number)
    done = record_flow(one.book, session, str(abs(amount)), source, target, by, note, reference, settings=settings)
    return f"a {done['kind']} of {abs(amount):f} is recorded and counts from the opening of session {session} on", ""


def _next_session(settings: Settings, book: str) -> date:
    """Return the first session of which nothing of the book is stored."""
    from trading_lib.adapters.stores.books.book_store import BookStore
    from trading_lib.adapters.stores.books.order_store import OrderStore
    from trading_lib.adapters.stores.books.state_store import StateStore

    engine = settings.engine()
    opened = BookStore(engine).book(book).opened_session
    fills = (fill.session for fill in OrderStore(engine).fills(book))
    newest = max([StateStore(engine).newest_session(book) or opened, opened, *fills])
    calendar = settings.calendar
    return calendar.next(newest if calendar.contains(newest) else calendar.session_before(newest))


def _adopt(at: AtBrokers, one: StoredBreak, by: str, note: str) -> tuple[str, str]:
    """Store a trade that was not the book's as one of its own; the next settlement books it."""
    from trading_lib.adapters.stores.orders.companions import store_companions

    match = TRADE.match(one.broker)
    assert match is not None, one.broker
    symbol, side, quantity = match["symbol"], Side(match["side"]), Decimal(match["quantity"])
    at.settings.configuration.universe.require_known([symbol], f"break {one.number}")
    portfolio = newest_portfolio(at)
    held = portfolio.positions.get(symbol)
    if side is Side.SELL and (held is None or held.quantity < quantity):
        has = held.quantity if held else Decimal(0)
        raise InputError(
            f"break {one.number} sells {quantity:f} {symbol}, and book {one.book} holds {has:f}", "settle it as known"
        )
    if match["fee"]:
        raise InputError(f"the fee of break {one.number} was kept in units", "settle it as known")
    session, price = at.settings.calendar.next(portfolio.session), Decimal(match["price"])
    trade = trade_id_of(one.broker)
    leg = f"{LEG}:{trade}"
    order = Order(
        client_order_id(one.book, session, symbol, side, 0, leg), one.book, session, symbol, side, quantity, price,
        Decimal(match["commission"]), 0.0, OrderPurpose.REBALANCE,
        f"traded outside the book and adopted by {by} (break {one.number}): {note}", leg=leg,
    )  # fmt: skip
    account = at.settings.configuration.accounts.named(one.account)
    name = stored_name(at, account.broker)
    fill = Fill(
        trade, name, order.client_order_id, symbol, side, quantity, price, price, Decimal(match["commission"]),
        one.found_at, session,
    )  # fmt: skip
    store_companions(at.engine, one.book, [(order, fill)], at.settings.clock(), f"adopted by {by}")
    return f"the settlement of session {session} books it as a trade of the book ({order.client_order_id})", ""


def stored_name(at: AtBrokers, broker: str) -> str:
    """Return the name under which the fills of a configured broker are stored."""
    from trading_lib.adapters.brokers.registry import broker_class
    from trading_lib.workflows.trade.broker_access import brokers_folder

    return str(broker_class(broker, brokers_folder(at.settings)).name)
