"""Past sessions call nobody, whatever keys are set; an armed current session calls its broker.

Counted by an audit hook in every Python process: connections, and names that are looked up.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest
import requests
import yaml

from tests.builders.own_code.broker import ROOT, make_project
from tests.builders.price_folder import write_price_folder
from trading_lib.adapters.broker_simulator.simulator import BINANCE_KEY, BINANCE_SECRET, LIVE_KEY, LIVE_SECRET
from trading_lib.adapters.stores.postgres.database import connect
from trading_lib.domain.market.sessions import exchange_sessions

pytestmark = pytest.mark.postgres

FIRST, LAST = date(2020, 1, 2), date(2021, 2, 26)
SESSIONS = [str(day) for day in exchange_sessions().between(date(2020, 11, 30), LAST)[:60]]
# The simulator's accounts have 100,000 each, and so have the book's.
CASH = 200_000
COINS = {"name": "coins", "asset_classes": ["CRYPTO"], "share": 0.5}


@pytest.fixture
def project(tmp_path: Path) -> Path:
    return make_project(tmp_path / "project", broker="alpaca", asset_classes=["US_ETF"], share=0.5)


@pytest.fixture
def prices(tmp_path: Path) -> Path:
    return write_price_folder(tmp_path / "prices", FIRST, LAST)


def set_accounts(project: Path, endpoint: str) -> None:
    path = project / "include" / "config" / "execution.yaml"
    execution = yaml.safe_load(path.read_text(encoding="utf-8"))
    funds = execution["accounts"][0] | {"endpoint": endpoint}
    coins = COINS | {"broker": "binance", "endpoint": endpoint, "currency": "USDT", "as_usd": True}
    path.write_text(yaml.safe_dump(execution | {"initial_cash": CASH, "accounts": [funds, coins]}), encoding="utf-8")


def environment(project: Path, database_url: str, calls: Path, **more: str) -> dict[str, str]:
    return {
        **{name: value for name, value in os.environ.items() if name != "TRADING_BROKER_SIMULATOR"},
        "PYTHONPATH": os.pathsep.join([str(ROOT / "tests" / "environment" / "audited"), str(ROOT)]),
        "AUDIT_FILE": str(calls),
        "TRADING_CONFIG": str(project / "include" / "config"),
        "TRADING_HOME": str(project / "home"),
        "TRADING_DATABASE_URL": database_url,
        "ALPACA_API_KEY_ID": LIVE_KEY,
        "ALPACA_API_SECRET_KEY": LIVE_SECRET,
        "BINANCE_API_KEY": BINANCE_KEY,
        "BINANCE_API_SECRET": BINANCE_SECRET,
        **more,
    }


def calls_of(file: Path) -> list[str]:
    lines = file.read_text().splitlines()
    assert any(line.startswith("process ") for line in lines), "the hook was not there"
    return [line for line in lines if not line.startswith("process ")]


def traded(variables: Mapping[str, str], book: str, prices: Path, *sessions: str) -> dict[str, Any]:
    command = [sys.executable, str(ROOT / "tests" / "environment" / "trade_sessions.py"), book, str(prices), *sessions]
    ended = subprocess.run(command, env=variables, capture_output=True, text=True, timeout=600)
    assert ended.returncode == 0, ended.stderr[-2000:]
    found: dict[str, Any] = json.loads(ended.stdout.splitlines()[-1])
    return found


@pytest.mark.parametrize(("book", "endpoint", "count"), [("paper", "paper", 5), ("live-funds", "live", 60)])
def test_sixty_backfilled_sessions_and_a_manual_past_run_with_live_keys_call_nobody(
    project: Path, prices: Path, database_url: str, tmp_path: Path, book: str, endpoint: str, count: int
) -> None:
    set_accounts(project, endpoint)
    calls = tmp_path / "calls"
    variables = environment(project, database_url, calls)
    found = traded(variables, book, prices, *SESSIONS[-count:])
    assert (found["sessions"], found["sent"]) == (count, 0)
    assert found["held"] > count / 3
    manual = [sys.executable, "-m", "trading_lib.cli", "run-daily", "--book", book, "--data", str(prices)]
    following = str(exchange_sessions().next(date.fromisoformat(SESSIONS[-1])))
    ended = subprocess.run(
        [*manual, "--session", following], env=variables, capture_output=True, text=True, timeout=300
    )
    assert ended.returncode == 0, ended.stderr[-2000:]
    assert calls_of(calls) == []
    with connect(database_url).connect() as connection:
        query = "SELECT status, count(*) FROM orders WHERE book = %s GROUP BY 1"
        assert {row[0] for row in connection.exec_driver_sql(query, (book,))} == {"HELD"}
        brokers = connection.exec_driver_sql("SELECT DISTINCT broker FROM fills").scalars().all()
    assert brokers == ["shadow"]


def test_an_armed_current_session_calls_its_brokers_and_they_have_its_orders(
    project: Path, prices: Path, database_url: str, tmp_path: Path
) -> None:
    set_accounts(project, "paper")
    calls, first, second = tmp_path / "calls", date(2021, 1, 4), date(2021, 1, 5)
    variables = environment(project, database_url, calls)
    command = [
        sys.executable,
        "-m",
        "trading_lib.cli",
        "broker-simulator",
        "--port",
        "0",
        "--json",
        "--at",
        evening(first),
    ]
    served = {name: value for name, value in variables.items() if name != "AUDIT_FILE"}
    with subprocess.Popen(command, env=served, stdout=subprocess.PIPE, text=True) as peer:
        try:
            told = read_object(peer)
            variables |= told["environment"]
            for account in told["accounts"]:
                variables |= account["environment"] if account["endpoint"] == "paper" else {}
            # The first session opens the book, which is armed from the second on.
            assert traded(variables, "paper", prices, str(first))["sent"] == 0
            for account in ("main", "coins"):
                days = ("--from", str(second), "--until", str(second), "--by", "Ada")
                assert commanded(variables, "arm", "--book", "paper", "--account", account, *days)["changed"]
            requests.post(f"{told['address']}/simulator/clock", json={"at": evening(second)}, timeout=30)
            findings = commanded(variables, "preflight", "--book", "paper", code=None)["findings"]
            states = {(one["account"], one["subject"]): one["state"] for one in findings}
            assert {states[account, "arming"] for account in ("main", "coins")} == {"ok"}
            assert {states[account, "connection and keys"] for account in ("main", "coins")} == {"ok"}
            assert {states[account, "clock"] for account in ("main", "coins")} == {"ok"}
            assert (states["main", "SPY"], states["main", "DBC"]) == ("ok", "problem")
            before = len(calls_of(calls))
            compared = commanded(variables, "reconcile", "--book", "paper", code=None)
            sent = traded(variables, "paper", prices, str(second))["sent"]
            assert sent > 0, compared
            assert len(calls_of(calls)) > before
            booked = requests.get(f"{told['address']}/simulator/orders", timeout=30).json()
            assert len(booked["orders"] if isinstance(booked, dict) else booked) == sent
            looked = commanded(variables, "orders", "watch", "--book", "paper", "--once", code=None)
            assert "away" not in looked["books"]["paper"]
            assert looked["books"]["paper"]["open"] == sent
        finally:
            peer.terminate()


def evening(session: date) -> str:
    """When both brokers take the orders of a session."""
    return f"{session + timedelta(days=1)}T00:05:00Z"


def commanded(variables: Mapping[str, str], *words: str, code: int | None = 0) -> dict[str, Any]:
    command = [sys.executable, "-m", "trading_lib.cli", *words, "--json"]
    ended = subprocess.run(command, env=variables, capture_output=True, text=True, timeout=300)
    assert code is None or ended.returncode == code, ended.stderr[-2000:]
    found: dict[str, Any] = json.loads(ended.stdout)
    return found


def read_object(peer: subprocess.Popen[str]) -> dict[str, Any]:
    """Read lines until they make an object."""
    assert peer.stdout is not None
    text = ""
    for line in peer.stdout:
        text += line
        try:
            found: dict[str, Any] = json.loads(text)
        except ValueError:
            continue
        return found
    raise AssertionError(f"the simulator ended: {text}")
