"""`trading broker-simulator` by its command: what it prints, and what it refuses."""

from __future__ import annotations

import socket
from decimal import Decimal
from pathlib import Path

import pytest

from tests.environment.command_line import run
from trading_lib.adapters.broker_simulator.ledger.records import ALPACA, BINANCE
from trading_lib.adapters.broker_simulator.start import create_simulator


@pytest.mark.parametrize(
    ("option", "content", "words"),
    [
        ("--faults", "faults: [{do: nothing}]", "faults.0.do: there is no fault 'nothing'"),
        ("--prices", "SPY: -3", "the price of SPY is -3"),
        ("--ledger", "shopping list\n", "line 1 is no event"),
    ],
)
def test_a_broken_file_is_told_with_its_name_and_field(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, option: str, content: str, words: str
) -> None:
    path = tmp_path / "given.yaml"
    path.write_text(content)
    assert run("broker-simulator", "--port", "0", option, str(path)) == 2
    told = capsys.readouterr().err
    assert words in told
    assert str(path) in told


def test_a_time_that_is_none_and_a_port_that_is_taken_are_told(capsys: pytest.CaptureFixture[str]) -> None:
    assert run("broker-simulator", "--port", "0", "--at", "noon") == 2
    assert "'noon' is no time" in capsys.readouterr().err
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = str(taken.getsockname()[1])
        assert run("broker-simulator", "--port", port) == 2
    assert f"port {port} cannot be used" in capsys.readouterr().err


@pytest.mark.parametrize("cash", ["90000", "90000,ten", "1,2,3", "-1,5", "0.001,5", "NaN,1"])
def test_cash_that_is_none_is_told(capsys: pytest.CaptureFixture[str], cash: str) -> None:
    assert run("broker-simulator", "--port", "0", f"--cash={cash}") == 2
    assert f"--cash {cash!r} is no cash of Alpaca and Binance" in capsys.readouterr().err


def test_new_accounts_begin_with_the_cash_that_is_given_and_those_of_a_ledger_keep_theirs(tmp_path: Path) -> None:
    ledger = tmp_path / "broker.jsonl"
    for cash in ("90000,10000.5", None):
        simulator = create_simulator(1, None, ledger, None, None, cash)
        assert simulator.account_of(ALPACA).balance("USD") == 90_000
        assert simulator.account_of(BINANCE).balance("USDT") == Decimal("10000.5")
        simulator.ledger.close()
    assert create_simulator(1, None, None, None, None).account_of(ALPACA).balance("USD") == 100_000
