"""Planted bugs: wrong versions of single steps, put in for the time of a campaign, to show that it finds them.

A mutant is a function that is listed in `MUTANTS` under its name. It plants its bug with `plant(object, name,
replacement)` and may return another policy. What is planted is taken out again when the campaign ends.
"""

from __future__ import annotations

from collections.abc import Generator, Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from typing import Any

from trading_lib.domain.book.orders import EvidenceSource, OrderEvent, OrderStatus
from trading_lib.domain.errors import InputError, one_of
from trading_lib.execution.broker import ClearedOrder, Outcome
from trading_lib.execution.order_path import desk, fill_evidence, life_steps, lifecycle, path
from trading_lib.execution.order_path.desk import Desk, Steps
from trading_lib.execution.order_path.evidence import Answered, Executed
from trading_lib.execution.order_path.requests import Check, Entry, Request, Save, Submit
from trading_lib.execution.order_path.sending_policy import SendingPolicy
from trading_lib.execution.order_path.tracked import Advanced, Append, Tracked
from trading_lib.execution.simulation.further_mutants import FURTHER
from trading_lib.execution.simulation.model_store import StoredOrder
from trading_lib.execution.simulation.planting import Mutant, Plant, weighing


@contextmanager
def planted(name: str, policy: SendingPolicy) -> Iterator[SendingPolicy]:
    """Plant a mutant for the time of the block, and return the policy to use.

    Raises
    ------
    InputError
        When there is no such mutant.
    """
    if name not in MUTANTS:
        raise InputError(f"there is no planted bug {name!r}", one_of(name, MUTANTS))
    before: list[tuple[Any, str, Any]] = []

    def plant(owner: Any, attribute: str, replacement: Any) -> None:
        before.append((owner, attribute, getattr(owner, attribute)))
        setattr(owner, attribute, replacement)

    try:
        yield MUTANTS[name](plant) or policy
    finally:
        for owner, attribute, original in reversed(before):
            setattr(owner, attribute, original)


def _unknown_treated_as_not_sent(plant: Plant) -> None:
    right = lifecycle._WEIGH[Answered]

    def answered(tracked: Tracked, evidence: Answered, now: datetime, policy: SendingPolicy) -> Advanced:
        if evidence.answer.outcome is Outcome.UNKNOWN and tracked.status is OrderStatus.UNKNOWN:
            tracked, absent = life_steps.appended(tracked, OrderEvent.PROVE_ABSENT, now, EvidenceSource.SUBMIT)
            return tracked, (absent,)
        return right(tracked, evidence, now, policy)

    weighing(plant, Answered, answered)


def _window_of_10_s(plant: Plant) -> SendingPolicy:
    return SendingPolicy(window=timedelta(seconds=10))


def _status_stored_after_sending(plant: Plant) -> None:
    def send_one(at: Desk, identity: str) -> Steps:
        tracked = at.orders[identity]
        if not lifecycle.may_send(tracked, at.policy):
            return
        cleared = yield Check(tracked.order)
        answer = yield Submit(cleared if isinstance(cleared, ClearedOrder) else ClearedOrder(tracked.order))
        if (yield from path.store_sending(at, identity, tracked.attempts + 1)):
            yield from path.after_answer(at, identity, at.weigh(identity, Answered(tracked.attempts + 1, answer)))

    plant(path, "send_one", send_one)


def _fill_stored_after_status(plant: Plant) -> None:
    right = Desk.save

    def save(self: Desk) -> Generator[Request, Any, set[str]]:
        steps, answer = right(self), None
        while True:
            try:
                request = steps.send(answer)
            except StopIteration as done:
                changed: set[str] = done.value
                return changed
            answer = yield from _in_two(request) if isinstance(request, Save) else _as_it_is(request)

    def _as_it_is(request: Request) -> Generator[Request, Any, Any]:
        return (yield request)

    def _in_two(request: Save) -> Generator[Request, Any, Any]:
        first = [_only(entry, Append) for entry in request.entries]
        refused = yield Save(tuple(first))
        late = []
        for entry, part in zip(request.entries, first, strict=True):
            fills = tuple(write for write in entry.writes if not isinstance(write, Append))
            if fills and entry.client_order_id not in refused:
                events = [write for write in part.writes if isinstance(write, Append)]
                after = entry.before._replace(
                    status=events[-1].status, attempts=events[-1].attempt, events=entry.before.events + len(events)
                )
                late.append(Entry(entry.client_order_id, after, fills))
        if late:
            yield Save(tuple(late))
        return refused

    plant(desk.Desk, "save", save)


def _only(entry: Entry, kind: type) -> Entry:
    return entry._replace(writes=tuple(write for write in entry.writes if isinstance(write, kind)))


def _duplicate_fill_counted(plant: Plant) -> None:
    def executed(tracked: Tracked, evidence: Executed, now: datetime, policy: SendingPolicy) -> Advanced:
        unseen = tracked._replace(fills={})
        after, actions = fill_evidence.executed(unseen, evidence, now, policy)
        return after._replace(fills={**tracked.fills, **after.fills}), actions

    def book(self: StoredOrder, fill: Any) -> None:
        self.fills[fill.execution.trade_id] = fill.execution.quantity
        self.filled += fill.execution.quantity

    weighing(plant, Executed, executed)
    plant(StoredOrder, "book", book)


def _late_fill_on_cancelled_dropped(plant: Plant) -> None:
    def executed(tracked: Tracked, evidence: Executed, now: datetime, policy: SendingPolicy) -> Advanced:
        if tracked.status in (OrderStatus.CANCELLED, OrderStatus.EXPIRED):
            return tracked, ()
        return fill_evidence.executed(tracked, evidence, now, policy)

    weighing(plant, Executed, executed)


MUTANTS: dict[str, Mutant] = {
    "unknown-treated-as-not-sent": _unknown_treated_as_not_sent,
    "window-10-s": _window_of_10_s,
    "status-stored-after-sending": _status_stored_after_sending,
    "fill-stored-after-status": _fill_stored_after_status,
    "duplicate-fill-counted": _duplicate_fill_counted,
    "late-fill-on-cancelled-dropped": _late_fill_on_cancelled_dropped,
    **FURTHER,
}
