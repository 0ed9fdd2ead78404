"""Exact arithmetic in the units of `domain.money`, for array kernels and for the objects they stand for."""

from __future__ import annotations

from trading_lib.domain.kernels import compiled
from trading_lib.domain.money import CENT, MICRO
from trading_lib.domain.prices import IntegerArray


@compiled
def half_even(numerator: int, denominator: int) -> int:
    """Quotient of whole numbers, the second positive, rounded half to even."""
    quotient = numerator // denominator
    twice = 2 * (numerator - quotient * denominator)
    if twice > denominator or (twice == denominator and quotient % 2 != 0):
        quotient += 1
    return quotient


@compiled
def _value(quantity: int, price: int) -> tuple[int, int]:
    """Millionths of a dollar, and the rest in millionths of those."""
    # A millionth of a unit times a millionth of a dollar would not fit into 64 bits: whole units go first.
    part = (quantity % MICRO) * price
    return (quantity // MICRO) * price + part // MICRO, part % MICRO


@compiled
def _to_cent(micros: int, rest: int) -> int:
    cents = micros // CENT
    over = (micros % CENT) * MICRO + rest
    if 2 * over > CENT * MICRO or (2 * over == CENT * MICRO and cents % 2 != 0):
        cents += 1
    return cents


@compiled
def value_in_cents(quantity: int, price: int) -> int:
    """Quantity times price to the cent, half to even; neither is negative, and the value is below $9 trillion."""
    micros, rest = _value(quantity, price)
    return _to_cent(micros, rest)


@compiled
def value_rounded_up(quantity: int, price: int) -> int:
    """Quantity times price in cents, never less: what counts against a limit."""
    micros, rest = _value(quantity, price)
    return micros // CENT + (1 if micros % CENT > 0 or rest > 0 else 0)


@compiled
def value_of_holdings(quantities: IntegerArray, prices: IntegerArray) -> int:
    """Sum of quantities times prices, shapes (n,), in cents; only the sum is rounded."""
    micros, rest = 0, 0
    for i in range(quantities.shape[0]):
        if quantities[i] > 0:
            whole, part = _value(quantities[i], prices[i])
            micros += whole
            rest += part
    return _to_cent(micros + rest // MICRO, rest % MICRO)


@compiled
def share_rounded_down(cents: int, rate: int) -> int:
    """Return a rate in millionths of an amount of cents, never more: what a limit is."""
    return cents * rate // MICRO


@compiled
def share_in_cents(cents: int, rate: int) -> int:
    """Return a rate in millionths of an amount of cents, half to even."""
    return half_even(cents * rate, MICRO)
