"""The single checks of an order, in their order. Input: one order and its context. Output: None, or why it is denied.

Each is a function of its own, so that each can be shown to be needed: without it an order passes that must not.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from trading_lib.domain.book.orders import Order, OrderPurpose, Side
from trading_lib.domain.market.perpetuals import is_perpetual
from trading_lib.orders.pre_trade_pair import hedge_problem, unknown_problem

if TYPE_CHECKING:
    from trading_lib.orders.pre_trade import PreTradeContext

Check = Callable[[Order, "PreTradeContext"], str | None]


def reduces(order: Order) -> bool:
    """Whether the order closes a position or a short; the checks of holdings ensure that it does not reverse it."""
    return order.side is (Side.BUY if is_perpetual(order.symbol) else Side.SELL)


def _exempt(order: Order) -> bool:
    """Whether size limits do not apply: they never hold back an order that only reduces risk."""
    return order.purpose is OrderPurpose.RISK and reduces(order)


def known_symbol(order: Order, context: PreTradeContext) -> str | None:
    """Refuse what the universe does not have."""
    if is_perpetual(order.symbol):
        return unknown_problem(order, context.universe)
    return None if order.symbol in context.universe.positions else f"{order.symbol} is not in the universe"


def positive_quantity(order: Order, context: PreTradeContext) -> str | None:
    """Refuse a quantity that is no number, zero or negative."""
    if not order.quantity.is_finite() or order.quantity <= 0:
        return f"quantity {order.quantity} is not positive"
    return None


def whole_lots(order: Order, context: PreTradeContext) -> str | None:
    """Refuse parts of a lot."""
    lot = context.universe.traded(order.symbol)[0].lot_size
    return f"quantity {order.quantity} is not a multiple of the lot size {lot}" if order.quantity % lot != 0 else None


def largest_quantity(order: Order, context: PreTradeContext) -> str | None:
    """Refuse more units than an order may have."""
    if order.quantity > context.config.max_order_quantity and not _exempt(order):
        return f"quantity {order.quantity} is above max_order_quantity {context.config.max_order_quantity}"
    return None


def largest_value(order: Order, context: PreTradeContext) -> str | None:
    """Refuse more dollars than an order may be worth."""
    if order.expected_notional > context.config.max_order_notional and not _exempt(order):
        return f"value {order.expected_notional:.2f} is above the limit of {context.config.max_order_notional}"
    return None


def positive_price(order: Order, context: PreTradeContext) -> str | None:
    """Refuse a price that is no number, zero or negative."""
    if not order.expected_price.is_finite() or order.expected_price <= 0:
        return f"price {order.expected_price} is not positive"
    return None


def known_price(order: Order, context: PreTradeContext) -> str | None:
    """Refuse what adds to a position without a good price; after a gap, what reduces risk has to go out."""
    if reduces(order):
        return None
    last = context.last_prices.get(order.symbol)
    return None if last is not None and last > 0 else f"no good price of {order.symbol} is known"


def price_collar(order: Order, context: PreTradeContext) -> str | None:
    """Refuse what adds to a position far from the last good price."""
    last = context.last_prices.get(order.symbol)
    if reduces(order) or last is None or not last > 0:
        return None
    away = abs(float(order.expected_price) / last - 1.0)
    if away > context.config.price_collar:
        return f"price {order.expected_price} is {away:.1%} away from the last good price {last}"
    return None


def hedge(order: Order, context: PreTradeContext) -> str | None:
    """Refuse a perpetual's order that opens more than a hedge, or reverses it."""
    if not is_perpetual(order.symbol):
        return None
    may_buy = _may_increase(context, context.universe.traded(order.symbol)[1])
    return hedge_problem(order, context.universe, context.portfolio, context.orders or (order,), may_buy)


def sold_holding(order: Order, context: PreTradeContext) -> str | None:
    """Refuse to sell more than is held."""
    if is_perpetual(order.symbol) or order.side is not Side.SELL:
        return None
    held = context.portfolio.positions.get(order.symbol)
    if held is None or order.quantity > held.quantity:
        return f"selling {order.quantity} {order.symbol} with {held.quantity if held else 0} held would go short"
    return None


def level_rules(order: Order, context: PreTradeContext) -> str | None:
    """Refuse to buy what the risk level, or a day without a session, does not allow."""
    if is_perpetual(order.symbol) or order.side is not Side.BUY:
        return None
    if context.assessment is None:
        return f"buying {order.symbol} is not allowed on a day without a session"
    if not _may_increase(context, context.universe.positions[order.symbol]):
        return f"buying {order.symbol} is not allowed at risk level {context.assessment.effective_level}"
    return None


def duplicate(order: Order, context: PreTradeContext) -> str | None:
    """Refuse to add twice to a position: an order of the same symbol and side is open.

    Slices of one order are none of it, and what reduces risk is limited by what open sales leave of the holding.
    """
    if reduces(order):
        return None
    for other in context.open_orders:
        same = (other.symbol, other.side) == (order.symbol, order.side)
        slices = (other.session, other.leg) == (order.session, order.leg)
        if same and not slices and other.client_order_id != order.client_order_id:
            return f"order {other.client_order_id} of the same symbol and side is open already"
    return None


def opposite(order: Order, context: PreTradeContext) -> str | None:
    """Refuse to add to a position that an open order reduces: brokers take both for a wash trade."""
    if reduces(order):
        return None
    for other in context.open_orders:
        if other.symbol == order.symbol and other.side is not order.side:
            return f"order {other.client_order_id} of the opposite side of {order.symbol} is open"
    return None


def buying_power(order: Order, context: PreTradeContext) -> str | None:
    """Refuse a purchase that its account cannot pay for, where the broker said what it can."""
    if is_perpetual(order.symbol) or order.side is not Side.BUY:
        return None
    there = context.buying_power.get(context.universe.account_of(order.symbol))
    cost = order.expected_notional + order.estimated_commission
    if there is None or cost <= there:
        return None
    return f"{order.symbol} costs {cost:.2f} with commission, and the buying power of its account is {there:.2f}"


def _may_increase(context: PreTradeContext, column: int) -> bool:
    return context.assessment is not None and bool(context.assessment.may_increase[column])


CHECKS: tuple[Check, ...] = (
    known_symbol,
    positive_quantity,
    whole_lots,
    largest_quantity,
    largest_value,
    positive_price,
    known_price,
    price_collar,
    hedge,
    sold_holding,
    level_rules,
    duplicate,
    opposite,
    buying_power,
)
