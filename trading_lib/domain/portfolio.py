"""Portfolio as a value: cash, positions and the last marks."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from decimal import ROUND_HALF_EVEN, Decimal

CENT = Decimal("0.01")


def to_cent(amount: Decimal) -> Decimal:
    """Round an amount of dollars to the cent, half to even."""
    return amount.quantize(CENT, rounding=ROUND_HALF_EVEN)


@dataclass(frozen=True, slots=True)
class Position:
    """A holding; ``average_cost`` is dollars per unit including nothing but prices paid."""

    symbol: str
    quantity: Decimal
    average_cost: Decimal


@dataclass(frozen=True, slots=True)
class Portfolio:
    """What a book owns at the decision time of ``session``.

    Attributes
    ----------
    positions
        Symbol -> position; a closed position is absent.
    marks
        Symbol -> last good raw price of each held symbol.
    nav
        Cash plus marked positions, rounded to the cent.
    realised_pnl, dividends, costs
        Totals since the book was opened; costs are commissions plus slippage.
    """

    session: date
    cash: Decimal
    nav: Decimal
    positions: Mapping[str, Position] = field(default_factory=dict)
    marks: Mapping[str, Decimal] = field(default_factory=dict)
    realised_pnl: Decimal = Decimal(0)
    dividends: Decimal = Decimal(0)
    costs: Decimal = Decimal(0)

    @classmethod
    def opened(cls, session: date, cash: Decimal) -> Portfolio:
        """Return a portfolio that holds only ``cash``."""
        return cls(session=session, cash=cash, nav=to_cent(cash))

    def weight(self, symbol: str) -> float:
        """Share of net asset value held in ``symbol``; 0 when none is held."""
        position = self.positions.get(symbol)
        if position is None or self.nav <= 0:
            return 0.0
        return float(position.quantity * self.marks[symbol] / self.nav)
