"""Executions in whole numbers against the same sums in `Decimal`."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.builders.prices import instant
from trading_lib.domain.book.orders import Fill, Side
from trading_lib.domain.book.portfolio import to_cent
from trading_lib.domain.kernels import python_version
from trading_lib.performance.trading.trade_arrays import TradeArrays, round_trips, trade_arrays, traded_and_costs

FILL = Fill(
    "t-1", "paper", "o-1", "SPY", Side.BUY, Decimal(10), Decimal(100), Decimal(99), Decimal(1),
    instant("2024-01-04 14:30"), date(2024, 1, 4),
)  # fmt: skip
FILLS = st.lists(
    st.builds(
        lambda symbol, side, lots, price, slip, commission: replace(
            FILL, symbol=symbol, side=side, quantity=lots * Decimal("0.5"), price=price, reference_price=price + slip,
            commission=commission,
        ),
        st.sampled_from(["SPY", "BTC-USD", "GLD"]),
        st.sampled_from(list(Side)),
        st.integers(1, 3),
        st.decimals("1", "900", places=4),
        st.decimals("0", "0.5", places=4),
        st.decimals(0, 20, places=2),
    ),
    max_size=20,
)  # fmt: skip


@settings(deadline=None)
@given(FILLS)
def test_sums_are_those_of_decimals(fills: list[Fill]) -> None:
    trades = trade_arrays(fills)
    numbers = (trades.quantity, trades.price, trades.reference, trades.commission)
    traded, costs = traded_and_costs(*numbers)
    assert (traded, costs) == python_version(traded_and_costs)(*numbers)
    assert Decimal(traded) / 100 == sum((to_cent(f.quantity * f.price) for f in fills), Decimal(0))
    slipped = sum((to_cent(f.quantity * (f.reference_price - f.price)) for f in fills), Decimal(0))
    assert Decimal(costs) / 100 == slipped + sum((f.commission for f in fills), Decimal(0))


@settings(deadline=None)
@given(FILLS)
def test_round_trips_end_flat(fills: list[Fill]) -> None:
    trades = trade_arrays(fills)
    arguments = (trades.asset, trades.quantity, trades.price, trades.commission)
    found = round_trips(*arguments).tolist()
    assert found == python_version(round_trips)(*arguments).tolist()
    held: dict[str, Decimal] = {}
    flat = 0
    for fill in fills:
        sign = 1 if fill.side is Side.BUY else -1
        held[fill.symbol] = held.get(fill.symbol, Decimal(0)) + sign * fill.quantity
        flat += held[fill.symbol] == 0
    assert len(found) == flat
    if all(quantity == 0 for quantity in held.values()):
        flows = [(-1 if f.side is Side.BUY else 1) * to_cent(f.quantity * f.price) - f.commission for f in fills]
        assert sum(found) == pytest.approx(float(sum(flows, Decimal(0))))


def test_assets_keep_the_numbers_they_are_given() -> None:
    numbers = {"GLD": 0, "SPY": 1}
    trades = trade_arrays([FILL, replace(FILL, symbol="BINANCE:BTC-USDT", side=Side.SELL)], numbers)
    assert trades.asset.tolist() == [1, 2]
    assert trades.quantity.tolist() == [10_000_000, -10_000_000]
    assert numbers["BINANCE:BTC-USDT"] == 2
    assert isinstance(trade_arrays([]), TradeArrays)
    assert trade_arrays([]).asset.tolist() == []
