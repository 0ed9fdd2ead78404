"""The order path: sending, finding out, following and cancelling, as generators that yield requests.

They do no input and output and know no clock but the desk's: a driver answers what they ask (`requests`), in the real
world or under virtual time. What they know they can learn anew: after a crash another process loads the orders and
begins again, and an order that was sent is looked up, never sent again before its absence is proved.
"""

from __future__ import annotations

from collections.abc import Generator, Sequence
from datetime import datetime
from typing import Any

from trading_lib.domain.book.orders import OPEN_STATUSES, OrderStatus
from trading_lib.execution.broker import ClearedOrder, Executions
from trading_lib.execution.order_path.desk import Desk, Steps, Wanted
from trading_lib.execution.order_path.evidence import Answered, CancelAnswered, CancelAsked, LookedUp, Reading, Sending
from trading_lib.execution.order_path.lifecycle import earliest_proof, may_send
from trading_lib.execution.order_path.requests import (
    Cancel,
    Check,
    Find,
    ReadClosed,
    ReadFills,
    ReadOpen,
    Request,
    Submit,
    Wait,
)
from trading_lib.execution.order_path.tracked import Next


def send(desk: Desk, identities: Sequence[str]) -> Steps:
    """Send orders that were never sent, or are proved absent and have a try left, each after its sending is stored.

    What was learned of an order is stored together with the sending of the next, and at the end.
    """
    for identity in identities:
        yield from send_one(desk, identity)
    yield from desk.save()


def send_one(desk: Desk, identity: str) -> Steps:
    """Send one order, and look it up where the answer leaves it open."""
    tracked = desk.orders[identity]
    if not may_send(tracked, desk.policy) or not _is_due(desk, tracked.attempts, tracked.sent_at):
        return
    cleared = yield Check(tracked.order)
    if not isinstance(cleared, ClearedOrder):
        desk.weigh(identity, cleared)
        return
    attempt = tracked.attempts + 1
    if not (yield from store_sending(desk, identity, attempt)):
        return
    answer = yield Submit(cleared)
    wanted = desk.weigh(identity, Answered(attempt, answer))
    yield from after_answer(desk, identity, wanted)


def _is_due(desk: Desk, attempts: int, sent_at: datetime | None) -> bool:
    return not attempts or sent_at is None or desk.clock() >= sent_at + desk.policy.backoff(attempts)


def store_sending(desk: Desk, identity: str, attempt: int) -> Generator[Request, Any, bool]:
    """Store that an order is about to be sent; False where it must not be: another process was first, or time went by.

    An order handed over long after its sending was stored could arrive when its absence is proved already.
    """
    desk.weigh(identity, Sending(attempt))
    tracked = desk.orders[identity]
    if tracked.status is not OrderStatus.UNKNOWN or tracked.attempts != attempt or tracked.sent_at is None:
        return False
    changed = yield from desk.save()
    return identity not in changed and desk.clock() - tracked.sent_at <= desk.policy.stale


def after_answer(desk: Desk, identity: str, wanted: Wanted) -> Steps:
    """Look an order up whose sending has no clear answer."""
    if Next.LOOK_UP in wanted:
        yield from look_up(desk, identity)


def look_up(desk: Desk, identity: str) -> Generator[Request, Any, Wanted]:
    """Look an order up, and return what is wanted then."""
    begun_at = desk.clock()
    found = yield Find(identity)
    return desk.weigh(identity, LookedUp(begun_at, found))


def find_out(desk: Desk) -> Steps:
    """Find out what became of the orders whose outcome is unknown: look them up, and prove the absence of the rest.

    It ends when nothing is unknown any more, when a `Wait` is refused, or when the broker could not be read completely
    as often as an order may be tried; whoever comes later begins again, the window goes on.
    """
    for identity in desk.with_status(OrderStatus.UNKNOWN):
        yield from look_up(desk, identity)
    yield from desk.save()
    tries = 0
    while unknown := desk.with_status(OrderStatus.UNKNOWN):
        now = desk.clock()
        begins = {identity: earliest_proof(desk.orders[identity], desk.policy) or now for identity in unknown}
        due = [identity for identity in unknown if begins[identity] <= now]
        if due:
            yield from prove_absence(desk, due)
            tries += 1
            if tries == desk.policy.tries or not desk.with_status(OrderStatus.UNKNOWN):
                return
            delay = desk.policy.backoff(tries)
        else:
            delay = min(begins.values()) - now
        if not (yield Wait(delay)):
            return


def prove_absence(desk: Desk, identities: Sequence[str]) -> Steps:
    """Read all that the broker has, and then look up what is in none of it."""
    wanted = yield from _read_orders(desk, identities)
    yield from sweep(desk, identities)
    for identity in identities:
        if identity in wanted or desk.orders[identity].status is OrderStatus.UNKNOWN:
            yield from look_up(desk, identity)
    yield from desk.save()


def _read_orders(desk: Desk, identities: Sequence[str]) -> Generator[Request, Any, set[str]]:
    begun_at = desk.clock()
    listed = yield ReadOpen()
    wanted = desk.weigh_orders(identities, Reading.OPEN, begun_at, listed)
    sent = [tracked.sent_at for tracked in map(desk.orders.__getitem__, identities) if tracked.sent_at is not None]
    begun_at = desk.clock()
    listed = yield ReadClosed(min(sent, default=begun_at) - desk.policy.lookback)
    return wanted | desk.weigh_orders(identities, Reading.CLOSED, begun_at, listed)


def sweep(desk: Desk, identities: Sequence[str] = ()) -> Generator[Request, Any, Executions | None]:
    """Read the account's fills and book those of the orders here; return what was read.

    Parameters
    ----------
    identities
        Orders for whose absence it speaks when they are not among them.
    """
    begun_at = desk.clock()
    read = yield ReadFills()
    desk.weigh_fills(identities, begun_at, read)
    found: Executions | None = read
    return found


def follow(desk: Desk) -> Steps:
    """Follow the orders that may still fill by one round: where the broker has them, and what filled."""
    following = desk.with_status(*OPEN_STATUSES)
    if not following:
        return
    begun_at = desk.clock()
    listed = yield ReadOpen()
    here = set() if listed is None else {order.client_order_id for order in listed}
    wanted = desk.weigh_orders([identity for identity in following if identity in here], Reading.OPEN, begun_at, listed)
    for identity in following:
        if identity not in here and Next.SWEEP in (yield from look_up(desk, identity)):
            wanted.add(identity)
    yield from sweep(desk)
    for identity in filter(wanted.__contains__, following):
        # Now that its fills are booked, it may be over.
        yield from look_up(desk, identity)
    yield from desk.save()


def cancel(desk: Desk, identities: Sequence[str], reason: str) -> Steps:
    """Cancel orders: the wish is stored first, then the broker is asked, then what came of it.

    What was not sent is cancelled at once. An unknown order is cancelled when it turns up.
    """
    asked = [identity for identity in identities if Next.CANCEL in desk.weigh(identity, CancelAsked(reason))]
    yield from desk.save()
    for identity in asked:
        answer = yield Cancel(identity)
        if Next.LOOK_UP in desk.weigh(identity, CancelAnswered(answer)):
            yield from look_up(desk, identity)
    yield from desk.save()
