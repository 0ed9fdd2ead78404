"""The pre-trade gate of a session. Input: the decided orders. Output: those that may be sent, and why others may not.

The backtest clears all orders of a session at once; the daily run clears each as it is sent, because the kill switch
may have been turned on meanwhile. Both call `refusal`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from trading_lib.decision import Decision
from trading_lib.domain.book.orders import Order
from trading_lib.domain.book.portfolio import Portfolio
from trading_lib.domain.market.market_view import MarketView
from trading_lib.execution.broker import ClearedOrder
from trading_lib.orders.config import PreTradeConfig
from trading_lib.orders.pre_trade import PreTradeContext, deny_reason, pre_trade_context


@dataclass(frozen=True, slots=True)
class Cleared:
    """Orders that passed the pre-trade checks, and those that did not with the reason."""

    accepted: tuple[Order, ...] = ()
    denied: tuple[tuple[Order, str], ...] = ()


def clear(view: MarketView, decision: Decision, portfolio: Portfolio, config: PreTradeConfig) -> Cleared:
    """Check a decision's orders in the order in which they are sent."""
    orders = decision.batch.orders
    if not orders:
        return Cleared()
    context = pre_trade_context(view, portfolio, decision.assessment, config, orders=orders)
    return split(orders, context)


def split(orders: Sequence[Order], context: PreTradeContext) -> Cleared:
    """Split orders into those that may be sent and those that may not, in order."""
    reasons = [(order, refusal(order, context)) for order in orders]
    return Cleared(
        tuple(order for order, reason in reasons if reason is None),
        tuple((order, reason) for order, reason in reasons if reason is not None),
    )


def refusal(order: Order, context: PreTradeContext, halted: bool = False) -> str | None:
    """Return why an order must not be sent, or None when it may.

    Parameters
    ----------
    halted
        Whether the kill switch is on at this moment.
    """
    return deny_reason(order, replace(context, kill_switch=True) if halted else context)


def for_broker(order: Order, context: PreTradeContext, halted: bool = False) -> ClearedOrder | str:
    """Return the order as a `ClearedOrder`, or why it is denied; nothing else creates one."""
    reason = refusal(order, context, halted)
    return ClearedOrder(order) if reason is None else reason
