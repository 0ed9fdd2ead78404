"""Simulated execution at an opening price. Input: an order and the reference price. Output: a `Fill`.

Slippage against the order and commission on the traded notional (docs/specification.md#execution). Pure and
deterministic, so the backtest and the paper broker cannot differ.
"""

from __future__ import annotations

from datetime import date, datetime

from trading_lib.domain.book.accounts import SIMULATED
from trading_lib.domain.book.orders import Fill, Order, Side
from trading_lib.domain.kernels import compiled
from trading_lib.domain.market.instruments import Instrument
from trading_lib.domain.money import MICRO, from_cents, from_micros, price_micros, to_micros
from trading_lib.domain.money_arithmetic import commission_on, half_even, payable
from trading_lib.execution.config import PaperConfig

SIMULATED_BROKER = SIMULATED


@compiled
def execution_price(reference: int, buying: bool, slippage: int, unit: int) -> int:
    """Price against the order, half to even.

    Parameters
    ----------
    reference
        Price before slippage, in millionths of a dollar; below $9 million.
    slippage
        Rate in millionths.
    unit
        Smallest difference between two prices, in millionths of a dollar.
    """
    slipped = MICRO + slippage if buying else MICRO - slippage
    return half_even(reference * slipped, MICRO * unit) * unit


@compiled
def meet_opening(
    ordered: int, buying: bool, reference: int, lot: int, commission: int, slippage: int, unit: int, cash: int
) -> tuple[int, int, int]:
    """Quantity, price and commission of a spot order at its opening.

    A purchase is cut to the whole lots that cash pays for with commission; without a usable opening all three are 0.

    Parameters
    ----------
    ordered, lot
        Millionths of a unit.
    reference, unit
        Opening price, not positive where there is none, and smallest difference between two prices, in millionths of a
        dollar.
    commission, slippage
        Rates in millionths.
    cash
        Cents.
    """
    if reference <= 0:
        return 0, 0, 0
    price = execution_price(reference, buying, slippage, unit)
    quantity = payable(ordered, price, lot, commission, cash) if buying else ordered
    return quantity, price, commission_on(quantity, price, commission)


def fill_at_open(
    order: Order, opening_price: float, instrument: Instrument, filled_at: datetime, session: date, config: PaperConfig
) -> Fill:
    """Fill the whole order at the opening price plus slippage.

    Parameters
    ----------
    opening_price
        Raw opening price in dollars, finite and positive.
    session
        The session whose accounting the fill belongs to.
    """
    reference, slippage = price_micros(opening_price), to_micros(instrument.slippage_rate)
    price = execution_price(reference, order.side is Side.BUY, slippage, config.price_unit)
    commission = commission_on(to_micros(order.quantity), price, to_micros(instrument.commission_rate))
    return Fill(
        trade_id=trade_id(order.client_order_id),
        broker=SIMULATED_BROKER,
        client_order_id=order.client_order_id,
        symbol=order.symbol,
        side=order.side,
        quantity=order.quantity,
        price=from_micros(price),
        reference_price=from_micros(reference),
        commission=from_cents(commission),
        filled_at=filled_at,
        session=session,
    )


def trade_id(client_order_id: str) -> str:
    """Id of an order's single fill."""
    return f"{client_order_id}-1"
