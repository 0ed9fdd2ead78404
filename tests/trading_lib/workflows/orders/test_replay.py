"""A stored incident replays: the broker's own words, read by the adapter again, lead to the same life of the order."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.builders.own_code.broker import BOOK
from tests.peers.brokers.alpaca_book import OPENED, AtAlpaca, at_alpaca
from trading_lib.adapters.broker_simulator.faults.script import read_script
from trading_lib.adapters.brokers.alpaca.fills import execution
from trading_lib.adapters.brokers.alpaca.orders import broker_order
from trading_lib.adapters.stores.orders.order_history import OrderHistory, StoredEvent
from trading_lib.domain.book.orders import EvidenceSource, Order, OrderEvent, OrderStatus
from trading_lib.execution.broker import Answer, Outcome
from trading_lib.execution.order_path.evidence import Answered, Evidence, Executed, Reported, Sending
from trading_lib.execution.order_path.lifecycle import advance
from trading_lib.execution.order_path.sending_policy import SendingPolicy
from trading_lib.execution.order_path.tracked import Append, Tracked
from trading_lib.workflows.orders.recovery import recover_book

pytestmark = pytest.mark.postgres


@pytest.fixture
def own(database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[AtAlpaca]:
    with at_alpaca(database_url, tmp_path, monkeypatch) as made:
        yield made


def evidence_of(event: StoredEvent, order: Order) -> Evidence | None:
    """Read what a broker said, as the adapter did when it came in."""
    if event.event is OrderEvent.SUBMIT:
        return Sending(event.attempt)
    if not event.raw.startswith("{"):
        return None
    content: dict[str, Any] = json.loads(event.raw)
    if "activity_type" in content:
        return Executed(execution(content, order.client_order_id, str))
    found = broker_order(content, str)
    if event.source == EvidenceSource.SUBMIT:
        return Answered(event.attempt, Answer(Outcome.ACCEPTED, found.broker_order_id, raw=event.raw))
    return Reported(found, EvidenceSource(event.source))


def replayed(order: Order, events: list[StoredEvent]) -> tuple[Tracked, list[tuple[OrderEvent, OrderStatus]]]:
    tracked, life = Tracked(order), []
    for event in events:
        evidence = evidence_of(event, order)
        if evidence is None:
            continue
        tracked, actions = advance(tracked, evidence, event.at, SendingPolicy())
        life += [(one.event, one.status) for one in actions if isinstance(one, Append)]
    return tracked, life


@pytest.mark.parametrize("lost", [False, True])
def test_an_incident_replays_from_what_is_stored(own: AtAlpaca, lost: bool) -> None:
    faults = [{"do": "accept_then_drop", "method": "POST"}, {"do": "drop_before", "method": "GET", "path": "*orders*"}]
    own.simulator.use_script(read_script({"faults": faults if lost else []}, "incident"))
    order = own.order()
    own.send()
    own.simulator.use_script(read_script({"faults": []}, "well"))
    own.at(OPENED)
    assert recover_book(BOOK, settings=own.settings)["fills_added"] == 1
    history = OrderHistory(own.engine)
    events = history.events(order.client_order_id)
    assert any(event.raw for event in events)
    tracked, life = replayed(order, events)
    (stored,) = history.orders(BOOK, identities=[order.client_order_id])
    assert (tracked.status, tracked.filled) == (stored.status, stored.filled) == (OrderStatus.FILLED, 10)
    assert life == [(one.event, one.status) for one in events if one.event is not OrderEvent.LOOK_UP]
