"""The checks every order passes on every path before it is sent (SPEC section 12).

Input: one order and its context. Output: None, or why it is denied. A denied order is stored with that reason.
"""

from __future__ import annotations

from dataclasses import dataclass

from trading_lib.domain.instruments import Universe
from trading_lib.domain.market_view import MarketView
from trading_lib.domain.orders import Order, OrderPurpose, Side
from trading_lib.domain.portfolio import Portfolio
from trading_lib.domain.risk import RiskAssessment
from trading_lib.orders.config import PreTradeConfig


@dataclass(frozen=True, slots=True)
class PreTradeContext:
    """What an order is checked against.

    Attributes
    ----------
    kill_switch
        Whether trading is halted; only orders that reduce risk could pass, and only when asked for.
    """

    universe: Universe
    portfolio: Portfolio
    assessment: RiskAssessment
    last_prices: dict[str, float]
    config: PreTradeConfig
    kill_switch: bool = False


def pre_trade_context(
    view: MarketView,
    portfolio: Portfolio,
    assessment: RiskAssessment,
    config: PreTradeConfig,
    kill_switch: bool = False,
) -> PreTradeContext:
    """Collect what the orders of one session are checked against; backtest and pipeline both call this."""
    prices = dict(zip(view.universe.symbols, view.close.tolist(), strict=True))
    return PreTradeContext(view.universe, portfolio, assessment, prices, config, kill_switch)


def deny_reason(order: Order, context: PreTradeContext) -> str | None:
    """Return why ``order`` must not be sent, or None when it may."""
    if context.kill_switch:
        return "the kill switch is on"
    if order.symbol not in context.universe.positions:
        return f"{order.symbol} is not in the universe"
    return _size_problem(order, context) or _price_problem(order, context) or _rule_problem(order, context)


def _size_problem(order: Order, context: PreTradeContext) -> str | None:
    lot = context.universe[order.symbol].lot_size
    if not order.quantity.is_finite() or order.quantity <= 0:
        return f"quantity {order.quantity} is not positive"
    if order.quantity % lot != 0:
        return f"quantity {order.quantity} is not a multiple of the lot size {lot}"
    # Limits of convenience never hold back an order that only reduces risk.
    if order.purpose is OrderPurpose.RISK and order.side is Side.SELL:
        return None
    if order.expected_notional > context.config.max_order_notional:
        return f"value {order.expected_notional:.2f} is above the limit of {context.config.max_order_notional}"
    return None


def _price_problem(order: Order, context: PreTradeContext) -> str | None:
    if not order.expected_price.is_finite() or order.expected_price <= 0:
        return f"price {order.expected_price} is not positive"
    last = context.last_prices.get(order.symbol)
    if last is None or not last > 0:
        return f"no good price of {order.symbol} is known"
    away = abs(float(order.expected_price) / last - 1.0)
    if away > context.config.price_collar:
        return f"price {order.expected_price} is {away:.1%} away from the last good price {last}"
    return None


def _rule_problem(order: Order, context: PreTradeContext) -> str | None:
    held = context.portfolio.positions.get(order.symbol)
    if order.side is Side.SELL:
        if held is None or order.quantity > held.quantity:
            return f"selling {order.quantity} {order.symbol} with {held.quantity if held else 0} held would go short"
        return None
    level = context.assessment.effective_level
    if not context.assessment.may_increase[context.universe.positions[order.symbol]]:
        return f"buying {order.symbol} is not allowed at risk level {level}"
    return None
