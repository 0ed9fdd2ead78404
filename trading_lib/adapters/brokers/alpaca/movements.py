"""Cash that moved without a trade, from Alpaca's account activities. Input: the connection. Output: movements."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from datetime import UTC, date, datetime, time, timedelta
from typing import Any

from trading_lib.adapters.brokers.alpaca.connection.client import AlpacaConnection
from trading_lib.adapters.brokers.alpaca.values import UnreadableError, amount_of, records, text_of
from trading_lib.domain.errors import BrokerUnavailableError
from trading_lib.domain.market.sessions import NEW_YORK
from trading_lib.execution.broker import Movement, MovementKind

PAGE = 100
MOST_PAGES = 1_000
# Whether Alpaca leaves out the day it is asked from is not said; days that are too early are left out here.
EARLIER = timedelta(days=2)
FILL = "FILL"
# What was struck moves nothing; Alpaca lists what it was replaced by.
STRUCK = frozenset({"canceled", "cancelled"})
KINDS = {
    "FEE": MovementKind.FEE,
    "CFEE": MovementKind.FEE,
    "PTC": MovementKind.FEE,
    "INT": MovementKind.INTEREST,
    "INTNRA": MovementKind.INTEREST,
    "INTTW": MovementKind.INTEREST,
    "CSD": MovementKind.TRANSFER,
    "CSW": MovementKind.TRANSFER,
    "CSR": MovementKind.TRANSFER,
    "JNLC": MovementKind.TRANSFER,
    "ACATC": MovementKind.TRANSFER,
    "TRANS": MovementKind.TRANSFER,
    "SPLIT": MovementKind.SPLIT,
    "SSP": MovementKind.SPLIT,
    "SSO": MovementKind.SPLIT,
}


async def movements_since(connection: AlpacaConnection, since: datetime) -> tuple[Movement, ...]:
    """Return every movement of the New York day of ``since`` or later, the oldest first.

    Raises
    ------
    BrokerUnavailableError
        When some page cannot be had or read: then none is told.
    """
    first = since.astimezone(NEW_YORK).date()
    try:
        told = [movement(one, connection.record) for one in await _pages(connection, first - EARLIER) if counts(one)]
    except UnreadableError as error:
        raise BrokerUnavailableError(
            f"Alpaca's list of account activities cannot be read ({error})", "try again later"
        ) from None
    later = [one for one in told if one.at.astimezone(NEW_YORK).date() >= first]
    return tuple(sorted(later, key=lambda one: (one.at, one.movement_id)))


def counts(activity: Mapping[str, Any]) -> bool:
    """Whether an activity is no fill, and was not struck."""
    return text_of(activity, "activity_type") != FILL and str(activity.get("status", "")).lower() not in STRUCK


def movement(activity: Mapping[str, Any], record: Callable[[str], str]) -> Movement:
    """Return the movement that an activity tells; a type that is not known here is OTHER.

    Raises
    ------
    UnreadableError
        When it has no id, type, day or amount.
    """
    name = text_of(activity, "activity_type")
    # Dividends have a type for each reason, and for the tax that is kept.
    kind = MovementKind.DIVIDEND if name.startswith("DIV") else KINDS.get(name, MovementKind.OTHER)
    try:
        day = date.fromisoformat(text_of(activity, "date")[:10])
    except ValueError:
        raise UnreadableError("date is no day") from None
    told = activity.get("description")
    words = f"{name} {told}" if isinstance(told, str) and told else name
    return Movement(
        text_of(activity, "id"),
        kind,
        amount_of(activity, "net_amount"),
        str(activity.get("symbol") or ""),
        datetime.combine(day, time(), NEW_YORK).astimezone(UTC),
        record(words),
        record(json.dumps(activity, default=str)),
    )


async def _pages(connection: AlpacaConnection, first: date) -> list[Mapping[str, Any]]:
    fields = {"direction": "asc", "page_size": str(PAGE), "category": "non_trade_activity", "after": first.isoformat()}
    found: dict[str, Mapping[str, Any]] = {}
    token = ""
    for _ in range(MOST_PAGES):
        content = await connection.read("/account/activities", {**fields, "page_token": token} if token else fields)
        page, before = records(content, "activities"), len(found)
        found |= {text_of(one, "id"): one for one in page}
        # A page that is exactly full may be the last: the next one is empty then.
        if len(page) < PAGE:
            return list(found.values())
        if len(found) == before:
            break
        token = text_of(page[-1], "id")
    raise UnreadableError("its pages do not end")
