"""Every world of one order that two processes work on: nothing is doubled, lost or invented in any of them."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import pytest

from tests.properties.order_worlds import Exploration
from trading_lib.domain.book.orders import EvidenceSource, OrderEvent, OrderStatus
from trading_lib.execution.broker import Outcome, Seen
from trading_lib.execution.order_path.evidence import Answered, Evidence, Executed, LookedUp
from trading_lib.execution.order_path.life_steps import appended
from trading_lib.execution.order_path.lifecycle import advance
from trading_lib.execution.order_path.sending_policy import SendingPolicy
from trading_lib.execution.order_path.tracked import Tracked


@pytest.mark.parametrize(("cancels", "ticks", "worlds"), [(False, 4, 500_509), (True, 3, 292_785)])
def test_in_no_world_is_an_order_doubled_or_a_fill_lost(cancels: bool, ticks: int, worlds: int) -> None:
    found = Exploration(cancels=cancels, ticks=ticks).explore()
    assert found.problems == []
    # Fewer worlds than before may mean that something is not looked at any more.
    assert found.worlds == worlds


def absent_when(is_absent: Any) -> Any:
    """A reducer that takes an order for absent too early."""

    def wrong(tracked: Tracked, evidence: Evidence, now: datetime, policy: SendingPolicy) -> Any:
        if tracked.status is OrderStatus.UNKNOWN and is_absent(tracked, evidence):
            tracked, absent = appended(tracked, OrderEvent.PROVE_ABSENT, now, EvidenceSource.LOOK_UP)
            return tracked, (absent,)
        return advance(tracked, evidence, now, policy)

    return wrong


def counted_twice(tracked: Tracked, evidence: Evidence, now: datetime, policy: SendingPolicy) -> Any:
    if isinstance(evidence, Executed):
        tracked = tracked._replace(fills={})
    return advance(tracked, evidence, now, policy)


WRONG = {
    "an unknown answer counts as not sent": absent_when(
        lambda tracked, evidence: isinstance(evidence, Answered) and evidence.answer.outcome is Outcome.UNKNOWN
    ),
    "not found counts as not there": absent_when(
        lambda tracked, evidence: isinstance(evidence, LookedUp) and evidence.look_up.seen is Seen.NOT_FOUND
    ),
    "the same fill counts twice": counted_twice,
}


@pytest.mark.parametrize("name", sorted(WRONG))
def test_the_exploration_finds_a_wrong_reducer(name: str) -> None:
    assert Exploration(WRONG[name]).explore().problems
