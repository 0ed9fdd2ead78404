"""Alpaca's account activities: fills and other movements, with its filters and its paging by token."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any

from trading_lib.adapters.broker_simulator.alpaca.errors import malformed
from trading_lib.adapters.broker_simulator.alpaca.shapes import fill_shape, movement_shape
from trading_lib.adapters.broker_simulator.exchange import Exchange
from trading_lib.adapters.broker_simulator.ledger.records import Account, Execution, parse_time
from trading_lib.domain.market.sessions import NEW_YORK

LARGEST_PAGE = 100
# What Alpaca calls the activities of a category.
CATEGORIES = ("trade_activity", "non_trade_activity")
KINDS = frozenset(("FILL", "DIV", "SPLIT", "FEE", "CSD", "CSW", "JNLC", "JNLS", "INT", "ACATS", "SPIN", "REORG"))


def activities(
    exchange: Exchange, account: Account, kinds: frozenset[str], asked: Mapping[str, str]
) -> list[dict[str, Any]]:
    """Return one page of activities.

    Parameters
    ----------
    kinds
        Activity types; empty means all.

    Raises
    ------
    AlpacaRefusalError
        When a parameter cannot be read.
    """
    for kind in kinds - KINDS:
        raise malformed(f"invalid activity type: {kind}")
    kinds = kinds or _of_category(asked.get("category", ""))
    found = sorted(_all(exchange, account, kinds), key=lambda each: each[0])
    shapes = [shape for (at, _), shape in found if _within(at, asked)]
    if asked.get("direction", "desc") == "desc":
        shapes.reverse()
    token = asked.get("page_token")
    if token:
        shapes = _behind(shapes, token, asked.get("direction", "desc"))
    return shapes[: _size(asked)]


def _of_category(name: str) -> frozenset[str]:
    if name and name not in CATEGORIES:
        raise malformed(f"invalid category: {name}")
    trades = frozenset(("FILL",))
    return {CATEGORIES[0]: trades, CATEGORIES[1]: KINDS - trades}.get(name, frozenset())


def is_hidden(exchange: Exchange, execution: Execution) -> bool:
    """Whether a fill is of an order that does not show yet."""
    order = exchange.state.orders.get(execution.order)
    return order is not None and order.fills_hidden and order.visible_at > exchange.now()


def _all(
    exchange: Exchange, account: Account, kinds: frozenset[str]
) -> Iterator[tuple[tuple[datetime, int], dict[str, Any]]]:
    if not kinds or "FILL" in kinds:
        for execution in exchange.state.executions:
            if execution.account == account.id and not is_hidden(exchange, execution):
                yield (execution.at, execution.number), fill_shape(execution)
    for movement in exchange.state.movements:
        if movement.account == account.id and (not kinds or movement.activity in kinds):
            yield (movement.at, -movement.number), movement_shape(movement)


def _behind(shapes: list[dict[str, Any]], token: str, direction: str) -> list[dict[str, Any]]:
    """Return what follows the activity with the token's id, or where it would stand."""
    for position, shape in enumerate(shapes):
        if shape["id"] == token:
            return shapes[position + 1 :]
    if direction == "desc":
        return [shape for shape in shapes if shape["id"] < token]
    return [shape for shape in shapes if shape["id"] > token]


def _within(at: datetime, asked: Mapping[str, str]) -> bool:
    try:
        if asked.get("date"):
            return at.astimezone(NEW_YORK).date().isoformat() == asked["date"][:10]
        after, until = asked.get("after"), asked.get("until")
        return (not after or at > parse_time(after)) and (not until or at < parse_time(until))
    except ValueError:
        raise malformed("after, until and date must be dates or times") from None


def _size(asked: Mapping[str, str]) -> int:
    try:
        size = int(asked.get("page_size") or LARGEST_PAGE)
    except ValueError:
        raise malformed("page_size must be a number") from None
    if not 1 <= size <= LARGEST_PAGE:
        raise malformed(f"page_size must be between 1 and {LARGEST_PAGE}")
    return size
