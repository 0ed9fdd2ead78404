"""All orders of an account, page by page. Input: the connection. Output: orders as Alpaca tells them, oldest first."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from typing import Any

from trading_lib.adapters.brokers.alpaca.connection.client import AlpacaConnection
from trading_lib.adapters.brokers.alpaca.orders import OPEN, broker_order
from trading_lib.adapters.brokers.alpaca.values import UnreadableError, records, text_of, time_of, time_or_none
from trading_lib.domain.errors import BrokerUnavailableError
from trading_lib.execution.broker import BrokerOrder

LOG = logging.getLogger(__name__)
PAGE = 500
# Pages overlap, since several orders may be of one instant.
OVERLAP = timedelta(milliseconds=1)
# Alpaca writes when it took an order a little after it was submitted, by which it lists.
LISTED_BEFORE = timedelta(minutes=1)


async def open_orders(connection: AlpacaConnection) -> tuple[BrokerOrder, ...]:
    """Return the orders that may still fill."""
    listed = await list_orders(connection, "open", None)
    return tuple(order for order in _readable(listed, connection.record) if order.status.is_open)


async def closed_orders(connection: AlpacaConnection, since: datetime) -> tuple[BrokerOrder, ...]:
    """Return the orders that Alpaca took at ``since`` or later and that cannot fill any more.

    All orders are listed, and left out is what is known to be open. One that ends in between is then in this list, if
    not in that of the open ones, and so is one of a status that is not known here.
    """
    listed = [
        one for one in await list_orders(connection, "all", since - LISTED_BEFORE) if one.get("status") not in OPEN
    ]
    orders = _readable(listed, connection.record)
    return tuple(order for order in orders if order.created_at is None or order.created_at >= since)


async def list_orders(connection: AlpacaConnection, status: str, after: datetime | None) -> list[Mapping[str, Any]]:
    """Return orders as they are told, each once.

    Parameters
    ----------
    status
        ``open`` or ``all``.
    after
        Those submitted before are left out.

    Raises
    ------
    BrokerUnavailableError
        When a page cannot be had or read: some of the orders are none.
    """
    found: dict[str, Mapping[str, Any]] = {}
    while True:
        page = await _page(connection, status, "asc", after)
        # What is told twice counts as it was told last.
        before, found = len(found), found | page
        if len(page) < PAGE:
            return list(found.values())
        last = _last(page)
        if len(found) > before:
            after = last - OVERLAP
            continue
        found |= await _instant(connection, status, last, page)
        after = last


async def _instant(
    connection: AlpacaConnection, status: str, at: datetime, first: Mapping[str, Mapping[str, Any]]
) -> dict[str, Mapping[str, Any]]:
    """Return the orders of an instant that fills a page: read from its end, they must meet those from its beginning."""
    page = await _page(connection, status, "desc", at - OVERLAP, at + OVERLAP)
    if len(page) == PAGE and page.keys().isdisjoint(first):
        raise BrokerUnavailableError(
            f"Alpaca's list of orders cannot be read to its end (more than {2 * PAGE} orders of one instant)"
        )
    return page


async def _page(
    connection: AlpacaConnection, status: str, direction: str, after: datetime | None, until: datetime | None = None
) -> dict[str, Mapping[str, Any]]:
    """Return a page of orders by their ids."""
    bounds = {"after": after, "until": until}
    fields = {"status": status, "limit": str(PAGE), "direction": direction, "nested": "false"}
    times = {name: at.isoformat().replace("+00:00", "Z") for name, at in bounds.items() if at is not None}
    content = await connection.read("/orders", {**fields, **times})
    try:
        return {text_of(one, "id"): one for one in records(content, "orders")}
    except UnreadableError as error:
        raise _unreadable(error) from None


def _last(page: Mapping[str, Mapping[str, Any]]) -> datetime:
    try:
        return max(time_or_none(one, "submitted_at") or time_of(one, "created_at") for one in page.values())
    except UnreadableError as error:
        raise _unreadable(error) from None


def _unreadable(error: UnreadableError) -> BrokerUnavailableError:
    return BrokerUnavailableError(f"Alpaca's list of orders cannot be read ({error})", "try again later")


def _readable(listed: list[Mapping[str, Any]], record: Callable[[str], str]) -> list[BrokerOrder]:
    orders = []
    for content in listed:
        if not content.get("symbol"):
            # An order of several options at once; neither its symbol nor its side exists.
            LOG.warning("order %s at Alpaca is of no single asset and is left out", content.get("id"))
            continue
        try:
            orders.append(broker_order(content, record))
        except UnreadableError as error:
            raise BrokerUnavailableError(
                f"Alpaca's order {content.get('id')} cannot be read ({error})", "look at it on Alpaca's page"
            ) from None
    return orders
