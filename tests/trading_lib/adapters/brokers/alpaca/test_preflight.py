"""A preflight says what Alpaca would refuse, and what has changed in its answers, before anything is traded."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest
from alpaca.trading.models import Asset, Clock, Order, TradeAccount

from tests.builders.markets import UNIVERSE
from tests.peers.brokers.alpaca_account import KEYS, AlpacaAccount, no_pause
from tests.peers.brokers.scripted_answers import Scripted, ScriptedAdapter
from trading_lib.adapters.brokers.alpaca.broker import AlpacaBroker
from trading_lib.adapters.brokers.alpaca.connection.session import BoundedSession
from trading_lib.adapters.brokers.alpaca.shapes import ALWAYS, SOMETIMES, difference
from trading_lib.domain.errors import BrokerUnavailableError
from trading_lib.domain.market.instruments import AssetClass
from trading_lib.execution.broker import BrokerSetting, ClearedOrder, Readiness

SPY = UNIVERSE["SPY"]
ASSET = {
    "id": "x", "class": "us_equity", "exchange": "ARCA", "symbol": "SPY", "name": "SPDR", "status": "active",
    "tradable": True, "marginable": True, "shortable": True, "easy_to_borrow": True, "fractionable": True,
}  # fmt: skip


def checked(account: AlpacaAccount, *symbols: str) -> dict[str, Readiness]:
    found = asyncio.run(account.adapter.preflight(symbols))
    assert len({one.subject for one in found}) == len(found)
    return {one.subject: one for one in found}


def scripted(**answers: Any) -> dict[str, list[Readiness]]:
    """Findings about SPY, with changed answers by the last part of their paths."""
    account = dict.fromkeys(ALWAYS["account"]) | {"status": "ACTIVE"}
    usual: dict[str, Any] = {
        "account": account, "configurations": {}, "clock": dict.fromkeys(ALWAYS["clock"]), "SPY": ASSET, "orders": [],
    }  # fmt: skip
    usual |= answers

    def script(method: str, path: str, parameters: Mapping[str, str]) -> Scripted:
        return 200, usual[path.rpartition("/")[2]]

    def session() -> BoundedSession:
        made = BoundedSession()
        made.mount("https://", ScriptedAdapter(script))
        return made

    broker = AlpacaBroker(BrokerSetting("", KEYS, "paper", (SPY,)), session=session, pause=no_pause)
    found: dict[str, list[Readiness]] = {}
    for one in asyncio.run(broker.preflight(["SPY"])):
        found.setdefault(one.subject, []).append(one)
    return found


def test_an_account_that_may_trade_everything_is_ready() -> None:
    account = AlpacaAccount(instruments=UNIVERSE.instruments)
    asyncio.run(account.adapter.submit(ClearedOrder(account.order(AssetClass.US_ETF))))
    found = checked(account, "SPY", "QQQ", "GLD")
    assert [one.subject for one in found.values()] == ["account", "SPY", "QQQ", "GLD", "answers"]
    assert [one for one in found.values() if not one.ok] == []


def test_a_partnership_needs_the_accounts_consent() -> None:
    account = AlpacaAccount()
    refused = checked(account, "DBC")["DBC"]
    assert refused.blocking
    assert "ptp_no_exception_entry" in refused.problem
    account.booked.settings["ptp_no_exception_entry"] = True
    assert checked(account, "DBC")["DBC"].ok


def test_what_alpaca_does_not_know_is_refused() -> None:
    found = checked(AlpacaAccount(), "NOSUCH", "SPY")
    assert (found["NOSUCH"].blocking, "knows no asset NOSUCH" in found["NOSUCH"].problem) == (True, True)
    assert found["SPY"].ok


@pytest.mark.parametrize("settings", [{"trading_blocked": True}, {"suspend_trade": True}, {"status": "LIMITED"}])
def test_a_blocked_account_is_a_finding_and_no_error(settings: dict[str, Any]) -> None:
    account = AlpacaAccount()
    account.booked.settings.update(settings)
    assert checked(account, "SPY")["account"].blocking


def test_another_account_than_the_configured_one_is_a_finding() -> None:
    assert "another account" in checked(AlpacaAccount(account="PA3OTHER"), "SPY")["account"].problem


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"status": "inactive"}, "SPY is inactive at Alpaca"),
        ({"tradable": False}, "cannot be traded"),
        ({"class": "crypto"}, "is no share or fund"),
        ({"attributes": ["ptp_no_exception"]}, "is a partnership"),
    ],
)
def test_each_reason_to_refuse_an_asset_is_named(changes: dict[str, Any], problem: str) -> None:
    (found,) = scripted(SPY={**ASSET, **changes})["SPY"]
    assert (found.blocking, problem in found.problem) == (True, True)


def test_parts_need_an_asset_and_an_account_that_take_them() -> None:
    in_parts = (replace(SPY, symbol="DBC", lot_size=Decimal("0.01")), replace(SPY, lot_size=Decimal("0.01")))
    account = AlpacaAccount(instruments=in_parts)
    account.booked.settings.update(ptp_no_exception_entry=True)
    found = checked(account, "DBC", "SPY")
    assert (found["DBC"].blocking, "set its lot_size to 1" in found["DBC"].problem) == (True, True)
    assert found["SPY"].ok
    account.booked.settings.update(fractional=False)
    assert "fractional_trading" in checked(account, "SPY")["SPY"].problem


def test_changed_answers_are_named_and_block_nothing() -> None:
    account = dict.fromkeys(ALWAYS["account"] - {"sma", "multiplier"}) | {"status": "ACTIVE", "tier": 1}
    order = dict.fromkeys(ALWAYS["order"]) | {"venue": "X"}
    found = scripted(account=account, orders=[order])
    problems = [one.problem for one in found["answers"]]
    assert problems == [
        "Alpaca's answer about the account has changed (gone: multiplier, sma; new: tier)",
        "Alpaca's answer about the order has changed (new: venue)",
    ]
    assert not any(one.blocking for one in found["answers"])
    assert found["account"][0].ok


@pytest.mark.parametrize("taken_away", ["pattern_day_trader", "daytrade_count", "daytrading_buying_power"])
def test_the_day_trading_fields_may_be_there_or_not(taken_away: str) -> None:
    account = dict.fromkeys(ALWAYS["account"])
    assert difference("account", account) == difference("account", {**account, taken_away: None}) == ""


@pytest.mark.parametrize("part", ["account", "configurations", "clock", "SPY"])
def test_an_answer_that_is_none_is_an_error_and_no_finding(part: str) -> None:
    with pytest.raises(BrokerUnavailableError):
        scripted(**{part: ["nothing"]})


@pytest.mark.parametrize(
    ("kind", "model"), [("account", TradeAccount), ("order", Order), ("asset", Asset), ("clock", Clock)]
)
def test_every_field_of_the_clients_own_models_is_known(kind: str, model: Any) -> None:
    """A new version of the client that knows more fields is noticed here, before Alpaca sends them."""
    names = {field.alias or name for name, field in model.model_fields.items()}
    assert names - ALWAYS[kind] - SOMETIMES[kind] == set()
