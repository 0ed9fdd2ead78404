"""All orders are listed: with full pages, orders of one instant, and orders that change while pages are read."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from tests.peers.brokers.alpaca_account import KEYS, no_pause
from tests.peers.brokers.scripted_answers import Scripted, ScriptedAdapter
from trading_lib.adapters.brokers.alpaca.connection.client import AlpacaConnection
from trading_lib.adapters.brokers.alpaca.connection.session import BoundedSession
from trading_lib.adapters.brokers.alpaca.listing import PAGE, closed_orders, open_orders
from trading_lib.domain.errors import BrokerUnavailableError
from trading_lib.execution.broker import BrokerSetting, BrokerStatus

START = datetime(2026, 11, 24, 0, 30, tzinfo=UTC)


def told(number: int, at: datetime = START, **changes: Any) -> dict[str, Any]:
    stamp = at.isoformat().replace("+00:00", "Z")
    return {
        "id": f"id-{number}", "client_order_id": f"ours-{number}", "created_at": stamp, "submitted_at": stamp,
        "symbol": "SPY", "side": "buy", "qty": "2", "filled_qty": "0", "status": "new", **changes,
    }  # fmt: skip


Change = Callable[[list[dict[str, Any]]], None]


class Listing:
    """Orders as Alpaca lists them; ``between`` is called before each page but the first."""

    def __init__(
        self, orders: list[dict[str, Any]], between: Callable[[list[dict[str, Any]]], None] | None = None
    ) -> None:
        self.orders, self.between = orders, between
        self.adapter = ScriptedAdapter(self.answer)

    def answer(self, method: str, path: str, asked: Mapping[str, str]) -> Scripted:
        assert (method, path) == ("GET", "/v2/orders")
        if self.between is not None and len(self.adapter.asked) > 1:
            self.between(self.orders)
        found = sorted(self.orders, key=lambda one: str(one["submitted_at"]))
        if asked["status"] == "open":
            found = [one for one in found if one["status"] not in ("filled", "canceled")]
        if "after" in asked:
            after = datetime.fromisoformat(asked["after"])
            found = [one for one in found if datetime.fromisoformat(one["submitted_at"]) > after]
        if "until" in asked:
            until = datetime.fromisoformat(asked["until"])
            found = [one for one in found if datetime.fromisoformat(one["submitted_at"]) < until]
        if asked["direction"] == "desc":
            found.reverse()
        assert asked["nested"] == "false"
        return 200, found[: int(asked["limit"])]

    @property
    def connection(self) -> AlpacaConnection:
        def session() -> BoundedSession:
            made = BoundedSession()
            made.mount("https://", self.adapter)
            return made

        return AlpacaConnection(BrokerSetting("", KEYS, "paper"), session, no_pause)


def test_fewer_than_a_page_are_one_request() -> None:
    listing = Listing([told(1), told(2, START + timedelta(seconds=1))])
    found = asyncio.run(open_orders(listing.connection))
    assert [one.client_order_id for one in found] == ["ours-1", "ours-2"]
    assert (found[0].created_at, found[0].quantity, found[0].status) == (START, Decimal(2), BrokerStatus.WORKING)
    assert listing.adapter.count("GET") == 1


@pytest.mark.parametrize("count", [PAGE, PAGE + 1, 2 * PAGE, 2 * PAGE + 37])
def test_every_page_is_read_also_where_the_last_is_exactly_full(count: int) -> None:
    listing = Listing([told(number, START + timedelta(seconds=number)) for number in range(count)])
    found = asyncio.run(open_orders(listing.connection))
    assert [one.client_order_id for one in found] == [f"ours-{number}" for number in range(count)]


def test_orders_of_one_instant_at_the_end_of_a_page_are_all_found() -> None:
    stamps = [START + timedelta(seconds=min(number, PAGE - 10)) for number in range(PAGE + 20)]
    listing = Listing([told(number, at) for number, at in enumerate(stamps)])
    assert len(asyncio.run(open_orders(listing.connection))) == PAGE + 20


@pytest.mark.parametrize("of_one_instant", [PAGE, PAGE + 1, 2 * PAGE - 1])
@pytest.mark.parametrize("later", [0, 3, PAGE])
def test_an_instant_that_fills_pages_is_read_from_both_ends(of_one_instant: int, later: int) -> None:
    stamps = [START] * of_one_instant + [START + timedelta(seconds=1 + number) for number in range(later)]
    listing = Listing([told(number, at) for number, at in enumerate(stamps)])
    found = {one.client_order_id for one in asyncio.run(open_orders(listing.connection))}
    assert found == {f"ours-{number}" for number in range(len(stamps))}


def test_an_instant_with_more_orders_than_two_pages_is_an_error_and_no_loop() -> None:
    listing = Listing([told(number) for number in range(2 * PAGE)])
    with pytest.raises(BrokerUnavailableError, match="more than 1000 orders of one instant"):
        asyncio.run(open_orders(listing.connection))
    assert listing.adapter.count("GET") == 3


def test_orders_that_end_or_come_while_pages_are_read_hide_no_other() -> None:
    def change(orders: list[dict[str, Any]]) -> None:
        for one in orders[:PAGE:2]:
            one["status"] = "filled"
        orders.append(told(len(orders), START + timedelta(hours=1, seconds=len(orders))))

    listing = Listing([told(number, START + timedelta(seconds=number)) for number in range(PAGE + 5)], change)
    found = {one.client_order_id for one in asyncio.run(open_orders(listing.connection))}
    assert {f"ours-{number}" for number in range(PAGE, PAGE + 5)} <= found


def test_closed_orders_are_those_taken_since_that_are_not_known_to_be_open() -> None:
    ended = {"status": "filled", "filled_qty": "2"}
    orders = [
        told(1, START - timedelta(hours=1), **ended),
        told(2, START, **ended),
        # Submitted a little before it was written down, as Alpaca does.
        told(3, START, **ended, submitted_at=(START - timedelta(milliseconds=5)).isoformat()),
        told(4, START, status="canceled"),
        told(5, START),
        told(6, START, status="pending_cancel"),
        told(7, START, status="never_heard_of"),
    ]
    found = asyncio.run(closed_orders(Listing(orders).connection, START))
    assert sorted(one.client_order_id for one in found) == ["ours-2", "ours-3", "ours-4", "ours-7"]


def test_an_order_that_ends_between_the_two_lists_is_in_one_of_them() -> None:
    listing = Listing([told(1)])

    async def both() -> list[str]:
        waiting = await open_orders(listing.connection)
        listing.orders[0] |= {"status": "filled", "filled_qty": "2"}
        return [one.client_order_id for one in (*waiting, *await closed_orders(listing.connection, START))]

    assert asyncio.run(both()) == ["ours-1", "ours-1"]


@pytest.mark.parametrize("changes", [{"filled_qty": None}, {"side": "sideways"}, {"id": None}, {"qty": "two"}])
def test_an_order_that_cannot_be_read_makes_the_list_unusable(changes: dict[str, Any]) -> None:
    with pytest.raises(BrokerUnavailableError, match="cannot be read"):
        asyncio.run(open_orders(Listing([told(1), told(2, **changes)]).connection))


@pytest.mark.parametrize("body", ["", "{}", "null", '["x"]', "[{}", "<html>"])
def test_an_answer_that_is_no_list_is_no_list_of_nothing(body: str) -> None:
    listing = Listing([])
    listing.adapter = ScriptedAdapter(lambda method, path, asked: (200, body))
    with pytest.raises(BrokerUnavailableError):
        asyncio.run(open_orders(listing.connection))


def test_orders_of_money_and_of_several_assets_hide_no_other(caplog: pytest.LogCaptureFixture) -> None:
    orders = [told(1, qty=None, notional="500"), told(2, symbol="", side=""), told(3)]
    found = asyncio.run(open_orders(Listing(orders).connection))
    assert [(one.client_order_id, one.quantity) for one in found] == [("ours-1", Decimal(0)), ("ours-3", Decimal(2))]
    assert "id-2" in caplog.text
