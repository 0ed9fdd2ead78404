"""Funding of one perpetual as known at each session's decision, and the settlements in between."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from trading_lib.domain.market.prices import FloatArray

HOURS_PER_YEAR = 24.0 * 365.0


@dataclass(frozen=True, slots=True)
class Settlement:
    """One payment between longs and shorts.

    Attributes
    ----------
    symbol
        The perpetual with its venue, e.g. "BINANCE:BTC-USDT".
    settled_at
        UTC, to the minute: the milliseconds by which exchanges are late must not decide who held what.
    rate
        Fraction of the position's value that longs pay shorts; negative when shorts pay.
    price
        Dollars per unit that the position is valued at: the spot price known then, the opening of that UTC day.
    """

    symbol: str
    settled_at: datetime
    rate: float
    price: float


@dataclass(frozen=True, slots=True)
class FundingView:
    """Funding as known at a decision; v venues.

    Attributes
    ----------
    venues
        As funding rates spell them.
    rate
        Shape (v,): newest rate, normalised to 8 hours by the actual time since the settlement before. NaN when none is
        known or the newest is stale.
    annual_carry
        Shape (v,): the same rate as a simple annual return on the position's value.
    volatility_ratio
        Shape (v,): its recent standard deviation over that of its own history; NaN while the history is too short.
    age_hours
        Shape (v,): time since the newest settlement whose interval is known, NaN when there is none.
    """

    venues: tuple[str, ...]
    rate: FloatArray
    annual_carry: FloatArray
    volatility_ratio: FloatArray
    age_hours: FloatArray


@dataclass(frozen=True, slots=True)
class FundingPanel:
    """Funding at every session of a price panel; T sessions, v venues.

    Attributes
    ----------
    rate, annual_carry, volatility_ratio, age_hours
        Shape (T, v); see `FundingView`.
    settlements
        T tuples: what settled after the decision of the session before and up to this session's, by time.
    """

    venues: tuple[str, ...]
    rate: FloatArray
    annual_carry: FloatArray
    volatility_ratio: FloatArray
    age_hours: FloatArray
    settlements: tuple[tuple[Settlement, ...], ...]

    def view(self, row: int) -> FundingView:
        """Cut out what was known at the decision of session number ``row``."""
        return FundingView(
            self.venues, self.rate[row], self.annual_carry[row], self.volatility_ratio[row], self.age_hours[row]
        )
