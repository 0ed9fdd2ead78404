"""Sending stored orders to their brokers, each once, and storing the brokers' answers.

An order is UNKNOWN from the moment before it is sent. It stays so until its state is known, is looked up by its client
order id, and is sent again only when it is proved not to be at the broker.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from trading_lib.adapters.stores.books.account_store import AccountStore
from trading_lib.adapters.stores.books.book_store import BookLock
from trading_lib.adapters.stores.books.state_store import StateStore
from trading_lib.adapters.stores.orders.order_batches import OrderBatches
from trading_lib.domain.book.accounts import Account
from trading_lib.domain.book.orders import Fill, Order, OrderStatus
from trading_lib.execution.broker import Broker, Execution
from trading_lib.execution.order_path.desk import Desk
from trading_lib.execution.order_path.path import find_out, send
from trading_lib.workflows.books.arming import refuse_disarmed
from trading_lib.workflows.orders.fill_corrections import striker
from trading_lib.workflows.orders.order_driver import Check, OrderDriver, send_nothing
from trading_lib.workflows.trade.book_turns import BookTurn
from trading_lib.workflows.trade.broker_access import AtBrokers, account_of, broker_of, refuse_past
from trading_lib.workflows.trade.execution_reports import counting_session, fill_of

# What is to be sent, or to be found out first.
WAITING = (OrderStatus.INTENDED, OrderStatus.UNKNOWN, OrderStatus.ABSENT)
_COUNTED = {
    OrderStatus.DENIED: "denied",
    OrderStatus.HELD: "held",
    OrderStatus.REJECTED: "rejected",
    OrderStatus.CANCELLED: "rejected",
    OrderStatus.EXPIRED: "rejected",
    OrderStatus.UNKNOWN: "unknown",
    OrderStatus.ABSENT: "absent",
    OrderStatus.INTENDED: "unsent",
}


@dataclass
class Sent:
    """Counts of orders by what became of them.

    Attributes
    ----------
    accepted, rejected
        By a broker, or ended there.
    denied, held
        By the pre-trade checks, or kept back by a guard.
    unknown, absent
        Sent with an outcome that is not known, or proved not to have arrived.
    unsent
        Still intended.
    """

    accepted: int = 0
    denied: int = 0
    rejected: int = 0
    unknown: int = 0
    held: int = 0
    absent: int = 0
    unsent: int = 0


async def send_orders(turn: BookTurn, found: Sequence[tuple[Order, OrderStatus]], check: Check) -> Sent:
    """Find out what is unknown, and send what is intended or proved absent.

    It does not wait: an absence that needs time to be proved is proved by a later run.

    Parameters
    ----------
    found
        Orders with their stored status, of one session of the book.
    check
        Clears an order.

    Raises
    ------
    BookDisarmedError
        When there is something to send or to look up, and the book was restored and not armed since.
    """
    sent = Sent()
    run = turn.run
    accounts: dict[str, tuple[Account, list[str]]] = {}
    for order, status in found:
        if status in WAITING:
            account = account_of(run, order)
            accounts.setdefault(account.name, (account, []))[1].append(order.client_order_id)
    if accounts:
        refuse_disarmed(run.book.name, run.settings)
    refuse_past(run, [account for account, _ in accounts.values()])
    for account, identities in accounts.values():
        broker = broker_of(run, account)
        await broker.connect()
        try:
            driver = order_driver(turn, account, broker, check)
            desk = order_desk(run, driver.store, identities)
            await driver.drive(desk, find_out(desk))
            await driver.drive(desk, send(desk, identities))
        finally:
            await broker.close()
        for tracked in desk.orders.values():
            counted = _COUNTED.get(tracked.status, "accepted")
            setattr(sent, counted, getattr(sent, counted) + 1)
    return sent


def order_driver(turn: BookTurn, account: Account, broker: Broker, check: Check) -> OrderDriver:
    """Return the driver of the order path at one account of the book.

    Parameters
    ----------
    broker
        Of the account, connected.
    """
    return driver_at(turn.run, turn.lock, account, broker, check)


def driver_at(
    run: AtBrokers, lock: BookLock, account: Account, broker: Broker, check: Check = send_nothing
) -> OrderDriver:
    """Return the driver of the order path at one account of a book whose lock is held; see `order_driver`."""
    portfolio = StateStore(run.engine).latest_portfolio(run.book.name)
    settled = None if portfolio is None else portfolio.session

    def booked(execution: Execution) -> Fill:
        session = counting_session(execution.filled_at, run.settings.calendar, settled)
        return fill_of(execution, broker.name, session)

    return OrderDriver(
        broker,
        OrderBatches(run.engine, run.book.name, broker.name, account.name, booked, striker(run, account.name)),
        check,
        lock.ensure_held,
        AccountStore(run.engine).cursors(run.book.name).get(account.name, ""),
    )


def order_desk(run: AtBrokers, store: OrderBatches, identities: Sequence[str]) -> Desk:
    """Return a desk of stored orders, in the order of ``identities``."""
    tracked = {one.order.client_order_id: one for one in store.tracked(identities)}
    policy = run.settings.configuration.sending.policy
    return Desk([tracked[identity] for identity in identities if identity in tracked], policy, run.settings.clock)
