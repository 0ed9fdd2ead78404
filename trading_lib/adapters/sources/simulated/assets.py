"""How each simulated asset loads on the common factors. Pure data: fractions per year at normal volatility."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from trading_lib.domain.market.prices import VOLATILITY_INDEX

# Equity, interest rates (up = bonds up), precious metals, commodities, crypto; then groups of equities.
FACTORS = ("equity", "rates", "metals", "commodities", "crypto", "technology", "financials", "foreign")


@dataclass(frozen=True, slots=True)
class AssetModel:
    """One asset's behaviour.

    Attributes
    ----------
    loadings
        Factor -> annualised volatility it contributes.
    own_volatility
        Annualised volatility of the asset alone.
    growth
        Annual log total return after the last published level.
    dividend_yield, dividend_months
        Annual yield as a fraction, and the months it is paid in; ``monthly`` payers go ex on the first session.
    daily_limit
        Scale of the soft limit on one day's log return.
    volume
        Typical daily volume in units of the asset.
    """

    loadings: Mapping[str, float]
    own_volatility: float
    growth: float
    volume: float
    dividend_yield: float = 0.0
    dividend_months: tuple[int, ...] = ()
    daily_limit: float = 0.17
    every_day: bool = False

    @property
    def volatility(self) -> float:
        """Annualised volatility at normal times; factors are close to independent."""
        squares = [loading**2 for loading in self.loadings.values()]
        return float((sum(squares) + self.own_volatility**2) ** 0.5)


QUARTERLY = (3, 6, 9, 12)
HALF_YEARLY = (6, 12)
MONTHLY = tuple(range(1, 13))

ASSETS: Mapping[str, AssetModel] = {
    "GLD": AssetModel({"metals": 0.155, "rates": 0.02}, 0.02, 0.05, 8e6),
    "SPY": AssetModel({"equity": 0.150}, 0.02, 0.075, 9e7, 0.0185, QUARTERLY),
    "QQQ": AssetModel({"equity": 0.160, "technology": 0.075}, 0.03, 0.09, 5e7, 0.007, QUARTERLY),
    "BTC-USD": AssetModel({"equity": 0.10, "crypto": 0.60}, 0.05, 0.20, 4e5, daily_limit=0.38, every_day=True),
    "SLV": AssetModel({"metals": 0.24, "commodities": 0.06, "equity": 0.04}, 0.12, 0.04, 1e7),
    "XLK": AssetModel({"equity": 0.160, "technology": 0.080}, 0.035, 0.09, 1.5e7, 0.010, QUARTERLY),
    "XLF": AssetModel({"equity": 0.175, "financials": 0.100}, 0.05, 0.065, 5.5e7, 0.018, QUARTERLY),
    "XLE": AssetModel({"equity": 0.155, "commodities": 0.130}, 0.10, 0.05, 3.5e7, 0.030, QUARTERLY),
    "XLV": AssetModel({"equity": 0.115}, 0.065, 0.075, 7e6, 0.016, QUARTERLY),
    "TLT": AssetModel({"rates": 0.130}, 0.02, 0.03, 7e6, 0.030, MONTHLY),
    "TIP": AssetModel({"rates": 0.045, "metals": 0.008, "commodities": 0.010}, 0.02, 0.025, 8e5, 0.025, MONTHLY),
    "EFA": AssetModel({"equity": 0.145, "foreign": 0.065}, 0.025, 0.06, 1.8e7, 0.028, HALF_YEARLY),
    "EEM": AssetModel({"equity": 0.155, "foreign": 0.105, "commodities": 0.03}, 0.06, 0.055, 4.8e7, 0.021, HALF_YEARLY),
    "DBC": AssetModel({"commodities": 0.150, "metals": 0.025, "equity": 0.055}, 0.05, 0.02, 1.6e6),
    "VNQ": AssetModel({"equity": 0.145, "financials": 0.07, "rates": 0.04}, 0.09, 0.065, 3e6, 0.039, QUARTERLY),
}

SYMBOLS = (*ASSETS, VOLATILITY_INDEX)
