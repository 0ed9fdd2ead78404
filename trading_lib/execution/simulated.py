"""Simulated execution at an opening price. Input: an order and the reference price. Output: a `Fill`.

Technical design 3.5: slippage against the order and commission on the traded notional. Pure and deterministic, so
the backtest and the paper broker cannot differ.
"""

from __future__ import annotations

from datetime import date, datetime
from decimal import ROUND_HALF_EVEN, Decimal

from trading_lib.domain.exact import exact
from trading_lib.domain.instruments import Instrument
from trading_lib.domain.orders import Fill, Order, Side
from trading_lib.domain.portfolio import to_cent
from trading_lib.execution.config import PaperConfig

SIMULATED_BROKER = "paper"


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
    reference = exact(opening_price)
    direction = 1 if order.side is Side.BUY else -1
    slipped = reference * (1 + direction * instrument.slippage_rate)
    price = slipped.quantize(Decimal(1).scaleb(-config.price_decimals), rounding=ROUND_HALF_EVEN)
    return Fill(
        trade_id=f"{order.client_order_id}-1",
        broker=SIMULATED_BROKER,
        client_order_id=order.client_order_id,
        symbol=order.symbol,
        side=order.side,
        quantity=order.quantity,
        price=price,
        reference_price=reference,
        commission=to_cent(price * order.quantity * instrument.commission_rate),
        filled_at=filled_at,
        session=session,
    )
