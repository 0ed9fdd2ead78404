"""Fills after a cursor: none is lost and none told twice, whatever pages, times and late activities do."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.peers.brokers.alpaca_account import KEYS, no_pause
from tests.peers.brokers.scripted_answers import Scripted, ScriptedAdapter
from trading_lib.adapters.brokers.alpaca.connection.client import AlpacaConnection
from trading_lib.adapters.brokers.alpaca.connection.session import BoundedSession
from trading_lib.adapters.brokers.alpaca.history import FEW_ORDERS, PAGE, FillHistory
from trading_lib.domain.book.orders import Side
from trading_lib.domain.errors import BrokerUnavailableError
from trading_lib.execution.broker import BrokerSetting, Executions

OPENING = datetime(2026, 11, 24, 14, 30, tzinfo=UTC)


def activity(number: int, at: datetime = OPENING, **changes: Any) -> dict[str, Any]:
    stamp = f"{at:%Y%m%d%H%M%S}{at.microsecond // 1000:03d}"
    return {
        "id": f"{stamp}::{number:06d}", "activity_type": "FILL", "type": "fill", "order_id": f"id-{number}",
        "transaction_time": at.isoformat().replace("+00:00", "Z"), "symbol": "SPY", "side": "buy", "qty": "2",
        "price": "512.3456", **changes,
    }  # fmt: skip


class Activities:
    """Activities as Alpaca pages them, sorted by id; orders id-N are ours as ours-N."""

    def __init__(self, listed: list[dict[str, Any]]) -> None:
        self.listed = listed
        self.adapter = ScriptedAdapter(self.answer)
        self.missing: set[str] = set()
        self.restart()

    def restart(self) -> None:
        def session() -> BoundedSession:
            made = BoundedSession()
            made.mount("https://", self.adapter)
            return made

        self.history = FillHistory(AlpacaConnection(BrokerSetting("", KEYS, "paper"), session, no_pause))

    def answer(self, method: str, path: str, asked: Mapping[str, str]) -> Scripted:
        if path == "/v2/account/activities/FILL":
            found = sorted(self.listed, key=lambda one: str(one["id"]))
            return 200, [one for one in found if one["id"] > asked.get("page_token", "")][: int(asked["page_size"])]
        if path == "/v2/orders":
            names = {str(one["order_id"]) for one in self.listed} - self.missing
            return 200, [self.order(name) for name in sorted(names)][: int(asked["limit"])]
        name = path.rpartition("/")[2]
        found_order = name not in self.missing
        return (200, self.order(name)) if found_order else (404, {"message": f"order not found for {name}"})

    def order(self, name: str) -> dict[str, Any]:
        return {"id": name, "client_order_id": name.replace("id", "ours"), "submitted_at": "2026-11-24T00:30:00Z"}

    def since(self, cursor: str = "") -> Executions:
        return asyncio.run(self.history.since(cursor))


def ids(found: Executions) -> list[str]:
    return [fill.trade_id for fill in found.fills]


def test_a_fill_is_told_exactly_and_with_our_id() -> None:
    (fill,) = (
        Activities([activity(1, side="sell_short", transaction_time="2026-11-24T14:30:00.123456789Z")]).since().fills
    )
    assert (fill.trade_id, fill.client_order_id, fill.side) == ("20261124143000000::000001", "ours-1", Side.SELL)
    assert (fill.quantity, fill.price, fill.commission) == (Decimal(2), Decimal("512.3456"), Decimal(0))
    assert fill.filled_at == OPENING.replace(microsecond=123456)
    assert "512.3456" in fill.raw


@pytest.mark.parametrize("count", [1, PAGE - 1, PAGE, PAGE + 1, 2 * PAGE, 3 * PAGE + 7])
@pytest.mark.parametrize("apart", [0, 1, 700])
def test_every_page_is_read_once_also_where_all_fills_share_a_time(count: int, apart: int) -> None:
    listed = [activity(number, OPENING + timedelta(seconds=number * apart)) for number in range(count)]
    activities = Activities(listed)
    whole = activities.since()
    assert ids(whole) == [one["id"] for one in listed]
    assert activities.since(whole.cursor) == Executions((), whole.cursor)


def test_a_fill_that_is_listed_late_before_others_of_its_time_is_told() -> None:
    activities = Activities([activity(5), activity(7)])
    first = activities.since()
    # Of the same instant, and of half a minute before, and both before the last that was told.
    late = [activity(6), activity(2, OPENING - timedelta(seconds=30))]
    activities.listed += late
    second = activities.since(first.cursor)
    assert sorted(ids(second)) == sorted(one["id"] for one in late)
    assert activities.since(second.cursor).fills == ()
    assert activities.since(second.cursor).cursor == second.cursor


def test_fills_that_come_while_pages_are_read_are_told_now_or_next_time() -> None:
    activities = Activities([activity(number) for number in range(PAGE)])
    asked = activities.answer

    def growing(method: str, path: str, parameters: Mapping[str, str]) -> Scripted:
        answer = asked(method, path, parameters)
        if path.endswith("FILL"):
            activities.listed.append(
                activity(len(activities.listed), OPENING + timedelta(seconds=len(activities.listed)))
            )
        return answer

    activities.adapter._script = growing
    told = activities.since()
    activities.adapter._script = asked
    rest = activities.since(told.cursor)
    assert sorted(ids(told) + ids(rest)) == sorted(one["id"] for one in activities.listed)


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 200), st.integers(0, 900)), min_size=1, max_size=40), st.data())
def test_however_fills_arrive_each_is_told_once(arrivals: list[tuple[int, int]], data: st.DataObject) -> None:
    """Fills are made at any seconds and listed at most four minutes late; somebody asks at any moments."""
    made = [activity(number, OPENING + timedelta(seconds=second)) for number, (second, _) in enumerate(arrivals)]
    listed_at = [second + min(lag, 240) for second, lag in arrivals]
    activities, cursor, told = Activities([]), "", []
    moments = sorted(data.draw(st.lists(st.integers(0, 500), max_size=6)))
    for moment in [*moments, 10_000]:
        activities.listed = [one for one, at in zip(made, listed_at, strict=True) if at <= moment]
        found = activities.since(cursor)
        told += ids(found)
        cursor = found.cursor
    assert sorted(told) == sorted(one["id"] for one in made)


def test_a_server_that_repeats_a_page_for_ever_is_an_error() -> None:
    activities = Activities([])
    page = [activity(number) for number in range(PAGE)]
    activities.adapter._script = lambda method, path, asked: (200, page)
    with pytest.raises(BrokerUnavailableError, match="pages do not end"):
        activities.since()
    assert activities.adapter.count("GET") == 2


def test_our_ids_are_looked_up_one_by_one_or_listed_and_remembered() -> None:
    activities = Activities([activity(number) for number in range(FEW_ORDERS)])
    activities.since()
    assert activities.adapter.count("GET", "/orders/id-") == FEW_ORDERS
    activities.since()
    assert activities.adapter.count("GET", "/orders/id-") == FEW_ORDERS
    many = Activities([activity(number) for number in range(40)])
    assert [fill.client_order_id for fill in many.since().fills] == [f"ours-{number}" for number in range(40)]
    assert many.adapter.count("GET", "/orders") == 1


def test_a_fill_of_an_order_that_alpaca_does_not_find_is_told_without_our_id() -> None:
    activities = Activities([activity(1), activity(2)])
    activities.missing.add("id-1")
    assert [fill.client_order_id for fill in activities.since().fills] == ["", "ours-2"]


def test_while_an_order_cannot_be_looked_up_no_fill_is_told() -> None:
    activities = Activities([activity(1)])
    asked = activities.answer
    activities.adapter._script = lambda method, path, parameters: (
        (503, "") if "/orders/" in path else asked(method, path, parameters)
    )
    with pytest.raises(BrokerUnavailableError):
        activities.since()


@pytest.mark.parametrize(
    "changes",
    [{"id": None}, {"qty": "0"}, {"qty": "-1"}, {"qty": None}, {"price": "x"}, {"side": "?"}, {"order_id": None},
     {"transaction_time": "yesterday"}, {"transaction_time": "2026-11-24T14:30:00"}, {"symbol": ""}],
)  # fmt: skip
def test_a_fill_that_cannot_be_read_makes_the_answer_unusable(changes: dict[str, Any]) -> None:
    activities = Activities([])
    listed = [activity(1), activity(2, **changes)]
    asked = activities.answer
    activities.adapter._script = lambda method, path, parameters: (
        (200, listed) if path.endswith("FILL") else asked(method, path, parameters)
    )
    with pytest.raises(BrokerUnavailableError, match="cannot be read"):
        activities.since()


def test_a_struck_and_a_corrected_trade_are_told_by_the_id_of_the_fill_also_long_after() -> None:
    first, second = activity(1), activity(2, OPENING + timedelta(hours=1))
    activities = Activities([first, second])
    cursor = activities.since().cursor
    later = OPENING + timedelta(days=2)
    activities.listed += [
        activity(3, later, type="trade_bust", order_id="id-1", previous_execution_id="000001"),
        activity(4, later, type="trade_correct", order_id="id-2", previous_execution_id="000002", price="500"),
    ]
    found = activities.since(cursor)
    assert [(bust.trade_id, bust.reason) for bust in found.busts] == [
        (first["id"], "struck by Alpaca"),
        (second["id"], "corrected by Alpaca"),
    ]
    assert [(fill.price, fill.client_order_id) for fill in found.fills] == [(Decimal(500), "ours-2")]
    assert activities.since(found.cursor).busts == ()


@pytest.mark.parametrize("changes", [{"type": "trade_bust"}, {"status": "canceled"}])
def test_a_struck_trade_that_names_no_other_is_the_one_that_is_struck(changes: dict[str, Any]) -> None:
    found = Activities([activity(1), activity(2, **changes)]).since()
    assert [fill.client_order_id for fill in found.fills] == ["ours-1"]
    assert [bust.trade_id for bust in found.busts] == [activity(2)["id"]]


def test_a_struck_trade_that_is_nowhere_makes_the_answer_unusable() -> None:
    with pytest.raises(BrokerUnavailableError, match="the trade 000077, which was struck, is not in it"):
        Activities([activity(1, type="trade_bust", previous_execution_id="000077")]).since()
