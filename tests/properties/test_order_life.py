"""One order through evidence in any order, as often as it likes: what is booked is what was traded, and no more."""

from __future__ import annotations

import os
from datetime import timedelta
from decimal import Decimal

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from tests.builders.books import NOW
from tests.builders.books import order as made_order
from trading_lib.domain.book.orders import TRANSITIONS, OrderEvent, OrderStatus, next_status
from trading_lib.execution.broker import Answer, BrokerOrder, BrokerStatus, Bust, Execution, LookUp, Outcome, Seen
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
from trading_lib.execution.order_path.tracked import Append, BookFill, StrikeFill, Tell, Tracked

ORDER, POLICY = made_order("SPY", quantity=Decimal(10)), SendingPolicy()
OUTCOMES, STATUSES = st.sampled_from(list(Outcome)), st.sampled_from(list(BrokerStatus))
TRADES = st.sampled_from(["t1", "t2", "t3", "t4"])
UNITS = {"t1": Decimal(4), "t2": Decimal(6), "t3": Decimal(1), "t4": Decimal(10)}
# `make properties` and the campaigns ask for more.
SEQUENCES = int(os.environ.get("TRADING_ORDER_SEQUENCES", "150"))


class OrderLife(RuleBasedStateMachine):
    """Evidence comes in any order; a model keeps what was told to be traded and struck."""

    def __init__(self) -> None:
        super().__init__()
        self.tracked = Tracked(ORDER)
        self.now = NOW
        self.stored: list[OrderStatus] = [OrderStatus.INTENDED]
        self.booked: dict[str, Decimal] = {}
        self.reported: set[str] = set()
        self.struck: set[str] = set()
        self.last: Evidence | None = None
        self.sendings: list[object] = []

    @initialize(sent=st.booleans())
    def begin(self, sent: bool) -> None:
        if sent:
            self.weigh(Sending(1))

    def weigh(self, evidence: Evidence) -> None:
        before = self.tracked
        self.tracked, actions = advance(self.tracked, evidence, self.now, POLICY)
        for action in actions:
            if isinstance(action, Append):
                assert next_status(self.stored[-1], action.event) is action.status
                self.stored.append(action.status)
                if action.event is OrderEvent.SUBMIT:
                    self.sendings.append(before.status)
                if action.event is OrderEvent.PROVE_ABSENT:
                    assert before.sent_at is not None
                    assert self.now - before.sent_at >= POLICY.window
            elif isinstance(action, BookFill):
                execution = action.execution
                assert execution.trade_id not in self.booked, "a fill is booked once"
                self.booked[execution.trade_id] = execution.quantity
            elif isinstance(action, StrikeFill):
                del self.booked[action.bust.trade_id]
        if evidence == self.last and not isinstance(evidence, CancelAsked):
            kept = [action for action in actions if isinstance(action, Append | BookFill | StrikeFill | Tell)]
            assert kept == [], "the same evidence twice changes nothing"
        self.last = evidence

    @rule(seconds=st.sampled_from([0, 1, 30, 91, 200]))
    def time_passes(self, seconds: int) -> None:
        self.now += timedelta(seconds=seconds)
        self.last = None

    @rule(attempt=st.integers(1, 4))
    def send(self, attempt: int) -> None:
        self.weigh(Sending(attempt))

    @rule(outcome=OUTCOMES, attempt=st.integers(1, 3), raw=st.sampled_from(["", "<html>", "{}"]))
    def answer(self, outcome: Outcome, attempt: int, raw: str) -> None:
        self.weigh(Answered(attempt, Answer(outcome, raw=raw)))

    @rule(seen=st.sampled_from([Seen.NOT_FOUND, Seen.UNKNOWN]), early=st.booleans())
    def look_up(self, seen: Seen, early: bool) -> None:
        self.weigh(LookedUp(self.now - timedelta(seconds=100 if early else 0), LookUp(seen)))

    @rule(reading=st.sampled_from(list(Reading)), early=st.booleans())
    def list_without_it(self, reading: Reading, early: bool) -> None:
        self.weigh(NotListed(reading, self.now - timedelta(seconds=100 if early else 0)))

    @rule()
    def everything_read_without_it(self) -> None:
        for reading in Reading:
            self.weigh(NotListed(reading, self.now))
        self.weigh(LookedUp(self.now, LookUp(Seen.NOT_FOUND)))

    @rule(status=STATUSES, filled=st.sampled_from([0, 4, 10, 11]), foreign=st.booleans(), found=st.booleans())
    def reported_as(self, status: BrokerStatus, filled: int, foreign: bool, found: bool) -> None:
        quantity = ORDER.quantity + foreign
        name, side = ORDER.client_order_id, ORDER.side
        at_broker = BrokerOrder(name, "1", ORDER.symbol, side, quantity, Decimal(filled), status)
        known = self.tracked.status
        self.weigh(LookedUp(self.now, LookUp(Seen.FOUND, at_broker)) if found else Reported(at_broker))
        if foreign:
            assert self.tracked.status is known, "another's order says nothing of ours"

    @rule(trade=TRADES)
    def fill(self, trade: str) -> None:
        amounts = (UNITS[trade], Decimal(100), Decimal(0))
        self.reported.add(trade)
        self.weigh(Executed(Execution(trade, ORDER.client_order_id, "SPY", ORDER.side, *amounts, NOW)))

    @rule(trade=TRADES)
    def bust(self, trade: str) -> None:
        self.struck.add(trade)
        self.weigh(Busted(Bust(trade, NOW)))

    @rule(outcome=OUTCOMES)
    def cancel(self, outcome: Outcome) -> None:
        self.weigh(CancelAsked("asked to"))
        self.weigh(CancelAnswered(Answer(outcome)))

    @precondition(lambda self: not self.reported)
    @rule(held=st.booleans())
    def keep_back(self, held: bool) -> None:
        self.weigh(Held("not armed") if held else Denied("too big"))

    @invariant()
    def what_was_traded_is_booked_and_nothing_else(self) -> None:
        expected = {trade: UNITS[trade] for trade in self.reported - self.struck}
        assert self.booked == dict(self.tracked.fills) == expected
        assert self.tracked.filled == sum(expected.values(), Decimal(0))

    @invariant()
    def it_is_sent_only_when_it_is_not_there(self) -> None:
        assert set(self.sendings) <= {OrderStatus.INTENDED, OrderStatus.ABSENT}
        assert self.tracked.attempts == len(self.sendings) <= POLICY.tries

    @invariant()
    def it_is_where_its_events_say(self) -> None:
        assert self.tracked.status is self.stored[-1]
        assert self.tracked.events == len(self.stored) - 1


OrderLife.TestCase.settings = settings(max_examples=SEQUENCES, stateful_step_count=40)
TestOrderLife = OrderLife.TestCase


def test_every_pair_of_the_table_leads_to_a_status() -> None:
    assert {status for status, _ in TRANSITIONS} | set(TRANSITIONS.values()) == set(OrderStatus)
