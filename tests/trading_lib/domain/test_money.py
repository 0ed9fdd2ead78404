"""Whole-number arithmetic against `Decimal`, compiled and plain."""

from __future__ import annotations

from decimal import ROUND_CEILING, ROUND_FLOOR, ROUND_HALF_EVEN, Decimal

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from trading_lib.domain import money_arithmetic as arithmetic
from trading_lib.domain.kernels import python_version
from trading_lib.domain.money import (
    HIGHEST_PRICE,
    LARGEST_BOOK,
    MICRO,
    exact_price,
    from_cents,
    from_micros,
    price_micros,
    to_cents,
    to_micros,
)

CENT = Decimal("0.01")
QUANTITIES = st.integers(0, 10**16)
PRICES = st.integers(0, int(HIGHEST_PRICE) * MICRO)


def exact_value(quantity: int, price: int) -> Decimal:
    return from_micros(quantity) * from_micros(price)


@settings(deadline=None)
@given(st.integers(-(10**15), 10**15), st.integers(1, 10**6))
@example(5, 2)
@example(7, 2)
@example(-5, 2)
def test_half_even_is_that_of_decimals(numerator: int, denominator: int) -> None:
    expected = int((Decimal(numerator) / denominator).to_integral_value(ROUND_HALF_EVEN))
    assert arithmetic.half_even(numerator, denominator) == expected
    assert python_version(arithmetic.half_even)(numerator, denominator) == expected


@settings(deadline=None)
@given(QUANTITIES, PRICES)
@example(1_000_000, 5_000)
@example(1_000_000, 15_000)
@example(123_400, 333_955_300)
@example(9_564_553_390_052, 964_337_930_240)
@example(10**16, int(HIGHEST_PRICE) * MICRO)
def test_values_are_those_of_decimals(quantity: int, price: int) -> None:
    exact = exact_value(quantity, price)
    for kernel in (arithmetic.value_in_cents, python_version(arithmetic.value_in_cents)):
        assert from_cents(kernel(quantity, price)) == exact.quantize(CENT, ROUND_HALF_EVEN)
    assert from_cents(arithmetic.value_rounded_up(quantity, price)) == exact.quantize(CENT, ROUND_CEILING)


@settings(deadline=None)
@given(st.lists(st.tuples(st.integers(0, 10**15), PRICES), max_size=6))
def test_holdings_are_rounded_once(holdings: list[tuple[int, int]]) -> None:
    quantities, prices = np.array(holdings, np.int64).reshape(len(holdings), 2).T
    exact = sum((exact_value(*one) for one in holdings), Decimal(0))
    found = arithmetic.value_of_holdings(np.ascontiguousarray(quantities), np.ascontiguousarray(prices))
    assert from_cents(found) == exact.quantize(CENT, ROUND_HALF_EVEN)


@settings(deadline=None)
@given(st.integers(-(10**15), 100 * LARGEST_BOOK * 100), st.integers(0, 10**6))
@example(1_500_000, 1)
@example(-1_500_000, 1)
@example(100 * LARGEST_BOOK * 100, 10**6)
def test_shares_are_those_of_decimals(cents: int, rate: int) -> None:
    exact = Decimal(cents) * rate / 10**6
    for version in (lambda kernel: kernel, python_version):
        assert version(arithmetic.share_in_cents)(cents, rate) == int(exact.to_integral_value(ROUND_HALF_EVEN))
        assert version(arithmetic.share_rounded_down)(cents, rate) == int(exact.to_integral_value(ROUND_FLOOR))


@settings(deadline=None)
@given(
    st.integers(1, 10**6),
    st.integers(1, 10**12),
    st.sampled_from([100, 10_000, 1_000_000]),
    st.sampled_from([0, 500, 1_000, 20_000]),
    st.integers(-(10**6), 10**12),
)
@example(10, 5_000, 1_000_000, 0, 4)  # half a cent each: ten of them for four cents are eight
def test_what_is_payable_is_all_or_as_many_lots_as_cash_pays_for(
    lots: int, price: int, lot: int, commission: int, cash: int
) -> None:
    def cost(quantity: int) -> int:
        value = exact_value(quantity, price).quantize(CENT, ROUND_HALF_EVEN)
        return to_cents(value + (value * commission / MICRO).quantize(CENT, ROUND_HALF_EVEN))

    quantity = lots * lot
    found = arithmetic.payable(quantity, price, lot, commission, cash)
    assert found == python_version(arithmetic.payable)(quantity, price, lot, commission, cash)
    assert found % lot == 0
    assert 0 <= found <= quantity
    assert cost(found) <= cash or found == 0
    assert found == quantity or cost(found + lot) > cash


@given(st.integers(-(10**13), 10**13))
def test_conversions_there_and_back_change_nothing(number: int) -> None:
    assert to_micros(from_micros(number)) == number
    assert to_cents(from_cents(number)) == number


@pytest.mark.parametrize(
    ("price", "expected"),
    [(45.12, "45.12"), (117.18000030517578, "117.18"), (0.0000005, "0"), (71025.55, "71025.55"), (100.0, "100")],
)
def test_a_price_is_the_decimal_it_was_meant_to_be(price: float, expected: str) -> None:
    assert exact_price(price) == Decimal(expected)
    assert price_micros(price) == int(np.rint(price * 1e6))


def test_no_price_stays_none() -> None:
    assert exact_price(float("nan")).is_nan()
    assert str(from_micros(144_500_000)) == "144.5"
    assert str(from_cents(1_000)) == "10.00"
