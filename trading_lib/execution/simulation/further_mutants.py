"""More planted bugs, written by somebody who had read the order path and not its tests."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from typing import Any

from trading_lib.domain.book.orders import EvidenceSource, OrderEvent, OrderStatus
from trading_lib.execution.broker import ClearedOrder, Outcome, Seen
from trading_lib.execution.order_path import fill_evidence, life_steps, lifecycle, path
from trading_lib.execution.order_path.absence import window_end
from trading_lib.execution.order_path.desk import Desk, Steps
from trading_lib.execution.order_path.evidence import Answered, CancelAnswered, CancelAsked, Executed, LookedUp, Sending
from trading_lib.execution.order_path.requests import Cancel, Submit
from trading_lib.execution.order_path.sending_policy import SendingPolicy
from trading_lib.execution.order_path.tracked import Advanced, Append, Cancelling, Next, Tracked
from trading_lib.execution.simulation.planting import Mutant, Plant, weighing


def _absence_by_look_ups_alone(plant: Plant) -> None:
    right = lifecycle._WEIGH[LookedUp]

    def looked_up(tracked: Tracked, evidence: LookedUp, now: datetime, policy: SendingPolicy) -> Advanced:
        sent_at = tracked.sent_at if tracked.status is OrderStatus.UNKNOWN else None
        if evidence.look_up.seen is not Seen.NOT_FOUND or sent_at is None:
            return right(tracked, evidence, now, policy)
        if evidence.begun_at < window_end(tracked.absence, sent_at, policy.window):
            return right(tracked, evidence, now, policy)
        return lifecycle._absent(tracked, now, evidence.look_up.raw, policy)

    weighing(plant, LookedUp, looked_up)


def _proof_kept_for_next_sending(plant: Plant) -> None:
    right = lifecycle._WEIGH[Sending]

    def sending(tracked: Tracked, evidence: Sending, now: datetime, policy: SendingPolicy) -> Advanced:
        after, actions = right(tracked, evidence, now, policy)
        return after._replace(absence=tracked.absence), actions

    weighing(plant, Sending, sending)


def _sent_again_under_new_id(plant: Plant) -> None:
    right = path.send_one

    def send_one(at: Desk, identity: str) -> Steps:
        steps, answer = right(at, identity), None
        while True:
            try:
                request = steps.send(answer)
            except StopIteration:
                return
            number = at.orders[identity].attempts
            if isinstance(request, Submit) and number > 1:
                other = replace(request.cleared.order, client_order_id=f"{identity}-{number}")
                request = Submit(ClearedOrder(other))
            answer = yield request

    plant(path, "send_one", send_one)


def _sent_again_though_cancelled(plant: Plant) -> None:
    def may_send(tracked: Tracked, policy: SendingPolicy) -> bool:
        is_absent = tracked.status is OrderStatus.ABSENT and tracked.attempts < policy.tries
        return is_absent or tracked.status is OrderStatus.INTENDED

    right = lifecycle._WEIGH[LookedUp]

    def looked_up(tracked: Tracked, evidence: LookedUp, now: datetime, policy: SendingPolicy) -> Advanced:
        if tracked.status is OrderStatus.UNKNOWN:
            tracked = tracked._replace(cancelling=Cancelling.NOT_ASKED)
        return right(tracked, evidence, now, policy)

    plant(lifecycle, "may_send", may_send)
    plant(path, "may_send", may_send)
    weighing(plant, LookedUp, looked_up)


def _sent_without_end(plant: Plant) -> None:
    def may_send(tracked: Tracked, policy: SendingPolicy) -> bool:
        is_due = tracked.status in (OrderStatus.INTENDED, OrderStatus.ABSENT)
        return is_due and tracked.cancelling is Cancelling.NOT_ASKED

    plant(lifecycle, "may_send", may_send)
    plant(path, "may_send", may_send)


def _sent_though_another_was_first(plant: Plant) -> None:
    def store_sending(at: Desk, identity: str, attempt: int) -> Any:
        at.weigh(identity, Sending(attempt))
        tracked = at.orders[identity]
        if tracked.status is not OrderStatus.UNKNOWN or tracked.attempts != attempt:
            return False
        yield from at.save()
        return True

    plant(path, "store_sending", store_sending)


def _cancel_answer_believed(plant: Plant) -> None:
    right = lifecycle._WEIGH[CancelAnswered]

    def answered(tracked: Tracked, evidence: CancelAnswered, now: datetime, policy: SendingPolicy) -> Advanced:
        if evidence.answer.outcome is Outcome.ACCEPTED and tracked.status is OrderStatus.PENDING_CANCEL:
            tracked, cancelled = life_steps.appended(
                tracked, OrderEvent.CANCEL, now, EvidenceSource.SYSTEM, cancelling=Cancelling.NOT_ASKED
            )
            return tracked, (cancelled,)
        return right(tracked, evidence, now, policy)

    weighing(plant, CancelAnswered, answered)


def _cancel_wish_not_stored_before_asking(plant: Plant) -> None:
    def cancel(at: Desk, identities: Any, reason: str) -> Steps:
        for identity in [one for one in identities if Next.CANCEL in at.weigh(one, CancelAsked(reason))]:
            answer = yield Cancel(identity)
            if Next.LOOK_UP in at.weigh(identity, CancelAnswered(answer)):
                yield from path.look_up(at, identity)
        yield from at.save()

    plant(path, "cancel", cancel)


def _refusal_ends_a_later_sending(plant: Plant) -> None:
    right = lifecycle._WEIGH[Answered]

    def answered(tracked: Tracked, evidence: Answered, now: datetime, policy: SendingPolicy) -> Advanced:
        return right(tracked, evidence._replace(attempt=tracked.attempts), now, policy)

    weighing(plant, Answered, answered)


def _partial_fill_ends(plant: Plant) -> None:
    def executed(tracked: Tracked, evidence: Executed, now: datetime, policy: SendingPolicy) -> Advanced:
        after, actions = fill_evidence.executed(tracked, evidence, now, policy)
        if after.status is not OrderStatus.PARTIALLY_FILLED:
            return after, actions
        changed = [_ended(one) if isinstance(one, Append) else one for one in actions]
        return after._replace(status=OrderStatus.FILLED), tuple(changed)

    weighing(plant, Executed, executed)


def _ended(event: Append) -> Append:
    if event.event is not OrderEvent.PARTIAL_FILL:
        return event
    return event._replace(event=OrderEvent.FILL, status=OrderStatus.FILLED)


FURTHER: dict[str, Mutant] = {
    "absence-by-look-ups-alone": _absence_by_look_ups_alone,
    "proof-kept-for-next-sending": _proof_kept_for_next_sending,
    "sent-again-under-new-id": _sent_again_under_new_id,
    "sent-again-though-cancelled": _sent_again_though_cancelled,
    "sent-without-end": _sent_without_end,
    "sent-though-another-was-first": _sent_though_another_was_first,
    "cancel-answer-believed": _cancel_answer_believed,
    "cancel-wish-not-stored-before-asking": _cancel_wish_not_stored_before_asking,
    "refusal-ends-a-later-sending": _refusal_ends_a_later_sending,
    "partial-fill-ends": _partial_fill_ends,
}
