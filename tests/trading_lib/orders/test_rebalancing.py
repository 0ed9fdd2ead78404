"""Quantities within the day's limits: worked examples, and limits that no trade exceeds."""

from __future__ import annotations

import numpy as np
from hypothesis import example, given, settings
from hypothesis import strategies as st

from tests.environment.interpreted import interpreted
from trading_lib.domain import money_arithmetic
from trading_lib.domain.money_arithmetic import LARGEST_QUANTITY, affordable, value_rounded_up
from trading_lib.orders import rebalancing
from trading_lib.orders.rebalancing import (
    CASH_BUFFER,
    NO_LOT,
    TOO_SMALL,
    TRADE_COUNT,
    TURNOVER,
    UNCUT,
    excess_of,
    rebalancing_trades,
)

UNIT = 1_000_000
ASSETS = 5
NAV = 100_000_00
# Number of the account that pays for each asset.
PURSES = [0, 1, 0, 1, 0]


def trade(
    change: list[float], limits: list[int], held: list[int] | None = None, approved: list[float] | None = None,
    close: list[float] | None = None, accounts: list[int] | None = None,
) -> list[tuple[int, int, int]]:  # fmt: skip
    """Asset, units and cut of each trade at $100 a unit, lots of one unit, 0.1 % commission and 0.05 % slippage.

    The limits are trades, turnover, the smallest trade, and the cash of each account.
    """
    array = np.array
    found = rebalancing_trades(
        array(change),
        array(approved or [0.5] * len(change)),
        array(close or [100.0] * len(change)),
        np.ones(len(change), np.bool_),
        np.zeros(len(change), np.bool_),
        array(held or [500] * len(change)) * UNIT,
        np.full(len(change), UNIT),
        np.full(len(change), 1_000),
        np.full(len(change), 500),
        array(accounts or [0] * len(change)),
        NAV,
        array(limits),
        0.02,
    )
    return [(int(a), int(q) // UNIT, int(c)) for a, q, c in zip(*found, strict=True)]


def test_sells_come_first_and_larger_ones_before_smaller() -> None:
    plenty = [9, 10**9, 0, 10**9]
    found = trade([0.05, -0.03, 0.10, -0.06], plenty)
    assert found == [(3, 60, UNCUT), (1, 30, UNCUT), (2, 100, UNCUT), (0, 50, UNCUT)]


def test_each_limit_cuts_and_is_named() -> None:
    assert trade([0.05, 0.04], [1, 10**9, 0, 10**9]) == [(0, 50, UNCUT), (1, 0, TRADE_COUNT)]
    assert trade([0.05], [9, 3_050_00, 0, 10**9]) == [(0, 30, TURNOVER)]
    # 29 units cost $2,904.35 with commission and slippage; 30 would cost $3,004.50.
    assert trade([0.05], [9, 10**9, 0, 3_004_49]) == [(0, 29, CASH_BUFFER)]
    assert trade([0.05], [9, 10**9, 0, 3_004_50]) == [(0, 30, CASH_BUFFER)]
    assert trade([0.05], [9, 10**9, 5_000_01, 10**9]) == [(0, 0, TOO_SMALL)]
    assert trade([0.05], [9, 10**9, 0, 10**9], close=[6_000.0]) == [(0, 0, NO_LOT)]
    assert trade([0.05], [9, 10**9, 0, -1]) == [(0, 0, CASH_BUFFER)]


def test_each_account_pays_for_its_own_assets_and_keeps_what_its_sales_bring() -> None:
    limits = [9, 10**9, 0, 3_004_49, 10**9]
    assert trade([0.05, 0.05], limits, accounts=[0, 1]) == [(0, 29, CASH_BUFFER), (1, 50, UNCUT)]
    # What is sold in the second account pays for nothing in the first.
    sold = [9, 10**9, 0, 0, 0]
    assert trade([0.05, -0.06], sold, accounts=[0, 1]) == [(1, 60, UNCUT), (0, 0, CASH_BUFFER)]
    assert trade([0.05, -0.06], sold, accounts=[1, 1]) == [(1, 60, UNCUT), (0, 50, UNCUT)]


def test_what_is_not_wanted_at_all_is_sold_to_the_last_lot() -> None:
    plenty = [9, 10**9, 0, 10**9]
    assert trade([-0.30], plenty, held=[301], approved=[0.0]) == [(0, 301, UNCUT)]
    assert trade([-0.30], plenty, held=[301], approved=[0.1]) == [(0, 300, UNCUT)]
    assert trade([-0.30], plenty, held=[12], approved=[0.1]) == [(0, 12, UNCUT)]


def test_the_proceeds_of_a_sale_can_be_spent() -> None:
    # $6,000 less 0.15 % costs; each unit bought costs $100.15.
    assert trade([-0.06, 0.08], [9, 10**9, 0, 0]) == [(0, 60, UNCUT), (1, 59, CASH_BUFFER)]


@settings(deadline=None)
@example(922337204, 1, 10_000, 0)
@given(st.integers(-5, 10**9), st.integers(1, 10**12), st.sampled_from([1, 100, 10_000, UNIT]), st.integers(0, 5_000))
def test_what_is_affordable_fits_and_one_lot_more_does_not(cents: int, price: int, lot: int, costs: int) -> None:
    # Cheaper lots than a hundred-millionth of a dollar are no asset's.
    price = max(price, 10_000 // lot)
    quantity = affordable(cents, price, lot, costs)
    assert quantity % lot == 0
    assert 0 <= quantity <= LARGEST_QUANTITY
    if quantity:
        assert money_arithmetic._spent(quantity, price, costs) <= cents
    # Lots worth less than a cent cannot be told apart by cents.
    if cents >= 0 and price * lot >= 10_000 * UNIT and quantity + lot <= LARGEST_QUANTITY:
        assert money_arithmetic._spent(quantity + lot, price, costs) > cents


@settings(deadline=None)
@given(
    change=st.lists(st.floats(-0.5, 0.5), min_size=ASSETS, max_size=ASSETS),
    close=st.lists(st.sampled_from([np.nan, 3.33, 100.0, 5_000.0]), min_size=ASSETS, max_size=ASSETS),
    held=st.lists(st.integers(0, 900), min_size=ASSETS, max_size=ASSETS),
    limits=st.tuples(st.integers(0, 6), st.integers(0, NAV), st.integers(0, 1_000_00), *[st.integers(-NAV, NAV)] * 2),
)
def test_no_limit_is_exceeded_and_compiled_and_plain_agree(
    change: list[float], close: list[float], held: list[int], limits: tuple[int, int, int, int, int]
) -> None:
    approved = [0.0 if one < -0.3 else 0.2 for one in change]
    found = trade(change, list(limits), held, approved, close, PURSES)
    with interpreted():
        plain = rebalancing.rebalancing_trades
        assert plain.__name__ == "rebalancing_trades"
        assert trade_plain(plain, change, limits, held, approved, close) == found
    done = [(asset, units) for asset, units, _ in found if units]
    assert len(done) <= limits[0]
    assert sum(value_rounded_up(units * UNIT, round(close[asset] * UNIT)) for asset, units in done) <= limits[1]
    for purse, cash in enumerate(limits[3:]):
        bought = [(a, u) for a, u in done if PURSES[a] == purse and change[a] > 0]
        sold = [(a, u) for a, u in done if PURSES[a] == purse and change[a] < 0]
        brought = sum(value_rounded_up(units * UNIT, round(close[asset] * UNIT)) for asset, units in sold)
        spent = sum(value_rounded_up(units * UNIT, round(close[asset] * UNIT)) for asset, units in bought)
        assert not bought or spent <= cash + brought
    assert all(units <= held[asset] for asset, units in done if change[asset] < 0)


def trade_plain(kernel, change, limits, held, approved, close):  # type: ignore[no-untyped-def]
    found = kernel(
        np.array(change), np.array(approved), np.array(close), np.ones(ASSETS, np.bool_), np.zeros(ASSETS, np.bool_),
        np.array(held) * UNIT, np.full(ASSETS, UNIT), np.full(ASSETS, 1_000), np.full(ASSETS, 500), np.array(PURSES),
        NAV, np.array(limits), 0.02,
    )  # fmt: skip
    return [(int(a), int(q) // UNIT, int(c)) for a, q, c in zip(*found, strict=True)]


def test_the_excess_over_a_ceiling_is_whole_lots() -> None:
    assert excess_of(10 * UNIT, 7 * UNIT, UNIT) == 3 * UNIT
    assert excess_of(10 * UNIT, 7 * UNIT + 1, UNIT) == 2 * UNIT
    assert excess_of(10 * UNIT, 10 * UNIT, UNIT) == 0
    assert excess_of(10 * UNIT, -1, UNIT) == 0
