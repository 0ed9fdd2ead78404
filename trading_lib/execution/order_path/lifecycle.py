"""The life of an order as a pure function: what is known, and one more piece of evidence -> what is known then.

`advance` is the only place that decides what evidence means. It never asks, sends, stores or looks at a clock: it
returns `Action` values for whoever does. The same evidence twice changes nothing and asks for nothing to be stored.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

from trading_lib.domain.book.orders import (
    OPEN_STATUSES,
    TRANSITIONS,
    EvidenceSource,
    OrderEvent,
    OrderStatus,
)
from trading_lib.execution.adjusted_orders import adjusted_by, adjusted_text
from trading_lib.execution.broker import BrokerOrder, BrokerStatus, Outcome, Seen, is_same
from trading_lib.execution.order_path.absence import NOTHING_PROVED, contradicted, is_proved, window_end, without_order
from trading_lib.execution.order_path.evidence import (
    Answered,
    Busted,
    CancelAnswered,
    CancelAsked,
    Denied,
    Evidence,
    Executed,
    Held,
    LookedUp,
    NotListed,
    Reported,
    Sending,
)
from trading_lib.execution.order_path.fill_evidence import busted, executed
from trading_lib.execution.order_path.life_steps import NEVER_SENT, NOT_SURE, SOURCE, appended, noted_once, taken
from trading_lib.execution.order_path.sending_policy import SendingPolicy
from trading_lib.execution.order_path.tracked import Action, Advanced, Cancelling, Next, Tell, Tracked

_ENDS: Mapping[BrokerStatus, OrderEvent] = {
    BrokerStatus.CANCELLED: OrderEvent.CANCEL,
    BrokerStatus.EXPIRED: OrderEvent.EXPIRE,
    BrokerStatus.REJECTED: OrderEvent.REJECT,
}
_CANCELLABLE = (OrderStatus.WORKING, OrderStatus.PARTIALLY_FILLED, OrderStatus.PENDING_CANCEL)


def advance(tracked: Tracked, evidence: Evidence, now: datetime, policy: SendingPolicy) -> Advanced:
    """Weigh one piece of evidence.

    Parameters
    ----------
    now
        When the evidence came in.

    Returns
    -------
    The order as it is known then, and what is to be stored, told and done, in this order. Evidence that an order's
    status has no room for changes nothing; where money could be at stake, the operator is told.
    """
    return _WEIGH[type(evidence)](tracked, evidence, now, policy)


def _sending(tracked: Tracked, evidence: Sending, now: datetime, policy: SendingPolicy) -> Advanced:
    if not may_send(tracked, policy) or evidence.attempt != tracked.attempts + 1:
        return tracked, ()
    changes: dict[str, Any] = {"attempts": evidence.attempt, "sent_at": now, "absence": NOTHING_PROVED}
    tracked, sending = appended(tracked, OrderEvent.SUBMIT, now, SOURCE.SYSTEM, **changes)
    return tracked, (sending, Next.SEND)


def may_send(tracked: Tracked, policy: SendingPolicy) -> bool:
    """Whether the order was never sent, or is proved absent and has a try left."""
    if tracked.status is OrderStatus.ABSENT:
        return tracked.attempts < policy.tries and tracked.cancelling is Cancelling.NOT_ASKED
    return tracked.status is OrderStatus.INTENDED


def _answered(tracked: Tracked, evidence: Answered, now: datetime, policy: SendingPolicy) -> Advanced:
    attempt, answer = evidence
    if answer.outcome is Outcome.ACCEPTED:
        return taken(tracked, now, SOURCE.SUBMIT, answer.reason, answer.raw, answer.broker_order_id)
    if answer.outcome is Outcome.REJECTED:
        # A refusal speaks of the sending it answers, not of a later one.
        if tracked.status is not OrderStatus.UNKNOWN or attempt != tracked.attempts:
            return noted_once(tracked, now, SOURCE.SUBMIT, answer.reason, answer.raw)
        tracked, rejected = appended(tracked, OrderEvent.REJECT, now, SOURCE.SUBMIT, answer.reason, answer.raw)
        return tracked, (rejected,)
    if tracked.status is not OrderStatus.UNKNOWN:
        return noted_once(tracked, now, SOURCE.SUBMIT, answer.reason, answer.raw)
    if answer.outcome is Outcome.DUPLICATE:
        # The id is known there: absence would have to be proved from now on.
        tracked = tracked._replace(absence=contradicted(now))
    tracked, actions = noted_once(tracked, now, SOURCE.SUBMIT, answer.reason, answer.raw)
    return tracked, (*actions, Next.LOOK_UP)


def _looked_up(tracked: Tracked, evidence: LookedUp, now: datetime, policy: SendingPolicy) -> Advanced:
    begun_at, look_up = evidence
    if look_up.seen is Seen.FOUND and look_up.order is not None:
        return _seen(tracked, look_up.order, now, SOURCE.LOOK_UP, look_up.raw)
    not_found = look_up.seen is Seen.NOT_FOUND and tracked.status is OrderStatus.UNKNOWN
    if not_found and tracked.sent_at is not None and is_proved(tracked.absence, begun_at):
        return _absent(tracked, now, look_up.raw, policy)
    return noted_once(tracked, now, SOURCE.LOOK_UP, look_up.reason or str(look_up.seen), look_up.raw)


def _absent(tracked: Tracked, now: datetime, raw: str, policy: SendingPolicy) -> Advanced:
    window = f"not found {now - tracked.sent_at} after it was sent" if tracked.sent_at else "not found"
    detail = f"{window}, nor among open orders, closed orders and fills read since"
    tracked, absent = appended(tracked, OrderEvent.PROVE_ABSENT, now, SOURCE.LOOK_UP, detail, raw)
    if tracked.cancelling is not Cancelling.NOT_ASKED:
        tracked, cancelled = appended(
            tracked, OrderEvent.CANCEL, now, SOURCE.SYSTEM, "not at the broker", cancelling=Cancelling.NOT_ASKED
        )
        return tracked, (absent, cancelled)
    if may_send(tracked, policy):
        return tracked, (absent, Next.SEND)
    problem = f"it was sent {tracked.attempts} times and never arrived, so it is not sent again"
    return tracked, (absent, Tell(tracked.order.client_order_id, problem))


def _reported(tracked: Tracked, evidence: Reported, now: datetime, policy: SendingPolicy) -> Advanced:
    return _seen(tracked, evidence.order, now, evidence.source, evidence.order.raw)


def _seen(tracked: Tracked, found: BrokerOrder, now: datetime, source: EvidenceSource, raw: str) -> Advanced:
    """Compare the order with what the broker says of it; one that the broker has adjusted for a split is ours."""
    if not is_same(found, tracked.order):
        ratio = adjusted_by(found, tracked.order, tracked.broker_order_id)
        if ratio is None:
            tell = f"the broker knows another order under its id: {found.side} {found.quantity} {found.symbol}"
            tracked = tracked._replace(absence=contradicted(now))
            return noted_once(tracked, now, source, "", raw, tell)
        # The broker's words differ at every look; what it did is noted and told once.
        tell = adjusted_text(found, tracked.order.quantity, ratio)
        tracked, noted = noted_once(tracked, now, source, "", "", tell)
        tracked, actions = _seen_ours(tracked, found, now, source, raw)
        return tracked, (*noted, *actions)
    return _seen_ours(tracked, found, now, source, raw)


def _seen_ours(tracked: Tracked, found: BrokerOrder, now: datetime, source: EvidenceSource, raw: str) -> Advanced:
    if tracked.status in NEVER_SENT:
        return noted_once(tracked, now, source, "", raw, f"the broker has it as {found.status}, and it was never sent")
    if found.filled > tracked.called_filled:
        tracked = tracked._replace(called_filled=found.filled)
    unbooked = tracked.called_filled > tracked.filled
    if tracked.status in NOT_SURE and found.status in _ENDS and not unbooked and not tracked.filled:
        return _ended(tracked, found, now, source, raw)
    tracked, actions = taken(tracked, now, source, found.reason, raw, found.broker_order_id)
    if unbooked:
        # It ends when all is booked that the broker calls filled.
        return tracked, (*actions, Next.SWEEP)
    if tracked.status in _CANCELLABLE:
        after, more = _follow(tracked, found, now, source, raw)
        return after, (*actions, *more)
    if found.status.is_open and tracked.status not in OPEN_STATUSES and not actions:
        return noted_once(tracked, now, source, "", raw, f"the broker has it as {found.status}, and here it is over")
    return tracked, actions


def _follow(tracked: Tracked, found: BrokerOrder, now: datetime, source: EvidenceSource, raw: str) -> Advanced:
    """Follow an order that works, all of whose fills are booked, to where the broker has it."""
    if found.status in _ENDS:
        return _ended(tracked, found, now, source, raw)
    # With a fill struck, less than was ordered is booked of an order that is filled.
    if tracked.filled >= found.quantity or (found.status is BrokerStatus.FILLED and tracked.struck):
        tracked, filled = appended(tracked, OrderEvent.FILL, now, source, found.reason, raw)
        return tracked, (filled,)
    if tracked.status is OrderStatus.PENDING_CANCEL and tracked.cancelling is Cancelling.REFUSED:
        tracked, works = appended(
            tracked, OrderEvent.ACCEPT, now, source, "not cancelled", raw, cancelling=Cancelling.NOT_ASKED
        )
        return tracked, (works,)
    return tracked, ()


def _ended(tracked: Tracked, found: BrokerOrder, now: datetime, source: EvidenceSource, raw: str) -> Advanced:
    event = _ENDS[found.status]
    if (tracked.status, event) not in TRANSITIONS:
        # What has filled in part was not refused.
        event = OrderEvent.CANCEL
    actions: tuple[Action, ...] = ()
    if tracked.status is OrderStatus.ABSENT:
        actions = (Tell(tracked.order.client_order_id, "the broker has it, though it was proved absent"),)
    changes = {"broker_order_id": found.broker_order_id} if found.broker_order_id else {}
    tracked, ended = appended(
        tracked, event, now, source, found.reason, raw, cancelling=Cancelling.NOT_ASKED, **changes
    )
    return tracked, (*actions, ended)


def _not_listed(tracked: Tracked, evidence: NotListed, now: datetime, policy: SendingPolicy) -> Advanced:
    if tracked.status is not OrderStatus.UNKNOWN or tracked.sent_at is None:
        return tracked, ()
    reading, begun_at = evidence
    absence = without_order(tracked.absence, reading, begun_at, now, tracked.sent_at, policy.window)
    return (tracked if absence is tracked.absence else tracked._replace(absence=absence)), ()


def _cancel_asked(tracked: Tracked, evidence: CancelAsked, now: datetime, policy: SendingPolicy) -> Advanced:
    if tracked.status in (OrderStatus.INTENDED, OrderStatus.ABSENT):
        tracked, cancelled = appended(tracked, OrderEvent.CANCEL, now, SOURCE.SYSTEM, evidence.reason)
        return tracked, (cancelled,)
    if (tracked.status, OrderEvent.REQUEST_CANCEL) not in TRANSITIONS:
        return tracked, ()
    if tracked.cancelling is Cancelling.ASKED:
        return tracked, (Next.CANCEL,)
    tracked, asked = appended(
        tracked, OrderEvent.REQUEST_CANCEL, now, SOURCE.SYSTEM, evidence.reason, cancelling=Cancelling.ASKED
    )
    return tracked, (asked, Next.CANCEL)


def _cancel_answered(tracked: Tracked, evidence: CancelAnswered, now: datetime, policy: SendingPolicy) -> Advanced:
    answer = evidence.answer
    if tracked.cancelling is Cancelling.NOT_ASKED:
        return tracked, ()
    if answer.outcome is Outcome.ACCEPTED and tracked.status is OrderStatus.UNKNOWN:
        tracked = tracked._replace(absence=contradicted(now))
    elif answer.outcome is Outcome.REJECTED and tracked.status is OrderStatus.PENDING_CANCEL:
        # Often it has filled or ended already: what it is then, a look-up says.
        tracked = tracked._replace(cancelling=Cancelling.REFUSED)
    tracked, actions = noted_once(tracked, now, SOURCE.SYSTEM, answer.reason or str(answer.outcome), answer.raw)
    return tracked, (*actions, Next.LOOK_UP)


def _kept_back(event: OrderEvent) -> Callable[..., Advanced]:
    def weigh(tracked: Tracked, evidence: Held | Denied, now: datetime, policy: SendingPolicy) -> Advanced:
        if (tracked.status, event) not in TRANSITIONS:
            return tracked, ()
        tracked, kept = appended(tracked, event, now, SOURCE.SYSTEM, evidence.reason)
        return tracked, (kept,)

    return weigh


_WEIGH: Mapping[type, Callable[..., Advanced]] = {
    Sending: _sending,
    Answered: _answered,
    LookedUp: _looked_up,
    NotListed: _not_listed,
    Reported: _reported,
    Executed: executed,
    Busted: busted,
    CancelAsked: _cancel_asked,
    CancelAnswered: _cancel_answered,
    Held: _kept_back(OrderEvent.HOLD),
    Denied: _kept_back(OrderEvent.DENY),
}


def earliest_proof(tracked: Tracked, policy: SendingPolicy) -> datetime | None:
    """When the readings of a proof of absence may begin; None for an order that is not UNKNOWN."""
    if tracked.status is not OrderStatus.UNKNOWN or tracked.sent_at is None:
        return None
    return window_end(tracked.absence, tracked.sent_at, policy.window)
