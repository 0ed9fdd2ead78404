"""Fees that a broker keeps in units: cash is unchanged by them, and the holding is what the broker has."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime
from decimal import Decimal

from hypothesis import given
from hypothesis import strategies as st

from trading_lib.accounting.settle import apply_fills
from trading_lib.domain.book.orders import Fill, Order, OrderPurpose, Side, client_order_id
from trading_lib.domain.book.portfolio import Portfolio
from trading_lib.execution.broker import Execution
from trading_lib.execution.fees import SUFFIX, booked_units, commission_of, fee_companion

DAY = date(2026, 3, 6)
AT = datetime(2026, 3, 7, 0, 0, 5, tzinfo=UTC)


def bought(quantity: str, price: str, fee: str) -> tuple[Order, Execution, Fill]:
    identity = client_order_id("paper", DAY, "BTC-USD", Side.BUY)
    order = Order(
        identity, "paper", DAY, "BTC-USD", Side.BUY, Decimal(quantity), Decimal(price), Decimal(1), 0.1,
        OrderPurpose.REBALANCE, "",
    )  # fmt: skip
    execution = Execution(
        "7", identity, "BTC-USD", Side.BUY, Decimal(quantity), Decimal(price), Decimal("0.0"), AT,
        fee_quantity=Decimal(fee),
    )  # fmt: skip
    fill = Fill(
        "7", "binance", identity, "BTC-USD", Side.BUY, Decimal(quantity), Decimal(price), Decimal(price),
        commission_of(execution), AT, DAY,
    )  # fmt: skip
    return order, execution, fill


@given(
    quantity=st.decimals("0.0001", "50", places=4),
    price=st.decimals("0.5", "200000", places=2),
    rate=st.decimals("0.0001", "0.01", places=4),
)
def test_a_fee_in_units_leaves_cash_as_if_there_were_none_and_takes_the_units(
    quantity: Decimal, price: Decimal, rate: Decimal
) -> None:
    order, execution, fill = bought(str(quantity), str(price), str(quantity * rate))
    _, taken = fee_companion(order, fill, execution.fee_quantity)
    portfolio = apply_fills(Portfolio.opened(DAY, Decimal(50_000_000)), [fill, taken])
    free = apply_fills(Portfolio.opened(DAY, Decimal(50_000_000)), [replace(fill, commission=Decimal(0))])
    assert portfolio.cash == free.cash
    position = portfolio.positions.get("BTC-USD")
    held = position.quantity if position else Decimal(0)
    exact = quantity - execution.fee_quantity
    # Never more than the broker has, and less by under a millionth.
    assert Decimal(0) <= exact - held < Decimal("0.000001")


def test_the_companion_is_an_order_that_was_never_sent_with_the_exact_fee() -> None:
    order, execution, fill = bought("0.0123", "60000", "0.0000123")
    companion, taken = fee_companion(order, fill, execution.fee_quantity)
    assert (companion.purpose, companion.side, companion.quantity, companion.leg) == (
        OrderPurpose.FEE, Side.SELL, Decimal("0.0000123"), "fee:7",
    )  # fmt: skip
    assert companion.client_order_id == client_order_id("paper", DAY, "BTC-USD", Side.SELL, 0, "fee:7")
    assert (taken.trade_id, taken.quantity, taken.commission) == (f"7{SUFFIX}", Decimal("0.000013"), 0)
    assert fill.commission == Decimal("0.78")


def test_units_of_fees_are_rounded_up_to_what_books_keep() -> None:
    assert [booked_units(Decimal(units)) for units in ("0.000001", "0.00000101", "2")] == [
        Decimal("0.000001"), Decimal("0.000002"), Decimal(2),
    ]  # fmt: skip
