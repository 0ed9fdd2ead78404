"""Repair of a book that cannot continue by itself, with a record of every step and who made it.

A session that was overtaken leaves orders that were never sent and tasks that can only fail. A book that was traded
before sessions took turns may hold two sales of the same shares. What a portfolio has booked is never changed here.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Collection
from dataclasses import asdict, dataclass
from datetime import date
from decimal import Decimal
from typing import Any

from sqlalchemy import Engine

from trading_lib.adapters.stores.books.book_store import BookStore
from trading_lib.adapters.stores.books.order_store import OrderStore
from trading_lib.adapters.stores.books.repair_store import Repair, RepairAction, RepairStore
from trading_lib.adapters.stores.books.state_store import StateStore
from trading_lib.domain.book.orders import OPEN_STATUSES, Fill, Order, OrderEvent, OrderStatus, Side
from trading_lib.domain.errors import InputError
from trading_lib.domain.market.perpetuals import is_perpetual
from trading_lib.execution.simulated import SIMULATED_BROKER
from trading_lib.monitoring.alert import Alert, AlertLevel
from trading_lib.workflows.data.sources import market_store
from trading_lib.workflows.operations.alerting import raise_alert
from trading_lib.workflows.setup.settings import Settings, load_settings
from trading_lib.workflows.trade.stage_log import logged

LOG = logging.getLogger(__name__)
Result = dict[str, Any]
UNFINISHED = (OrderStatus.INTENDED, *OPEN_STATUSES)


@dataclass(frozen=True, slots=True)
class _Step:
    """One step of a repair."""

    action: RepairAction
    session: date
    subject: str
    detail: str
    perform: Callable[[Repair], object]


class _Book:
    """A book as the repair finds it, read under its lock."""

    def __init__(self, name: str, settings: Settings, engine: Engine) -> None:
        self.name, self.settings, self.engine = name, settings, engine
        self.orders, self.state, self.repairs = OrderStore(engine), StateStore(engine), RepairStore(engine)
        account = BookStore(engine).book(name)
        self.opened, self.source = account.opened_session, account.data_source
        self.newest = max(self.state.newest_session(name) or self.opened, self.opened)
        self.portfolio = self.state.latest_portfolio(name)
        # An order at a real broker ends only when that broker reports it.
        elsewhere = self.orders.at_other_brokers(name, SIMULATED_BROKER)
        unfinished = self.orders.orders(name, statuses=UNFINISHED)
        self.unfinished = [entry for entry in unfinished if entry[0].client_order_id not in elsewhere]


@logged("repair")
def repair_book(
    book: str,
    by: str,
    note: str = "",
    session: date | None = None,
    dry_run: bool = False,
    settings: Settings | None = None,
) -> Result:
    """Bring a book into a state from which its next session can go on.

    Cancels what overtaken sessions left unsent or working, completes orders whose fill was booked, strikes simulated
    fills that no portfolio has booked and that would sell more than is held, and closes overtaken sessions, whose tasks
    then end without an error. Orders and fills of real brokers are left alone. The same again finds nothing to do.

    Parameters
    ----------
    by
        Who repairs, for the record.
    session
        A session that was refused, to close in any case: one from before the book's first is not looked for otherwise.
    dry_run
        Only say what would be done.

    Raises
    ------
    InputError
        When there is no such book, or the book has not gone on from ``session``.
    """
    active = settings or load_settings()
    engine = active.engine()
    BookStore(engine).book(book)
    if not by.strip():
        raise InputError("a repair needs the name of who does it", "give --by NAME")
    with OrderStore(engine).book_lock(book) as lock:
        repaired = _Book(book, active, engine)
        if session is not None and session >= repaired.newest:
            raise InputError(
                f"book {book} is at session {repaired.newest} and has not gone on from {session}", "run that session"
            )
        steps = [
            *_unsent(repaired),
            *_impossible_sales(repaired),
            *_left_behind(repaired),
            *_sessions_to_close(repaired, session),
        ]
        done: list[Result] = []
        for step in steps:
            entry = {"action": str(step.action), "session": step.session.isoformat(), "subject": step.subject}
            if not dry_run:
                lock.ensure_held()
                repair = repaired.repairs.add(
                    book, step.session, step.action, step.subject, step.detail, note, by, active.clock()
                )
                step.perform(repair)
                entry["number"] = str(repair.number)
                LOG.warning("repair %s: %s %s: %s", repair.number, step.action, step.subject, step.detail)
            done.append(entry | {"detail": step.detail})
    if done and not dry_run:
        _tell(book, by, note, done, active)
    return {"book": book, "book_is_at": repaired.newest.isoformat(), "dry_run": dry_run, "steps": done}


def _tell(book: str, by: str, note: str, done: list[Result], settings: Settings) -> None:
    lines = [f"{entry['action']} {entry['subject']}: {entry['detail']}" for entry in done]
    alert = Alert(
        AlertLevel.WARNING,
        f"book {book} was repaired by {by}",
        "\n".join([*([f"Note: {note}"] if note else []), *lines]),
        source="book repair",
        key=f"repair:{book}:{done[-1]['number']}",
        book=book,
    )
    raise_alert(alert, settings)


def repairs_of(book: str | None = None, settings: Settings | None = None) -> list[Result]:
    """List the repairs so far, the oldest first."""
    active = settings or load_settings()
    engine = active.engine()
    if book is not None:
        BookStore(engine).book(book)
    return [
        asdict(repair) | {"session": repair.session.isoformat(), "repaired_at": repair.repaired_at.isoformat()}
        for repair in RepairStore(engine).repairs(book)
    ]


def _unsent(book: _Book) -> list[_Step]:
    """Orders that an overtaken session decided and never sent."""
    return [
        _cancelling(book, order, f"never sent: the book has gone on to session {book.newest}")
        for order, status in book.unfinished
        if status is OrderStatus.INTENDED and order.session < book.newest
    ]


def _impossible_sales(book: _Book) -> list[_Step]:
    """Strike fills after the newest portfolio, and cancel waiting orders, that would sell more than the book holds.

    The newest session's orders stand first: it decided last, from what the book held.
    """
    if book.portfolio is None:
        return []
    claims = _claims(book, book.portfolio.session)
    held = {symbol: position.quantity for symbol, position in book.portfolio.positions.items()}
    for symbol, ratio in _splits(book, book.portfolio.session, held).items():
        held[symbol] *= ratio
    for claim in claims:
        if claim.order.side is Side.BUY:
            held[claim.order.symbol] = held.get(claim.order.symbol, Decimal(0)) + claim.quantity
    steps = []
    for claim in sorted(claims, key=lambda claim: claim.order.session, reverse=True):
        symbol = claim.order.symbol
        if claim.order.side is Side.BUY or is_perpetual(symbol):
            continue
        left = held.get(symbol, Decimal(0))
        if claim.quantity <= left:
            held[symbol] = left - claim.quantity
            continue
        detail = f"would sell {claim.quantity} {symbol}, of which only {left} would be held"
        steps.append(_voiding(book, claim.fill, detail) if claim.fill else _cancelling(book, claim.order, detail))
    return steps


@dataclass(frozen=True, slots=True)
class _Claim:
    """An order that moves the holdings after the newest portfolio, by its fill where there is one."""

    order: Order
    quantity: Decimal
    fill: Fill | None


def _claims(book: _Book, since: date) -> list[_Claim]:
    unbooked = {
        fill.client_order_id: fill
        for fill in book.orders.fills(book.name)
        if fill.session > since and fill.broker == SIMULATED_BROKER
    }
    filled = [order for order, _ in book.orders.orders(book.name, identities=unbooked.keys())] if unbooked else []
    waiting = [o for o, status in book.unfinished if status in OPEN_STATUSES and o.client_order_id not in unbooked]
    claims = [_Claim(o, unbooked[o.client_order_id].quantity, unbooked[o.client_order_id]) for o in filled]
    return claims + [_Claim(order, order.quantity, None) for order in waiting]


def _splits(book: _Book, since: date, symbols: Collection[str]) -> dict[str, Decimal]:
    """Return new shares per old one since a session, of the symbols that were split."""
    if not symbols:
        return {}
    now = book.settings.clock()
    stored = market_store(book.settings, book.engine).read_bars(book.source, now, sorted(symbols), since)
    ratios: dict[str, Decimal] = {}
    for symbol, day, split in stored.frame[["symbol", "date", "split"]].itertuples(index=False):
        if day.date() > since and split > 0 and split != 1:
            ratios[symbol] = ratios.get(symbol, Decimal(1)) * Decimal(repr(float(split)))
    return ratios


def _left_behind(book: _Book) -> list[_Step]:
    """Orders of sessions before the newest portfolio that are still open: their opening has passed."""
    if book.portfolio is None:
        return []
    steps = []
    sales = {step.subject for step in _impossible_sales(book)}
    for order, status in book.unfinished:
        late = order.session < book.portfolio.session and status in OPEN_STATUSES
        if not late or order.client_order_id in sales:
            continue
        booked = book.orders.filled_quantity(order.client_order_id)
        if booked == order.quantity:
            steps.append(_completing(book, order))
        else:
            detail = f"still {status} after the opening of its session had passed; {booked} of {order.quantity} filled"
            steps.append(_cancelling(book, order, detail))
    return steps


def _sessions_to_close(book: _Book, refused: date | None) -> list[_Step]:
    """Sessions before the newest that were never finished: not decided, or with orders that were never sent."""
    unsent = {order.session for order in book.orders.never_sent(book.name)}
    decisions, closed = book.state.decided_sessions(book.name), book.repairs.closed_sessions(book.name)
    steps = []
    sessions: set[date] = set(book.settings.calendar.between(book.opened, book.newest)[:-1].astype(object).tolist())
    for session in sorted(sessions | ({refused} if refused else set())):
        decided = session in decisions
        if (decided and session not in unsent) or session in closed:
            continue
        what = "some of its orders were never sent" if decided else "it decided nothing"
        detail = f"overtaken by session {book.newest}: {what}"
        steps.append(_Step(RepairAction.CLOSE_SESSION, session, session.isoformat(), detail, lambda repair: None))
    return steps


def _cancelling(book: _Book, order: Order, detail: str) -> _Step:
    def perform(repair: Repair) -> None:
        text = f"repair {repair.number}: {detail}"
        book.orders.record(order.client_order_id, OrderEvent.CANCEL, book.settings.clock(), text)

    return _Step(RepairAction.CANCEL_ORDER, order.session, order.client_order_id, detail, perform)


def _completing(book: _Book, order: Order) -> _Step:
    def perform(repair: Repair) -> None:
        text = f"repair {repair.number}: its fill was booked"
        now = book.settings.clock()
        book.orders.record(order.client_order_id, OrderEvent.FILL, now, text, broker=SIMULATED_BROKER)

    detail = f"{order.quantity} {order.symbol} were filled and booked"
    return _Step(RepairAction.COMPLETE_ORDER, order.session, order.client_order_id, detail, perform)


def _voiding(book: _Book, fill: Fill, detail: str) -> _Step:
    def perform(repair: Repair) -> None:
        text = f"repair {repair.number}: {detail}"
        book.orders.void_fill(fill, repair.number, book.settings.clock(), text)

    return _Step(RepairAction.VOID_FILL, fill.session, fill.trade_id, detail, perform)
