"""What an answer of Alpaca means for an order: rejected is what it refuses in its own words, all else is unknown."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping
from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest
import requests

from tests.builders.books import order
from tests.peers.brokers.alpaca_account import KEYS, no_pause
from tests.peers.brokers.scripted_answers import Scripted, ScriptedAdapter, refused_connection
from trading_lib.adapters.brokers.alpaca.broker import AlpacaBroker
from trading_lib.adapters.brokers.alpaca.connection.session import BoundedSession
from trading_lib.domain.book.orders import OrderType, Side, TimeInForce
from trading_lib.domain.errors import BrokerUnavailableError
from trading_lib.execution.broker import Answer, BrokerSetting, BrokerStatus, ClearedOrder, LookUp, Outcome, Seen

NUMBER = "PA3NUMBER777"
ACCOUNT = {
    "id": "a-1",
    "account_number": NUMBER,
    "status": "ACTIVE",
    "currency": "USD",
    "cash": "1",
    "buying_power": "1",
}
ORDER = order(quantity=Decimal("10"))
TAKEN: Mapping[str, Any] = {
    "id": "904837e3-3b76-47ec-b432-046db621571b",
    "client_order_id": ORDER.client_order_id,
    "created_at": "2026-11-24T00:30:00.123456789Z",
    "submitted_at": "2026-11-24T00:30:00.12Z",
    "symbol": "SPY",
    "qty": "10",
    "filled_qty": "0",
    "side": "buy",
    "status": "accepted",
}
HTML = "<html><body><h1>502 Bad Gateway</h1></body></html>"
NOT_FOUND = (404, {"code": 40410000, "message": f"order not found for {ORDER.client_order_id}"})


def broker_that(answers: Mapping[str, Scripted]) -> tuple[AlpacaBroker, ScriptedAdapter]:
    """An adapter whose Alpaca answers by method; the account is fine."""

    def script(method: str, path: str, parameters: Mapping[str, str]) -> Scripted:
        return (200, ACCOUNT) if path == "/v2/account" else answers[method]

    adapter = ScriptedAdapter(script)

    def session() -> BoundedSession:
        made = BoundedSession()
        made.mount("https://", adapter)
        return made

    return AlpacaBroker(BrokerSetting("", KEYS, "paper"), session=session, pause=no_pause), adapter


def submitted(answer: Scripted) -> tuple[Answer, ScriptedAdapter]:
    broker, adapter = broker_that({"POST": answer})
    return asyncio.run(broker.submit(ClearedOrder(ORDER))), adapter


def looked_up(answer: Scripted) -> tuple[LookUp, ScriptedAdapter]:
    broker, adapter = broker_that({"GET": answer})
    return asyncio.run(broker.find(ORDER.client_order_id)), adapter


def test_what_is_taken_is_accepted_with_alpacas_id_and_its_words() -> None:
    answer, adapter = submitted((200, TAKEN))
    assert (answer.outcome, answer.broker_order_id, answer.reason) == (Outcome.ACCEPTED, TAKEN["id"], "")
    assert json.loads(answer.raw) == TAKEN
    assert json.loads(adapter.bodies[-1]) == {
        "client_order_id": ORDER.client_order_id,
        "symbol": "SPY",
        "side": "buy",
        "qty": "10",
        "type": "market",
        "time_in_force": "opg",
    }


@pytest.mark.parametrize(
    "answer",
    [
        (200, ""),
        (200, "   "),
        (200, HTML),
        (200, json.dumps(TAKEN)[:-20]),
        (200, "null"),
        (200, "[]"),
        (200, "7"),
        (200, json.dumps(TAKEN).replace('"10"', "NaN")),
        (200, "[" * 100_000),
        (200, {**TAKEN, "id": None}),
        (200, {**TAKEN, "id": ""}),
        (200, {**TAKEN, "filled_qty": "many"}),
        (200, {**TAKEN, "filled_qty": "NaN"}),
        (200, {**TAKEN, "filled_qty": "11"}),
        (200, {**TAKEN, "side": "up"}),
        (200, {key: value for key, value in TAKEN.items() if key != "status"}),
        (200, {**TAKEN, "client_order_id": "another"}),
        (200, {**TAKEN, "qty": "11"}),
        (200, {**TAKEN, "symbol": "QQQ"}),
        (200, {**TAKEN, "side": "sell"}),
        (302, "moved"),
        (400, {"message": "request body format is invalid"}),
        (403, HTML),
        (403, ""),
        (404, {"message": "Not Found"}),
        (408, ""),
        (422, HTML),
        (422, '{"message": "insuffici'),
        (429, {"message": "too many requests."}),
        (500, {"message": "internal server error occurred"}),
        (502, HTML),
        (503, ""),
        (504, {"message": "gateway timeout"}),
        requests.ReadTimeout("read timed out"),
        requests.ConnectionError("Connection aborted."),
        requests.exceptions.ChunkedEncodingError("IncompleteRead"),
        requests.exceptions.SSLError("bad record mac"),
        requests.exceptions.ProxyError("proxy"),
        OSError("broken pipe"),
    ],
)
def test_what_is_no_plain_answer_leaves_the_order_unknown_and_is_sent_once(answer: Scripted) -> None:
    outcome, adapter = submitted(answer)
    assert outcome.outcome is Outcome.UNKNOWN
    assert outcome.reason
    assert outcome.broker_order_id == ""
    assert adapter.count("POST") == 1


@pytest.mark.parametrize(
    "status", ["accepted", "new", "pending_new", "held", "pending_cancel", "done_for_day", "calculated"]
)
def test_every_open_status_is_accepted(status: str) -> None:
    answer, _ = submitted((200, {**TAKEN, "status": status}))
    assert (answer.outcome, answer.reason) == (Outcome.ACCEPTED, "")


def test_a_status_that_nobody_knows_is_a_live_order_and_said() -> None:
    answer, _ = submitted((200, {**TAKEN, "status": "quantum_superposed"}))
    assert answer.outcome is Outcome.ACCEPTED
    assert "quantum_superposed" in answer.reason
    found, _ = looked_up((200, {**TAKEN, "status": "quantum_superposed"}))
    assert found.order is not None
    assert (found.seen, found.order.status) == (Seen.FOUND, BrokerStatus.WORKING)
    assert "counts as open" in found.reason
    part, _ = looked_up((200, {**TAKEN, "status": "quantum_superposed", "filled_qty": "4"}))
    assert part.order is not None
    assert part.order.status is BrokerStatus.PARTIALLY_FILLED


def test_an_order_that_was_rejected_at_once_is_rejected() -> None:
    answer, _ = submitted((200, {**TAKEN, "status": "rejected", "failed_at": "2026-11-24T00:30:01Z"}))
    assert answer.outcome is Outcome.REJECTED
    assert "2026-11-24T00:30:01Z" in answer.reason


def test_a_known_id_is_a_duplicate_and_never_rejected() -> None:
    answer, _ = submitted((422, {"code": 40010001, "message": "client_order_id must be unique"}))
    assert answer.outcome is Outcome.DUPLICATE


@pytest.mark.parametrize(
    ("status", "message"),
    [
        (403, "insufficient buying power"),
        (403, "account is restricted to liquidation only"),
        (422, 'asset "SPY" is not active'),
        (422, "fractional orders must be DAY orders"),
    ],
)
def test_what_alpaca_refuses_in_its_own_words_is_rejected_with_them(status: int, message: str) -> None:
    answer, adapter = submitted((status, {"code": 40310000, "message": message}))
    assert answer.outcome is Outcome.REJECTED
    assert answer.reason == f"HTTP {status}: {message}"
    assert adapter.count("POST") == 1


def test_an_order_against_an_open_one_is_rejected_with_the_remedy() -> None:
    answer, _ = submitted((403, {"message": "potential wash trade detected. use complex orders"}))
    assert answer.outcome is Outcome.REJECTED
    assert "cancel it" in answer.reason


@pytest.mark.parametrize(
    "answer", [(401, {"message": "unauthorized"}), (401, ""), (401, HTML), (403, {"message": "forbidden."})]
)
def test_an_expired_key_leaves_the_order_unknown_says_what_to_do_and_is_not_tried_again(answer: Scripted) -> None:
    outcome, adapter = submitted(answer)
    assert outcome.outcome is Outcome.UNKNOWN
    assert "ALPACA_API_KEY_ID" in outcome.reason
    assert adapter.count("POST") == 1
    found, adapter = looked_up(answer)
    assert found.seen is Seen.UNKNOWN
    assert "not expired" in found.reason
    assert adapter.count("GET", "/orders") == 1


def test_a_connection_that_never_stood_sent_nothing_and_says_so() -> None:
    broker, adapter = broker_that({"POST": refused_connection()})
    with pytest.raises(BrokerUnavailableError, match=f"{ORDER.client_order_id} was not sent"):
        asyncio.run(broker.submit(ClearedOrder(ORDER)))
    assert adapter.count("POST") == 1


def test_not_found_is_said_only_where_alpaca_says_it() -> None:
    assert looked_up(NOT_FOUND)[0].seen is Seen.NOT_FOUND
    for answer in (
        (404, {"message": "Not Found"}),
        (404, HTML),
        (404, ""),
        (200, ""),
        (200, {**TAKEN, "client_order_id": "x"}),
    ):
        assert looked_up(answer)[0].seen is Seen.UNKNOWN


@pytest.mark.parametrize(
    "answer", [(429, {"message": "slow"}), (503, HTML), (200, ""), requests.ReadTimeout(), refused_connection()]
)
def test_a_question_is_repeated_a_few_times_and_then_its_answer_is_unknown(answer: Scripted) -> None:
    found, adapter = looked_up(answer)
    assert found.seen is Seen.UNKNOWN
    assert found.reason
    assert adapter.count("GET", "/orders") == 3


@pytest.mark.parametrize(
    ("answer", "outcome"),
    [
        ((204, ""), Outcome.ACCEPTED),
        ((422, {"message": 'order is already in "filled" state'}), Outcome.REJECTED),
        ((422, HTML), Outcome.UNKNOWN),
        ((404, {"message": "order not found for it"}), Outcome.UNKNOWN),
        ((401, ""), Outcome.UNKNOWN),
        ((500, ""), Outcome.UNKNOWN),
        (requests.ReadTimeout(), Outcome.UNKNOWN),
        (refused_connection(), Outcome.UNKNOWN),
    ],
)
def test_a_cancellation_is_refused_only_in_alpacas_words(answer: Scripted, outcome: Outcome) -> None:
    broker, adapter = broker_that({"GET": (200, TAKEN), "DELETE": answer})
    told = asyncio.run(broker.cancel(ORDER.client_order_id))
    assert (told.outcome, told.broker_order_id) == (outcome, TAKEN["id"])
    assert adapter.count("DELETE", f"/v2/orders/{TAKEN['id']}") == 1


@pytest.mark.parametrize(
    ("answer", "outcome"),
    [
        (NOT_FOUND, Outcome.REJECTED),
        ((200, {**TAKEN, "status": "filled", "filled_qty": "10"}), Outcome.REJECTED),
        ((503, ""), Outcome.UNKNOWN),
    ],
)
def test_what_is_not_known_to_be_open_is_not_asked_to_be_cancelled(answer: Scripted, outcome: Outcome) -> None:
    broker, adapter = broker_that({"GET": answer})
    assert asyncio.run(broker.cancel(ORDER.client_order_id)).outcome is outcome
    assert adapter.count("DELETE") == 0


def test_no_answer_carries_the_keys_or_the_accounts_number() -> None:
    key, secret = KEYS.values()
    leak = f"account {NUMBER} with {key} and {secret} may not"
    for answer in (
        (403, {"message": leak, "account_number": NUMBER}),
        (500, f"<p>{leak}</p>"),
        (200, {**TAKEN, "note": leak}),
    ):
        outcome, _ = submitted(answer)
        found, _ = looked_up(answer)
        shown = f"{outcome!r} {found!r}"
        assert not any(value in shown for value in (NUMBER, key, secret))
    assert len(submitted((500, HTML * 10_000))[0].raw.encode()) <= 4096


@pytest.mark.parametrize("quantity", ["NaN", "sNaN", "Infinity", "-5", "0", "1e18", "1000000001", "0.0000000001"])
def test_a_quantity_that_is_none_is_not_sent(quantity: str) -> None:
    broker, adapter = broker_that({"POST": (200, TAKEN)})
    answer = asyncio.run(broker.submit(ClearedOrder(replace(ORDER, quantity=Decimal(quantity)))))
    assert answer.outcome is Outcome.REJECTED
    assert answer.reason.startswith("not sent:")
    assert adapter.asked == []


def test_amounts_are_sent_as_they_are_to_the_last_digit() -> None:
    broker, adapter = broker_that({"POST": (200, TAKEN)})
    stop_limit = replace(
        ORDER, quantity=Decimal("0.1") + Decimal("0.2"), side=Side.SELL, order_type=OrderType.STOP_LIMIT,
        limit_price=Decimal("99.990"), stop_price=Decimal("1E+2"), time_in_force=TimeInForce.DAY,
    )  # fmt: skip
    asyncio.run(broker.submit(ClearedOrder(stop_limit)))
    sent = json.loads(adapter.bodies[-1])
    assert (sent["qty"], sent["limit_price"], sent["stop_price"]) == ("0.3", "99.99", "100")
    assert (sent["type"], sent["time_in_force"], sent["side"]) == ("stop_limit", "day", "sell")
