"""Open orders of earlier sessions: nothing is bought until they end, and sales assume the worst case.

Input: the portfolio and assessment of a session, and the open orders. Output: both as order generation uses them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from decimal import Decimal

import numpy as np

from trading_lib.domain.book.orders import Order, Side
from trading_lib.domain.book.portfolio import PerpetualPosition, Portfolio, Position, to_cent
from trading_lib.domain.decision.risk import RiskAssessment
from trading_lib.domain.market.perpetuals import is_perpetual


@dataclass(frozen=True, slots=True)
class OpenOrder:
    """An order of an earlier session that may still fill; ``left`` units of it."""

    order: Order
    left: Decimal


def at_worst(portfolio: Portfolio, still_open: Sequence[OpenOrder]) -> Portfolio:
    """Return the holdings that are certain: without what open sales may sell or open purchases may still add.

    Of what is sold short, what is surely left to buy back.
    """
    positions, perpetuals = dict(portfolio.positions), dict(portfolio.perpetuals)
    for entry in still_open:
        short = perpetuals.get(entry.order.symbol)
        if short is not None and entry.order.side is Side.BUY:
            _cover(perpetuals, short, entry.left)
        held = positions.get(entry.order.symbol)
        if entry.order.side is not Side.SELL or held is None:
            continue
        left = held.quantity - entry.left
        if left > 0:
            positions[held.symbol] = Position(held.symbol, left, held.average_cost)
        else:
            del positions[held.symbol]
    return replace(portfolio, positions=positions, perpetuals=perpetuals)


def _cover(perpetuals: dict[str, PerpetualPosition], short: PerpetualPosition, bought: Decimal) -> None:
    left = short.quantity + bought
    if left >= 0:
        del perpetuals[short.symbol]
    else:
        value = to_cent(short.entry_value * left / short.quantity)
        perpetuals[short.symbol] = replace(short, quantity=left, entry_value=value)


def without_purchases(assessment: RiskAssessment, still_open: Sequence[OpenOrder]) -> RiskAssessment:
    """Return an assessment under which nothing may be bought while orders are open."""
    if not still_open:
        return assessment
    return replace(assessment, may_increase=np.zeros_like(assessment.may_increase))


def increases(order: Order) -> bool:
    """Whether an order adds to a position, long or short."""
    return order.side is (Side.SELL if is_perpetual(order.symbol) else Side.BUY)


def still_open_reason(still_open: Sequence[OpenOrder]) -> str:
    """Name the open order that blocks purchases, and how many more there are."""
    first, more = still_open[0].order, len(still_open) - 1
    order = f"order {first.client_order_id} of session {first.session}"
    return f"{order} is still open{f' and {more} more' if more else ''}: nothing is bought until it ends"
