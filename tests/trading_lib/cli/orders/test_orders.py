"""`trading orders` and `trading why-not`: what a person sees of an order, back to the broker's own words."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine

from tests.builders.books import NOW, SESSION, fill, open_books, order
from trading_lib.adapters.stores.books.order_store import OrderStore
from trading_lib.adapters.stores.orders.break_store import BreakStore
from trading_lib.adapters.stores.postgres.database import connect
from trading_lib.cli import main
from trading_lib.domain.book.orders import EvidenceSource, Order, OrderEvent, OrderStatus, Side
from trading_lib.execution.reconciliation.breaks import Break, BreakKind

pytestmark = pytest.mark.postgres


@pytest.fixture
def engine(database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Engine]:
    monkeypatch.setenv("TRADING_DATABASE_URL", database_url)
    monkeypatch.setenv("TRADING_HOME", str(tmp_path))
    found = connect(database_url)
    open_books(found, "paper", "demo", "paper-shadow")
    yield found
    found.dispose()


def stored(engine: Engine, *events: tuple[OrderEvent, dict[str, Any]], **changes: Any) -> Order:
    """An order that went through these events."""
    made = order(**changes)
    store = OrderStore(engine)
    store.store_intents([made], NOW)
    for number, (event, details) in enumerate(events):
        store.record(made.client_order_id, event, NOW + timedelta(seconds=number), **details)
    return made


SENT = (OrderEvent.SUBMIT, {"broker": "alpaca", "account": "main"})


def run(*arguments: str) -> int:
    try:
        main(list(arguments))
    except SystemExit as stop:
        return int(stop.code or 0)
    return 0


def answered(capsys: pytest.CaptureFixture[str], *arguments: str) -> Any:
    assert run(*arguments, "--json") == 0
    return json.loads(capsys.readouterr().out)


def test_orders_are_listed_by_book_session_and_status(engine: Engine, capsys: pytest.CaptureFixture[str]) -> None:
    first = stored(engine)
    sent = stored(engine, SENT, symbol="QQQ")
    stored(engine, symbol="GLD", book="demo")
    assert len(answered(capsys, "orders", "list")["orders"]) == 3
    found = answered(capsys, "orders", "list", "--book", "paper", "--session", str(SESSION))["orders"]
    assert {one["client_order_id"] for one in found} == {first.client_order_id, sent.client_order_id}
    (unknown,) = answered(capsys, "orders", "list", "--status", "unknown")["orders"]
    assert (unknown["status"], unknown["attempts"], unknown["broker"], unknown["quantity"]) == (
        "UNKNOWN", 1, "alpaca", "10",
    )  # fmt: skip
    assert answered(capsys, "orders", "list", "--session", "2024-03-05") == {"orders": []}


def test_an_order_is_shown_with_its_events_and_the_brokers_words(
    engine: Engine, capsys: pytest.CaptureFixture[str]
) -> None:
    body = '{"id":"b-1"}\x1b[31m\nnext'
    made = stored(engine, SENT, (OrderEvent.ACCEPT, {"source": EvidenceSource.SUBMIT, "raw": body}))
    OrderStore(engine).save_fills([fill(made)], "paper")
    found = answered(capsys, "orders", "show", made.client_order_id)
    assert [(one["event"], one["source"], one["raw"]) for one in found["events"]] == [
        ("SUBMIT", "system", ""), ("ACCEPT", "submit", body),
    ]  # fmt: skip
    assert found["fills"][0]["quantity"] == "4"
    assert run("orders", "show", made.client_order_id, "--book", "paper") == 0
    text = capsys.readouterr().out
    assert '{"id":"b-1"}\\x1b[31m\\nnext' in text
    assert "\x1b" not in text


@pytest.mark.parametrize("command", [("orders", "show"), ("why-not",)])
def test_an_unknown_order_is_named_with_those_that_are_near(
    engine: Engine, capsys: pytest.CaptureFixture[str], command: tuple[str, ...]
) -> None:
    made = stored(engine)
    mistyped = made.client_order_id[:-1] + ("0" if made.client_order_id[-1] != "0" else "1")
    assert run(*command, mistyped) == 2
    assert f"did you mean {made.client_order_id}?" in capsys.readouterr().err
    assert run(*command, "nothing-like-it") == 2
    error = capsys.readouterr().err
    assert "no order 'nothing-like-it'" in error
    assert "did you mean" not in error


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--book", "papr"), "did you mean paper"),
        (("--status", "LOST"), "'LOST' is no status of an order"),
        (("--session", "yesterday"), "'yesterday'"),
    ],
)
def test_bad_filters_are_named(
    engine: Engine, capsys: pytest.CaptureFixture[str], arguments: tuple[str, ...], said: str
) -> None:
    assert run("orders", "list", *arguments) == 2
    assert said in capsys.readouterr().err


def why(capsys: pytest.CaptureFixture[str], of: Order) -> Any:
    return answered(capsys, "why-not", of.client_order_id)


def test_a_denial_is_explained_by_its_reason_and_what_to_do(engine: Engine, capsys: pytest.CaptureFixture[str]) -> None:
    denied = stored(engine, (OrderEvent.DENY, {"detail": "the kill switch is on"}))
    found = why(capsys, denied)
    assert found["why"] == "this system's own checks denied it: the kill switch is on"
    assert "kill-switch off" in found["you_can"][0]
    assert found["known"][0] == f"session {SESSION} decided to BUY 10 SPY: momentum 0.12 > 0.10"
    assert found["broker_said"] == []


def test_an_unknown_order_is_explained_down_to_the_bytes(engine: Engine, capsys: pytest.CaptureFixture[str]) -> None:
    body = '{"code":50410000,"message":"timeout"}'
    made = stored(
        engine,
        SENT,
        (OrderEvent.LOOK_UP, {"source": EvidenceSource.LOOK_UP, "detail": "NOT_FOUND", "raw": body}),
    )
    BreakStore(engine).save(
        "paper", "main", SESSION,
        [Break(BreakKind.ORDER_DIFFERS, "SPY", "a", "b", f"order {made.client_order_id} differs")], NOW,
    )  # fmt: skip
    found = why(capsys, made)
    assert found["status"] == "UNKNOWN"
    assert found["broker_said"] == [
        {"at": (NOW + timedelta(seconds=1)).isoformat(), "source": "look-up", "event": "LOOK_UP", "raw": body}
    ]
    assert found["unknown"] == ["whether the broker has it, and whether it has filled"]
    assert any("open break 1" in line for line in found["known"])
    assert any("trading recover" in line for line in found["you_can"])
    assert run("why-not", made.client_order_id) == 0
    assert "timeout" in capsys.readouterr().out


def test_a_held_order_tells_what_its_shadow_filled_at(engine: Engine, capsys: pytest.CaptureFixture[str]) -> None:
    held = stored(engine, (OrderEvent.HOLD, {"detail": "book paper is not armed for account main"}))
    shadow = stored(engine, SENT, book="paper-shadow")
    OrderStore(engine).save_fills([fill(shadow, price=Decimal("511.5"))], "paper-shadow")
    found = why(capsys, held)
    assert any("would have filled at 511.5" in line for line in found["known"])
    assert "trading arm --book paper" in found["you_can"][0]
    listed = answered(capsys, "orders", "list", "--book", "paper-shadow")["orders"]
    assert listed[0]["shadow"] is True
    assert run("orders", "list", "--book", "paper-shadow") == 0
    assert "(shadow: simulated, never sent)" in capsys.readouterr().out


LIVES: dict[OrderStatus, list[tuple[OrderEvent, dict[str, Any]]]] = {
    OrderStatus.INTENDED: [],
    OrderStatus.DENIED: [(OrderEvent.DENY, {})],
    OrderStatus.HELD: [(OrderEvent.HOLD, {})],
    OrderStatus.UNKNOWN: [SENT],
    OrderStatus.ABSENT: [SENT, (OrderEvent.PROVE_ABSENT, {})],
    OrderStatus.WORKING: [SENT, (OrderEvent.ACCEPT, {})],
    OrderStatus.PARTIALLY_FILLED: [SENT, (OrderEvent.PARTIAL_FILL, {})],
    OrderStatus.PENDING_CANCEL: [SENT, (OrderEvent.ACCEPT, {}), (OrderEvent.REQUEST_CANCEL, {})],
    OrderStatus.FILLED: [SENT, (OrderEvent.FILL, {})],
    OrderStatus.REJECTED: [SENT, (OrderEvent.REJECT, {"detail": "insufficient buying power"})],
    OrderStatus.CANCELLED: [(OrderEvent.CANCEL, {})],
    OrderStatus.EXPIRED: [SENT, (OrderEvent.EXPIRE, {})],
}


@pytest.mark.parametrize("status", OrderStatus)
def test_every_status_is_explained(engine: Engine, capsys: pytest.CaptureFixture[str], status: OrderStatus) -> None:
    made = stored(engine, *LIVES[status], side=Side.SELL)
    found = why(capsys, made)
    assert (found["status"], bool(found["why"]), bool(found["known"])) == (str(status), True, True)
