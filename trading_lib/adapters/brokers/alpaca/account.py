"""The account as Alpaca tells it. Input: its answer. Output: balances, or why nothing can be traded in it."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from trading_lib.adapters.brokers.alpaca.values import UnreadableError, amount_of, records, text_of
from trading_lib.execution.broker import BrokerAccount

# Absent fields say nothing: Alpaca takes some away now and then.
BLOCKS = {
    "account_blocked": "Alpaca has blocked the account",
    "trading_blocked": "Alpaca has blocked trading in the account",
    "trade_suspended_by_user": "trading is suspended in the account's own settings",
}
ACTIVE = "ACTIVE"
# Its data are being changed, or it is one that never had real money; both trade.
TRADING = frozenset({ACTIVE, "ACCOUNT_UPDATED", "PAPER_ONLY"})


def is_account(content: Mapping[str, Any], wanted: str) -> bool:
    """Whether the account is the configured one, by its number or its id; any is where none is configured."""
    return not wanted or wanted in (content.get("account_number"), content.get("id"))


def why_blocked(content: Mapping[str, Any]) -> str:
    """Say why no order would be taken, "" where nothing says so."""
    status = content.get("status", ACTIVE)
    if status not in TRADING:
        return f"the account at Alpaca is {status}, not {ACTIVE}"
    return next((words for name, words in BLOCKS.items() if content.get(name) is True), "")


def readable_account(content: Any) -> Mapping[str, Any]:
    """Return an answer about an account, of which all is there that is needed.

    Raises
    ------
    UnreadableError
        Naming the field.
    """
    if not isinstance(content, dict):
        raise UnreadableError("no account")
    for name in ("account_number", "id", "currency"):
        text_of(content, name)
    for name in ("cash", "buying_power"):
        amount_of(content, name)
    return content


def balances(content: Mapping[str, Any], account: str) -> BrokerAccount:
    """Return the money of a readable account; below 0 nothing is left to buy with."""
    power = max(amount_of(content, "buying_power"), Decimal(0))
    return BrokerAccount(account, text_of(content, "currency"), amount_of(content, "cash"), power)


def held(content: Any) -> dict[str, Decimal]:
    """Return symbol -> units, negative for what is sold short.

    Raises
    ------
    UnreadableError
        Naming the field.
    """
    found: dict[str, Decimal] = {}
    for position in records(content, "positions"):
        symbol, units = text_of(position, "symbol"), amount_of(position, "qty")
        if position.get("side") == "short":
            units = -abs(units)
        found[symbol] = found.get(symbol, Decimal(0)) + units
    return {symbol: units for symbol, units in found.items() if units}
