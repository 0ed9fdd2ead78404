"""Rounding quantities to what can be traded."""

from __future__ import annotations

from decimal import ROUND_FLOOR, Decimal


def whole_lots(quantity: Decimal, lot: Decimal) -> Decimal:
    """Round a quantity down to a multiple of the lot size."""
    return (quantity / lot).to_integral_value(rounding=ROUND_FLOOR) * lot
