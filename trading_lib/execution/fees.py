"""Fees that a broker keeps in units of what was bought: booked as a sale of those units that is never sent.

Input: an order, its fill and the units. Output: the companion order and fill. The fill's commission is the value of the
units at its price, and the companion's proceeds are the same amount: cash is unchanged, and units are net of the fee.
"""

from __future__ import annotations

from dataclasses import replace
from decimal import ROUND_CEILING, Decimal

from trading_lib.domain.book.orders import Fill, Order, OrderPurpose, OrderType, Side, client_order_id
from trading_lib.domain.book.portfolio import to_cent
from trading_lib.domain.money import MICRO
from trading_lib.execution.broker import Execution

LEG = "fee"
SUFFIX = "-fee"
FREE = Decimal(0)


def commission_of(execution: Execution) -> Decimal:
    """Return what a fill cost: the broker's word, or the value of the units that it kept."""
    if not execution.fee_quantity:
        return execution.commission
    return to_cent(booked_units(execution.fee_quantity) * execution.price)


def booked_units(quantity: Decimal) -> Decimal:
    """Return units of a fee as books keep them: up to a millionth, so that nobody sells what the broker has kept."""
    return (quantity * MICRO).to_integral_value(rounding=ROUND_CEILING) / MICRO


def fee_companion(order: Order, fill: Fill, fee_quantity: Decimal) -> tuple[Order, Fill]:
    """Return the order and fill that take the fee of ``fill``, a fill of ``order``, out of the holding.

    The order's quantity is the exact fee, the fill's the one that is booked.
    """
    leg = f"{LEG}:{fill.trade_id}"
    identity = client_order_id(order.book, order.session, order.symbol, Side.SELL, 0, leg)
    companion = replace(
        order,
        client_order_id=identity,
        side=Side.SELL,
        quantity=fee_quantity,
        expected_price=fill.price,
        estimated_commission=FREE,
        weight_change=0.0,
        purpose=OrderPurpose.FEE,
        reason=f"the fee of trade {fill.trade_id}, which {fill.broker} kept in {order.symbol}",
        order_type=OrderType.MARKET,
        limit_price=None,
        stop_price=None,
        leg=leg,
    )
    taken = replace(
        fill,
        trade_id=fill.trade_id + SUFFIX,
        client_order_id=identity,
        side=Side.SELL,
        quantity=booked_units(fee_quantity),
        reference_price=fill.price,
        commission=FREE,
    )
    return companion, taken
