"""What keeps orders back before anything is sent to a real broker: the session, the book, the arming, the window.

An order that a guard keeps back ends HELD with the reason; its fill is only simulated, in a book beside. One whose
broker takes no orders yet stays INTENDED. Orders at the simulated broker pass.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import TYPE_CHECKING

from trading_lib.adapters.stores.books.arming_store import ArmingStore
from trading_lib.adapters.stores.orders.routes import OrderRoutes
from trading_lib.adapters.stores.orders.sent_orders import SentOrders
from trading_lib.domain.book.accounts import Account
from trading_lib.domain.book.orders import Order, OrderEvent, OrderStatus
from trading_lib.domain.market.sessions import SessionCalendar
from trading_lib.execution.send_window import SendWindow, WindowState, send_window
from trading_lib.session.open_orders import increases
from trading_lib.workflows.alerts.sessions import tell_held
from trading_lib.workflows.books.arming import refuse_disarmed
from trading_lib.workflows.orders.guarding.arming import kind_problem
from trading_lib.workflows.orders.guarding.availability import Availability, ask
from trading_lib.workflows.trade.book_turns import BookTurn
from trading_lib.workflows.trade.broker_access import (
    AtBrokers,
    account_of,
    capabilities,
    is_real,
    simulator_stands_in,
)

if TYPE_CHECKING:
    from trading_lib.workflows.trade.book_run import BookRun

LOG = logging.getLogger(__name__)
Found = tuple[Order, OrderStatus]
# What was never at a broker, or is proved not to be there.
UNSENT = (OrderStatus.INTENDED, OrderStatus.ABSENT)


@dataclass
class Guarded:
    """Orders of a session by what may become of them.

    Attributes
    ----------
    found
        May be sent or looked up now, and those that are past either; with their stored status.
    held
        Kept back, with the reason.
    waiting
        Whose broker takes no orders yet, ``from_when`` it does, or cannot be reached.
    unasked
        Sent earlier, and not asked about, as the session is past or the broker away.
    brokers
        What those said that orders go to.
    """

    found: list[Found] = field(default_factory=list)
    held: list[tuple[Order, str]] = field(default_factory=list)
    waiting: list[Order] = field(default_factory=list)
    from_when: datetime | None = None
    unasked: list[Order] = field(default_factory=list)
    brokers: Availability = field(default_factory=Availability)


def is_current(day: date, calendar: SessionCalendar, now: datetime) -> bool:
    """Whether a session is the newest that can be decided; a day without one, the newest whose stops can be checked."""
    if calendar.contains(day):
        return day == calendar.latest_decidable(now)
    newest = calendar.latest_decidable(now)
    return day == calendar.latest_stop_check(now) and calendar.session_before(day) == newest


def guard(turn: BookTurn, orders: Sequence[Found]) -> Guarded:
    """Keep back what may not be sent, and store why.

    Raises
    ------
    BookDisarmedError
        When there is something to send or to look up, and the book was restored and not released since.
    """
    run, guarded = turn.run, Guarded()
    if any(status in (*UNSENT, OrderStatus.UNKNOWN) for _, status in orders):
        refuse_disarmed(run.book.name, run.settings)
    for order, status in orders:
        account = account_of(run, order)
        if status not in (*UNSENT, OrderStatus.UNKNOWN) or not is_real(account, run.settings):
            guarded.found.append((order, status))
        elif status is OrderStatus.UNKNOWN:
            current = is_current(order.session, run.settings.calendar, run.settings.clock())
            asked = current and _is_there(run, account, guarded)
            (guarded.found.append((order, status)) if asked else guarded.unasked.append(order))
        else:
            _unsent(run, order, status, account, guarded)
    if guarded.held:
        turn.lock.ensure_held()
        _hold(run, guarded.held)
    return guarded


def _unsent(run: BookRun, order: Order, status: OrderStatus, account: Account, guarded: Guarded) -> None:
    reason, opens = _kept_back(run, order, account)
    if reason:
        guarded.held.append((order, reason))
    elif opens is not None:
        guarded.waiting.append(order)
        guarded.from_when = min(guarded.from_when or opens, opens)
    elif _is_there(run, account, guarded) or _is_rerouted(run, order, status, account, guarded):
        guarded.found.append((order, status))
    else:
        guarded.waiting.append(order)


def _kept_back(run: BookRun, order: Order, account: Account) -> tuple[str, datetime | None]:
    """Why an order may not be sent to an account for good, or until when."""
    if reason := refusal(run, account, order.session):
        return reason, None
    window = window_of(run, account, order.session)
    match window.state(run.settings.clock()):
        case WindowState.CLOSED:
            assert window.closes is not None
            until = f"{window.closes:%Y-%m-%d %H:%M} UTC"
            return f"account {account.name} took orders of {order.session} until {until}", None
        case WindowState.EARLY:
            return "", window.opens
        case _:
            return "", None


def kept_back(run: BookRun, order: Order) -> str:
    """Say why an order may not be sent at this moment; "" where it may, or its account is at no real broker.

    In a batch that takes its time a session ends, a window closes and a person disarms, and an order that was sent
    before may turn out to be absent and be due to be sent again: what `guard` said before the batch says nothing of it.
    """
    account = account_of(run, order)
    if not is_real(account, run.settings):
        return ""
    reason, opens = _kept_back(run, order, account)
    return reason or (f"account {account.name} takes no orders before {opens:%Y-%m-%d %H:%M} UTC" if opens else "")


def _is_there(run: BookRun, account: Account, guarded: Guarded) -> bool:
    """Whether an account's broker can be reached; each is asked once."""
    asyncio.run(ask(run, [account], guarded.brokers))
    return account.name not in guarded.brokers.away


def _is_rerouted(run: BookRun, order: Order, status: OrderStatus, account: Account, guarded: Guarded) -> bool:
    """Route an order to the fallback of its account, if nothing of it was ever sent and the other may take it now."""
    if not account.fallback or status is not OrderStatus.INTENDED:
        return False
    other = run.settings.configuration.accounts.named(account.fallback)
    if _kept_back(run, order, other) != ("", None) or not _is_there(run, other, guarded):
        return False
    rerouted = OrderRoutes(run.engine).route(order.client_order_id, other.name)
    if rerouted:
        LOG.warning("order %s goes to account %s: %s", order.client_order_id, other.name, "its own cannot be reached")
    return rerouted


def refusal(run: AtBrokers, account: Account, day: date) -> str:
    """Say why orders of a session may not go to an account at a real broker; "" where they may."""
    settings, book = run.settings, run.book
    now = settings.clock()
    if not is_current(day, settings.calendar, now):
        newest = settings.calendar.latest_decidable(now)
        return f"session {day} is not the current one, which is {newest}"
    if problem := kind_problem(book.name, book.kind, account, simulator_stands_in()):
        return problem
    if ArmingStore(run.engine).in_force(book.name, account.name, day) is None:
        return f"book {book.name} is not armed for account {account.name} in session {day}"
    return ""


def is_asked(run: BookRun, account: Account) -> bool:
    """Whether a session asks an account's broker although no order is open there; see `may_ask`."""
    return may_ask(run, account, run.session)


def may_ask(at: AtBrokers, account: Account, day: date) -> bool:
    """Whether a session may ask an account's broker anything.

    Of a past session, or before the book has sent anything, the account is nobody's business: it needs no keys.
    """
    if not is_current(day, at.settings.calendar, at.settings.clock()):
        return False
    return not refusal(at, account, day) or SentOrders(at.engine).any_of(at.book.name)


def window_of(run: AtBrokers, account: Account, day: date) -> SendWindow:
    """Return when an account's broker takes the orders of a session."""
    return send_window(capabilities(account, run.settings), day, run.settings.calendar)


def _hold(run: BookRun, held: Sequence[tuple[Order, str]]) -> None:
    for order, reason in held:
        run.orders.record(order.client_order_id, OrderEvent.HOLD, run.settings.clock(), reason)
        LOG.warning("order %s held back: %s", order.client_order_id, reason, extra={"symbol": order.symbol})
    tell_reducing(run, held)


def tell_reducing(run: BookRun, held: Sequence[tuple[Order, str]]) -> None:
    """Tell the operator of orders that reduce risk and were kept back."""
    reducing = [(order, reason) for order, reason in held if not increases(order)]
    tell_held(run, [f"{order.side} {order.quantity:f} {order.symbol}: {reason}" for order, reason in reducing])
