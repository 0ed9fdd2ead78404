"""Orders that their broker has adjusted: after a split, a waiting order has more or fewer units under the same ids."""

from __future__ import annotations

from decimal import Decimal
from fractions import Fraction

from trading_lib.domain.book.orders import Order
from trading_lib.execution.broker import BrokerOrder

# Splits of one share into several, of several into one, and those between: 3 for 2, 5 for 4.
SMALL = 5


def adjusted_by(at_broker: BrokerOrder, order: Order, broker_order_id: str) -> Fraction | None:
    """Return new units per old one where a broker's order is ours, of another quantity; None where it is not known.

    It is ours for sure when the broker has it under the id that it gave ours, and the quantities are to each other as
    shares are in a split. Nothing but the quantity may differ.

    Parameters
    ----------
    broker_order_id
        The broker's id of the order, "" where it gave none.
    """
    same = (at_broker.symbol, at_broker.side, at_broker.broker_order_id) == (order.symbol, order.side, broker_order_id)
    if not same or not broker_order_id or at_broker.quantity == order.quantity:
        return None
    if not at_broker.quantity.is_finite() or at_broker.quantity <= 0:
        return None
    ratio = Fraction(at_broker.quantity) / Fraction(order.quantity)
    terms = ratio.numerator, ratio.denominator
    return ratio if min(terms) == 1 or max(terms) <= SMALL else None


def adjusted_text(at_broker: BrokerOrder, quantity: Decimal, ratio: Fraction) -> str:
    """Say what the broker did to an order of ``quantity`` units."""
    return (
        f"the broker has adjusted it from {quantity:f} to {at_broker.quantity:f} {at_broker.symbol}"
        f" ({ratio.numerator} for {ratio.denominator}), as it does for a split"
    )
