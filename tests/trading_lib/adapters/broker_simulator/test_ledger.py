"""The ledger: what was answered survives the simulator's death, and the judge agrees with what the clients see."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from decimal import Decimal
from pathlib import Path

import pytest
import requests
from alpaca.common.exceptions import APIError
from alpaca.trading.client import TradingClient
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.peers.broker_clients import OPEN_HOURS
from trading_lib.adapters.broker_simulator.ledger.file import Ledger
from trading_lib.adapters.broker_simulator.ledger.judge import Judge
from trading_lib.adapters.broker_simulator.ledger.state import State
from trading_lib.adapters.broker_simulator.market.clock import Clock
from trading_lib.adapters.broker_simulator.simulator import PAPER_KEY, PAPER_SECRET, Simulator
from trading_lib.adapters.broker_simulator.transport import in_process, mount
from trading_lib.domain.errors import DataFileError

ORDER = {"symbol": "SPY", "qty": "1", "side": "buy", "type": "market", "time_in_force": "day"}


@contextmanager
def command(*arguments: str) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """Run `trading broker-simulator`; yields the process and its address."""
    process = subprocess.Popen(
        [sys.executable, "-m", "trading_lib.cli", "broker-simulator", "--port", "0", "--json", *arguments],
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    try:
        text = ""
        while not text.endswith("\n}\n"):
            line = process.stdout.readline()
            assert line, f"it ended with {process.wait(10)}"
            text += line
        yield process, json.loads(text)["address"]
    finally:
        process.kill()
        process.wait(10)
        process.stdout.close()


def client_at(address: str) -> TradingClient:
    client = TradingClient(PAPER_KEY, PAPER_SECRET, raw_data=True)
    mount(client._session, address)
    return client


def test_what_was_answered_is_there_after_a_kill_and_a_restart(tmp_path: Path) -> None:
    path = tmp_path / "ledger.jsonl"
    given_ = ("--ledger", str(path), "--at", OPEN_HOURS.isoformat(), "--seed", "3")
    answered = []
    for killed in range(3):
        with command(*given_) as (process, address):
            client = client_at(address)
            for number in range(5):
                answered.append(client.post("/orders", {**ORDER, "client_order_id": f"{killed}-{number}"})["id"])
            os.kill(process.pid, signal.SIGKILL)
            with pytest.raises(requests.ConnectionError):
                client.get("/orders")
        judge = Judge.of_file(path)
        assert [each["id"] for each in judge.orders()] == answered
        assert len(judge.executions()) == len(answered)
    with command(*given_) as (process, address):
        client = client_at(address)
        found = client.get("/orders", {"status": "all", "direction": "asc"})
        assert [each["id"] for each in found] == answered
        assert [each["qty"] for each in client.get_all_positions()] == ["15"]
        process.send_signal(signal.SIGTERM)
        assert process.wait(10) == 0
    assert judge.duplicates() == []


def post_for_ever(client: TradingClient, sent: list[str], answered: list[str]) -> None:
    while True:
        sent.append(f"order-{len(sent)}")
        body = {**ORDER, "qty": "0.01", "client_order_id": sent[-1]}
        answered.append(client.post("/orders", body)["client_order_id"])


def test_a_kill_amid_requests_loses_nothing_that_was_answered(tmp_path: Path) -> None:
    """Each order is answered before its kill, or not answered; one that is booked unanswered is found by its id."""
    path = tmp_path / "ledger.jsonl"
    answered: list[str] = []
    sent: list[str] = []
    for round_ in range(3):
        with command("--ledger", str(path), "--at", OPEN_HOURS.isoformat()) as (process, address):
            client = client_at(address)
            killer = threading.Timer(0.05 * (round_ + 1), process.kill)
            killer.start()
            with pytest.raises(requests.RequestException):
                post_for_ever(client, sent, answered)
            killer.join()
    booked = [each["client_order_id"] for each in Judge.of_file(path).orders()]
    assert len(answered) > 3
    assert set(answered) <= set(booked) <= set(sent)
    assert len(booked) == len(set(booked))


def test_a_line_that_a_kill_cut_short_never_counted(tmp_path: Path) -> None:
    path = tmp_path / "ledger.jsonl"
    ledger = Ledger(path)
    ledger.append({"kind": "price", "symbol": "SPY", "price": "1"})
    ledger.close()
    whole = path.read_bytes()
    path.write_bytes(whole + b'{"kind":"price","symb')
    assert Judge.of_file(path).orders() == []
    again = Ledger(path)
    again.append({"kind": "price", "symbol": "SPY", "price": "2"})
    again.close()
    assert [json.loads(line)["price"] for line in path.read_text().splitlines()] == ["1", "2"]


def test_what_is_appended_is_on_disk_after_the_commit_and_not_twice(tmp_path: Path) -> None:
    path = tmp_path / "ledger.jsonl"
    ledger = Ledger(path)
    ledger.append({"kind": "price", "symbol": "SPY", "price": "1"})
    assert path.read_bytes() == b""
    ledger.commit()
    ledger.commit()
    assert path.read_bytes().count(b"\n") == 1
    ledger.close()


def test_a_file_that_is_no_ledger_and_one_in_use_are_refused(tmp_path: Path) -> None:
    other = tmp_path / "notes.txt"
    other.write_text("shopping list\n")
    with pytest.raises(DataFileError, match=r"notes.txt, line 1 is no event"):
        Simulator(1, other)
    used = Simulator(1, tmp_path / "used.jsonl")
    with pytest.raises(DataFileError, match="of another broker simulator"):
        Simulator(1, tmp_path / "used.jsonl")
    used.ledger.close()


@settings(max_examples=40, deadline=None)
@given(
    st.lists(
        st.tuples(
            st.sampled_from(["buy", "sell", "limit", "cancel", "time", "bust", "split", "dividend"]), st.integers(1, 9)
        ),
        max_size=25,
    )
)
def test_the_judge_and_the_simulated_account_agree_whatever_happened(steps: list[tuple[str, int]]) -> None:
    """They share no fold: each checks the other."""
    simulator = Simulator(1, clock=Clock(OPEN_HOURS))
    client = TradingClient(PAPER_KEY, PAPER_SECRET, raw_data=True)
    in_process(client._session, simulator)
    for what, amount in steps:
        # What the account cannot pay or does not hold is refused, which is no matter here.
        with suppress(APIError):
            step(simulator, client, what, amount)
    account = simulator.account_of("alpaca", "paper")
    judge = simulator.judge()
    assert judge.positions(account.id) == {asset: units for asset, units in account.balances.items() if units}
    at_broker = {each["id"]: Decimal(each["filled_qty"]) for each in client.get("/orders", {"status": "all"})}
    assert {each["id"]: each["filled"] for each in judge.orders(account.id)} == at_broker
    again = State()
    for event in simulator.ledger.events:
        again.apply(json.loads(json.dumps(event)))
    assert again.accounts[account.id].balances == account.balances


def step(simulator: Simulator, client: TradingClient, what: str, amount: int) -> None:
    if what in ("buy", "sell"):
        client.post("/orders", {**ORDER, "side": what, "qty": str(amount)})
    elif what == "limit":
        price = str(simulator.exchange.price("SPY") - amount)
        client.post("/orders", {**ORDER, "type": "limit", "limit_price": price, "time_in_force": "gtc"})
    elif what == "cancel":
        client.cancel_orders()
    elif what == "time":
        simulator.pass_time(amount * 3600)
    else:
        disturb(simulator, what, amount)


def disturb(simulator: Simulator, what: str, amount: int) -> None:
    actions = simulator._control._actions
    standing = simulator.judge().executions()
    if what == "bust" and standing:
        actions.bust({"execution": standing[amount % len(standing)]["id"]})
    elif what == "split":
        actions.split({"symbol": "SPY", "ratio": 2})
    elif what == "dividend":
        actions.dividend({"symbol": "SPY", "per_share": "0.5"})


def test_the_same_intent_under_two_ids_is_found_as_twins() -> None:
    simulator = Simulator(1, clock=Clock(OPEN_HOURS))
    client = TradingClient(PAPER_KEY, PAPER_SECRET, raw_data=True)
    in_process(client._session, simulator)
    client.post("/orders", {**ORDER, "client_order_id": "first"})
    client.post("/orders", {**ORDER, "client_order_id": "again"})
    client.post("/orders", {**ORDER, "qty": "2"})
    assert simulator.judge().duplicates() == []
    assert [each["ids"] for each in simulator.judge().twins()] == [["first", "again"]]
