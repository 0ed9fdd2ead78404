"""The control face: what a person or a test does to the market and the accounts, as the brokers' clients see it."""

from __future__ import annotations

import json
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
import requests
from alpaca.common.exceptions import APIError

from tests.peers.broker_clients import EVENING_BEFORE, OPEN_HOURS, Clients, clients, served
from trading_lib.adapters.broker_simulator.market.clock import Clock
from trading_lib.adapters.broker_simulator.messages import Request
from trading_lib.adapters.broker_simulator.simulator import PAPER_KEY, Simulator

ORDER = {"symbol": "SPY", "qty": "10", "side": "buy", "type": "market", "time_in_force": "day"}


def control(made: Clients, name: str, **asked: Any) -> Any:
    body = json.dumps(asked).encode()
    reply = made.simulator.answer(Request("POST", "127.0.0.1", f"/simulator/{name}", body=body))
    assert reply.status == 200, reply.body
    return json.loads(reply.body)


@pytest.fixture
def made() -> Any:
    with clients("in-process") as found:
        yield found


def test_an_opening_fills_in_part_when_told_and_ends_the_rest() -> None:
    with clients("in-process", EVENING_BEFORE) as found:
        client = found.alpaca()
        placed = client.post("/orders", {**ORDER, "time_in_force": "opg"})
        control(found, "open", prices={"SPY": "600"}, portions={"SPY": "0.4"})
        order = client.get_order_by_id(placed["id"])
        assert (order["status"], order["filled_qty"], order["filled_avg_price"]) == ("expired", "4", "600")


def test_day_orders_end_with_the_session(made: Clients) -> None:
    client = made.alpaca()
    placed = client.post("/orders", {**ORDER, "type": "limit", "limit_price": "100"})
    control(made, "clock", to="2026-11-25T00:00:00Z")
    assert client.get_order_by_id(placed["id"])["status"] == "expired"


def test_a_price_that_meets_a_limit_fills_it(made: Clients) -> None:
    client = made.alpaca()
    placed = client.post("/orders", {**ORDER, "type": "limit", "limit_price": "100"})
    control(made, "prices", SPY="99.50")
    assert client.get_order_by_id(placed["id"])["filled_avg_price"] == "99.5"


def test_nothing_fills_in_a_halted_symbol(made: Clients) -> None:
    client = made.alpaca()
    control(made, "halt", symbols=["SPY"])
    placed = client.post("/orders", ORDER)
    made.simulator.pass_time(60)
    assert client.get_order_by_id(placed["id"])["filled_qty"] == "0"
    control(made, "halt", symbols=["SPY"], on=False)
    assert client.get_order_by_id(placed["id"])["status"] == "filled"


def test_a_dividend_is_paid_and_listed(made: Clients) -> None:
    client = made.alpaca()
    client.post("/orders", ORDER)
    cash = Decimal(client.get_account()["cash"])
    control(made, "dividend", symbol="SPY", per_share="1.75")
    assert Decimal(client.get_account()["cash"]) == cash + Decimal("17.50")
    (listed,) = client.get("/account/activities/DIV")
    assert (listed["symbol"], listed["net_amount"], listed["per_share_amount"]) == ("SPY", "17.5", "1.75")


@pytest.mark.parametrize(("orders", "status", "quantity"), [("adjust", "new", "20"), ("cancel", "canceled", "10")])
def test_a_split_changes_position_and_working_orders(made: Clients, orders: str, status: str, quantity: str) -> None:
    client = made.alpaca()
    client.post("/orders", ORDER)
    placed = client.post("/orders", {**ORDER, "type": "limit", "limit_price": "101", "time_in_force": "gtc"})
    control(made, "split", symbol="SPY", ratio=2, orders=orders)
    assert client.get_open_position("SPY")["qty"] == "20"
    order = client.get_order_by_id(placed["id"])
    assert (order["status"], order["qty"]) == (status, quantity)
    assert order["limit_price"] == ("50.5" if orders == "adjust" else "101")


def test_a_liquidation_and_a_trade_by_hand_are_orders_that_the_system_never_sent(made: Clients) -> None:
    client = made.alpaca()
    control(made, "trade", symbol="QQQ", side="buy", quantity=3)
    assert client.get_open_position("QQQ")["qty"] == "3"
    control(made, "liquidate", symbol="QQQ")
    assert client.get_all_positions() == []
    names = [each["client_order_id"] for each in client.get("/orders", {"status": "all", "direction": "asc"})]
    assert names == ["by-hand-1", "liquidation-2"]
    assert made.simulator.judge().received() == []


def test_a_fill_may_come_after_its_order_was_cancelled(made: Clients) -> None:
    client = made.alpaca()
    placed = client.post("/orders", {**ORDER, "type": "limit", "limit_price": "100", "client_order_id": "late"})
    client.cancel_order_by_id(placed["id"])
    control(made, "fill", order="late", quantity=4, price="100")
    order = client.get_order_by_id(placed["id"])
    assert (order["status"], order["filled_qty"]) == ("canceled", "4")
    assert client.get("/orders") == []
    assert client.get_open_position("SPY")["qty"] == "4"


def test_a_bust_takes_a_fill_back_and_a_correction_changes_it(made: Clients) -> None:
    client = made.alpaca()
    cash = Decimal(client.get_account()["cash"])
    client.post("/orders", ORDER)
    (first,) = made.simulator.judge().executions()
    control(made, "correct", execution=first["id"], price="500")
    assert Decimal(client.get_account()["cash"]) == cash - 5000
    (corrected,) = made.simulator.judge().executions()
    control(made, "bust", execution=corrected["id"])
    assert Decimal(client.get_account()["cash"]) == cash
    assert client.get_all_positions() == []
    kinds = [each["type"] for each in client.get("/account/activities/FILL", {"direction": "asc"})]
    assert kinds == ["fill", "trade_correct", "trade_bust"]


def test_an_accepted_order_can_be_rejected_later(made: Clients) -> None:
    client = made.alpaca()
    placed = client.post("/orders", {**ORDER, "type": "limit", "limit_price": "100"})
    control(made, "reject", order=placed["id"])
    assert client.get_order_by_id(placed["id"])["status"] == "rejected"


def test_a_key_can_open_another_account_from_one_request_to_the_next(made: Clients) -> None:
    client = made.alpaca()
    number = client.get_account()["account_number"]
    control(made, "accounts", face="alpaca", number="PA9OTHER", key="k", secret="s", deposit={"USD": 5})
    control(made, "switch", key=PAPER_KEY, account="PA9OTHER")
    account = client.get_account()
    assert (account["account_number"], account["cash"]) == ("PA9OTHER", "5")
    assert number != "PA9OTHER"


def test_settings_block_an_account_and_open_it_to_partnerships(made: Clients) -> None:
    client = made.alpaca()
    control(made, "settings", settings={"ptp_no_exception_entry": True})
    assert client.get_account_configurations()["ptp_no_exception_entry"] is True
    client.post("/orders", {**ORDER, "symbol": "DBC"})
    control(made, "settings", settings={"trading_blocked": True})
    assert client.get_account()["trading_blocked"] is True
    with pytest.raises(APIError, match="liquidation only"):
        client.post("/orders", ORDER)


def test_an_asset_can_lose_its_tradability(made: Clients) -> None:
    client = made.alpaca()
    control(made, "assets", symbol="SPY", tradable=False)
    assert client.get_asset("SPY")["tradable"] is False
    with pytest.raises(APIError, match="not active"):
        client.post("/orders", ORDER)


def test_what_cannot_be_asked_is_refused_with_the_field(made: Clients) -> None:
    for name, asked, words in (
        ("prices", {"SPY": -1}, "SPY"),
        ("fill", {"order": "nothing"}, "order: there is none"),
        ("fill", {}, "order"),
        ("liquidate", {"symbol": "SPY"}, "holds no SPY"),
        ("faults", {"faults": [{"do": "nothing"}]}, "faults.0.do"),
        ("assets", {"symbol": "X", "colour": 1}, "colour"),
        ("clock", {"to": "2020-01-01T00:00:00Z"}, "has passed"),
        ("nonsense", {}, "there is no POST"),
    ):
        body = json.dumps(asked).encode()
        reply = made.simulator.answer(Request("POST", "127.0.0.1", f"/simulator/{name}", body=body))
        assert reply.status in (400, 404), name
        assert words in json.loads(reply.body)["error"]


def test_a_plain_client_reaches_the_control_face_of_a_served_simulator() -> None:
    with served(Simulator(1, clock=Clock(OPEN_HOURS))) as address:
        assert requests.post(f"{address}/simulator/prices", json={"SPY": "123.45"}, timeout=5).status_code == 200
        status = requests.get(f"{address}/simulator/status", timeout=5).json()
        assert (status["now"], status["market_open"]) == ("2026-11-24T16:00:00.000000Z", True)
        assert requests.get(f"{address}/simulator/duplicates", timeout=5).json() == []
        assert requests.get(f"{address}/simulator/positions?account=binance", timeout=5).json()["BNB"] == "10"


def test_a_clock_that_was_set_back_plays_the_next_opening_again(made: Clients) -> None:
    client = made.alpaca()
    control(made, "clock", at="2026-11-24T02:00:00Z")
    placed = client.post("/orders", {**ORDER, "time_in_force": "opg"})
    control(made, "clock", to="2026-11-24T15:00:00Z")
    assert client.get_order_by_id(placed["id"])["status"] == "filled"


def test_a_simulator_goes_on_at_the_time_its_ledger_was_left_at(tmp_path: Path) -> None:
    path = tmp_path / "ledger.jsonl"
    with clients("in-process", ledger=path) as first:
        control(first, "clock", to="2026-11-25T15:00:00Z")
        first.simulator.pass_time(3600)
        first.alpaca().post("/orders", ORDER)
        first.simulator.ledger.close()
    again = Simulator(1, path, Clock(OPEN_HOURS))
    assert again.clock.now().isoformat() == "2026-11-25T16:00:00+00:00"
    again.ledger.close()
