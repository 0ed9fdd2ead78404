"""Steps that pieces of evidence share: an event, a note that changes nothing, finding that the broker has an order."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from trading_lib.domain.book.orders import TRANSITIONS, EvidenceSource, OrderEvent, OrderStatus, next_status
from trading_lib.execution.order_path.absence import NOTHING_PROVED
from trading_lib.execution.order_path.tracked import Action, Advanced, Append, Cancelling, Next, Tell, Tracked

SOURCE = EvidenceSource
NOT_SURE = (OrderStatus.UNKNOWN, OrderStatus.ABSENT)
NEVER_SENT = (OrderStatus.DENIED, OrderStatus.HELD)
# A broker that words every refusal anew does not fill the table.
MOST_NOTES = 100


def appended(
    tracked: Tracked,
    event: OrderEvent,
    now: datetime,
    source: EvidenceSource,
    detail: str = "",
    raw: str = "",
    **changes: Any,
) -> tuple[Tracked, Append]:
    """Let an event happen; `OrderTransitionError` where the status has no room for it."""
    status = next_status(tracked.status, event)
    after = tracked._replace(status=status, events=tracked.events + 1, **changes)
    return after, Append(event, status, now, source, after.attempts, detail, raw, changes.get("broker_order_id", ""))


def noted_once(
    tracked: Tracked, now: datetime, source: EvidenceSource, detail: str, raw: str, tell: str = ""
) -> tuple[Tracked, tuple[Action, ...]]:
    """Note something that changes nothing, once: as an event where the status has room, and to the operator."""
    key = (str(source), tell or detail, raw)
    if key in tracked.noted or not (raw or tell) or len(tracked.noted) >= MOST_NOTES:
        return tracked, ()
    tracked = tracked._replace(noted=tracked.noted | {key})
    actions: tuple[Action, ...] = ()
    if (tracked.status, OrderEvent.LOOK_UP) in TRANSITIONS:
        tracked, noted = appended(tracked, OrderEvent.LOOK_UP, now, source, tell or detail, raw)
        actions = (noted,)
    return tracked, (*actions, Tell(tracked.order.client_order_id, tell)) if tell else actions


def taken(
    tracked: Tracked, now: datetime, source: EvidenceSource, detail: str, raw: str, broker_order_id: str
) -> Advanced:
    """Take note that the broker has the order, where that was not sure or it was not even known to be sent."""
    actions: tuple[Action, ...] = ()
    if tracked.status is OrderStatus.INTENDED:
        told = "the broker has it, though it was never stored as sent"
        number = tracked.attempts + 1
        tracked, submitted = appended(tracked, OrderEvent.SUBMIT, now, source, told, raw, attempts=number, sent_at=now)
        actions = (submitted, Tell(tracked.order.client_order_id, told))
    elif tracked.status is OrderStatus.ABSENT:
        actions = (Tell(tracked.order.client_order_id, "the broker has it, though it was proved absent"),)
    if tracked.status not in NOT_SURE:
        return tracked, actions
    changes: dict[str, Any] = {"absence": NOTHING_PROVED} | (
        {"broker_order_id": broker_order_id} if broker_order_id else {}
    )
    tracked, accepted = appended(tracked, OrderEvent.ACCEPT, now, source, detail, raw, **changes)
    actions = (*actions, accepted)
    if tracked.cancelling is Cancelling.ASKED:
        tracked, asked = appended(tracked, OrderEvent.REQUEST_CANCEL, now, SOURCE.SYSTEM, "asked for before")
        actions = (*actions, asked, Next.CANCEL)
    return tracked, actions
