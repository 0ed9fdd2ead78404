"""Perpetual futures that hedge a crypto asset: names on each venue, costs, and windows for their funding."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal

SEPARATOR = ":"


def is_perpetual(symbol: str) -> bool:
    """Whether a symbol names a perpetual on a venue; no instrument of the universe has a colon in its symbol."""
    return SEPARATOR in symbol


def venue_of(symbol: str) -> str:
    """Venue of a perpetual, as funding rates spell it."""
    return symbol.partition(SEPARATOR)[0].lower()


@dataclass(frozen=True, slots=True)
class FundingWindows:
    """Spans over which funding rates are judged.

    Attributes
    ----------
    recent_days, history_days
        Volatility of the rate in the days before a decision is compared with that in the days before those.
    minimum_days
        With less history than this the comparison is missing.
    stale_intervals
        A rate older than this many of its own intervals counts as missing.
    """

    recent_days: float = 7.0
    history_days: float = 90.0
    minimum_days: float = 30.0
    stale_intervals: float = 2.0


@dataclass(frozen=True, slots=True)
class PerpetualContract:
    """A perpetual future, the same on every venue.

    Attributes
    ----------
    name
        Base and quote, as in `FundingRates`: "BTC-USDT". One unit of the quote counts as one dollar.
    spot
        The asset of the universe that it hedges. Where no price of the perpetual is known, this asset's price stands
        for it.
    venues
        Where shorts may be opened. One that was opened may be closed anywhere.
    commission_rate, slippage_rate, basis_cost
        Fractions of traded notional. The basis cost is what entry and exit lose to the perpetual's price being another
        than the spot price.
    """

    name: str
    spot: str
    venues: tuple[str, ...] = ()
    commission_rate: Decimal = Decimal("0.001")
    slippage_rate: Decimal = Decimal("0.0015")
    basis_cost: Decimal = Decimal("0.0005")
    windows: FundingWindows = FundingWindows()

    def on(self, venue: str) -> str:
        """Symbol of the perpetual on a venue, e.g. "BINANCE:BTC-USDT"."""
        return f"{venue.upper()}{SEPARATOR}{self.name}"

    def covers(self, symbol: str) -> bool:
        """Whether ``symbol`` is this perpetual on some venue."""
        return symbol.partition(SEPARATOR)[2] == self.name
