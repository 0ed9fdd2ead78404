"""Exact arithmetic in the units of `domain.money`, for array kernels and for the objects they stand for."""

from __future__ import annotations

import numpy as np

from trading_lib.domain.kernels import compiled, inlined
from trading_lib.domain.market.prices import FloatArray, IntegerArray
from trading_lib.domain.money import CENT, MICRO

# A millionth of a unit at a millionth of a dollar is this part of a cent.
PARTS = CENT * MICRO
# Millionths of a unit: ten billion units, up to which the arithmetic is exact.
LARGEST_QUANTITY = 10_000_000_000 * MICRO


@compiled
def _rounded(whole: int, rest: int, unit: int) -> int:
    """Round a whole number and ``rest`` parts of the next one, ``unit`` of which make it up, half to even."""
    if 2 * rest > unit or (2 * rest == unit and whole % 2 != 0):
        whole += 1
    return whole


@compiled
def half_even(numerator: int, denominator: int) -> int:
    """Quotient of fixed-point integers, the second positive, rounded half to even."""
    return _rounded(numerator // denominator, numerator % denominator, denominator)


@compiled
def _value(quantity: int, price: int) -> tuple[int, int]:
    """Cents, and the rest in `PARTS` of one; neither number is negative."""
    # The product itself would not fit into 64 bits: whole units times whole cents go first.
    whole = (quantity // MICRO) * (price % CENT)
    part = (quantity % MICRO) * price
    rest = whole % CENT * MICRO + part % PARTS
    return (quantity // MICRO) * (price // CENT) + whole // CENT + part // PARTS + rest // PARTS, rest % PARTS


@compiled
def value_in_cents(quantity: int, price: int) -> int:
    """Quantity times price to the cent, half to even; exact up to `HIGHEST_PRICE` and ten billion units."""
    cents, rest = _value(quantity, price)
    return _rounded(cents, rest, PARTS)


@compiled
def value_rounded_up(quantity: int, price: int) -> int:
    """Quantity times price in cents, never less: what counts against a limit."""
    cents, rest = _value(quantity, price)
    return cents + (1 if rest > 0 else 0)


@compiled
def value_of_holdings(quantities: IntegerArray, prices: IntegerArray) -> int:
    """Sum of quantities times prices, shapes (n,), in cents; only the sum is rounded."""
    cents, rest = 0, 0
    for i in range(quantities.shape[0]):
        if quantities[i] > 0:
            whole, part = _value(quantities[i], prices[i])
            cents += whole
            rest += part
    return _rounded(cents + rest // PARTS, rest % PARTS, PARTS)


@compiled
def share_rounded_down(cents: int, rate: int) -> int:
    """Return a rate in millionths of an amount of cents, never more: what a limit is."""
    return (cents // MICRO) * rate + (cents % MICRO) * rate // MICRO


@compiled
def share_in_cents(cents: int, rate: int) -> int:
    """Return a rate in millionths of an amount of cents, half to even."""
    return _rounded(share_rounded_down(cents, rate), (cents % MICRO) * rate % MICRO, MICRO)


@compiled
def affordable(cents: int, price: int, lot: int, costs: int) -> int:
    """Largest quantity in whole lots whose value and costs (a rate in millionths) are no more than ``cents``.

    No more than `LARGEST_QUANTITY`: at a millionth of a dollar a unit, ten million dollars would buy more units than 64
    bits hold.
    """
    if cents <= 0 or price <= 0:
        return 0
    each = price / MICRO * (lot / MICRO) * (1.0 + costs / MICRO)
    count = int(min(cents / 100.0 / each, LARGEST_QUANTITY / lot))
    # The quotient of floats may miss by one, and rounding to cents by more where a lot is worth less than one.
    excess = _spent(count * lot, price, costs) - cents
    while count > 0 and excess > 0:
        count = max(count - 1 - int(excess / 100.0 / each), 0)
        excess = _spent(count * lot, price, costs) - cents
    if (count + 1) * lot <= LARGEST_QUANTITY and _spent((count + 1) * lot, price, costs) <= cents:
        count += 1
    return count * lot


@compiled
def _spent(quantity: int, price: int, costs: int) -> int:
    value = value_rounded_up(quantity, price)
    return value + share_in_cents(value, costs)


@compiled
def payable(quantity: int, price: int, lot: int, commission: int, cash: int) -> int:
    """Part of ``quantity`` that ``cash`` cents pay for, commission included: all of it, or as many whole lots as fit.

    Value and commission are rounded as they are booked, so what is answered never takes cash below zero, and one lot
    more would.

    Parameters
    ----------
    quantity, lot
        Millionths of a unit.
    price
        Of the execution, in millionths of a dollar.
    commission
        Rate in millionths of the traded value.
    """
    if paid_for(quantity, price, commission) <= cash:
        return quantity
    most = min(affordable(cash, price, lot, commission), quantity // lot * lot)
    # That bound rounds every value up, where the booking rounds half to even.
    while most + lot <= quantity and paid_for(most + lot, price, commission) <= cash:
        most += lot
    return most


@compiled
def paid_for(quantity: int, price: int, commission: int) -> int:
    """Cents that a purchase takes: its value and its commission, each rounded as it is booked."""
    return value_in_cents(quantity, price) + commission_on(quantity, price, commission)


@compiled
def commission_on(quantity: int, price: int, commission: int) -> int:
    """Commission in cents, a rate in millionths of the traded value as it is booked."""
    return share_in_cents(value_in_cents(quantity, price), commission)


@inlined
def weights_of_holdings(quantity: IntegerArray, mark: IntegerArray, nav: float) -> FloatArray:
    """Present weights, shape (n,): values of holdings as shares of ``nav``, which is in dollars.

    Parameters
    ----------
    quantity, mark
        Shape (n,), millionths of a unit and of a dollar.
    """
    weights = np.zeros(quantity.shape[0])
    if nav > 0.0:
        for i in range(quantity.shape[0]):
            if quantity[i] != 0:
                weights[i] = quantity[i] / MICRO * (mark[i] / MICRO) / nav
    return weights
