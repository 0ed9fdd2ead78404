"""What Alpaca's replies mean for an order. Input: a reply. Output: an `Answer` or a `LookUp`.

Rejected is what Alpaca itself refuses in its own words; whatever else is no plain yes leaves the order unknown.
"""

from __future__ import annotations

from trading_lib.adapters.brokers.alpaca.connection.client import AlpacaConnection, Reply
from trading_lib.adapters.brokers.alpaca.connection.keys import refusal
from trading_lib.adapters.brokers.alpaca.orders import broker_order
from trading_lib.adapters.brokers.alpaca.values import UnreadableError
from trading_lib.domain.book.orders import Order
from trading_lib.execution.broker import Answer, BrokerOrder, BrokerStatus, LookUp, Outcome, Seen, is_same

# Alpaca's refusals: of the account (funds, holdings, blocks), and of the order itself.
REFUSALS = frozenset({403, 422})
OPPOSITE = "wash trade"
OPPOSITE_REMEDY = "an order of the other side of this asset is open: cancel it, or wait until it has ended"


def submit_answer(connection: AlpacaConnection, reply: Reply, order: Order) -> Answer:
    """Return the outcome of sending an order."""
    raw = connection.record(reply.text)
    if reply.fine:
        return _taken(connection, reply, order, raw)
    if reply.refuses_key:
        return Answer(Outcome.UNKNOWN, reason=_key_refused(connection, reply), raw=raw)
    if reply.status == 422 and _knows_id(reply):
        return Answer(Outcome.DUPLICATE, reason=connection.words(reply), raw=raw)
    if reply.status in REFUSALS and reply.message:
        words = connection.words(reply)
        remedy = f" ({OPPOSITE_REMEDY})" if OPPOSITE in words.lower() else ""
        return Answer(Outcome.REJECTED, reason=words + remedy, raw=raw)
    return Answer(Outcome.UNKNOWN, reason=connection.words(reply), raw=raw)


def _taken(connection: AlpacaConnection, reply: Reply, order: Order, raw: str) -> Answer:
    try:
        taken = broker_order(reply.content, connection.record)
    except UnreadableError as error:
        return Answer(Outcome.UNKNOWN, reason=f"Alpaca's answer cannot be read ({error})", raw=raw)
    if taken.client_order_id != order.client_order_id or not is_same(taken, order):
        return Answer(Outcome.UNKNOWN, reason="Alpaca's answer is about another order", raw=raw)
    if taken.status is BrokerStatus.REJECTED:
        return Answer(Outcome.REJECTED, taken.broker_order_id, taken.reason, raw)
    return Answer(Outcome.ACCEPTED, taken.broker_order_id, taken.reason, raw)


def look_up(connection: AlpacaConnection, reply: Reply, client_order_id: str) -> LookUp:
    """Return what a look-up by an order's id found."""
    raw = connection.record(reply.text)
    if reply.refuses_key:
        return LookUp(Seen.UNKNOWN, reason=_key_refused(connection, reply), raw=raw)
    # An address that is not there answers 404, too.
    if reply.status == 404 and "order not found" in reply.message.lower():
        return LookUp(Seen.NOT_FOUND, reason=connection.words(reply), raw=raw)
    if not reply.fine:
        return LookUp(Seen.UNKNOWN, reason=connection.words(reply), raw=raw)
    try:
        found = broker_order(reply.content, connection.record)
    except UnreadableError as error:
        return LookUp(Seen.UNKNOWN, reason=f"Alpaca's answer cannot be read ({error})", raw=raw)
    if found.client_order_id != client_order_id:
        return LookUp(Seen.UNKNOWN, reason="Alpaca's answer is about another order", raw=raw)
    return LookUp(Seen.FOUND, found, found.reason, found.raw)


def cancel_answer(connection: AlpacaConnection, reply: Reply, order: BrokerOrder) -> Answer:
    """Return the outcome of asking to cancel an order that was just found."""
    raw = connection.record(reply.text)
    if reply.fine:
        return Answer(Outcome.ACCEPTED, order.broker_order_id, raw=raw)
    if reply.refuses_key:
        return Answer(Outcome.UNKNOWN, order.broker_order_id, _key_refused(connection, reply), raw)
    refused = reply.status in REFUSALS and bool(reply.message)
    outcome = Outcome.REJECTED if refused else Outcome.UNKNOWN
    return Answer(outcome, order.broker_order_id, connection.words(reply), raw)


def _knows_id(reply: Reply) -> bool:
    words = reply.message.lower()
    return "client_order_id" in words and "unique" in words


def _key_refused(connection: AlpacaConnection, reply: Reply) -> str:
    problem, remedy = refusal(connection.open())
    return f"{problem} ({connection.words(reply)}): {remedy}"
