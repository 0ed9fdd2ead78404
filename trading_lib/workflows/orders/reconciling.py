"""A book's accounts against their brokers: every break stored, told, and halting what adds risk while it is open."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from datetime import timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from trading_lib.adapters.stores.orders.break_store import BreakStore, StoredBreak
from trading_lib.domain.book.accounts import Account
from trading_lib.domain.book.orders import Order
from trading_lib.domain.book.portfolio import Portfolio
from trading_lib.domain.market.perpetuals import is_perpetual
from trading_lib.execution.broker import Broker
from trading_lib.execution.reconciliation.breaks import BreakStatus, known_difference
from trading_lib.execution.reconciliation.compare import Comparison, compare, halting_reason
from trading_lib.execution.reconciliation.snapshot import BrokerSnapshot
from trading_lib.monitoring.alert import Alert, AlertLevel
from trading_lib.session.open_orders import increases
from trading_lib.workflows.orders.own_records import own_side
from trading_lib.workflows.orders.snapshots import snapshot_of
from trading_lib.workflows.trade.broker_access import BookAtBrokers, broker_of, is_real
from trading_lib.workflows.trade.stage_log import logged

if TYPE_CHECKING:
    from trading_lib.workflows.setup.settings import Settings
    from trading_lib.workflows.trade.book_run import BookRun
    from trading_lib.workflows.trade.broker_access import AtBrokers

LOG = logging.getLogger(__name__)
Result = dict[str, Any]
# An alert lists so many breaks at most.
MOST_LINES = 30
# Movements that explain themselves are listed one by one for so long.
LISTED = timedelta(days=14)


@dataclass(frozen=True, slots=True)
class Reconciled:
    """One account after its comparison: the breaks as they are stored."""

    account: str
    comparison: Comparison
    snapshot: BrokerSnapshot
    own_cash: Decimal
    breaks: tuple[StoredBreak, ...]

    @property
    def standing(self) -> tuple[StoredBreak, ...]:
        """Those that the operator has not accepted."""
        return tuple(one for one in self.breaks if one.status is not BreakStatus.ACCEPTED)


@logged("reconcile with brokers")
def reconcile_book(book: str, settings: Settings | None = None) -> Result:
    """Compare every account of a book that is at a real broker with what the broker has now.

    Raises
    ------
    SnapshotRefusedError
        When a broker's answer is of another account or broken; of that account nothing is compared or stored.
    BrokerUnavailableError
        When a broker does not answer.
    """
    from trading_lib.adapters.stores.books.book_store import BookStore
    from trading_lib.workflows.setup.settings import load_settings

    active = settings or load_settings()
    engine = active.engine()
    at = BookAtBrokers(active, BookStore(engine).book(book), engine)
    accounts = real_accounts(at)
    with at.orders.book_lock(book):
        return result_of(book, reconcile_accounts(at, accounts), at)


def reconcile_session(run: BookRun) -> Result | None:
    """Compare a session's book with its brokers; None where none of them may be asked.

    Of a past session, or before the book was armed or has sent anything, no broker is asked.
    """
    from trading_lib.workflows.orders.guarding.guards import is_asked

    accounts = [account for account in real_accounts(run) if is_asked(run, account)]
    if not accounts:
        return None
    with run.orders.book_lock(run.book.name):
        return result_of(run.book.name, reconcile_accounts(run, accounts), run)


def real_accounts(at: AtBrokers) -> list[Account]:
    """Accounts of the book's configuration that are at a real broker; none for a book that never reaches one.

    While the broker simulator stands in, books for trying out reach it, as `kind_problem` says.
    """
    from trading_lib.domain.book.books import BookKind
    from trading_lib.workflows.orders.order_life import is_shadow
    from trading_lib.workflows.trade.broker_access import simulator_stands_in

    is_tryout = at.book.kind in (BookKind.DEMO, BookKind.BACKTEST) and not simulator_stands_in()
    if is_tryout or is_shadow(at.book.name):
        return []
    return [one for one in at.settings.configuration.accounts.accounts if is_real(one, at.settings)]


def reconcile_accounts(at: AtBrokers, accounts: Sequence[Account]) -> list[Reconciled]:
    """Compare accounts one by one; the book is locked by whoever calls."""
    return [asyncio.run(_reconcile_account(at, account)) for account in accounts]


async def _reconcile_account(at: AtBrokers, account: Account) -> Reconciled:
    broker = broker_of(at, account)
    await broker.connect()
    try:
        return await reconcile_at(at, account, broker)
    finally:
        await broker.close()


async def reconcile_at(at: AtBrokers, account: Account, broker: Broker) -> Reconciled:
    """Compare an account with its broker, which is connected, and store what differs."""
    from trading_lib.adapters.stores.orders.snapshot_store import SnapshotStore

    snapshot = await snapshot_of(at, account, broker)
    own = own_side(at, account, broker.name, snapshot)
    comparison = compare(snapshot, own)
    now = at.settings.clock()
    SnapshotStore(at.engine).add(at.book.name, account.name, own.session, snapshot)
    breaks = BreakStore(at.engine).save(at.book.name, account.name, own.session, comparison.breaks, now)
    tell_breaks(at, account.name, breaks)
    return Reconciled(account.name, comparison, snapshot, own.cash, breaks)


def tell_breaks(at: AtBrokers, account: str, found: Sequence[StoredBreak]) -> None:
    """Tell the operator of the open breaks among those of an account, once: anew when there is one more."""
    from trading_lib.workflows.operations.alerting import raise_alert

    standing = [one for one in found if one.status is BreakStatus.OPEN]
    if not standing:
        return
    for one in standing:
        LOG.warning("break %d of account %s: %s", one.number, account, one.explanation)
    newest = max(standing, key=lambda one: one.number)
    more = f" and {len(standing) - 1} more" if len(standing) > 1 else ""
    what = " of ".join(filter(None, (str(newest.kind), newest.symbol)))
    text = [f"Account {account} of book {at.book.name} and its broker differ:"]
    text += [f"{one.number}: {one.ours} here, {one.broker} there; {one.explanation}." for one in standing[:MOST_LINES]]
    text += [
        "Nothing is bought until they are settled; sales go on.",
        f"Settle one: trading reconcile --book {at.book.name} --accept {newest.number} --by NAME --note WHY",
    ]
    alert = Alert(
        AlertLevel.CRITICAL,
        f"break {newest.number} in book {at.book.name}: {what}{more}",
        "\n".join(text),
        source="reconciliation",
        key=f"break:{at.book.name}:{newest.number}",
        session=newest.session,
        book=at.book.name,
        once=True,
    )
    raise_alert(alert, at.settings)


def result_of(book: str, done: Sequence[Reconciled], at: AtBrokers) -> Result:
    """Say what came of it, in values that can be printed and sent as JSON."""
    open_breaks = BreakStore(at.engine).breaks(book, statuses=[BreakStatus.OPEN])
    accepted = BreakStore(at.engine).breaks(book, statuses=[BreakStatus.ACCEPTED])
    return {
        "book": book,
        "accounts": [one.account for one in done],
        "orders": sum(one.comparison.orders for one in done),
        "positions": sum(one.comparison.positions for one in done),
        "cash": {
            one.account: {"ours": f"{one.own_cash:f}", "broker": f"{one.snapshot.account.cash:f}"} for one in done
        },
        "movements": {one.account: _carried(one, at) for one in done if one.snapshot.movements is not None},
        "breaks": [break_record(entry) for one in done for entry in one.standing],
        "accepted": [break_record(entry) for entry in accepted],
        "halted": bool(open_breaks),
    }


def _carried(one: Reconciled, at: AtBrokers) -> Result:
    """Say what the broker's cash has beyond the book's by movements that explain themselves; the newest one by one."""
    carried = one.comparison.carried
    first = at.settings.clock() - LISTED
    total = sum((each.amount for each in carried), Decimal(0))
    listed = [
        {"id": each.movement.movement_id, "kind": str(each.movement.kind), "symbol": each.movement.symbol}
        | {"amount": f"{each.amount:f}", "explanation": each.explanation}
        for each in carried
        if each.movement.at >= first
    ]
    return {"count": len(carried), "total": f"{total:f}", "newest": listed}


def break_record(one: StoredBreak) -> Result:
    """Values of a break."""
    return asdict(one) | {
        "session": one.session.isoformat(),
        "kind": str(one.kind),
        "status": str(one.status),
        "found_at": one.found_at.isoformat(),
        "settled_at": one.settled_at.isoformat() if one.settled_at else None,
    }


def halt_of(at: AtBrokers, portfolio: Portfolio) -> Callable[[Order], str]:
    """Return what says why an order may not be sent for the sake of open breaks; "" where it may.

    Nothing that adds risk is sent while there is one. What reduces it goes on, but sells no more of a symbol than its
    broker is known to have.

    Parameters
    ----------
    portfolio
        What the orders were decided from.
    """
    if not real_accounts(at):
        return lambda order: ""
    halting = BreakStore(at.engine).breaks(at.book.name, statuses=[BreakStatus.OPEN])
    reason = halting_reason(at.book.name, [(one.number, one) for one in halting])
    lacking: dict[str, Decimal] = {}
    for one in halting:
        known = known_difference(one.number, one.kind, one.symbol, one.ours, one.broker)
        for symbol, units in known.units.items() if known else ():
            lacking[symbol] = lacking.get(symbol, Decimal(0)) + units

    def halt(order: Order) -> str:
        if increases(order):
            return reason
        held = portfolio.positions.get(order.symbol)
        missing = lacking.get(order.symbol, Decimal(0))
        if is_perpetual(order.symbol) or held is None or missing >= 0 or order.quantity <= held.quantity + missing:
            return ""
        there = max(held.quantity + missing, Decimal(0))
        return f"the broker has {there:f} {order.symbol} and not {held.quantity:f}, as an open break says"

    return halt
