"""What evidence means: a table of an order's life, and the proof that it is not at its broker."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest

from tests.builders.books import order as made_order
from trading_lib.domain.book.orders import EvidenceSource, OrderEvent, OrderStatus, Side
from trading_lib.execution.broker import (
    Answer,
    BrokerOrder,
    BrokerStatus,
    Bust,
    Execution,
    LookUp,
    Outcome,
    Seen,
)
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
    Reading,
    Reported,
    Sending,
)
from trading_lib.execution.order_path.lifecycle import advance
from trading_lib.execution.order_path.sending_policy import SendingPolicy
from trading_lib.execution.order_path.tracked import Action, Append, BookFill, Next, StrikeFill, Tell, Tracked

POLICY = SendingPolicy()
T0 = datetime(2026, 3, 2, 14, 0, tzinfo=UTC)
ORDER = made_order("SPY", quantity=Decimal(10))
NOT_FOUND = LookUp(Seen.NOT_FOUND)


def at(seconds: float) -> datetime:
    return T0 + timedelta(seconds=seconds)


def weigh(tracked: Tracked, *evidence: tuple[float, Evidence]) -> tuple[Tracked, list[Action]]:
    """Weigh pieces of evidence, each at its second."""
    actions: list[Action] = []
    for seconds, piece in evidence:
        tracked, more = advance(tracked, piece, at(seconds), POLICY)
        actions += more
    return tracked, actions


def events(actions: list[Action]) -> list[OrderEvent]:
    return [action.event for action in actions if isinstance(action, Append)]


def told(actions: list[Action]) -> list[str]:
    return [action.problem for action in actions if isinstance(action, Tell)]


def at_broker(status: BrokerStatus = BrokerStatus.WORKING, filled: int = 0, **changes: object) -> BrokerOrder:
    identity = ORDER.client_order_id
    order = BrokerOrder(identity, "b1", "SPY", Side.BUY, Decimal(10), Decimal(filled), status)
    return replace(order, **changes)  # type: ignore[arg-type]


def found(status: BrokerStatus = BrokerStatus.WORKING, filled: int = 0, **changes: object) -> LookUp:
    return LookUp(Seen.FOUND, at_broker(status, filled, **changes))


def execution(trade: str, quantity: str = "4", **changes: object) -> Execution:
    amounts = (Decimal(quantity), Decimal(100), Decimal(0))
    made = Execution(trade, ORDER.client_order_id, "SPY", Side.BUY, *amounts, T0)
    return replace(made, **changes)  # type: ignore[arg-type]


def answered(outcome: Outcome, attempt: int = 1, **fields: str) -> Answered:
    return Answered(attempt, Answer(outcome, **fields))


UNKNOWN, _ = weigh(Tracked(ORDER), (0, Sending(1)))
WORKING, _ = weigh(UNKNOWN, (1, answered(Outcome.ACCEPTED, broker_order_id="b1")))
READ = [NotListed(reading, at(91)) for reading in Reading]
PROOF = [*((92, read) for read in READ), (93, LookedUp(at(93), NOT_FOUND))]


def test_an_order_is_unknown_from_before_it_is_sent() -> None:
    tracked, actions = weigh(Tracked(ORDER), (0, Sending(1)))
    assert (tracked.status, tracked.attempts, tracked.sent_at) == (OrderStatus.UNKNOWN, 1, T0)
    assert events(actions) == [OrderEvent.SUBMIT]
    assert actions[-1] is Next.SEND


def test_an_unknown_order_is_not_sent_again() -> None:
    assert weigh(UNKNOWN, (5, Sending(2))) == (UNKNOWN, [])
    assert weigh(WORKING, (5, Sending(2))) == (WORKING, [])


@pytest.mark.parametrize("outcome", [Outcome.UNKNOWN, Outcome.DUPLICATE])
def test_an_answer_that_leaves_it_open_is_looked_up(outcome: Outcome) -> None:
    tracked, actions = weigh(UNKNOWN, (1, answered(outcome)))
    assert tracked.status is OrderStatus.UNKNOWN
    assert actions == [Next.LOOK_UP]


def test_what_the_broker_said_is_kept_with_source_and_attempt() -> None:
    _, actions = weigh(UNKNOWN, (1, answered(Outcome.UNKNOWN, raw="<html>504</html>", reason="no order in it")))
    noted = actions[0]
    assert isinstance(noted, Append)
    assert (noted.event, noted.source, noted.attempt) == (OrderEvent.LOOK_UP, EvidenceSource.SUBMIT, 1)
    assert (noted.detail, noted.raw) == ("no order in it", "<html>504</html>")


def test_a_refusal_ends_the_sending_that_it_answers_and_no_later_one() -> None:
    rejected, actions = weigh(UNKNOWN, (1, answered(Outcome.REJECTED, reason="no such asset")))
    assert rejected.status is OrderStatus.REJECTED
    assert events(actions) == [OrderEvent.REJECT]
    again, _ = weigh(UNKNOWN, *PROOF, (100, Sending(2)))
    assert weigh(again, (101, answered(Outcome.REJECTED, attempt=1)))[0].status is OrderStatus.UNKNOWN


def test_absence_is_proved_by_complete_readings_after_the_window_and_a_look_up_after_them() -> None:
    tracked, actions = weigh(UNKNOWN, *PROOF)
    assert tracked.status is OrderStatus.ABSENT
    assert events(actions) == [OrderEvent.PROVE_ABSENT]
    assert actions[-1] is Next.SEND


@pytest.mark.parametrize("missing", list(Reading))
def test_without_one_of_the_readings_nothing_is_proved(missing: Reading) -> None:
    readings = [(92.0, read) for read in READ if read.reading is not missing]
    tracked, actions = weigh(
        UNKNOWN, *readings, *((second, LookedUp(at(second), NOT_FOUND)) for second in range(93, 300))
    )
    assert (tracked.status, actions) == (OrderStatus.UNKNOWN, [])


def test_readings_begun_within_the_window_prove_nothing() -> None:
    early = [(100.0, NotListed(reading, at(89.9))) for reading in Reading]
    assert weigh(UNKNOWN, *early, (101, LookedUp(at(101), NOT_FOUND)))[0].status is OrderStatus.UNKNOWN


def test_a_look_up_begun_before_the_readings_ended_proves_nothing() -> None:
    readings = [(92.0, read) for read in READ]
    assert weigh(UNKNOWN, *readings, (95, LookedUp(at(91.5), NOT_FOUND)))[0].status is OrderStatus.UNKNOWN


def test_not_found_is_no_proof_however_often() -> None:
    look_ups = [(float(second), LookedUp(at(second), NOT_FOUND)) for second in range(1, 1000)]
    assert weigh(UNKNOWN, *look_ups)[0].status is OrderStatus.UNKNOWN


@pytest.mark.parametrize(
    "contradiction",
    [answered(Outcome.DUPLICATE), LookedUp(at(92), found(quantity=Decimal(11))), Reported(at_broker(side=Side.SELL))],
)
def test_what_speaks_for_the_order_begins_the_proof_anew(contradiction: Evidence) -> None:
    readings = [(92.0, read) for read in READ]
    tracked, _ = weigh(UNKNOWN, *readings, (92.5, contradiction), (93, LookedUp(at(93), NOT_FOUND)))
    assert tracked.status is OrderStatus.UNKNOWN
    later = [(185.0, NotListed(reading, at(184))) for reading in Reading]
    assert weigh(tracked, *later, (186, LookedUp(at(186), NOT_FOUND)))[0].status is OrderStatus.ABSENT


def test_a_look_up_without_an_answer_is_no_not_found() -> None:
    readings = [(92.0, read) for read in READ]
    assert weigh(UNKNOWN, *readings, (93, LookedUp(at(93), LookUp(Seen.UNKNOWN))))[0].status is OrderStatus.UNKNOWN


def test_an_absent_order_is_sent_three_times_at_most_and_then_told() -> None:
    tracked, last = UNKNOWN, list[Action]()
    for attempt in (1, 2, 3):
        start = 1000.0 * attempt
        if attempt > 1:
            tracked, _ = weigh(tracked, (start, Sending(attempt)))
            assert tracked.attempts == attempt
        readings = [(start + 101, NotListed(reading, at(start + 100))) for reading in Reading]
        tracked, last = weigh(tracked, *readings, (start + 102, LookedUp(at(start + 102), NOT_FOUND)))
        assert tracked.status is OrderStatus.ABSENT
    assert told(last) == ["it was sent 3 times and never arrived, so it is not sent again"]
    assert weigh(tracked, (9000, Sending(4))) == (tracked, [])


def test_an_absent_order_that_turns_up_is_where_the_broker_says_and_told() -> None:
    absent, _ = weigh(UNKNOWN, *PROOF)
    tracked, actions = weigh(absent, (200, Reported(at_broker())))
    assert tracked.status is OrderStatus.WORKING
    assert told(actions) == ["the broker has it, though it was proved absent"]


@pytest.mark.parametrize(
    ("status", "event", "after"),
    [
        (BrokerStatus.CANCELLED, OrderEvent.CANCEL, OrderStatus.CANCELLED),
        (BrokerStatus.EXPIRED, OrderEvent.EXPIRE, OrderStatus.EXPIRED),
        (BrokerStatus.REJECTED, OrderEvent.REJECT, OrderStatus.REJECTED),
        (BrokerStatus.WORKING, OrderEvent.ACCEPT, OrderStatus.WORKING),
    ],
)
def test_a_found_order_is_where_the_broker_says(status: BrokerStatus, event: OrderEvent, after: OrderStatus) -> None:
    tracked, actions = weigh(UNKNOWN, (1, LookedUp(at(1), found(status))))
    assert (tracked.status, events(actions)) == (after, [event])
    assert tracked.broker_order_id == "b1"


@pytest.mark.parametrize("status", [BrokerStatus.FILLED, BrokerStatus.CANCELLED, BrokerStatus.EXPIRED])
def test_an_order_does_not_end_before_all_is_booked_that_the_broker_calls_filled(status: BrokerStatus) -> None:
    tracked, actions = weigh(UNKNOWN, (1, LookedUp(at(1), found(status, 4))))
    assert tracked.status is OrderStatus.WORKING
    assert actions[-1] is Next.SWEEP
    tracked, _ = weigh(tracked, (2, Executed(execution("t1"))), (3, LookedUp(at(3), found(status, 4))))
    ended = {BrokerStatus.FILLED: OrderStatus.PARTIALLY_FILLED}
    assert tracked.status is ended.get(status, OrderStatus(str(status)))


def test_another_order_under_its_id_is_not_taken_for_it() -> None:
    tracked, actions = weigh(UNKNOWN, (1, LookedUp(at(1), found(symbol="QQQ"))))
    assert tracked.status is OrderStatus.UNKNOWN
    assert told(actions) == ["the broker knows another order under its id: BUY 10 QQQ"]
    assert weigh(tracked, (2, LookedUp(at(2), found(symbol="QQQ"))))[1] == []


@pytest.mark.parametrize(("quantity", "ratio"), [("30", "3 for 1"), ("15", "3 for 2"), ("2", "1 for 5")])
def test_an_order_that_its_broker_adjusted_for_a_split_is_ours_and_told_once(quantity: str, ratio: str) -> None:
    tracked = WORKING._replace(broker_order_id="b1")
    units = Decimal(quantity)
    seen = [found(quantity=units), replace(found(quantity=units, raw="later"), raw="later")]
    tracked, actions = weigh(tracked, (1, LookedUp(at(1), seen[0])), (2, LookedUp(at(2), seen[1])))
    assert tracked.status is OrderStatus.WORKING
    assert told(actions) == [f"the broker has adjusted it from 10 to {quantity} SPY ({ratio}), as it does for a split"]
    assert events(actions) == [OrderEvent.LOOK_UP]
    done = found(BrokerStatus.FILLED, quantity=units, filled=units)
    tracked, _ = weigh(tracked, (3, Executed(execution("t1", quantity))), (4, LookedUp(at(4), done)))
    assert (tracked.status, tracked.filled) == (OrderStatus.FILLED, units)


@pytest.mark.parametrize(
    "changes",
    [
        {"quantity": Decimal(11)},
        {"quantity": Decimal(30), "broker_order_id": "b2"},
        {"quantity": Decimal(30), "side": Side.SELL},
        {"quantity": Decimal(30), "symbol": "QQQ"},
        {"quantity": Decimal(0)},
        {"quantity": Decimal("NaN")},
    ],
)
def test_what_differs_otherwise_than_by_a_split_is_another_order(changes: dict[str, object]) -> None:
    tracked = WORKING._replace(broker_order_id="b1")
    after, actions = weigh(tracked, (1, LookedUp(at(1), found(BrokerStatus.CANCELLED, **changes))))
    assert after.status is OrderStatus.WORKING
    assert "another order under its id" in told(actions)[0]


def test_fills_are_booked_once_and_before_their_event() -> None:
    tracked, actions = weigh(WORKING, (2, Executed(execution("t1"))), (3, Executed(execution("t1"))))
    assert tracked.status is OrderStatus.PARTIALLY_FILLED
    assert tracked.filled == 4
    assert [type(action) for action in actions] == [BookFill, Append]
    tracked, actions = weigh(tracked, (4, Executed(execution("t2", "6"), EvidenceSource.STREAM)))
    assert tracked.status is OrderStatus.FILLED
    assert [type(action) for action in actions] == [BookFill, Append]


@pytest.mark.parametrize("status", [BrokerStatus.CANCELLED, BrokerStatus.EXPIRED, BrokerStatus.REJECTED])
def test_a_fill_of_an_order_that_has_ended_is_booked_and_told(status: BrokerStatus) -> None:
    ended, _ = weigh(WORKING, (2, LookedUp(at(2), found(status))))
    tracked, actions = weigh(ended, (3, Executed(execution("t1"))))
    assert (tracked.status, tracked.filled) == (ended.status, 4)
    assert events(actions) == [OrderEvent.LATE_FILL]
    assert isinstance(actions[0], BookFill)
    assert len(told(actions)) == 1


def test_more_than_was_ordered_is_booked_and_told() -> None:
    tracked, actions = weigh(WORKING, (2, Executed(execution("t1", "10"))), (3, Executed(execution("t2", "1"))))
    assert (tracked.status, tracked.filled) == (OrderStatus.FILLED, 11)
    assert events(actions) == [OrderEvent.FILL, OrderEvent.LATE_FILL]
    assert told(actions) == ["the broker filled 11 of 10; what was traded is booked"]


@pytest.mark.parametrize(
    "changes",
    [
        {"symbol": "QQQ"},
        {"side": Side.SELL},
        {"quantity": Decimal("NaN")},
        {"quantity": Decimal(-1)},
        {"quantity": Decimal("Infinity")},
        {"price": Decimal(0)},
        {"price": Decimal("NaN")},
    ],
)
def test_a_fill_that_cannot_be_its_own_is_told_and_not_booked(changes: dict[str, object]) -> None:
    tracked, actions = weigh(WORKING, (2, Executed(execution("t1", **changes))))
    assert (tracked.status, tracked.filled) == (OrderStatus.WORKING, 0)
    assert not [action for action in actions if isinstance(action, BookFill)]
    assert len(told(actions)) == 1


def test_a_struck_fill_is_taken_back_and_not_booked_again() -> None:
    filled, _ = weigh(WORKING, (2, Executed(execution("t1", "10"))))
    tracked, actions = weigh(filled, (3, Busted(Bust("t1", T0))), (4, Executed(execution("t1", "10"))))
    assert (tracked.status, tracked.filled) == (OrderStatus.FILLED, 0)
    assert [type(action) for action in actions] == [StrikeFill, Append, Tell]
    corrected, actions = weigh(tracked, (5, Executed(execution("t1c", "9"))))
    assert corrected.filled == 9
    assert events(actions) == [OrderEvent.LATE_FILL]


def test_a_bust_that_comes_before_its_fill_keeps_it_from_being_booked() -> None:
    tracked, _ = weigh(WORKING, (2, Busted(Bust("t1", T0))), (3, Executed(execution("t1"))))
    assert (tracked.status, tracked.filled) == (OrderStatus.WORKING, 0)


def test_a_cancellation_is_stored_before_it_is_asked_for_and_ends_by_the_brokers_word() -> None:
    tracked, actions = weigh(WORKING, (2, CancelAsked("kill switch")))
    assert (tracked.status, events(actions), actions[-1]) == (
        OrderStatus.PENDING_CANCEL,
        [OrderEvent.REQUEST_CANCEL],
        Next.CANCEL,
    )
    tracked, actions = weigh(tracked, (3, CancelAnswered(Answer(Outcome.ACCEPTED))))
    assert (tracked.status, actions) == (OrderStatus.PENDING_CANCEL, [Next.LOOK_UP])
    assert weigh(tracked, (4, LookedUp(at(4), found(BrokerStatus.CANCELLED))))[0].status is OrderStatus.CANCELLED


def test_a_refused_cancellation_leaves_a_working_order_working() -> None:
    asked, _ = weigh(WORKING, (2, CancelAsked("kill switch")), (3, CancelAnswered(Answer(Outcome.REJECTED))))
    assert weigh(asked, (4, LookedUp(at(4), found())))[0].status is OrderStatus.WORKING
    assert weigh(asked, (4, Executed(execution("t1", "10"))))[0].status is OrderStatus.FILLED


def test_an_unknown_order_whose_cancellation_was_asked_for_is_cancelled_when_found() -> None:
    asked, _ = weigh(UNKNOWN, (2, CancelAsked("kill switch")))
    assert asked.status is OrderStatus.UNKNOWN
    tracked, actions = weigh(asked, (3, LookedUp(at(3), found())))
    assert (tracked.status, actions[-1]) == (OrderStatus.PENDING_CANCEL, Next.CANCEL)
    assert weigh(asked, *PROOF)[0].status is OrderStatus.CANCELLED


@pytest.mark.parametrize("status", [OrderStatus.INTENDED, OrderStatus.ABSENT])
def test_what_is_not_at_the_broker_can_be_denied_held_or_cancelled(status: OrderStatus) -> None:
    tracked = Tracked(ORDER, status)
    assert weigh(tracked, (1, Denied("too big")))[0].status is OrderStatus.DENIED
    assert weigh(tracked, (1, Held("not armed")))[0].status is OrderStatus.HELD
    assert weigh(tracked, (1, CancelAsked("too late")))[0].status is OrderStatus.CANCELLED


def test_what_the_broker_has_is_neither_denied_nor_held() -> None:
    for evidence in (Denied("too big"), Held("not armed")):
        assert weigh(WORKING, (1, evidence)) == (WORKING, [])
        assert weigh(UNKNOWN, (1, evidence)) == (UNKNOWN, [])


def test_an_order_that_is_at_the_broker_though_never_stored_as_sent_counts_as_sent() -> None:
    tracked, actions = weigh(Tracked(ORDER), (1, Reported(at_broker())))
    assert (tracked.status, tracked.attempts) == (OrderStatus.WORKING, 1)
    assert events(actions) == [OrderEvent.SUBMIT, OrderEvent.ACCEPT]
    assert len(told(actions)) == 1


def test_a_report_that_comes_late_does_not_end_an_order_before_its_fills_are_booked() -> None:
    tracked, _ = weigh(WORKING, (2, LookedUp(at(2), found(BrokerStatus.CANCELLED, 10))), (3, Executed(execution("t1"))))
    tracked, actions = weigh(tracked, (4, Reported(at_broker(BrokerStatus.CANCELLED, 4))))
    assert tracked.status is OrderStatus.PARTIALLY_FILLED
    assert actions == [Next.SWEEP]


def test_an_order_that_the_broker_calls_filled_ends_though_a_fill_was_struck() -> None:
    tracked, _ = weigh(WORKING, (2, Executed(execution("t1"))), (3, Busted(Bust("t1", T0))))
    tracked, _ = weigh(tracked, (4, Executed(execution("t2", "6"))))
    assert weigh(tracked, (5, LookedUp(at(5), found(BrokerStatus.FILLED, 6))))[0].status is OrderStatus.FILLED


def test_a_fill_of_an_order_that_was_never_sent_is_booked_and_told_and_may_be_struck() -> None:
    denied, _ = weigh(Tracked(ORDER), (1, Denied("too big")))
    tracked, actions = weigh(denied, (2, Executed(execution("t1"))), (3, Busted(Bust("t1", T0))))
    assert (tracked.status, tracked.filled) == (OrderStatus.DENIED, 0)
    assert [type(action) for action in actions] == [BookFill, Tell, StrikeFill, Tell]
