"""Lists of orders and trades, read to their end.

Input: a pair and where to begin. Output: records, the oldest first, each once, whatever arrives meanwhile.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Any

from trading_lib.adapters.brokers.binance.access.client import BinanceClient
from trading_lib.adapters.brokers.binance.answers.amounts import (
    UnreadableError,
    items,
    milliseconds,
    moment,
    text,
    when,
    whole,
)
from trading_lib.adapters.brokers.binance.answers.classification import Meaning, content_of, meaning_of
from trading_lib.adapters.brokers.binance.answers.markets import Pair

# The most that Binance gives at once.
PAGE = 1_000
WINDOW, MOST_WINDOWS = timedelta(days=1), 7
# Its clock may be ahead of what we know of it.
AHEAD = timedelta(minutes=1)
ALL_ORDERS = "private_get_allorders"
Record = dict[str, Any]


async def trades_from(client: BinanceClient, pair: Pair, number: int) -> list[Record]:
    """Return the account's trades of a pair whose number is at least ``number``."""
    return await _pages(client, "private_get_mytrades", pair, number, "fromId", "id")


async def orders_from(client: BinanceClient, pair: Pair, number: int) -> list[Record]:
    """Return the account's orders of a pair whose number is at least ``number``."""
    return await _pages(client, ALL_ORDERS, pair, number, "orderId", "orderId")


async def orders_since(client: BinanceClient, pair: Pair, since: datetime) -> list[Record]:
    """Return the account's orders of a pair that Binance took at ``since`` or later.

    Of few days by windows of time, each of which must not be longer than a day; of many, by number from the first on.
    """
    now, found = moment(client.milliseconds()), dict[int, Record]()
    begin, by_number = since, now - since > MOST_WINDOWS * WINDOW
    while begin <= now + AHEAD and not by_number:
        end = begin + WINDOW - timedelta(milliseconds=1)
        times = {"startTime": str(milliseconds(begin)), "endTime": str(milliseconds(end)), "limit": str(PAGE)}
        page = _checked(await client.read(ALL_ORDERS, {"symbol": pair.name, **times}), pair)
        found |= {whole(each, "orderId"): each for each in page}
        # Whether a full page holds the oldest or the newest of its window is not said.
        begin, by_number = begin + WINDOW, len(page) >= PAGE
    records = await orders_from(client, pair, 0) if by_number else [found[number] for number in sorted(found)]
    return [each for each in records if when(each, "time") >= since]


async def newest(client: BinanceClient, pair: Pair) -> dict[str, Record]:
    """Return the newest order and the newest trade of a pair, as far as there are any."""
    found = dict[str, Record]()
    for kind, method in (("order", ALL_ORDERS), ("trade", "private_get_mytrades")):
        page = _checked(await client.read(method, {"symbol": pair.name, "limit": "1"}), pair)
        found |= {kind: page[-1]} if page else {}
    return found


async def client_ids(client: BinanceClient, pair: Pair, numbers: Iterable[int]) -> dict[int, str]:
    """Return the client order ids of the orders that Binance finds."""
    wanted, found = sorted(set(numbers)), dict[int, str]()
    left = wanted
    while left:
        page = await _page(client, ALL_ORDERS, pair, left[0], "orderId")
        listed = {whole(each, "orderId"): text(each, "clientOrderId") for each in page}
        found |= {number: listed[number] for number in left if number in listed}
        last = max(listed, default=0) if len(page) >= PAGE else left[-1]
        if last < left[0]:
            raise UnreadableError(f"repeats the page before orderId {left[0]}")
        left = [number for number in left if number > last]
    for number in wanted:
        if number not in found and (identity := await _client_id(client, pair, number)):
            found[number] = identity
    return found


async def _client_id(client: BinanceClient, pair: Pair, number: int) -> str:
    """Return the client order id of one order, "" where Binance does not find it."""
    reply = await client.question("private_get_order", {"symbol": pair.name, "orderId": str(number)})
    if meaning_of(reply) in (Meaning.NO_SUCH_ORDER, Meaning.ARCHIVED):
        return ""
    if meaning_of(reply) is not Meaning.ANSWERED:
        raise client.unavailable(f"does not say whose order {number} of {pair.name} is ({client.told(reply)})")
    (record,) = _checked([content_of(reply)], pair)
    if whole(record, "orderId") != number:
        raise UnreadableError("is about another order")
    return text(record, "clientOrderId")


async def _pages(
    client: BinanceClient, method: str, pair: Pair, number: int, parameter: str, name: str
) -> list[Record]:
    found: dict[int, Record] = {}
    while True:
        page = await _page(client, method, pair, number, parameter)
        fresh = {whole(each, name): each for each in page if whole(each, name) >= number}
        found |= fresh
        if len(page) < PAGE:
            return [found[each] for each in sorted(found)]
        if not fresh:
            raise UnreadableError(f"repeats the page before {parameter} {number}")
        number = max(fresh) + 1


async def _page(client: BinanceClient, method: str, pair: Pair, number: int, parameter: str) -> list[Record]:
    question = {"symbol": pair.name, parameter: str(number), "limit": str(PAGE)}
    return _checked(await client.read(method, question), pair)


def _checked(content: Any, pair: Pair) -> list[Record]:
    records = items(content)
    if any(text(record, "symbol") != pair.name for record in records):
        raise UnreadableError(f"is not about {pair.name}")
    return records
