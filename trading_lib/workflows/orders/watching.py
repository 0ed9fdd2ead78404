"""Watching orders at real brokers until they are over: one look at everything, as often as somebody calls it.

A look asks by REST what became of every order that may still fill, books fills in the session they count in, goes on
proving what is unknown, asks again for cancellations, and sends what had to wait. It moves no cursor: the settlement
reads the fills again, and each counts once. A broker that cannot be reached is left for the next look.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from datetime import date, timedelta
from typing import TYPE_CHECKING, Any

from trading_lib.adapters.stores.books.book_store import BookLock, BookStore
from trading_lib.adapters.stores.orders.sent_orders import SentOrders
from trading_lib.domain.book.accounts import Account
from trading_lib.domain.book.books import Book
from trading_lib.domain.book.orders import OPEN_STATUSES, Order, OrderStatus
from trading_lib.domain.errors import BookBusyError, BrokerUnavailableError, TradingError
from trading_lib.execution.openings import next_opening
from trading_lib.execution.order_path.desk import Desk
from trading_lib.execution.order_path.path import cancel, find_out, follow
from trading_lib.execution.order_path.tracked import Cancelling
from trading_lib.execution.send_window import WindowState, first_session_after
from trading_lib.workflows.alerts.sessions import tell_order
from trading_lib.workflows.books.kill_switch import kill_switch
from trading_lib.workflows.orders.guarding.guards import UNSENT, is_current, window_of
from trading_lib.workflows.stages.plans import SessionPlan
from trading_lib.workflows.trade.book_run import BookRun
from trading_lib.workflows.trade.broker_access import BookAtBrokers, account_of, broker_of, is_real
from trading_lib.workflows.trade.sending import driver_at, order_desk
from trading_lib.workflows.trade.stage_log import logged

if TYPE_CHECKING:
    from trading_lib.workflows.setup.settings import Settings

LOG = logging.getLogger(__name__)
# Another task of the book is at work: the next look comes soon.
WAIT_SECONDS = 5.0
# What should be over and is not is told to a person.
STUCK_AFTER = timedelta(minutes=30)


@dataclass
class Look:
    """What a look at one book found.

    Attributes
    ----------
    due
        Orders that something can become of now: their opening has come, or nobody knows where they are.
    open
        Those and others that may still fill.
    sent
        That had to wait, and were sent.
    away
        Accounts whose broker could not be reached, with the reason.
    problems
        Why something could not be sent.
    """

    due: int = 0
    open: int = 0
    unknown: int = 0
    fills: int = 0
    sent: int = 0
    cancelled: int = 0
    busy: bool = False
    away: dict[str, str] = field(default_factory=dict)
    problems: list[str] = field(default_factory=list)


@logged("cancel_working")
def cancel_working(settings: Settings | None = None) -> dict[str, Any]:
    """Cancel what works at real brokers, of all books, as the kill switch asks; nothing is sent.

    The wish stands in the file of the switch: what cannot be reached now is cancelled by whoever watches orders later.
    """
    return _watch(None, settings, sending=False)


@logged("watch")
def watch(book: str | None = None, settings: Settings | None = None) -> dict[str, Any]:
    """Look once at the orders of one book, or of all, at real brokers.

    Returns
    -------
    dict
        ``done`` once nothing is due any more, and what was found of each book that has orders there.
    """
    return _watch(book, settings, sending=True)


def needed_now(book: str, settings: Settings | None = None) -> dict[str, str]:
    """Say which run of order_watch has to begin at once; empty where the one at the next opening is enough."""
    from trading_lib.workflows.setup.settings import load_settings

    active = settings or load_settings()
    engine = active.engine()
    stored = BookStore(engine).find(book)
    if stored is None:
        return {}
    run, now = BookAtBrokers(active, stored, engine), active.clock()
    calendar, universe = active.calendar, active.configuration.universe
    opening = calendar.open(calendar.next(calendar.latest_decidable(now)))
    for order, status in run.orders.orders(book, statuses=(*OPEN_STATUSES, *UNSENT)):
        trades = next_opening(universe.traded(order.symbol)[0], order.session, calendar)
        sooner = status in _ANY_TIME or status in UNSENT or trades < opening
        if sooner and is_real(account_of(run, order), active):
            return {"book": book, "run_id": f"{book}__{order.session}__{now:%Y%m%dT%H%M%S}"}
    return {}


def _watch(book: str | None, settings: Settings | None, sending: bool) -> dict[str, Any]:
    from trading_lib.workflows.setup.settings import load_settings

    active = settings or load_settings()
    engine = active.engine()
    store = BookStore(engine)
    books = [store.book(book)] if book else list(store.books())
    concerned = [one for one in books if _concerns(one, active, engine)]
    found = {one.name: _look(BookAtBrokers(active, one, engine), sending) for one in concerned}
    done = not any(look.due or look.busy for look in found.values())
    return {"done": done, "books": {name: _record(look) for name, look in found.items()}}


def _concerns(book: Book, settings: Settings, engine: Any) -> bool:
    if not any(is_real(account, settings) for account in settings.configuration.accounts.accounts):
        return False
    run = BookAtBrokers(settings, book, engine)
    return SentOrders(engine).any_of(book.name) or bool(_sendable(run))


def _record(look: Look) -> dict[str, Any]:
    counts = {name: getattr(look, name) for name in ("due", "open", "unknown", "fills", "sent", "cancelled")}
    trouble = {"busy": look.busy, "away": look.away, "problems": look.problems}
    return counts | {name: value for name, value in trouble.items() if value}


def _look(run: BookAtBrokers, sending: bool) -> Look:
    look = Look()
    for day in _sendable(run) if sending else ():
        try:
            _send(run, day, look)
        except TradingError as error:
            # What is at the broker is looked at all the same.
            LOG.warning("session %s of book %s: %s", day, run.book.name, error)
            look.problems.append(str(error))
    try:
        with run.orders.book_lock(run.book.name, WAIT_SECONDS) as lock:
            for account, orders in _at_brokers(run):
                asyncio.run(_account(run, lock, account, orders, look))
    except BookBusyError:
        look.busy = True
    _count(run, look)
    return look


def _at_brokers(run: BookAtBrokers) -> list[tuple[Account, list[Order]]]:
    """Orders that may be at a real broker, by account."""
    found: dict[str, tuple[Account, list[Order]]] = {}
    for order, _ in run.orders.orders(run.book.name, statuses=OPEN_STATUSES):
        account = account_of(run, order)
        if is_real(account, run.settings):
            found.setdefault(account.name, (account, []))[1].append(order)
    return list(found.values())


async def _account(run: BookAtBrokers, lock: BookLock, account: Account, orders: list[Order], look: Look) -> None:
    broker = broker_of(run, account)
    try:
        await broker.connect()
    except BrokerUnavailableError as error:
        look.away[account.name] = error.problem
        LOG.warning("account %s of book %s: %s", account.name, run.book.name, error.problem)
        return
    try:
        driver = driver_at(run, lock, account, broker)
        desk = order_desk(run, driver.store, [order.client_order_id for order in orders])
        before = {identity: len(tracked.fills) for identity, tracked in desk.orders.items()}
        await driver.drive(desk, find_out(desk))
        await driver.drive(desk, follow(desk))
        state = kill_switch(run.settings.folders).state()
        wanted = _to_cancel(desk, state.cancel_working)
        if wanted:
            why = f"the kill switch is on: {state.reason}" if state.cancel_working else "asked for before"
            await driver.drive(desk, cancel(desk, wanted, why))
        look.fills += sum(len(tracked.fills) - before[identity] for identity, tracked in desk.orders.items())
        ended = (OrderStatus.CANCELLED, OrderStatus.EXPIRED)
        look.cancelled += sum(desk.orders[identity].status in ended for identity in wanted)
    finally:
        await broker.close()
    for tell in driver.told:
        tell_order(run.book.name, tell.client_order_id, tell.problem, run.settings)


def _to_cancel(desk: Desk, halted: bool) -> list[str]:
    """Orders whose cancellation is wanted: all while the kill switch asks for it, else those asked for before."""
    working = desk.with_status(*OPEN_STATUSES)
    return [identity for identity in working if halted or desk.orders[identity].cancelling is Cancelling.ASKED]


def _sendable(run: BookAtBrokers) -> list[date]:
    """Sessions that have orders for a real broker which are to be sent now, or held back for good."""
    now, days = run.settings.clock(), set()
    for order, _ in run.orders.orders(run.book.name, statuses=UNSENT):
        account = account_of(run, order)
        if is_real(account, run.settings) and is_current(order.session, run.settings.calendar, now):
            early = window_of(run, account, order.session).state(now) is WindowState.EARLY
            days |= set() if early else {order.session}
    return sorted(days)


def _send(run: BookAtBrokers, day: date, look: Look) -> None:
    """Send what waited, by the task that sends the orders of a session or of a day without one."""
    from trading_lib.workflows.stages.plans import StopCheckPlan
    from trading_lib.workflows.trade import stop_checks, tasks

    calendar = run.settings.calendar
    session = day if calendar.contains(day) else calendar.session_before(day)
    plan = _plan(run.book, session)
    if session == day:
        placed: Mapping[str, Any] = tasks.place(plan, BookRun.open(plan, run.settings, engine=run.engine))
        look.sent += int(placed.get("sent", 0))
        look.away |= placed.get("away", {})
        return
    asked = StopCheckPlan(day=day, session=plan)
    look.sent += stop_checks.send(asked, stop_checks.open_run(asked, run.settings))["sent"]


def _plan(book: Book, session: date) -> SessionPlan:
    return SessionPlan(
        session=session,
        source=book.data_source.partition(":")[0],
        source_name=book.data_source,
        data=book.data_folder,
        book=book.name,
    )


def _count(run: BookAtBrokers, look: Look) -> None:
    """Count what is open still, and tell of what should be over by now."""
    now, calendar = run.settings.clock(), run.settings.calendar
    for order, status in run.orders.orders(run.book.name, statuses=(*OPEN_STATUSES, OrderStatus.ABSENT)):
        if not is_real(account_of(run, order), run.settings):
            continue
        instrument, _ = run.settings.configuration.universe.traded(order.symbol)
        opening = next_opening(instrument, order.session, calendar)
        look.open += 1
        look.unknown += status is OrderStatus.UNKNOWN
        # From its decision on, the next session's settlement sees to it.
        following = first_session_after(order.session, calendar)
        look.due += opening <= now < calendar.decision_time(following) or status in _ANY_TIME
        if opening + STUCK_AFTER <= now:
            problem = f"{order.side} {order.quantity:f} {order.symbol} of session {order.session} is still {status}"
            tell_order(run.book.name, order.client_order_id, problem, run.settings)
    look.due += len(_sendable(run))


# Something can become of these before their opening.
_ANY_TIME: Collection[OrderStatus] = (OrderStatus.UNKNOWN, OrderStatus.ABSENT, OrderStatus.PENDING_CANCEL)
