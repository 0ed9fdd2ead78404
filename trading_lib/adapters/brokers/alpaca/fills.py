"""Fills from Alpaca's account activities. Input: activities as they came. Output: executions, busts, and a cursor.

A cursor is the id of an activity, behind which reading begins, and marks of the activities after it that were told
already. It stays a few minutes behind the newest activity: one that is listed late, before others of its time, is told.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal
from typing import Any

from trading_lib.adapters.brokers.alpaca.orders import SIDES
from trading_lib.adapters.brokers.alpaca.values import UnreadableError, amount_of, text_of, time_of
from trading_lib.execution.broker import Bust, Execution

# How late an activity may be listed, and is told all the same.
LATEST = timedelta(minutes=5)
MARK_LENGTH = 12
# How Alpaca says that a trade was struck.
STRUCK = frozenset({"canceled", "cancelled", "bust", "busted", "trade_bust"})


@dataclass(frozen=True, slots=True)
class Position:
    """A place in the activities: ``token`` is an activity's id, ``told`` are marks of later ones."""

    token: str = ""
    told: frozenset[str] = frozenset()

    @classmethod
    def at(cls, cursor: str) -> Position:
        """Read a cursor."""
        token, _, marks = cursor.partition("|")
        return cls(token, frozenset(marks.split(",")) - {""})

    def fresh(self, activities: Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
        """Activities behind the token that were not told."""
        return [one for one in activities if _mark(one) not in self.told]

    def after(self, activities: Sequence[Mapping[str, Any]]) -> str:
        """Return the cursor once all of ``activities``, which follow the token, are told."""
        if not activities:
            return "|".join((self.token, ",".join(sorted(self.told)))) if self.told else self.token
        settled = max(time_of(one, "transaction_time") for one in activities) - LATEST
        token, rest = self.token, 0
        while rest < len(activities) and time_of(activities[rest], "transaction_time") < settled:
            token, rest = text_of(activities[rest], "id"), rest + 1
        return "|".join((token, ",".join(sorted(_mark(one) for one in activities[rest:]))))


def _mark(activity: Mapping[str, Any]) -> str:
    return hashlib.sha256(text_of(activity, "id").encode()).hexdigest()[:MARK_LENGTH]


def is_struck(activity: Mapping[str, Any]) -> bool:
    """Whether an activity strikes a trade and puts no other in its place."""
    return bool({str(activity.get(name, "")).lower() for name in ("type", "status")} & STRUCK)


def struck_id(activity: Mapping[str, Any]) -> str:
    """Return the id of the trade that an activity strikes or corrects, "" where it names none."""
    named = (activity.get(name) for name in ("previous_execution_id", "previous_id"))
    return next((identity for identity in named if isinstance(identity, str) and identity), "")


def bust(activity: Mapping[str, Any], trade_id: str, record: Callable[[str], str]) -> Bust:
    """Return the trade that an activity strikes."""
    why = "struck by Alpaca" if is_struck(activity) else "corrected by Alpaca"
    return Bust(trade_id, time_of(activity, "transaction_time"), why, record(json.dumps(activity, default=str)))


def execution(activity: Mapping[str, Any], client_order_id: str, record: Callable[[str], str]) -> Execution:
    """Return the fill that an activity tells; Alpaca takes no commission, and books its fees apart.

    Raises
    ------
    UnreadableError
        Naming the field.
    """
    side = SIDES.get(text_of(activity, "side"))
    quantity, price = amount_of(activity, "qty"), amount_of(activity, "price")
    if side is None or quantity <= 0 or price < 0:
        raise UnreadableError("side, qty or price")
    return Execution(
        text_of(activity, "id"),
        client_order_id,
        text_of(activity, "symbol"),
        side,
        quantity,
        price,
        Decimal(0),
        time_of(activity, "transaction_time"),
        raw=record(json.dumps(activity, default=str)),
    )
