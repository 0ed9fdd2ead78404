"""The account's answers: what is held, what is there to spend, and why nothing can be traded."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from trading_lib.adapters.brokers.alpaca.account import balances, held, readable_account, why_blocked
from trading_lib.adapters.brokers.alpaca.values import UnreadableError

ACCOUNT = {"id": "a", "account_number": "n", "currency": "USD", "cash": "-5.25", "buying_power": "-5.25"}


@pytest.mark.parametrize(("quantity", "side"), [("-3", "short"), ("3", "short")])
def test_what_is_sold_short_is_negative_however_it_is_written(quantity: str, side: str) -> None:
    assert held([{"symbol": "SPY", "qty": quantity, "side": side}]) == {"SPY": Decimal(-3)}


def test_positions_are_exact_and_hold_nothing_that_is_zero() -> None:
    told = [{"symbol": "SPY", "qty": "1.000000001", "side": "long"}, {"symbol": "QQQ", "qty": "0", "side": "long"}]
    assert held(told) == {"SPY": Decimal("1.000000001")}
    assert held([]) == {}


@pytest.mark.parametrize(
    "content", [None, {}, ["SPY"], [{"symbol": "SPY"}], [{"symbol": "", "qty": "1"}], [{"qty": "1"}]]
)
def test_positions_that_cannot_be_read_are_not_taken_for_none(content: Any) -> None:
    with pytest.raises(UnreadableError):
        held(content)


def test_debts_are_no_power_to_buy() -> None:
    account = balances(readable_account(ACCOUNT), "ours")
    assert (account.account, account.cash, account.buying_power) == ("ours", Decimal("-5.25"), Decimal(0))


@pytest.mark.parametrize("name", sorted(ACCOUNT))
def test_an_account_without_what_is_needed_is_unreadable(name: str) -> None:
    with pytest.raises(UnreadableError, match=name):
        readable_account({key: value for key, value in ACCOUNT.items() if key != name})


def test_fields_that_alpaca_takes_away_block_nothing() -> None:
    assert why_blocked(ACCOUNT) == ""
    assert why_blocked({**ACCOUNT, "status": "PAPER_ONLY", "trading_blocked": None}) == ""
