"""Sending stored orders to their brokers, each once, and storing the brokers' answers.

An order is UNKNOWN from the moment before it is sent. It stays so until its state is known, is looked up by its client
order id, and is never sent again.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from trading_lib.domain.book.accounts import Account
from trading_lib.domain.book.orders import Order, OrderEvent, OrderStatus
from trading_lib.domain.errors import BrokerUnavailableError
from trading_lib.execution.broker import Answer, Broker, BrokerStatus, ClearedOrder, LookUp, Outcome, Seen, is_same
from trading_lib.workflows.books.arming import refuse_disarmed
from trading_lib.workflows.trade.book_turns import BookTurn
from trading_lib.workflows.trade.broker_access import account_of, broker_of, refuse_past

LOG = logging.getLogger(__name__)
# Clears an order, or says why it is denied; asked a moment before it is sent.
Check = Callable[[Order], ClearedOrder | str]

# Status at the broker -> event of the order's lifecycle.
EVENTS = {
    BrokerStatus.WORKING: OrderEvent.ACCEPT,
    BrokerStatus.PARTIALLY_FILLED: OrderEvent.ACCEPT,
    # Its fills are booked by the settlement; until then it is an order that was accepted.
    BrokerStatus.FILLED: OrderEvent.ACCEPT,
    BrokerStatus.CANCELLED: OrderEvent.CANCEL,
    BrokerStatus.EXPIRED: OrderEvent.CANCEL,
    BrokerStatus.REJECTED: OrderEvent.REJECT,
}


@dataclass
class Sent:
    """Counts of orders accepted, denied by pre-trade checks, rejected by a broker, and still unknown."""

    accepted: int = 0
    denied: int = 0
    rejected: int = 0
    unknown: int = 0


async def send_orders(turn: BookTurn, found: Sequence[tuple[Order, OrderStatus]], check: Check) -> Sent:
    """Send what is intended, and look up what is unknown.

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
    waiting = [entry for entry in found if entry[1] in (OrderStatus.INTENDED, OrderStatus.UNKNOWN)]
    accounts: dict[str, tuple[Account, list[tuple[Order, OrderStatus]]]] = {}
    for order, status in waiting:
        account = account_of(run, order)
        accounts.setdefault(account.name, (account, []))[1].append((order, status))
    if waiting:
        refuse_disarmed(run.book.name, run.settings)
    refuse_past(run, [account for account, _ in accounts.values()])
    for account, orders in accounts.values():
        broker = broker_of(run, account)
        await broker.connect()
        try:
            for order, status in orders:
                await _send(turn, broker, order, status, check, sent)
        finally:
            await broker.close()
    return sent


async def _send(turn: BookTurn, broker: Broker, order: Order, status: OrderStatus, check: Check, sent: Sent) -> None:
    if status is OrderStatus.UNKNOWN:
        await _look_up(turn, broker, order, sent)
        return
    cleared = check(order)
    turn.lock.ensure_held()
    if isinstance(cleared, str):
        _record(turn, order, OrderEvent.DENY, cleared)
        LOG.warning("order %s refused: %s", order.client_order_id, cleared, extra={"symbol": order.symbol})
        sent.denied += 1
        return
    _record(turn, order, OrderEvent.SUBMIT, broker=broker)
    try:
        answer = await broker.submit(cleared)
    except BrokerUnavailableError:
        # It reports that nothing was sent, but only a broker's answer ends an order that may be on its way.
        answer = Answer(Outcome.UNKNOWN)
    if answer.outcome is Outcome.ACCEPTED:
        _accept(turn, order, broker, answer.broker_order_id, sent)
    elif answer.outcome is Outcome.REJECTED:
        _record(turn, order, OrderEvent.REJECT, answer.reason)
        LOG.warning("order %s rejected by %s: %s", order.client_order_id, broker.name, answer.reason)
        sent.rejected += 1
    else:
        await _look_up(turn, broker, order, sent)


async def _look_up(turn: BookTurn, broker: Broker, order: Order, sent: Sent) -> None:
    """Ask what became of an order; not found is not proof that it is not there."""
    try:
        found = await broker.find(order.client_order_id)
    except BrokerUnavailableError as error:
        # The other orders go on; a later run of the task asks again.
        found = LookUp(Seen.UNKNOWN, reason=error.problem)
    if found.seen is not Seen.FOUND or found.order is None:
        why = f" ({found.reason})" if found.reason else ""
        LOG.warning("order %s: %s does not say what became of it%s", order.client_order_id, broker.name, why)
        sent.unknown += 1
        return
    if not is_same(found.order, order):
        LOG.warning("order %s: %s knows another order under this id", order.client_order_id, broker.name)
        sent.unknown += 1
        return
    event = EVENTS[found.order.status]
    if event is OrderEvent.ACCEPT:
        _accept(turn, order, broker, found.order.broker_order_id, sent)
        return
    _record(turn, order, event, found.order.reason)
    sent.rejected += 1


def _accept(turn: BookTurn, order: Order, broker: Broker, broker_order_id: str, sent: Sent) -> None:
    _record(turn, order, OrderEvent.ACCEPT, broker=broker, broker_order_id=broker_order_id)
    sent.accepted += 1


def _record(
    turn: BookTurn,
    order: Order,
    event: OrderEvent,
    detail: str = "",
    broker: Broker | None = None,
    broker_order_id: str | None = None,
) -> None:
    name = broker.name if broker else None
    turn.run.orders.record(order.client_order_id, event, turn.run.settings.clock(), detail, name, broker_order_id)
