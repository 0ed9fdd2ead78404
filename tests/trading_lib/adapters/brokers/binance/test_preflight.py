"""The preflight of Binance: what would be refused, what is odd, and that a question without answer is no pass."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest

from tests.peers.binance_account import BITCOIN, ETHER, NUMBER, OPENING, BinanceAccount, Said
from trading_lib.adapters.brokers.binance.answers.amounts import milliseconds
from trading_lib.domain.errors import BrokerUnavailableError
from trading_lib.execution.broker import Outcome, Preflights, Readiness, TellsTime


def preflight(account: BinanceAccount, *symbols: str) -> dict[str, Readiness]:
    found = asyncio.run(account.broker.preflight(symbols or ("BTC-USD",)))
    assert len({finding.subject for finding in found}) == len(found)
    return {finding.subject: finding for finding in found}


def changed(**changes: Any) -> Callable[[bytes], Said]:
    """An answer of the market's definitions, or of the account, with something else in it."""

    def spoil(body: bytes) -> Said:
        content = json.loads(body)
        target = content["symbols"][0] if "symbols" in content else content
        target |= changes
        return Said(200, json.dumps(content))

    return spoil


def test_an_account_that_is_ready_is_ready_in_everything() -> None:
    account = BinanceAccount((BITCOIN, ETHER), account=NUMBER)
    assert isinstance(account.broker, Preflights)
    assert isinstance(account.broker, TellsTime)
    found = preflight(account, "BTC-USD", "ETH-USD")
    assert list(found) == ["clock", "account", "other coins", "key", "peg", "BTC-USD", "ETH-USD", "answers"]
    assert [finding.problem for finding in found.values()] == [""] * 8
    assert asyncio.run(account.broker.server_time()) == account.simulator.clock.now()


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"status": "BREAK"}, "its status is BREAK"),
        ({"isSpotTradingAllowed": False}, "not traded on the spot market"),
        ({"permissionSets": [["MARGIN"]], "permissions": []}, "not traded on the spot market"),
        ({"orderTypes": ["LIMIT"]}, "takes no market orders"),
        ({"filters": [{"filterType": "LOT_SIZE", "minQty": "1", "maxQty": "9", "stepSize": "0.03"}]}, "no multiple"),
        ({"filters": 7}, "cannot be|does not define"),
        ({"filters": [{"filterType": "LOT_SIZE", "minQty": "NaN"}]}, "does not define"),
        ({"symbol": "OTHERUSDT"}, "has no market BTCUSDT"),
    ],
)
def test_a_market_that_would_refuse_is_named(changes: dict[str, Any], why: str) -> None:
    account = BinanceAccount()
    account.way.after["GET", "exchangeInfo"] = [changed(**changes)]
    finding = preflight(account)["BTC-USD"]
    assert finding.blocking
    assert re.search(why, finding.problem)


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"canTrade": False}, "lets this account not trade"),
        ({"canTrade": "yes"}, "lets this account not trade"),
        ({"accountType": "MARGIN"}, "MARGIN"),
        ({"permissions": ["LEVERAGED"]}, "may not trade spot"),
    ],
)
def test_an_account_that_may_not_trade_is_named(changes: dict[str, Any], why: str) -> None:
    account = BinanceAccount()
    account.way.after["GET", "account"] = [changed(**changes)]
    finding = preflight(account)["account"]
    assert finding.blocking
    assert why in finding.problem


@pytest.mark.parametrize(
    ("changes", "why", "blocking"),
    [
        ({"enableSpotAndMarginTrading": False}, "may not trade", True),
        ({"enableWithdrawals": True}, "may withdraw", False),
        ({"enableWithdrawals": "no"}, "may withdraw", False),
        ({"tradingAuthorityExpirationTime": milliseconds(OPENING + timedelta(days=6))}, "until 2026-11-30", False),
        ({"tradingAuthorityExpirationTime": milliseconds(OPENING + timedelta(days=8))}, "", False),
        ({"tradingAuthorityExpirationTime": "soon"}, "", False),
    ],
)
def test_what_a_key_may_do_and_should_not_is_told(changes: dict[str, Any], why: str, blocking: bool) -> None:
    account = BinanceAccount()
    account.way.after["GET", "apiRestrictions"] = [changed(**changes)]
    finding = preflight(account)["key"]
    assert (why in finding.problem, finding.ok, finding.blocking) == (True, not why, blocking)


def test_what_a_key_may_do_is_not_known_at_the_demo_endpoint_nor_without_an_answer() -> None:
    account = BinanceAccount(endpoint="paper")
    assert "key" not in preflight(account)
    account = BinanceAccount()
    account.way.instead["GET", "apiRestrictions"] = [Said(500, "")]
    finding = preflight(account)["key"]
    assert ("does not say" in finding.problem, finding.blocking) == (True, False)


def test_coins_that_the_book_does_not_count_are_told_as_a_warning() -> None:
    account = BinanceAccount()
    owner = next(each for each in account.simulator.exchange.state.accounts.values() if each.number == NUMBER)
    for coin in ("DOGE", "SHIB", "A", "B", "C", "D"):
        account.simulator.exchange.move(owner.id, "JNLS", coin, Decimal("12.50"))
    finding = preflight(account)["other coins"]
    assert not finding.blocking
    assert finding.problem.startswith("the account also holds 12.5 A, 12.5 B, 12.5 C, 12.5 D, 12.5 DOGE and 1 more")
    assert "BNB" not in finding.problem


@pytest.mark.parametrize(
    ("price", "warned"), [("1.0099", False), ("1.0102", True), ("0.9902", False), ("0.98", True), ("0.87", True)]
)
def test_a_tether_that_is_not_worth_a_dollar_is_told(price: str, warned: bool) -> None:
    account = BinanceAccount()
    account.simulator.exchange.record("price", symbol="USDCUSDT", price=price)
    finding = preflight(account)["peg"]
    assert (not finding.ok) is warned
    assert not finding.blocking


def test_one_stablecoin_that_fails_is_not_taken_for_tethers_failure() -> None:
    account = BinanceAccount()
    told = [Said(200, json.dumps({"price": price})) for price in ("0.60", "1.0001", "0.9999")]
    account.way.instead["GET", "price"] = told
    assert preflight(account)["peg"].ok


def test_a_peg_that_nobody_tells_is_a_warning() -> None:
    account = BinanceAccount()
    account.way.instead["GET", "price"] = [Said(500, ""), Said(200, '{"price":"0"}'), Said(200, "[]")]
    assert "no pair tells" in preflight(account)["peg"].problem


def test_a_clock_that_is_off_ends_the_preflight() -> None:
    account = BinanceAccount()
    account.ahead = timedelta(minutes=3)
    found = preflight(account)
    assert list(found) == ["clock"]
    assert found["clock"].blocking
    assert "180 s ahead" in found["clock"].problem


def test_questions_without_answers_are_no_passes() -> None:
    account = BinanceAccount()
    account.way.instead |= {("GET", "account"): [Said(401, '{"code":-2015,"msg":"Invalid API-key."}')]}
    account.way.instead |= {("GET", "exchangeInfo"): [Said(502, "<html>")]}
    found = preflight(account, "BTC-USD", "SPY")
    assert all(found[subject].blocking for subject in ("account", "BTC-USD", "SPY"))
    assert "BINANCE_API_KEY" in found["account"].problem
    assert "not traded in this account" in found["SPY"].problem


def test_lots_of_the_universe_fit_the_market_or_are_named() -> None:
    account = BinanceAccount((replace(BITCOIN, lot_size=Decimal("0.000001")),))
    assert "no multiple of 0.00001; set lot_size" in preflight(account)["BTC-USD"].problem


def without(name: str) -> Callable[[bytes], Said]:
    """An answer that has lost a field, and has a new one."""

    def spoil(body: bytes) -> Said:
        content = json.loads(body)
        target = content[0] if isinstance(content, list) else content["symbols"][0] if "symbols" in content else content
        del target[name]
        return Said(200, json.dumps([target] if isinstance(content, list) else content | {"brandNew": 1}))

    return spoil


@pytest.mark.parametrize(
    ("path", "kind", "name", "new"),
    [
        ("account", "account", "preventSor", "brandNew"),
        ("exchangeInfo", "market", "otoAllowed", ""),
        ("allOrders", "order", "icebergQty", ""),
        ("myTrades", "trade", "isBestMatch", ""),
    ],
)
def test_fields_that_binance_adds_or_takes_away_are_told_and_do_not_block(
    path: str, kind: str, name: str, new: str
) -> None:
    account = BinanceAccount(resting=False)
    asyncio.run(account.broker.submit(account.intend(account.order())))
    account.restart()
    assert preflight(account)["answers"].ok
    account.restart()
    account.way.after["GET", path] = [without(name)]
    finding = preflight(account)["answers"]
    assert f"about the {kind} has changed (gone: {name}" in finding.problem
    assert new in finding.problem
    assert not finding.blocking


def test_a_coin_that_is_gone_from_binance_does_not_keep_the_others_from_being_traded() -> None:
    gone = replace(ETHER, symbol="LUNA-USD")
    account = BinanceAccount((BITCOIN, gone))
    found = preflight(account, "BTC-USD", "LUNA-USD")
    assert found["BTC-USD"].ok
    assert "has no market LUNAUSDT" in found["LUNA-USD"].problem
    answer = asyncio.run(account.broker.submit(account.intend(account.order())))
    assert answer.outcome is Outcome.ACCEPTED
    with pytest.raises(BrokerUnavailableError, match=r"LUNAUSDT: Invalid symbol"):
        asyncio.run(account.broker.open_orders())
