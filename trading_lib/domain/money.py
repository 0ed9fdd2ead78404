"""Money, prices and quantities as fixed-point integers, so that array kernels compute them exactly.

Money is counted in cents, prices in millionths of a dollar, quantities in millionths of a unit, rates in millionths.
Values and objects that leave the program are `Decimal`; the conversions here are exact, except that a price finer than
a millionth of a dollar is rounded to it, half to even.
"""

from __future__ import annotations

import math
from decimal import ROUND_FLOOR, ROUND_HALF_EVEN, Decimal
from functools import lru_cache

MICRO = 1_000_000
# A cent in millionths of a dollar.
CENT = 10_000
# What the fixed-point integers hold, in dollars: the price of a unit, and what a book starts with.
HIGHEST_PRICE = 4_000_000.0
LARGEST_BOOK = 1_000_000_000_000


@lru_cache(maxsize=1 << 17)
def to_micros(value: Decimal) -> int:
    """Millionths of a decimal number, half to even."""
    return int(value.scaleb(6).to_integral_value(rounding=ROUND_HALF_EVEN))


def price_micros(price: float) -> int:
    """Millionths of a dollar of a finite price, half to even; `numpy.rint` of an array times `MICRO` is the same."""
    return round(price * MICRO)


@lru_cache(maxsize=1 << 17)
def from_micros(number: int) -> Decimal:
    """Decimal of a number of millionths, without trailing zeros.

    The closes and openings of a market are asked for by every run over it, so they are kept: sixteen years of fifteen
    assets are 60,000 prices.
    """
    return Decimal(number) / MICRO


def exact_price(price: float) -> Decimal:
    """Return a price as a decimal; NaN stays NaN."""
    return from_micros(price_micros(price)) if math.isfinite(price) else Decimal(repr(price))


def to_cents(amount: Decimal) -> int:
    """Cents of an amount of dollars, half to even."""
    return int(amount.scaleb(2).to_integral_value(rounding=ROUND_HALF_EVEN))


def from_cents(number: int) -> Decimal:
    """Dollars of a number of cents, with two decimals."""
    return Decimal(number).scaleb(-2)


def whole_lots(quantity: Decimal, lot: Decimal) -> Decimal:
    """Round a quantity down to a multiple of the lot size."""
    return (quantity / lot).to_integral_value(rounding=ROUND_FLOOR) * lot
