"""Single trades in fixed-point integers: compiled and plain, and what no trade can create."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from trading_lib.accounting.trades import book_trade, credit_dividend
from trading_lib.domain.book.holdings import CASH, COSTS, DIVIDENDS, REALISED
from trading_lib.domain.kernels import python_version
from trading_lib.domain.money_arithmetic import value_in_cents

UNIT = 1_000_000


@settings(deadline=None)
@given(
    held=st.integers(0, 1_000),
    cost=st.floats(0.5, 900.0),
    buying=st.booleans(),
    traded=st.integers(1, 1_000),
    price=st.integers(500_000, 900_000_000),
    slipped=st.integers(-1_000_000, 1_000_000),
    commission=st.integers(0, 5_000),
)
def test_compiled_and_plain_agree_and_cash_moves_by_value_and_commission(
    held: int, cost: float, buying: bool, traded: int, price: int, slipped: int, commission: int
) -> None:
    traded = traded if buying or held == 0 else min(traded, held)
    if not buying and held == 0:
        buying = True
    arguments = (held * UNIT, cost if held else 0.0, buying, traded * UNIT, price, max(price + slipped, 1), commission)
    account, other = np.zeros(4, np.int64), np.zeros(4, np.int64)
    found = book_trade(account, *arguments)
    assert found == python_version(book_trade)(other, *arguments)
    np.testing.assert_array_equal(account, other)
    value = value_in_cents(traded * UNIT, price)
    assert account[CASH] == (-value if buying else value) - commission
    assert account[COSTS] >= commission
    assert found[0] == (held + traded if buying else held - traded) * UNIT
    if buying:
        low, high = sorted((cost if held else price / UNIT, price / UNIT))
        assert low - 1e-9 <= found[1] <= high + 1e-9
        assert account[REALISED] == 0
    else:
        assert found[1] == (cost if found[0] else 0.0)
        assert account[REALISED] == pytest.approx((price / UNIT - cost) * traded * 100, abs=0.5001)


def test_a_dividend_is_cash_and_counted() -> None:
    account = np.zeros(4, np.int64)
    credit_dividend(account, 33 * UNIT, 1_578_700)
    assert account.tolist() == [5210, 0, 5210, 0]  # 33 x 1.5787 = 52.0971
    assert account[CASH] == account[DIVIDENDS]
