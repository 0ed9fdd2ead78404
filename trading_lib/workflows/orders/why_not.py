"""Why an order did not trade: from its status back through each reason to the broker's own words."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from trading_lib.domain.book.orders import OrderEvent, OrderStatus, client_order_id
from trading_lib.workflows.orders.order_life import SHADOW_SUFFIX, find_order, is_shadow, order_record

if TYPE_CHECKING:
    from trading_lib.adapters.stores.orders.break_store import StoredBreak
    from trading_lib.adapters.stores.orders.order_history import OrderHistory, StoredEvent, StoredOrder
    from trading_lib.workflows.setup.settings import Settings

Result = dict[str, Any]


@dataclass
class Answer:
    """What is said of an order, in plain words.

    Attributes
    ----------
    known, unknown
        What is known of it, and what is not.
    next
        What happens without anybody.
    you_can
        What the operator can do.
    """

    why: str
    known: list[str] = field(default_factory=list)
    unknown: list[str] = field(default_factory=list)
    next: list[str] = field(default_factory=list)
    you_can: list[str] = field(default_factory=list)


def why_not(identity: str, settings: Settings | None = None) -> Result:
    """Explain the state of an order; an unknown id is an `InputError` that names the nearest ones."""
    from trading_lib.adapters.stores.orders.break_store import BreakStore
    from trading_lib.adapters.stores.orders.order_history import OrderHistory
    from trading_lib.execution.reconciliation.breaks import BreakStatus
    from trading_lib.workflows.setup.settings import load_settings

    active = settings or load_settings()
    engine = active.engine()
    stored = find_order(identity, None, engine)
    history = OrderHistory(engine)
    events = history.events(identity)
    answer = _ANSWERS[stored.status](stored, events)
    answer.known[:0] = _decided(stored)
    _look_beside(stored, history, answer)
    open_breaks = BreakStore(engine).breaks(stored.order.book, statuses=[BreakStatus.OPEN])
    _name_breaks(stored, open_breaks, answer)
    return {
        "order": stored.order.client_order_id,
        "book": stored.order.book,
        "status": str(stored.status),
        "why": answer.why,
        "known": answer.known,
        "unknown": answer.unknown,
        "next": answer.next,
        "you_can": answer.you_can,
        "broker_said": _bytes(events),
        "details": order_record(stored),
    }


def _decided(stored: StoredOrder) -> list[str]:
    order = stored.order
    lines = [
        f"session {order.session} decided to {order.side} {order.quantity:f} {order.symbol}: {order.reason or '-'}"
    ]
    if is_shadow(order.book):
        lines.append("it is of a shadow book: simulated beside an order that was held back, and never anything more")
    return lines


def _bytes(events: Sequence[StoredEvent]) -> list[Result]:
    """Return what the broker said, word for word without secrets, the oldest first."""
    return [
        {"at": event.at.isoformat(), "source": event.source, "event": str(event.event), "raw": event.raw}
        for event in events
        if event.raw
    ]


def _last(events: Sequence[StoredEvent], *kinds: OrderEvent) -> StoredEvent | None:
    return next((event for event in reversed(events) if event.event in kinds), None)


def _sending(stored: StoredOrder) -> str:
    where = f" to account {stored.account}" if stored.account else ""
    when = f" at {stored.sent_at:%Y-%m-%d %H:%M:%S} UTC" if stored.sent_at else ""
    times = f", {stored.attempts} times" if stored.attempts > 1 else ""
    return f"it was sent{where} ({stored.broker or 'broker not noted'}){when}{times}"


def _intended(stored: StoredOrder, events: Sequence[StoredEvent]) -> Answer:
    return Answer(
        "it is stored and was never sent",
        known=["nothing has left this system for it"],
        next=["the task `place` sends it when its broker takes orders; once a newer session has begun it is cancelled"],
        you_can=[f"look at the newest run of `place`: trading logs --book {stored.order.book}"],
    )


def _denied(stored: StoredOrder, events: Sequence[StoredEvent]) -> Answer:
    denial = _last(events, OrderEvent.DENY)
    reason = denial.detail if denial else stored.detail
    book = stored.order.book
    can = ["nothing: the next session decides anew"]
    if "kill switch" in reason:
        can = ["turn the kill switch off when its reason is gone: trading kill-switch off"]
    elif "break" in reason:
        can = [f"settle the break: trading reconcile --book {book}"]
    elif "still open" in reason:
        can = [f"see what became of the open order: trading recover --book {book}"]
    return Answer(
        f"this system's own checks denied it: {reason}",
        known=["it never left this system"],
        next=["a denied order is never sent; the next session decides anew"],
        you_can=can,
    )


def _held(stored: StoredOrder, events: Sequence[StoredEvent]) -> Answer:
    book, session = stored.order.book, stored.order.session
    hold = _last(events, OrderEvent.HOLD)
    reason = hold.detail if hold else stored.detail
    can = ["nothing for this session"]
    if "not armed" in reason:
        can = [f"arm the book for coming sessions: trading arm --book {book} --account A --from D --until E"]
    return Answer(
        f"a guard kept it back: {reason}",
        known=["it never left this system", f"what it would have filled at is in book {book}{SHADOW_SUFFIX}"],
        next=[f"it stays HELD; only sessions after {session} decide again"],
        you_can=can,
    )


def _unknown(stored: StoredOrder, events: Sequence[StoredEvent]) -> Answer:
    answers = [event for event in events if event.event is OrderEvent.LOOK_UP]
    known = [
        _sending(stored),
        *(f"at {one.at:%H:%M:%S} by {one.source}: {one.detail or 'no words'}" for one in answers),
    ]
    return Answer(
        "it was sent, and no answer says what became of it",
        known=known,
        unknown=["whether the broker has it, and whether it has filled"],
        next=[
            "it is looked up by its id and never sent again while it is unknown",
            "it counts as absent only when it is not found after the waiting window, and neither open orders, closed"
            " orders nor fills read meanwhile show it",
            "nothing is bought in later sessions until then; sales go on",
        ],
        you_can=[
            f"ask the broker now: trading recover --book {stored.order.book}",
            f"look for id {stored.order.client_order_id} on the broker's own pages",
        ],
    )


def _absent(stored: StoredOrder, events: Sequence[StoredEvent]) -> Answer:
    proof = _last(events, OrderEvent.PROVE_ABSENT)
    return Answer(
        "it was sent and is proved not to be at the broker",
        known=[_sending(stored), *([f"the proof: {proof.detail}"] if proof and proof.detail else [])],
        next=["its task may send it again under the same id, at most as often as the policy says"],
        you_can=[f"see whether it is sent again: trading orders show {stored.order.client_order_id}"],
    )


def _working(stored: StoredOrder, events: Sequence[StoredEvent]) -> Answer:
    filled = f", {stored.filled:f} of {stored.order.quantity:f} filled" if stored.filled else ""
    return Answer(
        f"the broker has it and it may still fill{filled}",
        known=[_sending(stored)],
        unknown=["what fills before it ends"],
        next=["it is followed until it ends, and its fills are booked by the next settlement"],
        you_can=[f"ask the broker now: trading recover --book {stored.order.book}"],
    )


def _pending_cancel(stored: StoredOrder, events: Sequence[StoredEvent]) -> Answer:
    answer = _working(stored, events)
    answer.why = "its cancellation was asked for, and the broker has not said that it is cancelled"
    answer.unknown = ["whether it fills before it is cancelled"]
    return answer


def _rejected(stored: StoredOrder, events: Sequence[StoredEvent]) -> Answer:
    return Answer(
        f"{stored.broker or 'the broker'} rejected it: {stored.detail or 'it gave no reason'}",
        known=[_sending(stored)],
        next=["it is never sent again; the next session decides anew"],
        you_can=["correct what the broker names, and ask before the next session: trading preflight"],
    )


def _ended(stored: StoredOrder, events: Sequence[StoredEvent]) -> Answer:
    word = str(stored.status).lower()
    left = stored.order.quantity - stored.filled
    sent = any(event.event is OrderEvent.SUBMIT for event in events)
    why = f"it is {word} with {left:f} of {stored.order.quantity:f} unfilled: {stored.detail or 'no reason was given'}"
    return Answer(
        why,
        known=[_sending(stored) if sent else "it was never sent"],
        next=["a fill that the broker reports late is booked all the same"] if sent else [],
        you_can=["nothing: the next session decides anew"],
    )


def _filled(stored: StoredOrder, events: Sequence[StoredEvent]) -> Answer:
    return Answer("nothing is in its way: it is filled", known=[_sending(stored), f"{stored.filled:f} filled"])


_ANSWERS: Mapping[OrderStatus, Callable[[StoredOrder, Sequence[StoredEvent]], Answer]] = {
    OrderStatus.INTENDED: _intended,
    OrderStatus.DENIED: _denied,
    OrderStatus.HELD: _held,
    OrderStatus.UNKNOWN: _unknown,
    OrderStatus.ABSENT: _absent,
    OrderStatus.WORKING: _working,
    OrderStatus.PARTIALLY_FILLED: _working,
    OrderStatus.PENDING_CANCEL: _pending_cancel,
    OrderStatus.REJECTED: _rejected,
    OrderStatus.CANCELLED: _ended,
    OrderStatus.EXPIRED: _ended,
    OrderStatus.FILLED: _filled,
}


def _look_beside(stored: StoredOrder, history: OrderHistory, answer: Answer) -> None:
    """Say what the shadow of a held order filled at."""
    if stored.status is not OrderStatus.HELD:
        return
    order = stored.order
    shadow = client_order_id(f"{order.book}{SHADOW_SUFFIX}", order.session, order.symbol, order.side, 0, order.leg)
    for fill in history.fills(shadow):
        answer.known.append(f"shadow: {fill.quantity:f} would have filled at {fill.price:f} (order {shadow})")


def _name_breaks(stored: StoredOrder, breaks: Sequence[StoredBreak], answer: Answer) -> None:
    identity = stored.order.client_order_id
    for one in breaks:
        if identity in one.explanation:
            answer.known.append(f"open break {one.number} ({one.kind}): {one.explanation}")
            answer.you_can.append(f"settle it: trading reconcile --book {one.book} --accept {one.number}")
