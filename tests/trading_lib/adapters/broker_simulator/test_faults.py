"""Every fault, as the brokers' own clients meet it, on either transport."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import ccxt
import pytest
import requests
from alpaca.common.exceptions import APIError

from tests.peers.broker_clients import Clients, clients
from trading_lib.adapters.broker_simulator.faults.script import REQUEST_FAULTS, STREAM_FAULTS, load_script, read_script
from trading_lib.domain.errors import ConfigurationError

PAIR = "BTC/USDT"
BOTH = pytest.mark.parametrize("face", ["alpaca", "binance"])


def strike(reached: Clients, **rule: Any) -> None:
    reached.simulator.use_script(read_script([rule], "test"))


def place(reached: Clients, face: str, identity: str = "one") -> Any:
    """Send a market purchase with the face's own client."""
    if face == "binance":
        return loaded(reached).create_order(PAIR, "market", "buy", 0.01, None, {"clientOrderId": identity})
    terms = {"symbol": "SPY", "qty": "10", "side": "buy", "type": "market", "time_in_force": "day"}
    return reached.alpaca().post("/orders", {**terms, "client_order_id": identity})


def look_up(reached: Clients, face: str, identity: str = "one") -> Any:
    if face == "binance":
        return loaded(reached).fetch_order(None, PAIR, {"clientOrderId": identity})
    return reached.alpaca().get("/orders:by_client_order_id", {"client_order_id": identity})


def loaded(reached: Clients) -> Any:
    """A client that has its markets, so that its next request is the one in question."""
    script, reached.simulator.faults.script = reached.simulator.faults.script, read_script([], "none")
    client = reached.binance()
    client.load_markets()
    reached.simulator.faults.script = script
    return client


def booked(reached: Clients) -> int:
    return len(reached.simulator.judge().orders())


CONNECTION = (requests.ConnectionError, ccxt.NetworkError)


@BOTH
def test_the_answer_to_a_booked_order_can_be_lost(reached: Clients, face: str) -> None:
    strike(reached, do="accept_then_drop", method="POST")
    with pytest.raises(CONNECTION):
        place(reached, face)
    assert booked(reached) == 1
    assert look_up(reached, face)["status"] in ("filled", "closed")


@BOTH
def test_a_request_can_be_lost_before_anything_is_booked(reached: Clients, face: str) -> None:
    strike(reached, do="drop_before", method="POST")
    with pytest.raises(CONNECTION):
        place(reached, face)
    assert booked(reached) == 0


@BOTH
def test_a_request_can_be_carried_out_after_its_connection_was_lost(reached: Clients, face: str) -> None:
    strike(reached, do="late", seconds=20)
    with pytest.raises(CONNECTION):
        place(reached, face)
    reached.simulator.pass_time(19)
    assert booked(reached) == 0
    reached.simulator.pass_time(2)
    assert booked(reached) == 1
    assert look_up(reached, face)["status"] in ("filled", "closed")


@BOTH
def test_a_gateway_can_time_out_after_the_order_was_booked(reached: Clients, face: str) -> None:
    strike(reached, do="accept_then_504", method="POST")
    with pytest.raises((APIError, ccxt.BaseError)) as caught:
        place(reached, face)
    assert "504" in str(caught.value) or getattr(caught.value, "status_code", None) == 504
    assert booked(reached) == 1


@pytest.mark.parametrize("status", [429, 500, 502, 503, 504])
@pytest.mark.parametrize("is_booked", [False, True])
@BOTH
def test_any_status_can_be_answered_with_or_without_a_booking(
    reached: Clients, face: str, status: int, is_booked: bool
) -> None:
    strike(reached, do="status", status=status, method="POST", retry_after=7, booked=is_booked)
    with pytest.raises((APIError, ccxt.BaseError)):
        place(reached, face)
    assert booked(reached) == int(is_booked)


def test_a_ban_says_how_long_to_wait(reached: Clients) -> None:
    strike(reached, do="status", status=418, retry_after=120)
    client = loaded(reached)
    with pytest.raises(ccxt.DDoSProtection, match="418"):
        client.fetch_balance()
    assert client.last_response_headers["Retry-After"] == "120"


@pytest.mark.parametrize(
    ("code", "kind", "is_booked"),
    [
        (-1000, ccxt.OperationFailed, True),
        (-1006, ccxt.OperationFailed, True),
        (-1007, ccxt.RequestTimeout, True),
        (-1008, ccxt.OperationFailed, False),
        (-2015, ccxt.AuthenticationError, False),
    ],
)
def test_binances_codes_come_with_their_status_and_book_as_the_real_ones_do(
    reached: Clients, code: int, kind: type[Exception], is_booked: bool
) -> None:
    strike(reached, do="code", code=code, method="POST")
    with pytest.raises(kind, match=str(code)):
        place(reached, "binance")
    assert booked(reached) == int(is_booked)


@BOTH
@pytest.mark.parametrize("fault", ["truncated_body", "empty_body", "html_body"])
def test_an_answer_of_two_hundred_can_be_unreadable(reached: Clients, face: str, fault: str) -> None:
    strike(reached, do=fault, method="POST")
    if face == "binance":
        # What makes it dangerous: ccxt raises nothing and returns an order without an id.
        assert place(reached, face)["id"] is None
    elif fault == "empty_body":
        assert place(reached, face) is None
    else:
        with pytest.raises(requests.JSONDecodeError):
            place(reached, face)
    assert booked(reached) == 1


@BOTH
def test_a_body_can_break_off(reached: Clients, face: str) -> None:
    strike(reached, do="cut_body", method="POST")
    with pytest.raises((requests.exceptions.ChunkedEncodingError, ccxt.NetworkError)):
        place(reached, face)
    assert booked(reached) == 1


@BOTH
def test_a_status_can_be_one_that_nobody_knows(reached: Clients, face: str) -> None:
    strike(reached, do="unknown_status")
    assert place(reached, face)["status"] in ("under_regulatory_review", "PENDING_ORACLE")
    assert look_up(reached, face)["status"] in ("under_regulatory_review", "PENDING_ORACLE")


def test_a_status_can_be_any_word_that_is_asked_for(reached: Clients) -> None:
    strike(reached, do="unknown_status", word="suspended", method="GET")
    place(reached, "alpaca")
    assert look_up(reached, "alpaca")["status"] == "suspended"


@BOTH
def test_a_booked_order_can_stay_invisible_for_a_while(reached: Clients, face: str) -> None:
    strike(reached, do="invisible", seconds=25)
    place(reached, face)
    with pytest.raises((APIError, ccxt.OrderNotFound)):
        look_up(reached, face)
    assert fills(reached, face) == []
    reached.simulator.pass_time(26)
    assert look_up(reached, face)["status"] in ("filled", "closed")
    assert len(fills(reached, face)) == 1


def fills(reached: Clients, face: str) -> list[Any]:
    if face == "binance":
        return list(loaded(reached).fetch_my_trades(PAIR))
    return list(reached.alpaca().get("/account/activities/FILL"))


@BOTH
def test_an_order_can_fill_in_parts(reached: Clients, face: str) -> None:
    strike(reached, do="partial", portion=0.3)
    place(reached, face)
    assert len(fills(reached, face)) == 1
    reached.simulator.pass_time(5)
    assert len(fills(reached, face)) == 2
    assert look_up(reached, face)["status"] in ("filled", "closed")


def test_a_cancellation_can_take_its_time_and_lose_against_a_fill(reached: Clients) -> None:
    client = reached.alpaca()
    terms = {"symbol": "SPY", "qty": "10", "side": "buy", "type": "limit", "time_in_force": "gtc"}
    placed = client.post("/orders", {**terms, "limit_price": "100", "client_order_id": "slow"})
    reached.simulator.use_script(read_script([{"do": "slow_cancel", "seconds": 9}, {"do": "fill_on_cancel"}], "test"))
    client.cancel_order_by_id(placed["id"])
    assert client.get_order_by_id(placed["id"])["status"] == "pending_cancel"
    with pytest.raises(APIError, match="order pending cancel"):
        client.cancel_order_by_id(placed["id"])
    reached.simulator.pass_time(10)
    found = client.get_order_by_id(placed["id"])
    assert (found["status"], found["filled_qty"]) == ("canceled", "5")


@BOTH
def test_an_answer_can_be_of_another_account(reached: Clients, face: str) -> None:
    own = account_number(reached, face)
    strike(reached, do="other_account")
    assert account_number(reached, face) != own
    reached.simulator.use_script(read_script([], "none"))
    assert account_number(reached, face) == own


def account_number(reached: Clients, face: str) -> Any:
    if face == "binance":
        return loaded(reached).fetch_balance()["info"]["uid"]
    return reached.alpaca().get_account()["account_number"]


@pytest.mark.parametrize("seconds", [-180, 180])
def test_a_brokers_clock_can_be_off(reached: Clients, seconds: int) -> None:
    strike(reached, do="clock_skew", seconds=seconds)
    client = loaded(reached)
    at = reached.simulator.clock.now().timestamp()
    assert client.fetch_time() / 1000 - at == seconds
    with pytest.raises(ccxt.InvalidNonce):
        client.fetch_balance()


@BOTH
def test_an_answer_can_be_slower_than_the_client_waits(reached: Clients, face: str) -> None:
    strike(reached, do="delay", seconds=0.6, method="POST")
    if face == "binance":
        client = loaded(reached)
        client.timeout = 150
        with pytest.raises(ccxt.RequestTimeout):
            client.create_order(PAIR, "market", "buy", 0.01, None, {"clientOrderId": "one"})
    else:
        session = reached.alpaca()._session
        body = {"symbol": "SPY", "qty": "1", "side": "buy", "type": "market", "time_in_force": "day"}
        head = {"APCA-API-KEY-ID": "SIMULATED-ALPACA-PAPER", "APCA-API-SECRET-KEY": "simulated-alpaca-paper-secret"}
        with pytest.raises(requests.ReadTimeout):
            session.post("https://paper-api.alpaca.markets/v2/orders", json=body, headers=head, timeout=0.15)
    assert booked(reached) == 1


def test_a_rule_strikes_only_the_requests_it_names() -> None:
    rules = [{"do": "drop_before", "method": "POST", "symbol": "SP*", "client_order_id": "*-b", "nth": [2]}]
    with clients("in-process") as made:
        made.simulator.use_script(read_script(rules, "test"))
        place(made, "alpaca", "1-b")
        place(made, "alpaca", "2-a")
        with pytest.raises(requests.ConnectionError):
            place(made, "alpaca", "2-b")
        place(made, "alpaca", "3-b")
        assert made.simulator.faults.counts == {"drop_before": 1}


def test_a_broker_can_be_down_for_a_while() -> None:
    rule = {"do": "unreachable", "start": 60, "stop": 960}
    with clients("in-process") as made:
        made.simulator.use_script(read_script([rule], "test"))
        place(made, "alpaca", "before")
        for number, seconds in enumerate((61, 890)):
            made.simulator.pass_time(seconds)
            with pytest.raises(requests.ConnectionError, match="Failed to establish a new connection"):
                place(made, "alpaca", f"down-{number}")
        made.simulator.pass_time(10)
        place(made, "alpaca", "after")
        names = [each["client_order_id"] for each in made.simulator.judge().orders()]
        assert names == ["before", "after"]


def story(seed: int) -> tuple[list[str], list[Any]]:
    """What a client sees of forty orders under random faults, and what was booked."""
    chances = {name: 0.08 for name in REQUEST_FAULTS if name not in ("code",)}
    seen = []
    with clients("in-process", seed=seed) as made:
        made.simulator.use_script(read_script({"random": {"chances": chances}}, "test"))
        client = made.alpaca()
        for number in range(40):
            terms = {"symbol": "SPY", "qty": "1", "side": "buy", "type": "market", "time_in_force": "day"}
            try:
                seen.append(repr(client.post("/orders", {**terms, "client_order_id": str(number)})))
            except Exception as error:
                seen.append(type(error).__name__)
        made.simulator.pass_time(60)
        return seen, made.simulator.judge().orders()


def test_random_faults_tell_the_same_story_for_the_same_seed_and_another_for_another() -> None:
    assert story(5) == story(5)
    assert story(5) != story(6)
    assert len(set(story(5)[0])) > 3


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("faults: [{do: accept_then_dorp}]", "faults.0.do: there is no fault 'accept_then_dorp'.*accept_then_drop"),
        ("faults: [{do: late}]", "faults.0: late needs seconds"),
        ("faults: [{do: status, status: 200}]", "faults.0.status"),
        ("faults: [{do: drop_before, nth: 0}]", "nth counts from 1"),
        ("faults: [{do: drop_before, colour: red}]", "faults.0.colour"),
        ("faults: [{do: other_account, method: POST}]", "other_account strikes GET requests only"),
        ("random: {chances: {drop_before: 1.5}}", "between 0 and 1"),
        ("random: {chances: {nothing: 0.5}}", "random.chances.nothing"),
        ("faults: [{do: drop_before, start: 9, stop: 3}]", "stop must be after start"),
        ("sead: 3", "sead"),
        ("faults: [", "no valid YAML or JSON at line 1"),
        ("just text", "the file"),
    ],
)
def test_a_broken_script_names_file_and_field(tmp_path: Path, content: str, words: str) -> None:
    path = tmp_path / "faults.yaml"
    path.write_text(content)
    with pytest.raises(ConfigurationError, match=words) as caught:
        load_script(path)
    assert str(path) in str(caught.value)
    assert caught.value.exit_code == 2


def test_every_fault_of_the_script_can_be_written() -> None:
    given = {"seconds": 1, "status": 503, "code": -1007}
    rules = [{"do": name, **given} for name in (*REQUEST_FAULTS, *STREAM_FAULTS)]
    assert len(read_script(rules, "test").faults) == 23
