"""The checks every order passes on every path before it is sent (docs/specification.md#pre-trade-checks).

Input: one order and its context. Output: None, or why it is denied. A denied order is stored with that reason.
"""

from __future__ import annotations

from dataclasses import dataclass

from trading_lib.domain.book.orders import Order, OrderPurpose, Side
from trading_lib.domain.book.portfolio import Portfolio
from trading_lib.domain.decision.risk import RiskAssessment
from trading_lib.domain.market.instruments import Universe
from trading_lib.domain.market.market_view import MarketView
from trading_lib.domain.market.perpetuals import is_perpetual
from trading_lib.orders.config import PreTradeConfig
from trading_lib.orders.pre_trade_pair import hedge_problem, other_legs, unknown_problem


@dataclass(frozen=True, slots=True)
class PreTradeContext:
    """The data an order is checked against.

    Attributes
    ----------
    assessment
        Of the session; None on a day without one, when nothing may be bought.
    kill_switch
        Whether trading is halted; only orders that reduce risk could pass, and only when asked for.
    orders
        All orders of the session, where a hedge's legs find each other.
    """

    universe: Universe
    portfolio: Portfolio
    assessment: RiskAssessment | None
    last_prices: dict[str, float]
    config: PreTradeConfig
    kill_switch: bool = False
    orders: tuple[Order, ...] = ()


def pre_trade_context(
    view: MarketView,
    portfolio: Portfolio,
    assessment: RiskAssessment,
    config: PreTradeConfig,
    kill_switch: bool = False,
    orders: tuple[Order, ...] = (),
) -> PreTradeContext:
    """Collect the data the orders of a session are checked against; backtest and daily run both call this."""
    prices = dict(zip(view.universe.symbols, view.close.tolist(), strict=True))
    contract = view.universe.perpetuals
    if contract is not None and contract.spot in prices:
        perpetuals = [*portfolio.perpetuals, *(order.symbol for order in orders if is_perpetual(order.symbol))]
        prices |= dict.fromkeys(perpetuals, prices[contract.spot])
    return PreTradeContext(view.universe, portfolio, assessment, prices, config, kill_switch, orders)


def deny_reason(order: Order, context: PreTradeContext) -> str | None:
    """Return why ``order`` must not be sent, or None when it may."""
    if context.kill_switch:
        return "the kill switch is on"
    problem = _own_problem(order, context)
    for leg in other_legs(order, context.universe, context.orders) if problem is None else ():
        theirs = _own_problem(leg, context)
        if theirs is not None:
            return f"its other leg {leg.side} {leg.symbol} is denied: {theirs}"
    return problem


def refusal_kind(reason: str) -> str:
    """Kind of a reason that `deny_reason` gave, without the numbers and names of the single order."""
    return next((kind for fragment, kind in _KINDS if fragment in reason), "other")


def _own_problem(order: Order, context: PreTradeContext) -> str | None:
    if is_perpetual(order.symbol):
        unknown = unknown_problem(order, context.universe)
        if unknown:
            return unknown
    elif order.symbol not in context.universe.positions:
        return f"{order.symbol} is not in the universe"
    return _size_problem(order, context) or _price_problem(order, context) or _rule_problem(order, context)


def _size_problem(order: Order, context: PreTradeContext) -> str | None:
    lot = context.universe.traded(order.symbol)[0].lot_size
    if not order.quantity.is_finite() or order.quantity <= 0:
        return f"quantity {order.quantity} is not positive"
    if order.quantity % lot != 0:
        return f"quantity {order.quantity} is not a multiple of the lot size {lot}"
    # Size limits never hold back an order that only reduces risk.
    if order.purpose is OrderPurpose.RISK and _reduces(order):
        return None
    if order.expected_notional > context.config.max_order_notional:
        return f"value {order.expected_notional:.2f} is above the limit of {context.config.max_order_notional}"
    return None


def _reduces(order: Order) -> bool:
    """Whether the order closes a position or a short; `_rule_problem` ensures that it does not reverse it."""
    return order.side is (Side.BUY if is_perpetual(order.symbol) else Side.SELL)


def _price_problem(order: Order, context: PreTradeContext) -> str | None:
    if not order.expected_price.is_finite() or order.expected_price <= 0:
        return f"price {order.expected_price} is not positive"
    # After a gap the last good price is stale, and a risk-reducing order has to go out.
    if _reduces(order):
        return None
    last = context.last_prices.get(order.symbol)
    if last is None or not last > 0:
        return f"no good price of {order.symbol} is known"
    away = abs(float(order.expected_price) / last - 1.0)
    if away > context.config.price_collar:
        return f"price {order.expected_price} is {away:.1%} away from the last good price {last}"
    return None


def _rule_problem(order: Order, context: PreTradeContext) -> str | None:
    if is_perpetual(order.symbol):
        may_buy = _may_increase(context, context.universe.traded(order.symbol)[1])
        return hedge_problem(order, context.universe, context.portfolio, context.orders or (order,), may_buy)
    held = context.portfolio.positions.get(order.symbol)
    if order.side is Side.SELL:
        if held is None or order.quantity > held.quantity:
            return f"selling {order.quantity} {order.symbol} with {held.quantity if held else 0} held would go short"
        return None
    if context.assessment is None:
        return f"buying {order.symbol} is not allowed on a day without a session"
    if not _may_increase(context, context.universe.positions[order.symbol]):
        return f"buying {order.symbol} is not allowed at risk level {context.assessment.effective_level}"
    return None


def _may_increase(context: PreTradeContext, column: int) -> bool:
    return context.assessment is not None and bool(context.assessment.may_increase[column])


# Fragment of a reason -> its kind. A leg denied because of the other has the other's kind.
_KINDS = (
    ("the kill switch is on", "kill switch"),
    ("is above the limit of", "order value above max_order_notional"),
    ("away from the last good price", "price beyond the collar around the last good price"),
    ("no good price of", "no good price known"),
    ("is not positive", "quantity or price not positive"),
    ("is not a multiple of the lot size", "quantity not in whole lots"),
    ("is not in the universe", "not in the universe"),
    ("is not a configured perpetual", "not a configured perpetual"),
    ("would go short", "would sell more than is held"),
    ("would go long", "would buy back more than is sold short"),
    ("is not among the allowed venues", "venue not allowed"),
    ("short would be more than", "short larger than its spot leg"),
    ("may not be bought", "buying not allowed"),
    ("is not allowed at risk level", "buying not allowed"),
    ("is not allowed on a day without a session", "buying not allowed"),
)
