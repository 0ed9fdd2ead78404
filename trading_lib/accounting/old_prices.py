"""Positions marked at a price of an earlier session. Input: portfolio and price ages. Output: positions."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Any

from trading_lib.domain.book.portfolio import Portfolio, to_cent
from trading_lib.domain.market.prices import DateArray, IntegerArray


@dataclass(frozen=True, slots=True)
class OldPrice:
    """A position whose newest price is of an earlier session.

    Attributes
    ----------
    price_day, sessions
        Day of the newest price, and its age in sessions.
    value, share
        Dollars, and the fraction of net asset value.
    retired
        Whether it is neither bought nor sold for want of a price.
    """

    symbol: str
    price_day: date
    sessions: int
    quantity: Decimal
    price: Decimal
    value: Decimal
    share: float
    retired: bool

    def describe(self) -> str:
        """Return the position as one line of text."""
        line = (
            f"{self.symbol} has had no price since {self.price_day}: {self.quantity.normalize():f} shares valued at "
            f"${self.value:,.2f}, {100 * self.share:.1f} % of NAV"
        )
        if not self.retired:
            return line
        return f"{line}; retired, closed only once a price returns or by `trading record-proceeds`"

    def as_record(self) -> dict[str, Any]:
        """Return the fields as JSON values."""
        return {
            "symbol": self.symbol,
            "last_price_day": self.price_day.isoformat(),
            "sessions_without_price": self.sessions,
            "quantity": str(self.quantity),
            "price": str(self.price),
            "value": str(self.value),
            "share_of_nav": round(self.share, 6),
            "retired": self.retired,
            "message": self.describe(),
        }


def old_prices(
    portfolio: Portfolio,
    symbols: Sequence[str],
    price_day: DateArray,
    price_age: IntegerArray,
    retired: Collection[str],
) -> tuple[OldPrice, ...]:
    """List the positions without a new price in the session, in the order of ``symbols``.

    Parameters
    ----------
    price_day, price_age
        Shape (n,), of the portfolio's session: see `PricePanel`.
    """
    positions = []
    for i, symbol in enumerate(symbols):
        position = portfolio.positions.get(symbol)
        if position is None or price_age[i] <= 0:
            continue
        price = portfolio.marks[symbol]
        value = to_cent(position.quantity * price)
        share = float(value / portfolio.nav) if portfolio.nav > 0 else float("nan")
        day: date = price_day[i].item()
        positions.append(
            OldPrice(symbol, day, int(price_age[i]), position.quantity, price, value, share, symbol in retired)
        )
    return tuple(positions)
