"""alpaca-py against the simulator: orders, look-ups, lists, refusals."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from typing import Any

import pytest
from alpaca.common.exceptions import APIError
from alpaca.trading.models import TradeActivity
from alpaca.trading.requests import GetCalendarRequest, LimitOrderRequest, MarketOrderRequest

from tests.peers.broker_clients import EVENING_BEFORE, Clients, clients
from trading_lib.adapters.broker_simulator.ledger.records import ALPACA
from trading_lib.adapters.broker_simulator.simulator import LIVE_KEY, LIVE_SECRET

DAY = date(2026, 11, 24)


def order(**terms: Any) -> dict[str, Any]:
    return {"symbol": "SPY", "qty": "3", "side": "buy", "type": "market", "time_in_force": "day", **terms}


def refusal(client: Any, **terms: Any) -> tuple[int, int, str]:
    with pytest.raises(APIError) as caught:
        client.post("/orders", order(**terms))
    return caught.value.status_code, caught.value.code, caught.value.message


def test_a_market_order_is_accepted_filled_and_found_by_either_id(reached: Clients) -> None:
    client = reached.alpaca()
    placed = client.post("/orders", order(client_order_id="one"))
    assert placed["status"] == "pending_new"
    assert placed["filled_qty"] == "0"
    found = client.get("/orders:by_client_order_id", {"client_order_id": "one"})
    assert found == client.get_order_by_id(placed["id"])
    assert (found["status"], found["filled_qty"], found["qty"]) == ("filled", "3", "3")
    assert Decimal(found["filled_avg_price"]) == reached.simulator.exchange.price("SPY")
    assert [each["qty"] for each in client.get_all_positions()] == ["3"]


def test_a_limit_order_below_the_market_works_until_it_is_cancelled(reached: Clients) -> None:
    client = reached.alpaca()
    placed = client.post("/orders", order(type="limit", limit_price="100.50", time_in_force="gtc"))
    assert [each["id"] for each in client.get("/orders")] == [placed["id"]]
    client.cancel_order_by_id(placed["id"])
    assert client.get("/orders") == []
    assert [each["status"] for each in client.get("/orders", {"status": "closed"})] == ["canceled"]
    with pytest.raises(APIError, match='already in \\\\"canceled\\\\" state') as caught:
        client.cancel_order_by_id(placed["id"])
    assert caught.value.status_code == 422


def test_an_order_for_the_opening_waits_and_trades_at_the_opening() -> None:
    with clients("in-process", EVENING_BEFORE) as made:
        client, simulator = made.alpaca(), made.simulator
        placed = client.post("/orders", order(time_in_force="opg", client_order_id="auction"))
        assert placed["status"] == "accepted"
        assert client.get_clock()["is_open"] is False
        simulator.pass_time(14 * 3600)
        found = client.get("/orders:by_client_order_id", {"client_order_id": "auction"})
        assert found["status"] == "filled"
        assert found["filled_at"] == "2026-11-24T14:30:00.000000Z"


@pytest.mark.parametrize(("hours", "taken"), [(0.0, True), (13.46, True), (13.47, False), (22.99, False), (23.0, True)])
def test_orders_for_the_opening_are_taken_from_seven_in_the_evening_until_9_28(hours: float, taken: bool) -> None:
    with clients("in-process", EVENING_BEFORE) as made:
        made.simulator.pass_time(hours * 3600)
        client = made.alpaca()
        if taken:
            assert client.post("/orders", order(time_in_force="opg"))["status"] == "accepted"
        else:
            assert refusal(client, time_in_force="opg")[:2] == (422, 42210000)


def test_a_client_order_id_is_never_taken_twice(reached: Clients) -> None:
    client = reached.alpaca()
    client.post("/orders", order(client_order_id="one"))
    assert refusal(client, client_order_id="one") == (422, 40010001, "client_order_id must be unique")
    assert len(reached.simulator.judge().orders()) == 1
    assert reached.simulator.judge().duplicates() == []


@pytest.mark.parametrize(
    ("terms", "status", "words"),
    [
        ({"symbol": "NOPE"}, 422, 'asset "NOPE" not found'),
        ({"qty": "-5"}, 422, "must be > 0"),
        ({"qty": "1000"}, 403, "insufficient buying power"),
        ({"side": "sell"}, 403, "insufficient qty available"),
        ({"symbol": "DBC"}, 403, "PTP"),
        ({"symbol": "DBC", "qty": "0.5"}, 403, "not fractionable"),
        ({"qty": "0.5", "time_in_force": "gtc"}, 422, "fractional orders must be DAY orders"),
        ({"type": "limit"}, 422, "limit orders require limit price"),
        ({"type": "limit", "limit_price": "100.001"}, 422, "sub-penny"),
        ({"qty": "0.001"}, 403, "minimal amount of order 1"),
        ({"notional": "100"}, 422, "only one of qty or notional"),
        ({"type": "nonsense"}, 422, "invalid order type"),
        ({"side": None}, 422, "side must be"),
        ({"client_order_id": "x" * 129}, 422, "no more than 128"),
    ],
)
def test_what_alpaca_refuses_is_refused_and_not_booked(
    reached: Clients, terms: dict[str, Any], status: int, words: str
) -> None:
    found = refusal(reached.alpaca(), **terms)
    assert found[0] == status
    assert words in found[2]
    assert reached.simulator.judge().orders() == []


def test_an_opposite_order_of_the_same_symbol_is_refused_while_the_first_is_open(reached: Clients) -> None:
    client = reached.alpaca()
    client.post("/orders", order())
    client.post("/orders", order(type="limit", limit_price="100", time_in_force="gtc"))
    status, code, words = refusal(client, side="sell")
    assert (status, code) == (403, 40310000)
    assert "wash trade" in words


def test_pages_of_fills_hold_each_fill_once(reached: Clients) -> None:
    client = reached.alpaca()
    for _ in range(5):
        client.post("/orders", order(qty="1"))
    pages, token = [], None
    while True:
        asked = {"direction": "asc", "page_size": 2} | ({"page_token": token} if token else {})
        page = client.get("/account/activities/FILL", asked)
        pages.append(len(page))
        if not page:
            break
        token = page[-1]["id"]
    assert pages == [2, 2, 1, 0]


def test_keys_of_the_paper_account_open_no_live_one(reached: Clients) -> None:
    with pytest.raises(APIError) as caught:
        reached.alpaca(paper=False).get_account()
    assert caught.value.status_code == 401
    live = reached.alpaca(LIVE_KEY, LIVE_SECRET, paper=False).get_account()
    assert live["account_number"] == reached.simulator.account_of(ALPACA, "live").number


def test_an_id_that_is_none_and_one_that_is_unknown_are_told_apart(reached: Clients) -> None:
    client = reached.alpaca()
    for identity, status, words in (
        ("nonsense", 422, "order_id is missing"),
        ("49aa1811-be1e-400a-9375-f14b5ac28ddf", 404, "order not found for 49aa1811"),
    ):
        with pytest.raises(APIError, match=words) as caught:
            client.get(f"/orders/{identity}")
        assert caught.value.status_code == status


def test_a_stop_order_trades_once_its_stop_is_met(reached: Clients) -> None:
    client, exchange = reached.alpaca(), reached.simulator.exchange
    exchange.record("price", symbol="SPY", price="600")
    client.post("/orders", order(qty="5"))
    stop = client.post("/orders", order(side="sell", qty="2", type="stop", stop_price="590", time_in_force="gtc"))
    terms = {"side": "sell", "qty": "3", "type": "stop_limit", "stop_price": "590", "limit_price": "588"}
    limited = client.post("/orders", order(**terms, time_in_force="gtc"))
    for price, filled in (("591", ("0", "0")), ("587", ("2", "0")), ("589", ("2", "3"))):
        exchange.record("price", symbol="SPY", price=price)
        exchange.match_all("SPY")
        found = [client.get_order_by_id(each["id"])["filled_qty"] for each in (stop, limited)]
        assert tuple(found) == filled, price
    assert client.get_order_by_id(limited["id"])["filled_avg_price"] == "589"


def test_what_is_not_filled_at_once_ends_where_that_was_asked(reached: Clients) -> None:
    client = reached.alpaca()
    for in_force in ("ioc", "fok"):
        placed = client.post("/orders", order(type="limit", limit_price="100", time_in_force=in_force))
        assert client.get_order_by_id(placed["id"])["status"] == "canceled"


def test_lists_are_filtered_sorted_and_cut(reached: Clients) -> None:
    client, simulator = reached.alpaca(), reached.simulator
    times = []
    for number, symbol in enumerate(("SPY", "QQQ", "SPY")):
        times.append(simulator.clock.now().isoformat())
        client.post("/orders", order(symbol=symbol, qty="1", client_order_id=str(number)))
        simulator.pass_time(60)

    def ids(**asked: Any) -> list[str]:
        return [each["client_order_id"] for each in client.get("/orders", {"status": "all", **asked})]

    assert ids() == ["2", "1", "0"]
    assert ids(direction="asc", limit=2) == ["0", "1"]
    assert ids(symbols="QQQ,GLD") == ["1"]
    assert ids(after=times[0]) == ["2", "1"]
    assert ids(until=times[2]) == ["1", "0"]
    assert ids(status="open") == []
    for asked in ({"status": "odd"}, {"limit": "501"}, {"limit": "x"}, {"after": "noon"}):
        with pytest.raises(APIError) as caught:
            client.get("/orders", asked)
        assert caught.value.status_code == 422


def test_activities_are_filtered_by_kind_and_time(reached: Clients) -> None:
    client, simulator = reached.alpaca(), reached.simulator
    client.post("/orders", order(qty="1"))
    at = simulator.clock.now()
    simulator.pass_time(7200)
    client.post("/orders", order(qty="2"))

    def quantities(**asked: Any) -> list[str]:
        return [each["qty"] for each in client.get("/account/activities/FILL", asked)]

    assert quantities() == ["2", "1"]
    assert quantities(after=at.isoformat()) == ["2"]
    assert quantities(until=simulator.clock.now().isoformat()) == ["1"]
    assert quantities(date="2026-11-24") == ["2", "1"]
    assert quantities(date="2026-11-25") == []
    kinds = [each["activity_type"] for each in client.get("/account/activities", {"direction": "asc"})]
    assert kinds == ["CSD", "FILL", "FILL"]
    for path, asked in (("/FFFFF", {}), ("/FILL", {"page_size": 101}), ("/FILL", {"after": "noon"})):
        with pytest.raises(APIError) as caught:
            client.get(f"/account/activities{path}", asked)
        assert caught.value.status_code == 422


def test_calendar_clock_and_assets_are_those_of_new_york(reached: Clients) -> None:
    client = reached.alpaca()
    days = client.get("/calendar", {"start": "2026-11-25", "end": "2026-11-30"})
    assert [(each["date"], each["close"]) for each in days] == [
        ("2026-11-25", "16:00"),
        ("2026-11-27", "13:00"),
        ("2026-11-30", "16:00"),
    ]
    clock = client.get_clock()
    assert (clock["is_open"], clock["next_open"]) == (True, "2026-11-25T09:30:00-05:00")
    assert client.get_asset("DBC")["attributes"] == ["ptp_no_exception", "has_options"]
    assert client.get_asset(client.get_asset("SPY")["id"])["symbol"] == "SPY"
    assert {"GLD", "SPY", "VNQ"} <= {each["symbol"] for each in client.get("/assets", {"status": "active"})}
    with pytest.raises(APIError, match="asset not found for NOPE"):
        client.get_asset("NOPE")
    with pytest.raises(APIError, match="position does not exist"):
        client.get_open_position("SPY")


def test_all_open_orders_can_be_cancelled_at_once(reached: Clients) -> None:
    client = reached.alpaca()
    for price in ("100", "101"):
        client.post("/orders", order(type="limit", limit_price=price))
    assert [each["status"] for each in client.cancel_orders()] == [200, 200]
    assert client.get("/orders") == []


def test_what_is_no_part_of_the_interface_is_told(reached: Clients) -> None:
    client = reached.alpaca()
    for method, path, status in (("GET", "/nothing", 404), ("PUT", "/orders", 405)):
        with pytest.raises(APIError) as caught:
            client._request(method, path)
        assert caught.value.status_code == status


def test_the_clients_own_models_take_every_answer(reached: Clients) -> None:
    client = reached.alpaca()
    client._use_raw_data = False
    placed = client.submit_order(MarketOrderRequest(symbol="SPY", qty=3, side="buy", time_in_force="day"))
    waiting = client.submit_order(
        LimitOrderRequest(symbol="QQQ", qty=1, side="buy", time_in_force="gtc", limit_price=100)
    )
    assert client.get_order_by_id(placed.id).filled_qty == "3"
    assert [each.id for each in client.get_orders()] == [waiting.id]
    assert client.get_account().cash == reached.alpaca().get_account()["cash"]
    assert client.get_open_position("SPY").qty == "3"
    assert client.get_account_configurations().ptp_no_exception_entry is False
    assert client.get_clock().is_open is True
    assert [each.date.isoformat() for each in client.get_calendar(GetCalendarRequest(start=DAY, end=DAY))] == [str(DAY)]
    assert client.get_asset("SPY").tradable is True
    assert len(client.get_all_assets()) == len(reached.simulator.exchange.assets)
    # The account's id is in the broker's interface only, not in the trader's.
    fills = [
        TradeActivity(**each, account_id=client.get_account().id) for each in client.get("/account/activities/FILL")
    ]
    assert [(each.qty, each.order_id) for each in fills] == [(3, placed.id)]


def test_fees_of_regulators_are_charged_once_on_each_sale_of_the_day_at_its_close() -> None:
    with clients("in-process", EVENING_BEFORE) as made:
        client, simulator = made.alpaca(), made.simulator
        account = simulator.account_of(ALPACA)
        simulator.exchange.record("settings", account=account.id, settings={"sale_fees": True})
        simulator.pass_time(14 * 3600)
        client.post("/orders", order())
        client.post("/orders", order(side="sell", qty="2"))
        before = account.balance("USD")
        simulator.pass_time(12 * 3600)
        simulator.exchange.close_market()
        found = client.get("/account/activities", {"category": "non_trade_activity", "after": "2026-11-24"})
        fees = [Decimal(one["net_amount"]) for one in found if one["activity_type"] == "FEE"]
        proceeds = 2 * Decimal(client.get("/account/activities/FILL")[0]["price"])
        assert sorted(fees) == sorted(
            [-(proceeds * Decimal("0.0000278")).quantize(Decimal("0.01"), "ROUND_UP"), Decimal("-0.01")]
        )
        assert account.balance("USD") == before + sum(fees)
        assert {one["date"] for one in found if one["activity_type"] == "FEE"} == {"2026-11-24"}
