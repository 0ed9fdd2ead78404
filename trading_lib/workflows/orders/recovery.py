"""Recovery after a crash, an outage or a restore: six steps from what is stored to a book that may go on.

1 load the last stored state, 2 ask the brokers what became of every order, 3 cancel what must not go on, 4 book what
filled meanwhile, 5 compare and write the log, 6 resume, or say what halts. Nothing is sent here, and what is unknown is
proved absent or stays unknown. The same again changes nothing.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from trading_lib.adapters.files.disarmed_books import DisarmedBooks
from trading_lib.adapters.stores.books.book_store import BookLock, BookStore
from trading_lib.adapters.stores.books.repair_store import RepairStore
from trading_lib.adapters.stores.books.state_store import StateStore
from trading_lib.adapters.stores.orders.break_store import BreakStore
from trading_lib.adapters.stores.orders.order_history import OrderHistory, StoredOrder
from trading_lib.domain.book.accounts import Account
from trading_lib.domain.book.orders import OPEN_STATUSES, Order, OrderStatus, TimeInForce
from trading_lib.domain.errors import BrokerUnavailableError
from trading_lib.execution.openings import next_opening
from trading_lib.execution.order_path.desk import Desk, Steps
from trading_lib.execution.order_path.path import cancel, find_out, follow, sweep
from trading_lib.execution.reconciliation.breaks import BreakStatus
from trading_lib.workflows.alerts.sessions import tell_order
from trading_lib.workflows.orders.order_driver import OrderDriver
from trading_lib.workflows.orders.reconciling import Reconciled, break_record, real_accounts, reconcile_at
from trading_lib.workflows.trade.broker_access import BookAtBrokers, account_of, broker_of
from trading_lib.workflows.trade.sending import driver_at, order_desk
from trading_lib.workflows.trade.stage_log import logged

if TYPE_CHECKING:
    from trading_lib.workflows.setup.settings import Settings
    from trading_lib.workflows.stages.plans import SessionPlan
    from trading_lib.workflows.trade.book_run import BookRun
    from trading_lib.workflows.trade.broker_access import AtBrokers

LOG = logging.getLogger(__name__)
Result = dict[str, Any]
# Orders that were sent so many days ago, ended ones too, may have fills that nobody has heard of.
DAYS = 10
# An order for an opening that is over for so long has missed it.
OVERDUE_AFTER = timedelta(minutes=30)


class Cancelled(StrEnum):
    """What of the orders at a broker a recovery cancels."""

    NOTHING = "nothing"
    OVERDUE = "overdue"
    WORKING = "working"


@dataclass
class Recovered:
    """What a recovery did to the orders of a book.

    Attributes
    ----------
    resolved
        Orders of which more is known than before.
    fills
        That were not stored before.
    unknown
        Orders of which nobody knows yet.
    away
        Account -> why its broker could not be asked.
    """

    asked: int = 0
    resolved: int = 0
    cancelled: int = 0
    unknown: int = 0
    fills: int = 0
    partial: int = 0
    away: dict[str, str] = field(default_factory=dict)
    compared: list[Reconciled] = field(default_factory=list)
    steps: list[Result] = field(default_factory=list)

    def step(self, name: str, detail: str) -> None:
        """Write a step down."""
        number = len(self.steps) + 1
        self.steps.append({"step": number, "name": name, "detail": detail})
        LOG.info("recovery step %d, %s: %s", number, name, detail)


@logged("recover")
def recover_book(
    book: str, cancel_working: bool = False, wait_seconds: float = 0.0, settings: Settings | None = None
) -> Result:
    """Bring a book's orders to what their brokers say, and say whether it may go on.

    Parameters
    ----------
    cancel_working
        Cancel orders too that work as they should.
    wait_seconds
        How long to wait until an absence can be proved.

    Raises
    ------
    BrokerUnavailableError
        When a broker does not answer; what was learned before is stored.
    InputError
        When there is no such book.
    """
    from trading_lib.workflows.setup.settings import load_settings

    active = settings or load_settings()
    engine = active.engine()
    at = BookAtBrokers(active, BookStore(engine).book(book), engine)
    cancelled = Cancelled.WORKING if cancel_working else Cancelled.OVERDUE
    return _recover(at, real_accounts(at), cancelled, timedelta(seconds=wait_seconds))


@logged("recover")
def recover(plan: SessionPlan, run: BookRun | None = None) -> Result:
    """Recover the book of a session before anything of it is settled; the first task of a session.

    Simulated accounts pass at once, and so do brokers that the session may not ask: of a past session, and before the
    book was armed or has sent anything. It cancels nothing: an order that missed its opening may fill late, which a
    person decides about.
    """
    from trading_lib.workflows.orders.guarding.guards import may_ask
    from trading_lib.workflows.setup.settings import load_settings

    settings = run.settings if run else load_settings()
    engine = run.engine if run else settings.engine()
    book = BookStore(engine).find(plan.book)
    if book is None:
        return {"asked": 0}
    if number := RepairStore(engine).closing(book.name, plan.session):
        return {"session": plan.session.isoformat(), "closed_by_repair": number}
    at = BookAtBrokers(settings, book, engine)
    accounts = [account for account in real_accounts(at) if may_ask(at, account, plan.session)]
    if not accounts:
        return {"asked": 0}
    done = _recover(at, accounts, Cancelled.NOTHING, timedelta(0))
    names = ("resolved", "cancelled", "unknown", "fills_added", "halted")
    return {name: done[name] for name in names} | ({"away": done["away"]} if done["away"] else {})


def _recover(at: AtBrokers, accounts: Sequence[Account], cancelled: Cancelled, patience: timedelta) -> Result:
    began, done = time.perf_counter(), Recovered()
    with at.orders.book_lock(at.book.name) as lock:
        _load(at, done)
        cancelling: list[str] = []
        for account in accounts:
            try:
                asyncio.run(_account(at, lock, account, cancelled, patience, done, cancelling))
            except BrokerUnavailableError as error:
                if cancelled is not Cancelled.NOTHING:
                    raise
                # The other accounts go on; whatever needs this one fails by itself.
                LOG.warning("account %s of book %s: %s", account.name, at.book.name, error.problem)
                done.away[account.name] = error.problem
        _say(at, accounts, cancelling, done)
    halted = bool(BreakStore(at.engine).breaks(at.book.name, statuses=[BreakStatus.OPEN]))
    disarmed = DisarmedBooks(at.settings.folders.home).reason(at.book.name)
    going = "halted: nothing is bought until the open breaks are settled" if halted else "the book may go on"
    done.step("resume", f"disarmed, nothing is sent ({disarmed})" if disarmed else going)
    return {
        "book": at.book.name,
        "accounts": [account.name for account in accounts],
        "steps": done.steps,
        "resolved": done.resolved,
        "cancelled": done.cancelled,
        "unknown": done.unknown,
        "fills_added": done.fills,
        "away": done.away,
        "breaks": [break_record(one) for compared in done.compared for one in compared.standing],
        "halted": halted or disarmed is not None,
        "seconds": round(time.perf_counter() - began, 3),
    }


def _load(at: AtBrokers, done: Recovered) -> None:
    portfolio = StateStore(at.engine).latest_portfolio(at.book.name)
    waiting = at.orders.orders(at.book.name, statuses=OPEN_STATUSES)
    unknown = sum(status is OrderStatus.UNKNOWN for _, status in waiting)
    where = f"session {portfolio.session}, ${portfolio.nav:,.2f}" if portfolio else "never settled"
    done.step("load the last stored state", f"{where}; {len(waiting)} orders open, {unknown} of them unknown")


async def _account(
    at: AtBrokers,
    lock: BookLock,
    account: Account,
    cancelled: Cancelled,
    patience: timedelta,
    done: Recovered,
    cancelling: list[str],
) -> None:
    broker = broker_of(at, account)
    await broker.connect()
    try:
        driver = driver_at(at, lock, account, broker)
        driver.patience = patience
        desk = order_desk(at, driver.store, _concerned(at, account))
        before = {identity: (one.status, len(one.fills)) for identity, one in desk.orders.items()}
        await _ask(driver, desk)
        nothing = cancelled is Cancelled.NOTHING or _is_disarmed(at)
        wanted = [] if nothing else _to_cancel(at, desk, cancelled is Cancelled.WORKING)
        if wanted:
            why = "cancelled on request" if cancelled is Cancelled.WORKING else "its opening is over"
            await driver.drive(desk, cancel(desk, wanted, f"recovery: {why}"))
            await driver.drive(desk, follow(desk))
        cancelling += wanted
        _count(desk, before, wanted, done)
        for tell in driver.told:
            tell_order(at.book.name, tell.client_order_id, tell.problem, at.settings)
        done.compared.append(await reconcile_at(at, account, broker))
    finally:
        await broker.close()


def _concerned(at: AtBrokers, account: Account) -> list[str]:
    """Orders of the account that are open or were sent lately, as far as they went to a broker or may have."""
    since = at.settings.clock() - timedelta(days=DAYS)
    statuses = [status for status in OrderStatus if status not in (OrderStatus.DENIED, OrderStatus.HELD)]
    found = OrderHistory(at.engine).orders(at.book.name, statuses=statuses)
    return [
        stored.order.client_order_id
        for stored in found
        if account_of(at, stored.order) == account
        and (stored.status in (*OPEN_STATUSES, OrderStatus.ABSENT, OrderStatus.INTENDED) or _sent_since(stored, since))
    ]


def _sent_since(stored: StoredOrder, since: datetime) -> bool:
    return stored.sent_at is not None and stored.sent_at >= since


async def _ask(driver: OrderDriver, desk: Desk) -> None:
    """Find out what is unknown, read the fills of every order that was sent lately, and follow what works."""
    await driver.drive(desk, find_out(desk))
    await driver.drive(desk, _read_fills(desk))
    await driver.drive(desk, follow(desk))


def _read_fills(desk: Desk) -> Steps:
    yield from sweep(desk)
    yield from desk.save()


def _is_disarmed(at: AtBrokers) -> bool:
    return DisarmedBooks(at.settings.folders.home).reason(at.book.name) is not None


def _to_cancel(at: AtBrokers, desk: Desk, cancel_working: bool) -> list[str]:
    """Orders that must not go on: never sent and overtaken, or at the broker beyond the opening they were for."""
    newest = StateStore(at.engine).newest_session(at.book.name)
    now, calendar = at.settings.clock(), at.settings.calendar
    universe = at.settings.configuration.universe

    def is_over(order: Order) -> bool:
        opening = next_opening(universe.traded(order.symbol)[0], order.session, calendar)
        return order.time_in_force is not TimeInForce.UNTIL_CANCELLED and opening + OVERDUE_AFTER <= now

    wanted = []
    for identity, tracked in desk.orders.items():
        order, status = tracked.order, tracked.status
        unsent = status in (OrderStatus.INTENDED, OrderStatus.ABSENT)
        overtaken = unsent and newest is not None and order.session < newest
        working = status in OPEN_STATUSES
        if overtaken or ((unsent or working) and is_over(order)) or (working and cancel_working):
            wanted.append(identity)
    return wanted


def _count(desk: Desk, before: dict[str, Any], wanted: Sequence[str], done: Recovered) -> None:
    done.asked += len(before)
    for identity, tracked in desk.orders.items():
        status, fills = before[identity]
        done.resolved += status is not tracked.status
        done.fills += len(tracked.fills) - fills
        done.unknown += tracked.status is OrderStatus.UNKNOWN
        done.partial += tracked.status is OrderStatus.PARTIALLY_FILLED
        done.cancelled += identity in wanted and tracked.status is OrderStatus.CANCELLED


def _say(at: AtBrokers, accounts: Sequence[Account], cancelling: Sequence[str], done: Recovered) -> None:
    names = ", ".join(account.name for account in accounts) or "no account at a real broker"
    done.step(
        "ask the brokers", f"{names}: {done.asked} orders, {done.resolved} resolved, {done.unknown} unknown still"
    )
    left = "the book is disarmed, so nothing is cancelled" if _is_disarmed(at) else f"{len(cancelling)} asked for"
    done.step("cancel what must not go on", f"{left}, {done.cancelled} cancelled")
    done.step("book what filled", f"{done.fills} fills added, {done.partial} orders filled in part")
    breaks = [one for compared in done.compared for one in compared.standing]
    done.step("compare and write the log", f"{len(breaks)} breaks" + "".join(f"; {one.explanation}" for one in breaks))
