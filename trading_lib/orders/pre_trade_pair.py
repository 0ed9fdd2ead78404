"""Pre-trade rules of a hedge: a short covers spot that is held or being bought, and both legs go or none.

Input: one order of the pair and what it is checked against. Output: None, or why it is denied.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from decimal import Decimal

from trading_lib.domain.book.orders import Order, Side
from trading_lib.domain.book.portfolio import Portfolio
from trading_lib.domain.market.instruments import Universe
from trading_lib.domain.market.perpetuals import is_perpetual, venue_of

NOTHING = Decimal(0)


def other_legs(order: Order, universe: Universe, orders: Sequence[Order]) -> list[Order]:
    """Orders of the session for the other leg of the same hedge; none where the universe has no perpetual."""
    contract = universe.perpetuals
    if contract is None:
        return []
    if is_perpetual(order.symbol):
        return [leg for leg in orders if leg.symbol == contract.spot]
    return [leg for leg in orders if is_perpetual(leg.symbol)] if order.symbol == contract.spot else []


def unknown_problem(order: Order, universe: Universe) -> str | None:
    """Return why a perpetual's order names nothing that is configured."""
    contract = universe.perpetuals
    if contract is None or not contract.covers(order.symbol) or contract.spot not in universe.positions:
        return f"{order.symbol} is not a configured perpetual"
    return None


def hedge_problem(
    order: Order, universe: Universe, portfolio: Portfolio, orders: Sequence[Order], may_buy_spot: bool
) -> str | None:
    """Return why a perpetual's order is denied: it may open a short up to the spot leg, and otherwise only reduce.

    Parameters
    ----------
    orders
        All orders of the session, this one among them.
    may_buy_spot
        Whether the spot asset may be bought; if not, the holding net of shorts may not grow.
    """
    contract = universe.perpetuals
    assert contract is not None  # checked by `unknown_problem` before
    held = portfolio.positions.get(contract.spot)
    spot = held.quantity if held else NOTHING
    spot_after = spot - _sold(leg for leg in orders if leg.symbol == contract.spot)
    short = portfolio.hedged
    short_after = short + _sold(leg for leg in orders if is_perpetual(leg.symbol))
    if order.side is Side.SELL:
        if venue_of(order.symbol) not in contract.venues:
            return f"{venue_of(order.symbol)} is not among the allowed venues of carry"
        if short_after > spot_after:
            return f"{short_after} short would be more than the {spot_after} {contract.spot} it may hedge"
        return None
    position = portfolio.perpetuals.get(order.symbol)
    short_size = -position.quantity if position else NOTHING
    if order.quantity > short_size:
        return f"buying {order.quantity} {order.symbol} with {short_size} short would go long"
    if not may_buy_spot and spot_after - short_after > max(spot - short, NOTHING):
        return f"{contract.spot} may not be bought, and buying back would leave more of it unhedged"
    return None


def _sold(orders: Iterable[Order]) -> Decimal:
    return sum((order.quantity if order.side is Side.SELL else -order.quantity for order in orders), NOTHING)
