"""Reasons why an order does not fill at its opening; shared by the loop, the slow path and the daily run.

An opening price outside the range of its own bar was never traded, so the order is cancelled. It is not filled at the
nearest price of the range either, because it is unknown which price is wrong.
"""

from __future__ import annotations

from datetime import date
from decimal import Decimal

import numpy as np
from numpy.typing import ArrayLike

from trading_lib.domain.market.prices import BoolArray
from trading_lib.domain.money import MICRO, exact_price, from_cents, from_micros


def contradicted(opening: ArrayLike, low: ArrayLike, high: ArrayLike, unit: int) -> BoolArray:
    """Whether openings lie outside the range of their own bars by more than one price unit.

    Parameters
    ----------
    opening, low, high
        Dollars, of the same shape. NaN is unknown, and contradicts nothing.
    unit
        Smallest difference between two prices, in millionths of a dollar.
    """
    lowest, first, highest = (np.rint(np.asarray(prices, np.float64) * MICRO) for prices in (low, opening, high))
    outside: BoolArray = (lowest - first > unit) | (first - highest > unit)
    return outside


def without_opening(symbol: str, day: date) -> str:
    """Reason of a cancellation: no bar, or one without an opening."""
    return f"{symbol} {day}: no opening price: the day order expired"


def outside_range(symbol: str, day: date, opening: float, low: float, high: float) -> str:
    """Reason of a cancellation: the opening is `contradicted` by its bar."""
    open_text, low_text, high_text = (f"{exact_price(price):f}" for price in (opening, low, high))
    return f"{symbol} {day}: the opening {open_text} is outside the bar's own low {low_text} and high {high_text}"


def without_cash(symbol: str, day: date, cash: int, bought: Decimal, quantity: Decimal, price: int) -> str:
    """Reason of a cancellation: cash (cents) pays for no more than ``bought`` at ``price`` (millionths)."""
    share = f"{bought.normalize():f} of {quantity.normalize():f}" if bought else f"none of {quantity.normalize():f}"
    return f"{symbol} {day}: cash of ${from_cents(cash):,} pays for {share} at {from_micros(price):f} with commission"


def nothing_left(symbol: str, day: date, split: float) -> str:
    """Reason of a cancellation: a reverse split left less than one lot of the order."""
    return f"{symbol} {day}: less than one lot is left of the order after the split of {split:g}"


def no_longer_held(symbol: str, day: date, sold: Decimal, quantity: Decimal) -> str:
    """Reason of a cancellation: the purchase before a sale came out smaller than ordered."""
    return f"{symbol} {day}: {sold.normalize():f} of {quantity.normalize():f} sold, as no more was held"


def without_spot(symbol: str, day: date, spot: str, sold: Decimal, quantity: Decimal) -> str:
    """Reason of a cancellation: the other leg of a hedge came out smaller, so this one does."""
    return (
        f"{symbol} {day}: {sold.normalize():f} of {quantity.normalize():f} sold short, as its other leg in {spot} was "
        "filled for less"
    )
