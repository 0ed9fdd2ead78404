"""What an account holds: coins and USDT, free and locked in orders.

Input: JSON of the account. Output: `Balances`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from trading_lib.adapters.brokers.binance.answers.amounts import UnreadableError, amount, items, text

NOTHING = Decimal(0)


@dataclass(frozen=True, slots=True)
class Balances:
    """An account's balances.

    Attributes
    ----------
    number
        Binance's own number of the account, "" where it does not say.
    free, total
        Coin -> units that are not locked in orders, and all units; coins of which there are none are left out.
    can_trade
        Whether orders are taken at all.
    kind, permissions
        As Binance names them, such as SPOT.
    fields
        Names of the answer's fields.
    """

    number: str
    free: Mapping[str, Decimal]
    total: Mapping[str, Decimal]
    can_trade: bool
    kind: str
    permissions: frozenset[str]
    fields: frozenset[str]


def balances_from(content: Any) -> Balances:
    """Return the balances of an account; raises `UnreadableError`."""
    if not isinstance(content, dict) or "balances" not in content:
        raise UnreadableError("has no balances")
    free, total = dict[str, Decimal](), dict[str, Decimal]()
    for record in items(content["balances"]):
        coin = text(record, "asset")
        if coin in total:
            raise UnreadableError(f"has {coin} twice")
        free[coin] = amount(record, "free")
        total[coin] = free[coin] + amount(record, "locked")
    return Balances(
        number=str(content.get("uid", "")),
        free={coin: units for coin, units in free.items() if units},
        total={coin: units for coin, units in total.items() if units},
        can_trade=content.get("canTrade") is True,
        kind=str(content.get("accountType", "")),
        permissions=frozenset(map(str, content.get("permissions") or [])),
        fields=frozenset(content),
    )
